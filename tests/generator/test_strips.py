"""Strips of maps that a PE has no room for: what they hold, that nothing counts twice, and what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import generator
from generator import layouts
from generator.boards import load_board
from generator.layers import ConvolverLayer, EngineError, FeatureLayout, Pool
from generator.plan import plan_network
from generator.resources import shortages, word_pixels
from generator.schedule import ConvolverSchedule
from generator.search import Sizes, candidates, sketch
from generator.strips import MapMemory, strips_of
from generator.workload import workload
from golden import DescriptionBuilder, Network, Scale
from tests.generator.networks import grouped_network


def _layer(rows: int = 20, kernel: int = 3, stride: int = 1, pad: int = 1, pool: Pool | None = None) -> ConvolverLayer:
    """On maps of 4 channels, 16 columns wide: two words of 8 pixels a row and channel."""
    channels = np.ones(2, dtype=np.int64)
    return ConvolverLayer(
        name="conv", source="input", target="conv", input=FeatureLayout((2, 0, 3, 1), rows, 16, False),
        weights=np.ones((2, 4, kernel, kernel), dtype=np.int8), bias=np.zeros(2, dtype=np.int32), multiplier=channels,
        shift=channels, minimum=0, maximum=255, stride=stride, pad_top=pad, pad_left=pad, groups=1,
        out_height=(rows + 2 * pad - kernel) // stride + 1, out_width=(16 + 2 * pad - kernel) // stride + 1,
        output_signed=False, pool=pool or Pool(),
    )  # fmt: skip


def test_a_map_that_fits_is_one_run() -> None:
    layer = _layer()
    assert strips_of(layer, 8, 8, MapMemory(20 * 8)) == [layer]
    assert len(strips_of(layer, 8, 8, MapMemory(20 * 8 - 1))) == 2


def test_strips_read_the_rows_above_and_below_them_and_keep_the_padding_at_the_edges() -> None:
    strips = strips_of(_layer(), 8, 8, MapMemory(9 * 8))
    assert [(strip.input.band, strip.input.height, strip.pad_top) for strip in strips] == [
        ((0, 20), 7, 1),
        ((5, 20), 9, 0),
        ((12, 20), 8, 0),
    ]
    assert [(strip.output_band, strip.out_height) for strip in strips] == [((0, 20), 6), ((6, 20), 7), ((13, 20), 7)]


def test_strips_are_cut_where_they_take_fewest_tiles() -> None:
    """A row is 16 positions: tiles of 40 take five rows in two, seven in three, six in three as well."""
    strips = strips_of(_layer(12), 64, 40, MapMemory(8))
    assert [(strip.out_height, strip.tiles(40)) for strip in strips] == [(7, 3), (5, 2)]


def test_windows_that_overlap_compute_a_row_anew_which_counts_once() -> None:
    """3x3 every second row, beginning a row above the map: 20 rows are 10 windows."""
    layer = _layer(pool=Pool(3, 2, 1, 1))
    strips = strips_of(layer, 8, 8, MapMemory(12 * 8))
    assert [(strip.pool.top, strip.out_height, strip.own_rows) for strip in strips] == [(1, 10, 10), (0, 11, 10)]
    assert sum(strip.macs for strip in strips) == layer.macs
    assert sum(strip.dense_macs for strip in strips) == layer.dense_macs


@settings(deadline=None, derandomize=True, max_examples=200)
@given(
    st.integers(1, 30), st.integers(1, 6), st.integers(1, 3), st.integers(0, 5), st.integers(1, 4), st.integers(1, 4),
    st.integers(1, 200),
)  # fmt: skip
def test_strips_are_the_layer(rows: int, kernel: int, stride: int, pad: int, size: int, apart: int, words: int) -> None:
    """Every output row once, of the input rows that the layer itself reads for it, in the fewest strips that fit."""
    layer = _layer(max(rows, kernel), kernel, stride, pad, Pool(size, apart) if size <= 2 * apart else None)
    if layer.pooled_height < 1:
        return
    try:
        strips = strips_of(layer, 8, 8, MapMemory(words))
    except EngineError:
        single = [layer.strip(row, row + 1) for row in range(layer.pooled_height)]
        assert any(strip is None or strip.input.words(8) > words for strip in single)
        return
    assert all(strip.input.words(8) <= words for strip in strips)
    assert sum(strip.macs for strip in strips) == layer.macs
    made = 0
    for strip in strips:
        first = strip.output_band[0] if strip.output_band else 0
        assert first == made
        made += strip.pooled_height
        row = first * layer.pool.stride * stride - layer.pad_top  # of the input, above which the strip's first one lies
        above = strip.input.band[0] if strip.input.band else 0
        assert above - strip.pad_top == row
        last = row + ((strip.pooled_height - 1) * layer.pool.stride + layer.pool.size - 1) * stride + kernel - 1
        assert above + strip.input.height == (
            layer.input.height if strip is layer else min(last + 1, layer.input.height)
        )
    assert made == layer.pooled_height
    for fewer in range(1, len(strips)):
        parts = [layer.strip(n * made // fewer, (n + 1) * made // fewer) for n in range(fewer)]
        assert any(part is None or part.input.words(8) > words for part in parts)


@pytest.mark.parametrize("whole", [None, (2, 13, 9)])
def test_a_strip_holds_the_pixels_of_its_rows(whole: tuple[int, int, int] | None) -> None:
    """In phases, too."""
    layout = FeatureLayout((1, 0), 13, 9, False, 0, 0, None)
    if whole:
        layout = layout.in_phases(2)
    strip = layout.rows(3, 6)
    entire = layout.positions(8).reshape(layout.channels, -1)[:, : layout.height * layout.width]
    rows = entire.reshape(layout.channels, layout.height, layout.width)[:, 3:6]
    cut = strip.positions(8).reshape(layout.channels, -1)
    assert (cut[:, : 3 * layout.width] == rows.reshape(layout.channels, -1)).all()
    assert (cut[:, 3 * layout.width :] == -1).all()
    assert FeatureLayout.whole_map([strip]) == layout and layout.rows(0, layout.height) is layout


def _grouped_layer(outputs: int = 64) -> ConvolverLayer:
    """Two groups, of input channels 0, 1 and 2, 3, which come as 3, 0, 2, 1; 160 words of 8 pixels."""
    numbers, layer = np.arange(outputs), _layer()
    return replace(
        layer,
        input=replace(layer.input, order=(3, 0, 2, 1)),
        weights=np.broadcast_to(numbers[:, None, None, None].astype(np.int8), (outputs, 2, 3, 3)),
        bias=numbers.astype(np.int32),
        multiplier=numbers + 1,
        shift=numbers + 2,
        groups=2,
    )


def test_groups_that_fit_are_a_run_each_of_their_own_channels() -> None:
    layer = _grouped_layer()
    assert strips_of(layer, 8, 8, MapMemory(160)) == [layer]
    runs = strips_of(layer, 8, 8, MapMemory(80))
    assert [run.input.channel_numbers for run in runs] == [(0, 1), (3, 2)]
    assert [run.output_part for run in runs] == [(0, 64), (32, 64)]
    assert all(run.groups == 1 and run.out_height == 20 and run.input.band is None for run in runs)
    for field, least in (("weights", 0), ("bias", 0), ("multiplier", 1), ("shift", 2)):
        held = np.concatenate([getattr(run, field).reshape(32, -1)[:, 0] for run in runs])
        assert (held == least + np.arange(64)).all()
    assert sum(run.macs for run in runs) == layer.macs
    assert sum(run.dense_macs for run in runs) == layer.dense_macs


def test_groups_that_do_not_fit_are_cut_into_strips_of_their_own() -> None:
    layer = _grouped_layer()
    runs = strips_of(layer, 8, 8, MapMemory(79))
    pieces = [(part, (row, 20)) for part in ((0, 64), (32, 64)) for row in (0, 10)]
    assert [(run.output_part, run.output_band) for run in runs] == pieces
    assert [run.input.words(8) for run in runs] == [44] * 4
    assert sum(run.macs for run in runs) == layer.macs


def test_groups_of_few_output_channels_stay_together_in_strips() -> None:
    """As they do in a map in phases."""
    assert [run.groups for run in strips_of(_grouped_layer(62), 8, 8, MapMemory(100))] == [2, 2]
    phases = replace(_grouped_layer(), stride=2, out_height=10, out_width=8).in_phases()
    assert [run.groups for run in strips_of(phases, 8, 8, MapMemory(100))] == [2, 2]


def test_a_part_of_a_map_holds_the_pixels_of_its_channels() -> None:
    layout = FeatureLayout((3, 0, 2, 1), 3, 5, False)
    entire = layout.positions(8).reshape(4, -1)
    part = layout.some_channels(2, 4)
    assert (part.order, part.channel_numbers, part.map_channels) == ((1, 0), (3, 2), 4)
    assert (part.positions(8).reshape(2, -1) == entire[[0, 2]]).all()
    strips = [each.rows(*rows) for each in (layout.some_channels(0, 2), part) for rows in ((0, 2), (2, 3))]
    assert FeatureLayout.whole_map(strips) == replace(layout, order=(0, 1, 3, 2))


@pytest.mark.parametrize(("rows", "strips"), [(12, 1), (24, 3)])
def test_what_follows_reads_the_map_of_all_groups(rows: int, strips: int) -> None:
    schedules = plan_network(grouped_network(rows), 3, 8, 1, memory=MapMemory(64))
    grouped = [each.output for each in schedules if each.layer.name == "grouped"]
    assert len(grouped) == 2 * strips
    first, second = grouped[0].channel_numbers, grouped[-1].channel_numbers
    assert [sorted(first), sorted(second)] == [list(range(32)), list(range(32, 64))]
    behind = schedules[-1].inputs[0][1]
    assert behind.order == first + second and behind.part is None and behind.map_height == rows // 2


def test_an_estimate_of_groups_adds_descriptor_and_masks_alone(tmp_path: Path) -> None:
    network = grouped_network()
    sizes = generator.EstimateOptions(pes=8, tile=8)
    layer = generator.estimate(network, "zcu104", replace(sizes, map_words=64)).layers[0]
    whole = generator.estimate(network, "zcu104", sizes).layers[0]
    options = generator.BuildOptions(pes=8, lanes=8, random_images=1, map_words=64)
    manifest = generator.generate(network, "zcu104", tmp_path / "build", options)
    runs = [run for run in manifest.layers if run.name == "grouped"]
    assert [sorted(run.output.channel_order) for run in runs] == [list(range(32)), list(range(32, 64))]
    assert {(run.inputs[0].map_channels, run.output.map_channels) for run in runs} == {(10, 64)}
    lines = (tmp_path / "build" / "vectors" / "layers.txt").read_text().splitlines()
    numbers = [tuple(map(int, line.split()[-32:])) for line in lines[:2]]
    assert numbers == [run.output.channel_order for run in runs]
    assert layer.cycles == sum(manifest.predictions.layer_cycles[0][:2])
    assert (layer.strips, layer.input_bytes, layer.output_bytes) == (2, whole.input_bytes, whole.output_bytes)
    assert (layer.macs, layer.dense_macs) == (whole.macs, whole.dense_macs)
    # 96 positions are 12 tiles; their masks of 3 columns, and of 3 rows, take 288 bits.
    assert layer.strip_bytes == 32 * (layouts.DESCRIPTOR_WORDS + 2 + 2)
    # Entries on which PEs wait for the second group's map are few.
    assert layer.weight_bytes == pytest.approx(whole.weight_bytes + layer.strip_bytes, rel=0.05)
    assert layer.cycles < 1.1 * whole.cycles


@pytest.mark.parametrize("pe_outputs", [1, 2])
def test_the_search_counts_a_group_s_own_output_channels(pe_outputs: int) -> None:
    """So that they take about as long as the layer."""
    work, board = workload(grouped_network(), pe_outputs), load_board("zcu104")
    groups, whole = (
        candidates(work, board, 200.0, Sizes(pes=4, tile=8, pe_outputs=pe_outputs, map_words=words))[0].seconds
        for words in (64, 256)
    )
    assert whole <= groups < 1.15 * whole


def _network(rows: int = 30) -> Network:
    random = np.random.default_rng(0)
    builder = DescriptionBuilder("tall", (2, rows, 12), "uint8", Scale(multiplier=1, shift=8))
    weights = random.integers(-9, 9, (4, 2, 3, 3)).astype(np.int8)
    return builder.conv("conv", weights, np.zeros(4, np.int32), padding=(1, 1), shift=5).build()


def test_a_map_of_more_rows_than_a_descriptor_counts_comes_in_strips() -> None:
    schedules = plan_network(_network(2000), 2, 8, 1)
    assert len(schedules) == 2
    assert sum(each.output.height for each in schedules) == 2000
    whole = FeatureLayout.whole_map(each.output for each in schedules)
    assert whole == replace(schedules[0].output, height=2000, band=None)


def test_a_build_bounds_the_map_memory_and_holds_a_run_for_each_strip(tmp_path: Path) -> None:
    options = generator.BuildOptions(pes=2, lanes=8, map_words=36, random_images=1)
    manifest = generator.generate(_network(), "zcu104", tmp_path / "build", options)
    assert manifest.architecture.map_words <= 64  # a power of two of rows
    assert [run.name for run in manifest.layers] == ["conv"] * 3
    assert [(run.output.first_row, run.output.height) for run in manifest.layers] == [(0, 10), (10, 10), (20, 10)]
    assert len(manifest.predictions.layer_cycles[0]) == 3
    whole = generator.generate(_network(), "zcu104", tmp_path / "whole", replace(options, map_words=None))
    assert sum(run.macs for run in manifest.layers) == sum(run.macs for run in whole.layers)


def test_a_row_that_does_not_fit_is_refused_with_what_is_short() -> None:
    with pytest.raises(
        EngineError,
        match="^layer 'conv': the convolver cannot run it, even one row of its output takes 10 feature words of input "
        "map, 2 more than there is room for$",
    ):
        plan_network(_network(), 2, 8, 1, memory=MapMemory(8))


def test_strips_of_one_layer_have_the_same_order_of_channels() -> None:
    schedules = [s for s in plan_network(_network(), 3, 8, 1, memory=MapMemory(32)) if isinstance(s, ConvolverSchedule)]
    assert len({schedule.output.order for schedule in schedules}) == 1 < len(schedules)


def test_an_estimate_of_strips_has_the_cycles_of_a_build_and_says_what_strips_add(tmp_path: Path) -> None:
    network = _network()
    found = generator.estimate(network, "zcu104", generator.EstimateOptions(pes=2, tile=8, map_words=36))
    options = generator.BuildOptions(pes=2, lanes=8, map_words=36, random_images=1)
    manifest = generator.generate(network, "zcu104", tmp_path / "build", options)
    [layer] = found.layers
    assert found.architecture == manifest.architecture
    assert layer.cycles == found.cycles == sum(manifest.predictions.layer_cycles[0])
    assert layer.strips == 3 and layer.macs == sum(run.macs for run in manifest.layers)
    whole = generator.estimate(network, "zcu104", generator.EstimateOptions(pes=2, tile=8)).layers[0]
    assert whole.strips == 1 and whole.strip_bytes == 0
    # 30 rows of 12 pixels are 45 words a channel; the strips' 11, 12 and 11 rows 17, 18 and 17; outputs fill up alike.
    halo = 8 * 2 * (17 + 18 + 17 - 45)
    assert layer.input_bytes - whole.input_bytes == halo and layer.output_bytes == whole.output_bytes
    weights = [32 * run.weight_words for run in manifest.layers]
    assert layer.weight_bytes == sum(weights) and layer.strip_bytes == halo + sum(weights[1:])
    assert layer.utilisation == layer.macs / (16 * layer.cycles)


def test_the_search_cuts_maps_where_more_pes_then_fit() -> None:
    """A map of 784 KB: with all of it in each PE a board of 216 block RAMs holds one of them."""
    random = np.random.default_rng(0)
    builder = DescriptionBuilder("wide", (64, 112, 112), "uint8", Scale(multiplier=1, shift=8))
    weights = random.integers(-9, 9, (64, 64, 3, 3)) * (random.random((64, 64, 3, 3)) < 0.1)
    builder.conv("conv", weights.astype(np.int8), np.zeros(64, np.int32), padding=(1, 1), shift=5)
    network, board = builder.build(), load_board("ultra96")
    work = workload(network)
    ranked = candidates(work, board, 200.0, Sizes())
    assert ranked[0].pes > 2 and ranked[0].map_words < 784 * 1024 // int(word_pixels(ranked[0].tile))
    assert all(not shortages(sketch(work, each), board) for each in ranked)
    found = generator.estimate(network, "ultra96")
    assert found.layers[0].strips > 1 and found.architecture.pes == ranked[0].pes
    whole = generator.estimate(network, "ultra96", generator.EstimateOptions(whole_maps=True))
    assert whole.layers[0].strips == 1 and found.fps > 1.5 * whole.fps


def test_a_bound_on_the_memory_that_not_even_a_row_fits_is_named_by_the_search() -> None:
    with pytest.raises(
        generator.NoFitError,
        match="^layer 'conv': the convolver cannot run it, even one row of its output takes 10 feature words of input "
        "map, 2 more than there is room for$",
    ):
        generator.estimate(_network(), "zcu104", generator.EstimateOptions(tile=8, map_words=8))
