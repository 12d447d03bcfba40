"""Clocks that a layer takes at least, and bytes that it moves, on engines of given sizes.

A bound adds up what each process must do at least; filling of pipelines and waiting are left out. Bounds only rank:
figures are printed of the exact schedule (`generator.estimates`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from generator import layouts
from generator.layers import ConvolverLayer, MapLayer
from generator.resources import word_pixels
from generator.schedule import ColumnFormat, Strips, channel_order, walk_steps
from generator.workload import ConvolverWork, FcWork, Int, Work

__all__ = ["ACTIVE_SHARE", "bound", "lane_strips", "map_bound", "stream_bound", "strips_bound"]

ACTIVE_SHARE = 0.4
"""Of the activations of an FC layer that are taken to be not zero while candidates are ranked."""


def bound(work: Work, pes: int, tiles: Int, fc_pes: int) -> tuple[Int, Int]:
    """Cycles and bytes moved that a layer takes about at least, for each number of multipliers: int64 [n] each."""
    pixels = word_pixels(tiles)
    if isinstance(work, FcWork):
        words = work.feature_words(pixels)
        share = -(-work.nonzeros // fc_pes)
        rows = -(-work.rows // fc_pes)
        packet = 1 + -(-words * pixels // layouts.POINTERS_PER_WORD) + -(-rows // 8) + -(-share // 16)
        loaded = fc_pes * packet
        cycles = loaded + np.maximum(int(ACTIVE_SHARE * share), words * pixels // 4) + rows
        return cycles, 32 * loaded + pixels * (words + -(-work.rows // pixels))
    maps, outputs = work.inputs * -(-work.pixels // pixels), work.channels * -(-work.outputs // pixels)
    each = work.side_by_side
    busy, weights = _packets_bound(work.entries, work.units, (each + 1, each), pes, work.positions, tiles)
    if work.full:
        every = np.full_like(work.entries, work.weights)
        full_busy, full_weights = _packets_bound(every, every, (each, each), pes, work.positions, tiles)
        weights = np.where(full_busy <= busy, full_weights, weights)
        busy = np.minimum(full_busy, busy)
    return maps + busy, 32 * weights + pixels * (maps + outputs)


def strips_bound(work: ConvolverWork, strips: Sequence[ConvolverLayer], pes: int, tile: int) -> tuple[int, int]:
    """The same of a layer in strips, on PEs of `tile` multipliers."""
    sizes = Counter(
        (
            strip.output_part,
            strip.positions,
            strip.input.height * strip.input.width * strip.input.channels,
            strip.out_height * work.width,
        )
        for strip in strips
    )
    total = np.zeros(2, dtype=np.int64)
    for (own, positions, pixels, outputs), times in sizes.items():
        part = _of_group(work, own[0]) if own else work
        part = replace(part, positions=positions, pixels=-(-pixels // part.inputs), outputs=outputs)
        total += times * np.concatenate(bound(part, pes, np.array([tile]), 1))
    return int(total[0]), int(total[1])


def _of_group(work: ConvolverWork, first: int) -> ConvolverWork:
    """What the group asks for whose output channels begin with `first`, run by itself."""
    groups = work.layer.groups
    channels = work.channels // groups
    entries, units = work.of_groups[first // channels]
    return replace(
        work, entries=entries, units=units, inputs=work.inputs // groups, channels=channels,
        full=work.layer.dilation == (1, 1),
    )  # fmt: skip


def _packets_bound(
    entries: Int, units: Int, sizes: tuple[int, int], pes: int, positions: int, tiles: Int
) -> tuple[Int, Int]:
    """Clocks at least, once the map is there, and weight words of a layer: int64 [n] each.

    Args:
        sizes: bytes of a unit, header words of a packet.
    """
    per_word, headers = layouts.WEIGHT_BITS // 8 // sizes[0], sizes[1]
    order = channel_order(entries, pes)
    filling = -order.size % pes
    entries = np.pad(entries[order], (0, filling)).reshape(-1, pes)
    units = np.pad(units[order], (0, filling)).reshape(-1, pes)
    turns = -(-positions // tiles)
    busy = np.maximum(entries * turns[:, None, None], positions * (entries > 0)).sum(axis=1).max(axis=1)
    weights = int(((headers + -(-units.max(axis=1) // per_word)) * (units > 0).sum(axis=1)).sum())
    return np.maximum(busy, max(weights, int(units.sum(axis=0).max()))), np.full_like(busy, weights)


def stream_bound(work: FcWork, form: ColumnFormat, rows_at_once: int, tiles: Int, batch: int = 1) -> tuple[Int, Int]:
    """The same of a layer whose columns are fetched from DDR, for each image of a batch."""
    pixels = word_pixels(tiles)
    words, biases = work.feature_words(pixels), -(-work.rows // layouts.BIASES_PER_WORD)
    packet = 2 + -(-words * pixels // layouts.POINTERS_PER_WORD) + biases
    fetched = int((1 - (1 - ACTIVE_SHARE) ** batch) * work.column_words(form))
    cycles = packet + np.maximum(fetched, words * pixels // 4) + batch * -(-work.rows // rows_at_once)
    moved = 32 * packet + form.word_bits // 8 * fetched + batch * pixels * (words + -(-work.rows // pixels))
    return cycles // batch, moved // batch


def lane_strips(layer: MapLayer, map_lanes: int) -> Strips | None:
    """A layer's columns in strips of so many lanes of the map engine; None where it has one lane.

    Raises:
        EngineError: a window has no room in the lanes.
    """
    return Strips.of(layer, map_lanes, None) if map_lanes > 1 else None


def map_bound(layer: MapLayer, pixels: int, map_lanes: int) -> tuple[int, int]:
    """Cycles and bytes moved of a layer on the map engine, about; words have `pixels` pixels.

    Raises:
        EngineError: a window has no room in the lanes.
    """
    table = -(-layer.normalisation.table.size // 16) if layer.normalisation else 0
    steps = (layer.input.channels + layer.before) * walk_steps(layer, lane_strips(layer, map_lanes))
    words = layer.input.words(pixels) + layer.output.words(pixels)
    return steps + table * (16 if map_lanes > 1 else 1), 32 * table + pixels * words
