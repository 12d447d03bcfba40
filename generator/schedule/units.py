"""The units of a layer's packets on the convolver: kernels, their entries, and steps to wait before them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from generator import layouts
from generator.layers import ConvolverLayer
from generator.schedule.rounds import Int

__all__ = ["CHASE", "Loading", "Masks", "Units", "full_units", "layer_units"]

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
    """Units of a layer's output channels, one channel after another.

    Attributes:
        units: uint16 [n], kernel and entry units in order; or uint8 [n], values of all weights.
        sends: int64 [n], how many entries each of them sends to the PE, waiting ones included.
        is_entry: bool [n], which of them are entries with a weight.
        ends: int64 [channels], where each channel's units end.
        begun: int64 [channels], steps of the channel's PE before it.
        waits: int64 [channels], waiting entries in front of each channel's units.
    """

    units: npt.NDArray[np.unsignedinteger]
    sends: Int
    is_entry: npt.NDArray[np.bool_]
    ends: Int
    begun: Int
    waits: Int


def full_units(layer: ConvolverLayer, order: Int, pes: int, loading: Loading) -> Units:
    """Units of the output channels `order`, of which number c goes to PE c mod `pes`: values of all their weights.

    `layer` has one group and no dilation. All waiting is in front of a channel.
    """
    kernels = layer.weights[order][:, np.asarray(layer.input.order)]
    channels, inputs, rows, columns = kernels.shape
    count = kernels[0].size
    # A weight comes `number` steps behind a kernel's first one, and kernels lie as far apart as planes do or not: the
    # first or the last kernel waits longest. With the last entry all input channels have to be there.
    number = np.arange(rows * columns).reshape(rows, columns)
    kernel_need = int((loading.needs[:rows, :columns] - number).max()) + CHASE
    last_need = max(kernel_need, loading.plane_words - 1 + CHASE - (rows * columns - 1))
    need = max(kernel_need, last_need + (inputs - 1) * (loading.plane_words - rows * columns))
    if loading.first:
        need = loading.map_words + CHASE
    begun, waits = np.zeros(channels, dtype=np.int64), np.zeros(channels, dtype=np.int64)
    steps = 0
    for first in range(0, channels, pes):
        begun[first : first + pes] = steps
        waits[first : first + pes] = max(need - steps, 0)
        steps += max(need - steps, 0) + loading.tiles * count
    units = np.ascontiguousarray(kernels).view(np.uint8).reshape(-1)
    ones = np.ones(units.size, dtype=np.int64)
    return Units(units, ones, ones.astype(np.bool_), count * np.arange(1, channels + 1), begun, waits)


def layer_units(layer: ConvolverLayer, order: Int, pes: int, loading: Loading) -> Units:
    """Units of the output channels `order`, of which number c goes to PE c mod `pes`.

    An entry's row and column are pixels, dilation included.

    Raises:
        LayoutError: a kernel has more entries than a unit counts.
    """
    position = np.empty(layer.input.channels, dtype=np.int64)
    position[np.asarray(layer.input.order)] = np.arange(layer.input.channels)
    places = position.reshape(layer.groups, -1)
    walk = np.argsort(places, axis=1)
    found, ends, begun = _layer_units(layer.weights, order, pes, places, walk, loading, layer.dilation, layer.pointwise)
    is_entry = found["is_entry"]
    head, entry = found[~is_entry], found[is_entry]
    units = np.empty(is_entry.size, dtype=np.uint16)
    units[~is_entry] = layouts.KERNEL_UNIT.pack_many(skip=_wide(head["low"]), count=_wide(head["middle"]))
    if layer.pointwise:
        units[is_entry] = layouts.POINTWISE_UNIT.pack_many(skip=_wide(entry["low"]), value=_wide(entry["middle"]))
    else:
        units[is_entry] = layouts.ENTRY_UNIT.pack_many(
            value=_wide(entry["low"]), row=_wide(entry["middle"]), column=_wide(entry["high"])
        )
    return Units(units, _wide(found["sends"]), is_entry, ends, begun, np.zeros_like(ends))


_Found = npt.NDArray[Any]
# A unit: skip and count (or the only value), or value, row and column; entries that it sends; whether that is one
# with a weight.
_UNIT = np.dtype([(name, np.int16) for name in ("low", "middle", "high", "sends")] + [("is_entry", np.bool_)])


def _wide(numbers: npt.NDArray[np.int16]) -> Int:
    return numbers.astype(np.int64)


@numba.njit(cache=True)
def _put(found: _Found, n: int, low: int, middle: int, high: int, sends: int, is_entry: bool) -> int:
    """Writes unit `n`; returns the number of the next one."""
    unit = found[n]
    unit.low, unit.middle, unit.high, unit.sends, unit.is_entry = low, middle, high, sends, is_entry
    return n + 1


@numba.njit(cache=True)
def _put_waits(found: _Found, n: int, steps: int) -> int:
    """As many waiting entries."""
    while steps > 0:
        count = min(MOST_WAITS, steps)
        n = _put(found, n, count, 0, 0, count, False)
        steps -= count
    return n


@numba.njit(cache=True)
def _put_kernel(
    found: _Found, n: int, kernel: npt.NDArray[np.int8], dilation: tuple[int, int], skip: int, pointwise: bool
) -> int:
    """A kernel `skip` input channels further on, and its entries; an empty one has an entry of weight zero."""
    while skip > MOST_SKIPPED:
        n = _put(found, n, MOST_SKIPPED, 0, 0, 0, False)
        skip -= MOST_SKIPPED
    if pointwise:
        return _put(found, n, skip, kernel[0, 0], 0, 1, True)
    count = int(np.count_nonzero(kernel))
    n = _put(found, n, skip, max(count, 1), 0, 0, False)
    for row in range(kernel.shape[0]):
        for column in range(kernel.shape[1]):
            if kernel[row, column] != 0:
                n = _put(found, n, kernel[row, column], row * dilation[0], column * dilation[1], 1, True)
    return n if count else _put(found, n, 0, 0, 0, 1, True)


@numba.njit(cache=True)
def _waits(
    kernel: npt.NDArray[np.int8],
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
        is_last: the kernel is the channel's last one; with its last entry the tile ends, and all input channels up
            to this one have to be there for the others.
    """
    if loading.first:
        return int(max(0, loading.map_words + CHASE - before))
    most, number = before, 0
    for row in range(kernel.shape[0]):
        for column in range(kernel.shape[1]):
            if kernel[row, column] != 0:
                need = loading.needs[row * dilation[0], column * dilation[1]]
                most = max(most, position * loading.plane_words + need + CHASE - number)
                number += 1
    if is_last:
        most = max(most, (position + 1) * loading.plane_words - 1 + CHASE - max(number - 1, 0))
    return int(most - before)


@numba.njit(cache=True)
def _put_channel(
    found: _Found,
    n: int,
    kernels: npt.NDArray[np.int8],
    inputs: tuple[Int, Int],
    loading: Loading,
    begun: int,
    dilation: tuple[int, int],
    pointwise: bool,
) -> tuple[int, int, int]:
    """An output channel; returns the number of the next unit, entries of the channel, and what its units send.

    Args:
        kernels: int8 [input channels of its group, rows, columns].
        inputs: int64 [input channels] each, position of each on the feature stream, and the channels by position.
        begun: steps of the PE before the channel.
    """
    places, walk = inputs
    last = walk.size - 1
    while last >= 0 and not kernels[walk[last]].any():
        last -= 1
    position = entries = sent = 0
    # A channel without weights still owes its biases: one entry of weight zero carries them.
    for number in range(max(last, 0) + 1):
        kernel = kernels[walk[number]]
        count = max(int(np.count_nonzero(kernel)), int(last < 0))
        if count:
            place = places[walk[number]] if last >= 0 else 0
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
def _room(weights: npt.NDArray[np.int8], channels: int, pes: int, loading: Loading) -> int:
    """Units that a layer has at most: a kernel has one of its own and one that is not full of waiting entries, and in
    all a PE waits for each word of the map once."""
    outputs, inputs = weights.shape[0], weights.shape[1]
    entries, waits = np.count_nonzero(weights) + outputs, pes * ((loading.map_words + CHASE) // MOST_WAITS + 1)
    return int(entries + waits + outputs * (2 * inputs + channels // MOST_SKIPPED + 2))


@numba.njit(cache=True)
def _layer_units(
    weights: npt.NDArray[np.int8], order: Int, pes: int, places: Int, walk: Int, loading: Loading,
    dilation: tuple[int, int], pointwise: bool,
) -> tuple[_Found, Int, Int]:  # fmt: skip
    """See :func:`layer_units`; returns the units, and `ends` and `begun` as `Units` has them.

    Args:
        places: int64 [groups, input channels of a group], position of each on the feature stream.
        walk: those channels by position.
    """
    found = np.zeros(_room(weights, places.size, pes, loading), dtype=_UNIT)
    ends, begun = np.zeros(order.size, dtype=np.int64), np.zeros(order.size, dtype=np.int64)
    steps = np.zeros(pes, dtype=np.int64)
    n = 0
    for number in range(order.size):
        channel, pe = order[number], number % pes
        group = channel // (weights.shape[0] // places.shape[0])
        begun[number] = steps[pe]
        inputs = (places[group], walk[group])
        n, entries, sent = _put_channel(found, n, weights[channel], inputs, loading, steps[pe], dilation, pointwise)
        steps[pe] += sent + (loading.tiles - 1) * entries
        ends[number] = n
    return found[:n], ends, begun
