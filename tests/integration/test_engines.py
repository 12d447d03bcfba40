"""The convolver alone, the FC engine alone, and both in a network with branches, through the whole ladder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from generator import BuildOptions, generate
from golden import Network
from testbench.build import load_build
from testbench.ladder import Context, Options, climb, rungs_of
from testbench.weight_stream import WeightStreamReader
from tests.generator.networks import branched_network, convolver_network, fc_network, shared_rows_network
from zeroskip.pipeliner import Pipeliner


@pytest.mark.parametrize("make", [convolver_network, fc_network, branched_network], ids=["convolver", "fc", "both"])
def test_an_accelerator_passes_the_ladder(make: Callable[[], Network], tmp_path: Path) -> None:
    network = make()
    generate(network, "zcu104", tmp_path / "build", BuildOptions(pes=3, lanes=8, fc_pes=4, random_images=3))
    options = Options(mutations=False)
    context = Context(load_build(tmp_path / "build"), options, tmp_path / "work")
    steps = climb(context, rungs_of(options))
    assert not [f"{step.name}: {step.outcome.detail}" for step in steps if not step.outcome.passed]
    assert [step.name for step in steps] == [rung.name for rung in rungs_of(options)]


def test_shared_rows_are_exact_and_take_the_predicted_cycles(tmp_path: Path) -> None:
    """The FC engine as it is benchmarked, but with 8 PEs: rows shared among them, pipelined for the board's clock."""
    options = BuildOptions(lanes=8, fc_pes=8, random_images=2, pipeliner=Pipeliner())
    generate(shared_rows_network(), "zcu104", tmp_path / "build", options)
    build = load_build(tmp_path / "build")
    assert WeightStreamReader(build).layers[0].descriptor["row_sets"] < 8
    ladder = Options(mutations=False)
    steps = climb(Context(build, ladder, tmp_path / "work"), rungs_of(ladder))
    assert not [f"{step.name}: {step.outcome.detail}" for step in steps if not step.outcome.passed]
    figures = {step.name: step.outcome.figures for step in steps}
    predicted = build.manifest.predictions.layer_cycles
    assert figures["RTL == golden, cycles == schedule"]["layer_cycles"] == [list(cycles) for cycles in predicted]
