"""Blocks of output channels: which belong together, and what their packets hold."""

from __future__ import annotations

import numpy as np
import pytest

from generator.layers import ConvolverLayer, EngineError, FeatureLayout, Pool
from generator.schedule import Buffers, schedule_convolver
from generator.schedule.blocks import block_entries, channel_blocks


def _patterned(outputs: int, group: int, random: np.random.Generator) -> np.ndarray:
    """Kernels of 3 x 3 with 4 weights, in the same places for `group` output channels, which are not neighbours."""
    places = random.permuted(np.tile(np.arange(9) < 4, (outputs // group, 5, 1)), axis=2)
    mask = np.tile(places, (group, 1, 1)).reshape(outputs, 5, 3, 3)
    return (random.integers(1, 127, mask.shape) * mask).astype(np.int8)


def _layer(weights: np.ndarray, groups: int = 1, pixels: int = 6) -> ConvolverLayer:
    channels = len(weights)
    ones = np.ones(channels, dtype=np.int64)
    return ConvolverLayer(
        name="conv",
        source="input",
        target="conv",
        input=FeatureLayout(tuple(range(groups * weights.shape[1])), pixels, pixels, False),
        weights=weights,
        bias=np.arange(channels, dtype=np.int32) - 3,
        multiplier=ones,
        shift=7 * ones,
        minimum=0,
        maximum=255,
        stride=1,
        pad_top=1,
        pad_left=1,
        groups=groups,
        out_height=pixels,
        out_width=pixels,
        output_signed=False,
        pool=Pool(),
    )


@pytest.mark.parametrize("outputs", [2, 4])
def test_channels_of_one_pattern_stay_together(outputs: int) -> None:
    weights = _patterned(24, outputs, np.random.default_rng(0))
    blocks = channel_blocks(weights, outputs)
    assert sorted(blocks.reshape(-1).tolist()) == list(range(24))
    assert (block_entries(weights, blocks).sum(axis=1) == 5 * 4).all(), "no place is empty in a channel of a block"


def test_the_last_block_has_what_is_left() -> None:
    weights = np.random.default_rng(0).integers(0, 2, (7, 3, 3, 3)).astype(np.int8)
    blocks = channel_blocks(weights, 4)
    assert blocks.shape == (2, 4)
    assert (blocks[0] >= 0).all()
    assert (blocks[1] >= 0).tolist() == [True, True, True, False]


def test_a_packet_is_as_long_as_its_places() -> None:
    """Two entries a kernel of the union; a value that is not there is zero, and so is the scale of no channel."""
    weights = np.zeros((3, 1, 3, 3), dtype=np.int8)
    weights[0, 0, 0, :2], weights[1, 0, 0, 1:], weights[2, 0, 2, 2] = (1, 2), (3, 4), 5
    schedule = schedule_convolver(_layer(weights), 2, 8, 8, outputs=2)
    assert schedule.output.order == (0, 1, 2)
    first, last = schedule.packets
    assert first.units[first.is_entry].tolist() == [[1, 0, 0], [2, 16, 3], [0, 32, 4]]
    assert last.units[last.is_entry].tolist() == [[5, 2 + 2 * 16, 0]]
    assert (first.channels, last.channels) == ((0, 1), (2,))
    assert first.scales.any()
    assert not last.scales.any()


def test_channels_of_different_groups_take_turns() -> None:
    weights = np.arange(1, 37, dtype=np.int8).reshape(4, 1, 3, 3)
    schedule = schedule_convolver(_layer(weights, groups=4), 2, 8, 8, outputs=2)
    assert [packet.entries for packet in schedule.packets] == [18, 18]
    assert schedule.layer.macs == 4 * 9 * 36
    assert schedule.layer.dense_macs == 4 * 9 * 36


def test_channels_side_by_side_need_room_behind_the_pe() -> None:
    weights = np.ones((4, 1, 3, 3), dtype=np.int8)
    layer = _layer(weights, pixels=12)  # 18 words of 8 pixels
    schedule_convolver(layer, 1, 8, 8, Buffers(16, 8))
    with pytest.raises(EngineError, match="output_depth of as many, not 8"):
        schedule_convolver(layer, 1, 8, 8, Buffers(16, 8), outputs=2)
    assert schedule_convolver(layer, 1, 8, 8, outputs=2).waiting.outputs >= 18
