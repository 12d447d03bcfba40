"""The convolver alone, the FC engine alone, and both in a network with branches, through the whole ladder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from generator import BuildOptions, generate
from golden import Network
from testbench.build import load_build
from testbench.ladder import Context, Options, climb, rungs_of
from tests.generator.networks import branched_network, convolver_network, fc_network


@pytest.mark.parametrize("make", [convolver_network, fc_network, branched_network], ids=["convolver", "fc", "both"])
def test_an_accelerator_passes_the_ladder(make: Callable[[], Network], tmp_path: Path) -> None:
    network = make()
    generate(network, "zcu104", tmp_path / "build", BuildOptions(pes=3, lanes=8, fc_pes=4, random_images=3))
    options = Options(mutations=False)
    context = Context(load_build(tmp_path / "build"), options, tmp_path / "work")
    steps = climb(context, rungs_of(options))
    assert not [f"{step.name}: {step.outcome.detail}" for step in steps if not step.outcome.passed]
    assert [step.name for step in steps] == [rung.name for rung in rungs_of(options)]
