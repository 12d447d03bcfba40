"""Each engine alone, and several in networks with branches, LRN and concatenation, through the whole ladder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from generator import BuildOptions, generate
from golden import Network
from testbench.build import load_build
from testbench.ladder.rtl import RtlRung
from testbench.weight_stream import WeightStreamReader
from tests.generator.networks import (
    alexnet_like_network,
    branched_network,
    convolver_network,
    fc_network,
    fire_network,
    map_network,
    pooled_fc_network,
    shared_rows_network,
)
from tests.integration.climbing import climbed
from zeroskip.pipeliner import Pipeliner


@pytest.mark.parametrize("make", [convolver_network, fc_network, branched_network], ids=["convolver", "fc", "both"])
def test_an_accelerator_passes_the_ladder(make: Callable[[], Network], tmp_path: Path) -> None:
    network = make()
    generate(network, "zcu104", tmp_path / "build", BuildOptions(pes=3, lanes=8, fc_pes=4, random_images=3))
    climbed(load_build(tmp_path / "build"), tmp_path / "work")


def test_one_pe_passes_the_ladder(tmp_path: Path) -> None:
    """The compiler calls the only element of an array of streams by the array's name."""
    options = BuildOptions(lanes=8, fc_pes=1, random_images=1, pipeliner=Pipeliner())
    generate(fc_network(), "zcu104", tmp_path / "build", options)
    climbed(load_build(tmp_path / "build"), tmp_path / "work")


@pytest.mark.parametrize(
    ("make", "engines", "map_lanes"),
    [
        (alexnet_like_network, "map convolver fc", 4),
        (fire_network, "map convolver", 1),
        (pooled_fc_network, "map fc", 1),
        (map_network, "map", 8),
    ],
    ids=["alexnet_like_in_lanes", "fire", "pooled_fc", "maps_in_lanes"],
)
def test_the_map_engine_beside_any_other_is_exact_and_takes_the_predicted_cycles(
    make: Callable[[], Network], engines: str, map_lanes: int, tmp_path: Path
) -> None:
    options = BuildOptions(pes=3, lanes=8, fc_pes=4, map_lanes=map_lanes, random_images=2, pipeliner=Pipeliner())
    generate(make(), "zcu104", tmp_path / "build", options)
    build = load_build(tmp_path / "build")
    assert {layer.engine for layer in build.layers} == set(engines.split())
    on_rtl = climbed(build, tmp_path / "work")[RtlRung.name]
    assert "every PIPELINE loop reaches its II at 200 MHz" in on_rtl.detail
    assert on_rtl.figures["layer_cycles"] == [list(cycles) for cycles in build.manifest.predictions.layer_cycles]


def test_shared_rows_are_exact_and_take_the_predicted_cycles(tmp_path: Path) -> None:
    """The FC engine as it is benchmarked, but with 8 PEs: rows shared among them, pipelined for the board's clock."""
    options = BuildOptions(lanes=8, fc_pes=8, random_images=2, pipeliner=Pipeliner())
    generate(shared_rows_network(), "zcu104", tmp_path / "build", options)
    build = load_build(tmp_path / "build")
    assert WeightStreamReader(build).layers[0].descriptor["row_sets"] < 8
    on_rtl = climbed(build, tmp_path / "work")[RtlRung.name]
    assert on_rtl.figures["layer_cycles"] == [list(cycles) for cycles in build.manifest.predictions.layer_cycles]
