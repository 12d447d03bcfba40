"""The units of a layer's packets on the convolver: kernels, their entries, and steps to wait before them.

A packet is of a *block* of output channels, those that a PE computes side by side: blocks are int64 [packets, channels
of a block], -1 where there is none.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from generator import layouts
from generator.layers import ConvolverLayer
from generator.schedule.rounds import Int

__all__ = ["CHASE", "Loading", "Masks", "Units", "block_weights", "full_units", "layer_units"]

Masks = tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]

CHASE = 16
"""Steps of a PE between a map word's loading and its first use at least: more than the stages of its pipeline."""
MOST_SKIPPED = 255
"""Input channels that one unit skips."""
MOST_WAITS = 254
"""Waiting entries of one unit; as many as are skipped at most would be a skip."""


class Loading(NamedTuple):
    """How a map comes into a PE, a word in each of its steps, while the PE computes its first tile.

    Attributes:
        needs: int64 [rows, columns], the last word of a plane that a weight of a kernel meets in the first tile;
            negative if it meets none.
        plane_words, map_words: words of an input channel, and of all.
        tiles: of an output channel.
        first: the map is loaded before anything is computed.
    """

    needs: Int
    plane_words: int
    map_words: int
    tiles: int
    first: bool = False

    @staticmethod
    def of(layer: ConvolverLayer, lanes: int, masks: Masks) -> Loading:
        """Of a layer; masks of columns and rows are bool [tiles, columns (or rows), tile]."""
        met = masks[0][0][None, :, :] & masks[1][0][:, None, :]
        last = np.where(met.any(axis=2), met.shape[2] - 1 - met[:, :, ::-1].argmax(axis=2), -(1 << 20))
        row, column = np.ogrid[: met.shape[0], : met.shape[1]]
        pixel = (row - layer.pad_top) * layer.input.width + column - layer.pad_left + last
        return Loading(pixel // lanes, layer.input.channel_words(lanes), layer.input.words(lanes), len(masks[0]))


class Units(NamedTuple):
    """Units of a layer's packets, one packet after another.

    Attributes:
        units: uint8 [n, bytes of a unit], kernel and entry units in order; or values of all weights.
        sends: int64 [n], how many entries each of them sends to the PE, waiting ones included.
        is_entry: bool [n], which of them are entries with a weight.
        ends: int64 [packets], where each packet's units end.
        begun: int64 [packets], steps of the packet's PE before it.
        waits: int64 [packets], waiting entries in front of each packet's units.
    """

    units: npt.NDArray[np.uint8]
    sends: Int
    is_entry: npt.NDArray[np.bool_]
    ends: Int
    begun: Int
    waits: Int


def block_weights(weights: npt.NDArray[np.int8], blocks: Int) -> npt.NDArray[np.int8]:
    """The weights (int8 [output channels, ..]) of each block's channels: int8 [packets, channels of a block, ..]."""
    return np.where((blocks >= 0).reshape(*blocks.shape, *(1,) * (weights.ndim - 1)), weights[blocks], np.int8(0))


def full_units(layer: ConvolverLayer, blocks: Int, pes: int, loading: Loading) -> Units:
    """Units of the packets of `blocks`, of which number p goes to PE p mod `pes`: values of all their weights.

    `layer` has one group and no dilation. All waiting is in front of a packet.
    """
    kernels = block_weights(layer.weights, blocks)[:, :, np.asarray(layer.input.order)]
    packets, outputs, inputs, rows, columns = kernels.shape
    count = kernels[0, 0].size
    # A weight comes `number` steps behind a kernel's first one, and kernels lie as far apart as planes do or not: the
    # first or the last kernel waits longest. With the last entry all input channels have to be there.
    number = np.arange(rows * columns).reshape(rows, columns)
    kernel_need = int((loading.needs[:rows, :columns] - number).max()) + CHASE
    last_need = max(kernel_need, loading.plane_words - 1 + CHASE - (rows * columns - 1))
    need = max(kernel_need, last_need + (inputs - 1) * (loading.plane_words - rows * columns))
    if loading.first:
        need = loading.map_words + CHASE
    begun, waits = np.zeros(packets, dtype=np.int64), np.zeros(packets, dtype=np.int64)
    steps = 0
    for first in range(0, packets, pes):
        begun[first : first + pes] = steps
        waits[first : first + pes] = max(need - steps, 0)
        steps += max(need - steps, 0) + loading.tiles * count
    units = np.ascontiguousarray(np.moveaxis(kernels, 1, -1)).view(np.uint8).reshape(-1, outputs)
    ones = np.ones(len(units), dtype=np.int64)
    return Units(units, ones, ones.astype(np.bool_), count * np.arange(1, packets + 1), begun, waits)


def layer_units(layer: ConvolverLayer, blocks: Int, pes: int, loading: Loading) -> Units:
    """Units of the packets of `blocks`, of which number p goes to PE p mod `pes`.

    There is an entry for each place where a channel of the block has a weight that is not zero. Its row and column are
    pixels, dilation included. A block of several channels is of a layer of one group.

    Raises:
        LayoutError: a kernel has more entries than a unit counts.
    """
    position = np.empty(layer.input.channels, dtype=np.int64)
    position[np.asarray(layer.input.order)] = np.arange(layer.input.channels)
    places = position.reshape(layer.groups, -1)
    walk = np.argsort(places, axis=1)
    group = blocks[:, 0] // (len(layer.weights) // layer.groups)
    weights = block_weights(layer.weights, blocks)
    weights = np.take_along_axis(weights, walk[group][:, None, :, None, None], axis=2)
    pattern: npt.NDArray[np.bool_] = np.any(weights != 0, axis=1)
    in_order = np.take_along_axis(places, walk, axis=1)[group]
    found, ends, begun = _layer_units(pattern, pes, in_order, loading, layer.dilation, layer.pointwise)
    is_entry = found["is_entry"]
    units = np.zeros((is_entry.size, blocks.shape[1] + 1), dtype=np.uint8)
    head, entry = found[~is_entry], found[is_entry]
    units[~is_entry, :2] = _pairs(layouts.KERNEL_UNIT.pack_many(skip=_wide(head["skip"]), count=_wide(head["count"])))
    pattern[~pattern.any(axis=(1, 2, 3)), 0, 0, 0] = True  # the entry of a block without weights
    values = np.moveaxis(weights, 1, -1)[pattern]
    if layer.pointwise:
        low = layouts.POINTWISE_UNIT.pack_many(skip=_wide(entry["skip"]), value=_wide(values[:, 0]))
    else:
        row, column = _wide(entry["row"]), _wide(entry["column"])
        low = layouts.ENTRY_UNIT.pack_many(value=_wide(values[:, 0]), row=row, column=column)
    units[is_entry, :2] = _pairs(low)
    units[is_entry, 2:] = values[:, 1:].view(np.uint8)
    return Units(units, _wide(found["sends"]), is_entry, ends, begun, np.zeros_like(ends))


def _pairs(units: Int) -> npt.NDArray[np.uint8]:
    """Units of 16 bits (int64 [n]) as bytes, the lower one first: uint8 [n, 2]."""
    return units.astype("<u2").view(np.uint8).reshape(-1, 2)


_Found = npt.NDArray[Any]
# A unit: skip and count, or row and column (with kernels of one weight the skip); entries that it sends; whether that
# is one with a weight.
_UNIT = np.dtype([(name, np.int16) for name in ("skip", "count", "row", "column", "sends")] + [("is_entry", np.bool_)])


def _wide(numbers: npt.NDArray[np.signedinteger]) -> Int:
    return numbers.astype(np.int64)


@numba.njit(cache=True)
def _put_head(found: _Found, n: int, skip: int, count: int, sends: int) -> int:
    """Writes unit `n`, a kernel's or one of waiting entries; returns the number of the next one."""
    unit = found[n]
    unit.skip, unit.count, unit.sends = skip, count, sends
    return n + 1


@numba.njit(cache=True)
def _put_entry(found: _Found, n: int, row: int, column: int, skip: int) -> int:
    """Writes unit `n`, an entry's; returns the number of the next one."""
    unit = found[n]
    unit.row, unit.column, unit.skip, unit.sends, unit.is_entry = row, column, skip, 1, True
    return n + 1


@numba.njit(cache=True)
def _put_waits(found: _Found, n: int, steps: int) -> int:
    """As many waiting entries."""
    while steps > 0:
        count = min(MOST_WAITS, steps)
        n = _put_head(found, n, count, 0, count)
        steps -= count
    return n


@numba.njit(cache=True)
def _put_kernel(
    found: _Found, n: int, kernel: npt.NDArray[np.bool_], dilation: tuple[int, int], skip: int, pointwise: bool
) -> int:
    """A kernel `skip` input channels further on, and its entries; an empty one has an entry of weight zero."""
    while skip > MOST_SKIPPED:
        n = _put_head(found, n, MOST_SKIPPED, 0, 0)
        skip -= MOST_SKIPPED
    if pointwise:
        return _put_entry(found, n, 0, 0, skip)
    count = int(np.count_nonzero(kernel))
    n = _put_head(found, n, skip, max(count, 1), 0)
    for row in range(kernel.shape[0]):
        for column in range(kernel.shape[1]):
            if kernel[row, column]:
                n = _put_entry(found, n, row * dilation[0], column * dilation[1], 0)
    return n if count else _put_entry(found, n, 0, 0, 0)


@numba.njit(cache=True)
def _waits(
    kernel: npt.NDArray[np.bool_],
    dilation: tuple[int, int],
    loading: Loading,
    position: int,
    before: int,
    is_last: bool,
) -> int:
    """Steps to wait in front of a kernel in the first tile.

    Args:
        position: of its input channel.
        before: steps of the PE before it.
        is_last: the kernel is the packet's last one; with its last entry the tile ends, and all input channels up
            to this one have to be there for the others.
    """
    if loading.first:
        return int(max(0, loading.map_words + CHASE - before))
    most, number = before, 0
    for row in range(kernel.shape[0]):
        for column in range(kernel.shape[1]):
            if kernel[row, column]:
                need = loading.needs[row * dilation[0], column * dilation[1]]
                most = max(most, position * loading.plane_words + need + CHASE - number)
                number += 1
    if is_last:
        most = max(most, (position + 1) * loading.plane_words - 1 + CHASE - max(number - 1, 0))
    return int(most - before)


@numba.njit(cache=True)
def _put_packet(
    found: _Found,
    n: int,
    kernels: npt.NDArray[np.bool_],
    places: Int,
    loading: Loading,
    begun: int,
    dilation: tuple[int, int],
    pointwise: bool,
) -> tuple[int, int, int]:
    """A packet; returns the number of the next unit, entries of the packet, and what its units send.

    Args:
        kernels: bool [input channels, rows, columns], where the block has a weight, in the order of the feature stream.
        places: int64 [input channels], their positions there.
        begun: steps of the PE before the packet.
    """
    last = places.size - 1
    while last >= 0 and not kernels[last].any():
        last -= 1
    position = entries = sent = 0
    # A block without weights still owes its biases: one entry of weight zero carries them.
    for number in range(max(last, 0) + 1):
        kernel = kernels[number]
        count = max(int(np.count_nonzero(kernel)), int(last < 0))
        if count:
            place = places[number] if last >= 0 else 0
            steps = 0
            if begun < loading.map_words + CHASE:
                steps = _waits(kernel, dilation, loading, place, begun + sent, number == max(last, 0))
            n = _put_waits(found, n, steps)
            n = _put_kernel(found, n, kernel, dilation, place - position, pointwise)
            position = place
            entries += count
            sent += steps + count
    return n, entries, sent


@numba.njit(cache=True)
def _room(pattern: npt.NDArray[np.bool_], channels: int, pes: int, loading: Loading) -> int:
    """Units that a layer has at most: a kernel has one of its own and one that is not full of waiting entries, and in
    all a PE waits for each word of the map once."""
    packets, inputs = pattern.shape[0], pattern.shape[1]
    entries, waits = np.count_nonzero(pattern) + packets, pes * ((loading.map_words + CHASE) // MOST_WAITS + 1)
    return int(entries + waits + packets * (2 * inputs + channels // MOST_SKIPPED + 2))


@numba.njit(cache=True)
def _layer_units(
    pattern: npt.NDArray[np.bool_], pes: int, places: Int, loading: Loading, dilation: tuple[int, int], pointwise: bool
) -> tuple[_Found, Int, Int]:
    """See :func:`layer_units`; returns the units, and `ends` and `begun` as `Units` has them.

    Args:
        pattern: bool [packets, input channels of a group, rows, columns], where the block has a weight; input channels
            in the order of the feature stream.
        places: int64 [packets, input channels of a group], their positions there.
    """
    found = np.zeros(_room(pattern, places.max() + 1, pes, loading), dtype=_UNIT)
    ends, begun = np.zeros(len(pattern), dtype=np.int64), np.zeros(len(pattern), dtype=np.int64)
    steps = np.zeros(pes, dtype=np.int64)
    n = 0
    for number in range(len(pattern)):
        pe = number % pes
        begun[number] = steps[pe]
        kernels = pattern[number]
        n, entries, sent = _put_packet(found, n, kernels, places[number], loading, steps[pe], dilation, pointwise)
        steps[pe] += sent + (loading.tiles - 1) * entries
        ends[number] = n
    return found[:n], ends, begun
