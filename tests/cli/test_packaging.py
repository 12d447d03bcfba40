"""The wheel carries everything that commands need outside a checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import golden
from tests.testbench.networks import small_network

ROOT = Path(__file__).parents[2]
PACKAGES = ("compression", "generator", "golden", "hls_templates", "rtl", "testbench", "zeroskip")
DATA = {".h", ".j2", ".sv", ".json"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # setuptools writes into the folder that it builds from
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source / file)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(source)], check=True)
    return next(folder.glob("zeroskip-*.whl"))


def test_every_module_and_data_file_is_packaged(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True)
    wanted = {name for name in tracked.stdout.split() if Path(name).suffix in DATA | {".py"}}
    assert {"golden", "hls_templates", "rtl"} <= {Path(name).parts[0] for name in wanted}
    assert wanted - inside == set()


def test_commands_start_without_torch() -> None:
    """torch is an extra: what does not compress must not import it."""
    program = "import sys; sys.modules['torch'] = None; from zeroskip.commands import main; main(['--version'])"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_a_command_imports_only_what_it_needs() -> None:
    """An estimate takes seconds: cocotb, the compiler and the benches would take half of one to import."""
    program = (
        "import atexit, sys; from zeroskip.commands import main; "
        "atexit.register(lambda: print(*{'rtl', 'testbench', 'cocotb', 'generator', 'torch'} & set(sys.modules))); "
        "main(['estimate', '--help'])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "generator"


def test_an_installed_copy_generates_and_compiles(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    golden.save(small_network(), tmp_path / "small.json")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    # -S would lose the libraries; -c puts the extracted copy before the checkout that is installed for development.
    program = [sys.executable, "-c", "import sys, zeroskip.commands as c; print(c.__file__); c.main(sys.argv[1:])"]

    def run(*arguments: str) -> str:
        command = [*program, *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(str(tmp_path / "site"))
        return done.stdout

    sizes = ["--pes", "2", "--lanes", "8", "--fc-pes", "2"]
    run("generate", "small.json", "--board", "zcu104", "-o", "build", *sizes)
    assert "FIFOs" in run("rtl", "build/hls/top.cpp", "--top", "zeroskip_top", "-o", "rtl")
