"""The estimate: cycles of the build that it stands for, resources of the compiler, sizes that fit."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import generator
import rtl
from generator.architecture import Architecture
from generator.boards import BoardError, board_names, load_board
from generator.emit import TOP, emit_project
from generator.resources import placed, shortages, used
from generator.search import Sizes, candidates, sketch
from generator.workload import workload
from golden import Network
from tests.generator.networks import (
    alexnet_like_network,
    branched_network,
    convolver_network,
    fc_network,
    shared_rows_network,
)
from zeroskip.pipeliner import KeptStages, Pipeliner

_NETWORKS = {
    "branched": branched_network,
    "convolver": convolver_network,
    "fc": fc_network,
    "rows": shared_rows_network,
    "maps": alexnet_like_network,
}


@pytest.mark.parametrize(("name", "pe_outputs"), [*((name, 1) for name in _NETWORKS), ("branched", 2)])
def test_an_estimate_has_the_cycles_of_a_build(name: str, pe_outputs: int, tmp_path: Path) -> None:
    network = _NETWORKS[name]()
    options = generator.EstimateOptions(3, 16, 4, 4, pipeliner=KeptStages(tmp_path / "stages"), pe_outputs=pe_outputs)
    found = generator.estimate(network, "zcu104", options)
    manifest = generator.generate(
        network, "zcu104", tmp_path / "build",
        generator.BuildOptions(
            pes=3, pe_outputs=pe_outputs, lanes=16, fc_pes=4, map_lanes=4, pipeliner=Pipeliner()
        ),
    )  # fmt: skip
    assert tuple(layer.cycles for layer in found.layers) == manifest.predictions.layer_cycles[0]
    assert tuple(layer.macs for layer in found.layers) == manifest.predictions.macs[0]
    assert found.architecture == manifest.architecture
    assert not found.chosen and 0 < found.utilisation < 1


@pytest.mark.parametrize("name", ["branched", "fc", "maps"])
def test_an_estimate_of_streamed_layers_has_the_cycles_of_a_build(name: str, tmp_path: Path) -> None:
    """Those behind the board's DDR, too."""
    network = _NETWORKS[name]()
    rows = {"branched": 8, "fc": 2, "maps": 1}[name]
    options = generator.EstimateOptions(
        3, 16, map_lanes=4, pipeliner=KeptStages(tmp_path / "stages"), fc_slots=8, fc_rows_at_once=rows
    )
    found = generator.estimate(network, "ultra96", options)
    build = generator.BuildOptions(
        pes=3, lanes=16, fc_slots=8, fc_rows_at_once=rows, map_lanes=4, pipeliner=Pipeliner()
    )
    manifest = generator.generate(network, "ultra96", tmp_path / "build", build)
    stated = manifest.predictions
    assert tuple(layer.cycles for layer in found.layers) == stated.layer_cycles[0]
    assert stated.behind_ddr is not None
    assert tuple(layer.cycles + layer.ddr_clocks for layer in found.layers) == stated.behind_ddr.layer_cycles[0]
    size = manifest.architecture.column_bits // 8
    assert [layer.column_bytes for layer in found.layers] == [size * words for words in stated.fetched_words[0]]
    assert found.architecture == manifest.architecture
    assert found.ddr_clocks == sum(layer.ddr_clocks for layer in found.layers) > 0


def test_an_estimate_of_a_batch_has_the_cycles_of_a_build(tmp_path: Path) -> None:
    network = _NETWORKS["fc"]()
    options = generator.EstimateOptions(
        tile=16, pipeliner=KeptStages(tmp_path / "stages"), fc_slots=8, engine="fc", fc_batch=3
    )
    found = generator.estimate(network, "zcu104", options)
    build = generator.BuildOptions(lanes=16, fc_slots=8, engine="fc", fc_batch=3, pipeliner=Pipeliner())
    manifest = generator.generate(network, "zcu104", tmp_path / "build", build)
    assert found.architecture == manifest.architecture and found.cycles == sum(manifest.predictions.layer_cycles[0])
    assert [layer.macs for layer in found.layers] == list(manifest.predictions.macs[0])
    assert found.fps == pytest.approx(sum(1 / layer.fps for layer in found.layers) ** -1)
    assert found.fps > generator.estimate(network, "zcu104", replace(options, fc_batch=1)).fps


def test_weights_are_fetched_where_that_is_faster_or_they_do_not_fit() -> None:
    """Batch 1: loading all of a layer's weights into the PEs takes longer than fetching some columns."""
    fetched = generator.estimate(_large_fc(), "zcu104")
    assert fetched.architecture.fc_slots == 64 and fetched.chosen  # with 32 they are more words than can be counted
    with pytest.raises(generator.NoFitError):
        generator.estimate(_large_fc(), "zcu104", generator.EstimateOptions(fc_slots=0))
    network = _NETWORKS["rows"]()
    chosen = generator.estimate(network, "zcu104")
    resident = generator.estimate(network, "zcu104", generator.EstimateOptions(fc_slots=0))
    assert resident.architecture.fc_slots == 0 and resident.architecture.fc_pes > 0
    assert chosen.fps >= resident.fps


def test_stages_are_kept_and_are_those_of_a_fresh_compilation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = convolver_network()
    options = generator.EstimateOptions(tile=8, pipeliner=KeptStages(tmp_path / "stages"))
    first = generator.estimate(network, "zcu104", options)
    [kept] = (tmp_path / "stages").iterdir()
    emit_project(tmp_path / "cpp", first.architecture, load_board("zcu104"), 200.0)
    fresh = Pipeliner()(tmp_path / "cpp" / "hls", TOP, 200.0)
    assert {name: tuple(stages) for name, stages in json.loads(kept.read_text()).items()} == dict(fresh)

    def compiled(*_: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(rtl, "compile_with_report", compiled)
    assert generator.estimate(network, "zcu104", options) == first
    kept.write_text("broken")
    with pytest.raises(AssertionError, match="compiled again"):
        generator.estimate(network, "zcu104", options)


_BASE = Architecture(
    lanes=16, pes=2, fc_pes=2, map_words=1024, max_entries=512, max_columns=32, pointer_words=64, entry_words=512,
    fc_rows=64,
)  # fmt: skip


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"lanes": 32, "tile": 32, "pes": 1, "fc_pes": 8},
        {"pes": 12, "map_words": 8192, "max_entries": 4096},
        {"fc_pes": 0, "lanes": 64, "tile": 57, "max_columns": 256},
        {"pes": 2, "pe_outputs": 2, "fc_pes": 0, "lanes": 32, "tile": 29},
        {"pes": 1, "pe_outputs": 4, "fc_pes": 0, "lanes": 64, "tile": 57, "sum_bits": 22, "additions": False},
        {"pes": 0, "entry_words": 8192, "fc_rows": 1024, "pointer_words": 1024, "lanes": 32, "tile": 32},
        {"pes": 0, "fc_pes": 1, "fc_slots": 8, "fc_rows": 64},
        {"pes": 1, "fc_pes": 1, "fc_slots": 32, "fc_rows": 512, "fc_value_bits": 5, "fc_gap_bits": 3, "lanes": 32},
        {
            **{"pes": 0, "fc_pes": 1, "fc_slots": 64, "fc_rows": 4096, "fc_value_bits": 8, "fc_gap_bits": 4},
            **{"lanes": 64, "pointer_words": 576},
        },
        {
            **{"pes": 0, "fc_pes": 1, "fc_slots": 16, "fc_rows": 4096, "lanes": 128, "pointer_words": 2048},
            **{"fc_rows_at_once": 2, "fc_sums": "uram"},
        },
        {"pes": 0, "fc_pes": 1, "fc_slots": 8, "fc_rows": 1024, "lanes": 64, "fc_rows_at_once": 1},
        {"pes": 0, "fc_pes": 1, "fc_slots": 16, "fc_rows": 1024, "lanes": 64, "fc_batch": 4},
        {"pes": 0, "fc_pes": 1, "fc_slots": 8, "fc_rows": 4096, "lanes": 64, "fc_batch": 6, "fc_rows_at_once": 2},
        {"pes": 0, "fc_pes": 1, "fc_slots": 64, "fc_rows": 4096, "lanes": 64, "fc_rows_at_once": 4},
        {
            **{"pes": 0, "fc_pes": 0, "lanes": 64, "tile": 64, "map_columns": 27, "map_overlap": 2},
            **{"normalised_positions": 3025, "normalised_channels": 5, "table_words": 159},
        },
        {
            **{"pes": 0, "fc_pes": 0, "map_columns": 1, "map_lanes": 8, "map_strips": 4, "map_overlap": 2},
            **{
                "map_reach": 3,
                "normalised_positions": 64,
                "normalised_channels": 5,
                "table_words": 64,
                "map_stride": 2,
            },
        },
    ],
)
def test_resources_are_those_that_the_compiler_estimates(sizes: dict[str, int | str], tmp_path: Path) -> None:
    """DSP slices exactly, memories within a block a copy, LUTs and registers within a tenth."""
    architecture = Architecture.model_validate(_BASE.model_dump() | sizes)
    emit_project(tmp_path, architecture, load_board("zcu104"), 200.0)
    pipeliner = Pipeliner()
    pipeliner(tmp_path / "hls", TOP, 200.0)
    theirs, ours = pipeliner.reports[0].resources, used(architecture)
    assert ours.dsps == theirs.dsp
    assert ours.uram == theirs.uram
    assert ours.bram36 == pytest.approx(theirs.bram, abs=0.5 * (architecture.pes + architecture.fc_pes))
    assert ours.luts == pytest.approx(theirs.lut, rel=0.1)
    assert ours.flip_flops == pytest.approx(theirs.ff, rel=0.1)


def test_memories_that_block_ram_has_no_room_for_lie_in_ultra_ram() -> None:
    large = _BASE.model_copy(update={"entry_words": 16384, "fc_pes": 4, "map_words": 16384})
    assert used(large).bram36 > 312
    found = placed(large, load_board("zcu104"))
    assert found.bram36 <= 312 and 0 < found.uram <= 96
    assert not shortages(large, load_board("zcu104"))
    assert [short.resource.split(" (")[0] for short in shortages(large, load_board("ultra96"))] == ["block RAMs"]


def test_sums_that_are_bound_to_ultra_ram_lie_there() -> None:
    """Banks of 2,048 rows, two in each slot: an UltraRAM in place of two block RAMs."""
    streamed = _BASE.model_copy(update={"fc_pes": 1, "fc_slots": 16, "fc_rows": 4096, "fc_rows_at_once": 2})
    bound = streamed.model_copy(update={"fc_sums": "uram"})
    assert used(bound).uram == 32 and used(bound).bram36 == used(streamed).bram36 - 64
    assert placed(bound, load_board("zcu104")) == used(bound)
    assert [str(short) for short in shortages(bound, load_board("ultra96"))] == [
        "32 UltraRAMs short (32 needed, 0 there)"
    ]


@pytest.mark.parametrize("board", board_names())
@pytest.mark.parametrize("name", _NETWORKS)
def test_what_the_search_chooses_fits(name: str, board: str) -> None:
    found = generator.estimate(_NETWORKS[name](), board)
    assert found.chosen and not shortages(found.architecture, load_board(board))


def test_the_bound_ranks_as_the_exact_cycles_do() -> None:
    """The best by the bound is within a tenth of the best of twelve by the exact cycles."""
    network = branched_network()
    ranked = candidates(workload(network), load_board("ultra96"), 200.0, Sizes())
    exact = [
        generator.estimate(network, "ultra96", generator.EstimateOptions(each.pes, each.tile, each.fc_pes)).fps
        for each in ranked
    ]
    assert exact[0] >= 0.9 * max(exact)
    assert sketch(workload(network), ranked[0]).tile == ranked[0].tile


def test_the_search_takes_lanes_of_the_map_engine_where_they_make_a_network_faster() -> None:
    network = alexnet_like_network()
    chosen = generator.estimate(network, "zcu104")
    single = generator.estimate(network, "zcu104", generator.EstimateOptions(map_lanes=1))
    assert chosen.architecture.map_lanes > 1 == single.architecture.map_lanes
    assert chosen.fps > 1.5 * single.fps
    with pytest.raises(generator.BuildError, match="map_lanes"):
        generator.estimate(network, "zcu104", generator.EstimateOptions(tile=16, map_lanes=3))
    with pytest.raises(generator.EngineError, match="'kernel': must be 2 columns at most in 2 lanes"):
        generator.estimate(network, "zcu104", generator.EstimateOptions(map_lanes=2))


def _large_fc() -> Network:
    from golden import DescriptionBuilder, Scale

    random = np.random.default_rng(0)
    builder = DescriptionBuilder("large", (1, 32, 128), "uint8", Scale(multiplier=1, shift=8)).flatten("vector")
    weights = random.integers(1, 100, (2048, 4096)).astype(np.int8)
    bias = np.zeros(2048, dtype=np.int32)
    return builder.linear("fc", weights, bias, shift=10, minimum=0, maximum=255, output_dtype="uint8").build()


def test_a_network_that_does_not_fit_names_what_is_short_and_the_next_board() -> None:
    with pytest.raises(
        generator.NoFitError,
        match=r"fits board 'ultra96' in no configuration: with \d+ FC PEs it is [\d.,]+ block RAMs .* short \(.*\); "
        "the nearest board that it fits is 'u250'",
    ):
        generator.estimate(_large_fc(), "ultra96", generator.EstimateOptions(fc_slots=0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clock_mhz": 0.0}, "clock: must be positive"),
        ({"tile": -16}, "field 'tile': must be 1 or more, not -16"),
        ({"tile": 200}, "field 'tile': Input should be less than or equal to 128"),
        ({"pes": 0}, "field 'pes': must be 1 or more, not 0"),
        ({"tile": 16, "fc_pes": 3}, r"fc_pes \(3\) must divide lanes"),
        ({"fc_pes": 4, "fc_slots": 8}, "field 'fc_slots': FC layers run on fc_pes or on fc_slots, not on both"),
        ({"pe_outputs": 3}, "field 'pe_outputs': Input should be 1, 2 or 4"),
        ({"pe_outputs": 4, "pes": 64}, r"pes \* pe_outputs must be 255 at most, not 64 \* 4"),
        ({"fc_slots": 12}, "fc_slots must be a multiple of 8, not 12"),
        ({"fc_rows_at_once": 16}, "field 'fc_rows_at_once': must be 1, 2, 4 or 8, not 16"),
        ({"fc_rows_at_once": 2, "fc_slots": 0}, "field 'fc_rows_at_once': is the streamed FC engine's; give fc_slots"),
        ({"fc_batch": 2, "fc_slots": 8}, "field 'fc_batch': 2 images go together through the streamed FC engine alone"),
        ({"fc_sums": "uram", "fc_pes": 4}, "field 'fc_sums': is the streamed FC engine's; give fc_slots, too"),
    ],
)
def test_wrong_sizes_are_named(options: dict[str, float], message: str) -> None:
    with pytest.raises(generator.BuildError, match=message):
        generator.estimate(branched_network(), "zcu104", generator.EstimateOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["luts", "uram", "ddr_gb_per_s", "clock_mhz", "source"])
def test_a_board_file_without_a_field_is_named(field: str, tmp_path: Path) -> None:
    content = load_board("kv260").model_dump()
    del content[field]
    (tmp_path / "mine.json").write_text(json.dumps(content))
    with pytest.raises(BoardError, match=f"field '{field}': Field required"):
        load_board(str(tmp_path / "mine.json"))
