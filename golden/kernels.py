"""Numba kernels of the golden model. They work on the non-zeros only.

Maps lie as (channels, rows, columns, lanes): the lanes are images of one group, so that the innermost loop is
contiguous and vectorises whatever the layer's geometry. The kernels release the interpreter's lock, so that threads
share the work.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["STRIP", "add", "clip", "convolve", "max_pool", "normalise"]

Map = NDArray[Any]  # uint8 or int8
Integers = NDArray[np.int64]

STRIP = 2048  # accumulators at a time: they and the bytes that they read stay in the first-level cache


@njit(cache=True, nogil=True, inline="always")
def _rounding(shift: int) -> tuple[int, int]:
    """(half, odd): y = (v + half + ((v >> shift) & odd)) >> shift rounds half to even, for a shift of 0 as well."""
    return ((1 << (shift - 1)) - 1, 1) if shift > 0 else (0, 0)


@njit(cache=True, nogil=True)
def _accumulate(
    accumulator: NDArray[np.int32], source: Map, offsets: Integers, values: NDArray[np.int32], base: int, lanes: int
) -> None:
    """Add every tap's weight times the run of pixels that it reads from ``base`` on."""
    run, taps = accumulator.size, offsets.size
    in_fours = taps // 4 * 4
    # Four taps at a time: one load and one store of the accumulator serve four products.
    for tap in range(0, in_fours, 4):
        a = source[(offsets[tap] + base) * lanes :][:run]
        b = source[(offsets[tap + 1] + base) * lanes :][:run]
        c = source[(offsets[tap + 2] + base) * lanes :][:run]
        d = source[(offsets[tap + 3] + base) * lanes :][:run]
        u, v, w, x = values[tap], values[tap + 1], values[tap + 2], values[tap + 3]
        for at in range(run):
            accumulator[at] += np.int32(u * a[at] + v * b[at] + w * c[at] + x * d[at])
    for tap in range(in_fours, taps):
        a = source[(offsets[tap] + base) * lanes :][:run]
        u = values[tap]
        for at in range(run):
            accumulator[at] += np.int32(u * a[at])


@njit(cache=True, nogil=True)
def _requantise_row(
    accumulator: NDArray[np.int32], multiplier: int, shift: int, minimum: int, maximum: int, out: Map
) -> None:
    half, odd = _rounding(shift)
    factor, places = np.int64(multiplier), np.int64(shift)
    for at in range(out.size):
        product = accumulator[at] * factor
        rounded = (product + half + ((product >> places) & odd)) >> places
        out[at] = min(max(rounded, minimum), maximum)


@njit(cache=True, nogil=True)
def convolve(
    source: Map,
    starts: Integers,
    offsets: Integers,
    values: NDArray[np.int32],
    bias: NDArray[np.int32],
    multiplier: NDArray[np.int32],
    shift: NDArray[np.int32],
    minimum: int,
    maximum: int,
    pitch: int,
    first: int,
    last: int,
    out: Map,
) -> None:
    """Convolution by its non-zero weights, then requantisation.

    Args:
        source: flat; output pixel (row, column) reads a tap at offset + row * pitch + column, in pixels.
        starts: taps of output channel c are starts[c] to starts[c + 1] - 1.
        offsets: of each tap, in pixels.
        values: weight of each tap.
        bias: by output channel.
        multiplier: by output channel.
        shift: by output channel.
        minimum: lower clamp.
        maximum: upper clamp.
        pitch: pixels from one row of ``source`` to the next.
        first: output channel to begin with.
        last: output channel to stop before.
        out: (output channels, rows, columns, lanes).
    """
    rows, columns, lanes = out.shape[1], out.shape[2], out.shape[3]
    strip = min(rows, max(1, STRIP // (pitch * lanes)))
    space = np.empty(strip * pitch * lanes, np.int32)
    for channel in range(first, last):
        taps = slice(starts[channel], starts[channel + 1])
        for top in range(0, rows, strip):
            count = min(strip, rows - top)
            # The run goes on over the rows' ends: a few sums are made that no pixel takes, and no run is short.
            accumulator = space[: ((count - 1) * pitch + columns) * lanes]
            accumulator[:] = bias[channel]
            _accumulate(accumulator, source, offsets[taps], values[taps], top * pitch, lanes)
            for row in range(count):
                made = accumulator[row * pitch * lanes :]
                target = out[channel, top + row].reshape(-1)
                _requantise_row(made, multiplier[channel], shift[channel], minimum, maximum, target)


@njit(cache=True, nogil=True)
def max_pool(
    source: Map,
    height: int,
    width: int,
    stride_rows: int,
    stride_columns: int,
    top: int,
    left: int,
    first: int,
    last: int,
    out: Map,
) -> None:
    """Largest pixel of each window, among those that lie in the map; each window must touch the map.

    Args:
        source: (channels, rows, columns, lanes).
        height: rows of the window.
        width: columns of the window.
        stride_rows: rows from one window to the next.
        stride_columns: columns from one window to the next.
        top: rows that the first window begins above the map.
        left: columns that the first window begins left of the map.
        first: channel to begin with.
        last: channel to stop before.
        out: (channels, windows down, windows across, lanes).
    """
    for channel in range(first, last):
        for row in range(out.shape[1]):
            upper = row * stride_rows - top
            for column in range(out.shape[2]):
                leftmost = column * stride_columns - left
                best = out[channel, row, column]
                best[:] = source[channel, max(upper, 0), max(leftmost, 0)]
                for y in range(max(upper, 0), min(upper + height, source.shape[1])):
                    for x in range(max(leftmost, 0), min(leftmost + width, source.shape[2])):
                        pixel = source[channel, y, x]
                        for lane in range(out.shape[3]):
                            best[lane] = max(best[lane], pixel[lane])


@njit(cache=True, nogil=True)
def add(
    left: Map, right: Map, factor_left: int, factor_right: int, shift: int, minimum: int, maximum: int, out: Map
) -> None:
    """y = clamp(round_half_even((left * factor_left + right * factor_right) / 2**shift)); all arrays are flat."""
    half, odd = _rounding(shift)
    for at in range(out.size):
        total = np.int64(left[at]) * factor_left + np.int64(right[at]) * factor_right
        rounded = (total + half + ((total >> shift) & odd)) >> shift
        out[at] = min(max(rounded, minimum), maximum)


@njit(cache=True, nogil=True)
def clip(
    source: Map, multiplier: NDArray[np.int32], shift: NDArray[np.int32], minimum: int, maximum: int, out: Map
) -> None:
    """Requantise each pixel by its channel's multiplier and shift; ``source`` and ``out`` are (channels, pixels)."""
    for channel in range(out.shape[0]):
        half, odd = _rounding(shift[channel])
        factor, places = np.int64(multiplier[channel]), np.int64(shift[channel])
        for at in range(out.shape[1]):
            product = source[channel, at] * factor
            rounded = (product + half + ((product >> places) & odd)) >> places
            out[channel, at] = min(max(rounded, minimum), maximum)


@njit(cache=True, nogil=True)
def normalise(
    source: Map,
    size: int,
    table: NDArray[np.uint16],
    index_shift: int,
    shift: int,
    minimum: int,
    maximum: int,
    out: Map,
) -> None:
    """Local response normalisation by table; ``source`` and ``out`` are (channels, pixels)."""
    half, odd = _rounding(shift)
    for channel in range(out.shape[0]):
        lowest, beyond = max(channel - size // 2, 0), min(channel + size // 2 + 1, out.shape[0])
        for at in range(out.shape[1]):
            squares = np.int64(0)
            for neighbour in range(lowest, beyond):
                squares += np.int64(source[neighbour, at]) * np.int64(source[neighbour, at])
            index = min(squares >> index_shift, np.int64(table.size - 1))
            product = np.int64(source[channel, at]) * np.int64(table[index])
            rounded = (product + half + ((product >> shift) & odd)) >> shift
            out[channel, at] = min(max(rounded, minimum), maximum)
