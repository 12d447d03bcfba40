"""The optional extra ``compression`` lists what compression imports, and nothing else of the product needs it."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OWN = {"compression", "generator", "golden", "hls_templates", "rtl", "testbench", "zeroskip", "zoo"}


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(each).name) for each in requirements}


def imported(package: str) -> Iterator[str]:
    """Distributions whose modules a package's files import, wherever in the file."""
    known = packages_distributions()
    for file in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            found = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.append(node.module)
            for module in (each.partition(".")[0] for each in found):
                if module not in sys.stdlib_module_names | OWN:
                    yield canonicalize_name(known[module][0])


def test_the_extra_lists_what_compression_imports() -> None:
    extra, always = names(PROJECT["optional-dependencies"]["compression"]), names(PROJECT["dependencies"])
    found = set(imported("compression"))
    assert {"torch", "pillow", "torch-pruning"} <= found
    assert found <= extra | always | names(PROJECT["optional-dependencies"]["report"])
    assert "pytorchcv" in extra, "imported by its name only"


@pytest.mark.parametrize("package", ["generator", "golden", "rtl", "testbench", "zeroskip"])
def test_nothing_else_of_the_product_needs_the_extra(package: str) -> None:
    only_extra = names(PROJECT["optional-dependencies"]["compression"]) - names(PROJECT["dependencies"])
    # The commands of compression import inside functions, behind a check that names the extra.
    assert set(imported(package)) & only_extra <= ({"torch"} if package == "zeroskip" else set())


def test_the_other_commands_start_without_the_extra() -> None:
    modules = ("torch", "torch_pruning", "pytorchcv", "PIL", "h5py", "matplotlib")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({modules}));"
        "from zeroskip.commands import main; import generator.plan, golden, testbench; main(['--help'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and "compress" in done.stdout, done.stderr
