"""The suites in `examples/`, and the network that one of them runs."""

from pathlib import Path

import pytest

import golden
from examples.every_layer import every_layer
from testbench.regress import load_suite

_EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(("name", "runs"), [("lenet5", 64), ("every_layer", 32)])
def test_a_suite_loads_and_has_the_runs_that_it_says(name: str, runs: int) -> None:
    suite = load_suite(_EXAMPLES / f"{name}.toml")
    assert suite.size() == runs
    assert all(entry.description is not None and entry.description.is_file() for entry in suite.builds)


def test_the_kept_network_is_what_its_script_makes(tmp_path: Path) -> None:
    golden.save(every_layer(), tmp_path / "every_layer.json")
    for made in tmp_path.iterdir():
        assert made.read_bytes() == (_EXAMPLES / made.name).read_bytes()
    assert {file.name for file in tmp_path.iterdir()} == {"every_layer.json", "every_layer.safetensors"}


def test_it_has_every_kind_of_layer_of_a_description() -> None:
    kinds = {layer.type for layer in every_layer().description.layers}
    others = {"conv", "add", "linear", "flatten", "concat", "clip", "lrn"}
    assert kinds == others | {"max_pool", "average_pool", "global_average_pool"}
