"""The offline schedule: what is packed is what was asked for, read back by a decoder written from the layout alone."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.layers import ConvolverLayer, EngineError, FcLayer, FeatureLayout, Pool
from generator.schedule import channel_order, schedule_convolver, schedule_fc


def _convolver_layer(weights: np.ndarray, order: tuple[int, ...], groups: int) -> ConvolverLayer:
    channels = len(weights)
    return ConvolverLayer(
        name="conv",
        source="input",
        target="conv",
        input=FeatureLayout(order, 40, 40, False),
        weights=weights,
        bias=np.arange(channels, dtype=np.int32) - 7,
        multiplier=np.ones(channels, dtype=np.int64),
        shift=np.arange(channels, dtype=np.int64) % 40,
        minimum=0,
        maximum=255,
        stride=1,
        pad_top=0,
        pad_left=0,
        groups=groups,
        out_height=10,
        out_width=10,
        output_signed=False,
        pool=Pool(),
    )


def _unit_stream(words: np.ndarray, count: int) -> list[int]:
    return [int(unit) for unit in words.reshape(-1).view("<u2")[:count]]


@st.composite
def _sparse_weights(draw: st.DrawFn) -> tuple[np.ndarray, tuple[int, ...], int, int]:
    groups = draw(st.sampled_from([1, 2, 3]))
    in_group = draw(st.sampled_from([1, 2, 5, 300]))
    per_group = draw(st.integers(1, 3))
    kernel = draw(st.sampled_from([1, 3, 5]))
    density = draw(st.sampled_from([0.0, 0.01, 0.3, 1.0]))
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    shape = (groups * per_group, in_group, kernel, kernel)
    weights = random.integers(-128, 128, shape) * (random.random(shape) < density)
    order = tuple(int(c) for c in random.permutation(groups * in_group))
    return weights.astype(np.int8), order, groups, draw(st.integers(1, 5))


@settings(max_examples=60, deadline=None)
@given(_sparse_weights())
def test_convolver_packets_hold_every_weight_at_its_place(case: tuple[np.ndarray, tuple[int, ...], int, int]) -> None:
    weights, order, groups, pes = case
    schedule = schedule_convolver(_convolver_layer(weights, order, groups), pes, 16)
    assert sorted(schedule.output.order) == list(range(len(weights)))
    seen = np.zeros_like(weights)
    per_group = len(weights) // groups
    pointwise = weights.shape[2] == 1 and weights.any(axis=(1, 2, 3)).all()
    for place, packet in enumerate(schedule.packets):
        assert packet.pe == place % pes
        channel = schedule.output.order[place]
        if packet.units.shape[1] == 1:  # all weights, zeros included
            values = packet.content.reshape(-1)[: len(packet.units)].view(np.int8)
            seen[channel, order] = values.reshape(len(order), *weights.shape[2:])
            continue
        units = _unit_stream(packet.content, len(packet.units))
        position, left = 0, 0
        for unit in units:
            low, high = unit & 0xFF, unit >> 8
            if pointwise and high:
                position += low
                in_channel = order[position] - channel // per_group * weights.shape[1]
                seen[channel, in_channel, 0, 0] = np.uint8(high).view(np.int8)
                continue
            if left == 0:
                position, left = position + (low if high or low == 255 else 0), high  # or so many waiting entries
                continue
            left -= 1
            in_channel = order[position] - channel // per_group * weights.shape[1]
            if np.int8(low if low < 128 else low - 256):
                seen[channel, in_channel, high & 0xF, high >> 4] = np.uint8(low).view(np.int8)
        assert left == 0
        assert packet.entries >= 1, "even a channel without weights owes its bias"
    assert (seen == weights).all()


def test_a_kernel_of_one_weight_takes_one_unit() -> None:
    random = np.random.default_rng(0)
    weights = (random.integers(1, 100, (6, 40, 1, 1)) * (random.random((6, 40, 1, 1)) < 0.5)).astype(np.int8)
    schedule = schedule_convolver(_convolver_layer(weights, tuple(range(40)), 1), 2, 16)
    for channel, packet in zip(schedule.output.order, schedule.packets, strict=True):
        assert packet.entries == np.count_nonzero(weights[channel])
        assert not packet.units[~packet.is_entry, 1].any(), "what is no weight waits or skips"


def test_packets_hold_all_weights_where_that_is_no_slower() -> None:
    random = np.random.default_rng(0)
    for density, packed in ((1.0, 1), (0.97, 1), (0.3, 2)):
        weights = random.integers(1, 100, (48, 40, 3, 3)) * (random.random((48, 40, 3, 3)) < density)
        layer = _convolver_layer(weights.astype(np.int8), tuple(range(40)), 1)
        one_tile = replace(layer, input=FeatureLayout(layer.input.order, 4, 4, False), out_height=2, out_width=2)
        schedule = schedule_convolver(one_tile, 24, 16)
        assert {packet.units.shape[1] for packet in schedule.packets} == {packed}, f"density {density}"
    # Sixteen tiles of a channel take sixteen steps a weight, zeros included.
    many_tiles = replace(layer, weights=np.where(weights == 50, 0, 1 + weights // 2).astype(np.int8))
    assert {packet.units.shape[1] for packet in schedule_convolver(many_tiles, 24, 16).packets} == {2}


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 60),
    st.sampled_from([1, 2, 4, 8]),
    st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    st.integers(0, 2**32 - 1),
)
def test_fc_packets_hold_every_weight_at_its_place(
    outputs: int, pixels: int, pes: int, density: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    channels = 3
    weights = random.integers(-128, 128, (outputs, channels * pixels)) * (
        random.random((outputs, channels * pixels)) < density
    )
    layer = FcLayer(
        "fc", "input", "fc", FeatureLayout((2, 0, 1), 1, pixels, True), weights.astype(np.int8),
        random.integers(-(2**31), 2**31, outputs).astype(np.int32), 1, 5, -128, 127, True,
    )  # fmt: skip
    schedule = schedule_fc(layer, pes, 16)
    sets = schedule.row_sets
    assert pes % sets == 0 and schedule.rows_per_pe == -(-outputs // sets)
    words_per_channel = -(-pixels // 16)
    seen = np.zeros((schedule.rows_per_pe * sets, channels, words_per_channel * 16), dtype=np.int64)
    biases = np.zeros(schedule.rows_per_pe * sets, dtype=np.int64)
    for pe, packet in enumerate(schedule.packets):
        body = packet.content[packet.pointer_words :]
        entries = body[packet.bias_words :].reshape(-1).view("<u2")
        for column in range(seen.shape[1] * seen.shape[2]):
            word = int.from_bytes(packet.content[column // 16].tobytes(), "little")
            base, ends = word >> (14 * 16), (word << 14) & ((1 << 14 * 17) - 1)
            first, past = (base + (ends >> (14 * (column % 16 + n)) & 0x3FFF) for n in (0, 1))
            assert past - first == packet.counts[column]
            row = -1
            for entry in entries[first:past]:
                row += int(entry >> 8) + 1
                value = int(np.uint8(entry & 0xFF).view(np.int8))
                seen.reshape(len(seen), -1)[row * sets + pe % sets, column] += value
        own = body[: packet.bias_words].reshape(-1).view("<i4")[: schedule.rows_per_pe]
        assert pe < sets or not own.any(), "a bias is added once"
        biases[pe % sets :: sets] += own
    unpermuted = np.empty((len(seen), channels, words_per_channel * 16), dtype=np.int64)
    unpermuted[:, [2, 0, 1]] = seen
    assert (unpermuted[:outputs, :, :pixels].reshape(outputs, -1) == weights).all()
    assert not unpermuted[:, :, pixels:].any()
    assert (biases[:outputs] == layer.bias).all()


def test_a_gap_beyond_the_field_gets_padding_entries() -> None:
    weights = np.zeros((600, 1), dtype=np.int8)
    weights[599] = 5
    layer = FcLayer(
        "fc", "input", "fc", FeatureLayout((0,), 1, 1, True), weights,
        np.zeros(600, dtype=np.int32), 1, 0, -128, 127, True,
    )  # fmt: skip
    packet = schedule_fc(layer, 1, 16).packets[0]
    assert [(int(e) & 0xFF, int(e) >> 8) for e in packet.entries] == [(0, 255), (0, 255), (5, 87)]
    assert packet.counts[0] == 3


def _fc_layer(weights: np.ndarray, signed: bool = False) -> FcLayer:
    outputs, inputs = weights.shape
    layout = FeatureLayout((0,), 1, inputs, signed)
    return FcLayer("fc", "input", "fc", layout, weights, np.ones(outputs, dtype=np.int32), 1, 0, -128, 127, True)


def test_the_entries_of_a_row_set_are_dealt_out_evenly_in_every_column() -> None:
    """600 rows do not divide by 64 PEs; in sets of 8 PEs their work does, within one entry a column and in all."""
    random = np.random.default_rng(3)
    weights = (random.random((600, 512)) < 0.3).astype(np.int8)
    schedule = schedule_fc(_fc_layer(weights, signed=True), 64, 64)
    assert schedule.row_sets < 64
    counts = np.stack([packet.counts for packet in schedule.packets])
    for row_set in range(schedule.row_sets):
        of_set = counts[row_set :: schedule.row_sets]
        assert np.ptp(of_set, axis=0).max() <= 1 and np.ptp(of_set.sum(axis=1)) <= 1
        assert of_set.sum() == np.count_nonzero(weights[row_set :: schedule.row_sets])
    busiest = counts.sum(axis=1).max()
    by_row = max(np.count_nonzero(weights[pe::64]) for pe in range(64))
    assert busiest + schedule.rows_per_pe < by_row + 10, "shared rows must save more than their sums cost"


def test_a_given_accelerator_s_sums_bound_the_sharing() -> None:
    weights = np.ones((600, 64), dtype=np.int8)
    assert schedule_fc(_fc_layer(weights), 64, 64, most_rows=10).row_sets == 64
    assert schedule_fc(_fc_layer(weights), 64, 64, most_rows=19).row_sets == 32


@pytest.mark.parametrize(
    ("shape", "pes", "message"),
    [
        ((1100, 16), 1, r"layer 'fc': .*PE 0 would hold 17600 entries of columns 0 to 15, more than 16383"),
        ((1000, 272), 1, r"layer 'fc': .*PE 0 would hold 272000 entries, more than 262143: use more PEs"),
    ],
)
def test_more_entries_than_a_pe_can_hold_are_named(shape: tuple[int, int], pes: int, message: str) -> None:
    with pytest.raises(EngineError, match=message):
        schedule_fc(_fc_layer(np.ones(shape, dtype=np.int8)), pes, 16)


def test_rounds_hold_channels_of_similar_length_and_alternate() -> None:
    order = channel_order(np.array([1, 9, 4, 7, 2, 8]), 2)
    assert order.tolist() == [1, 5, 2, 3, 4, 0]


def test_pes_that_take_a_channel_more_take_shorter_ones() -> None:
    """Six channels on four PEs, the first two of which take two."""
    entries = np.array([9, 2, 8, 3, 3, 2])
    assert [entries[channel_order(entries, 4)[pe::4]].tolist() for pe in range(4)] == [[3, 3], [2, 2], [9], [8]]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(1, 20))
def test_every_channel_is_dealt_once_and_no_pe_is_busier_than_with_alternating_rounds(
    lengths: list[int], pes: int
) -> None:
    entries = np.array(lengths)
    order = channel_order(entries, pes)
    assert sorted(order) == list(range(entries.size))
    rounds = [sorted(lengths, reverse=True)[start : start + pes] for start in range(0, entries.size, pes)]
    dealt = [each[::-1] if number % 2 else each for number, each in enumerate(rounds)]
    alternating = max(sum(each[pe] for each in dealt if pe < len(each)) for pe in range(pes))
    assert max(entries[order[pe::pes]].sum() for pe in range(pes)) <= alternating


def test_a_number_beyond_its_field_names_layer_and_field() -> None:
    layer = _convolver_layer(np.ones((1, 1, 1, 1), dtype=np.int8), (0,), 1)
    wide = ConvolverLayer(**{**layer.__dict__, "input": FeatureLayout((0,), 4, 1500, False)})
    with pytest.raises(EngineError, match=r"layer 'conv'.*descriptor.pitch: 1500 does not fit 10 bits"):
        schedule_convolver(wide, 1, 16)
