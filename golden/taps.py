"""The non-zeros of a layer as taps: where each reads its input, and its weight. What the kernels run on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["Geometry", "Taps", "arrange", "taps_of_weights", "taps_of_window"]


@dataclass(frozen=True)
class Geometry:
    """How windows lie over a padded map.

    Stride is turned into phases (space to depth): pixel (y, x) of the padded map goes to phase (y % stride rows,
    x % stride columns), so that within a phase neighbouring outputs read neighbouring pixels, whatever the stride.

    Attributes:
        shape: (channels, rows, columns) of the map before padding.
        padding: top, left, bottom, right.
        stride: rows, columns.
        dilation: rows, columns.
    """

    shape: tuple[int, int, int]
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)

    @property
    def phase_rows(self) -> int:
        """Rows of one phase."""
        return -(-(self.padding[0] + self.shape[1] + self.padding[2]) // self.stride[0])

    @property
    def phase_columns(self) -> int:
        """Columns of one phase: the pitch."""
        return -(-(self.padding[1] + self.shape[2] + self.padding[3]) // self.stride[1])

    def offset(
        self, channel: NDArray[np.int64], row: NDArray[np.int64], column: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Where output pixel (0, 0) reads kernel position (row, column) of a channel, in pixels of all phases."""
        y, x = row * self.dilation[0], column * self.dilation[1]
        phase = (channel * self.stride[0] + y % self.stride[0]) * self.stride[1] + x % self.stride[1]
        place = (phase * self.phase_rows + y // self.stride[0]) * self.phase_columns + x // self.stride[1]
        return place.astype(np.int64)


def arrange(source: NDArray[Any], geometry: Geometry) -> NDArray[Any]:
    """The padded map in phases, flat.

    Args:
        source: (channels, rows, columns, lanes), 8 bits.
        geometry: of the map; ``source`` itself is returned where nothing is to be done.
    """
    channels, rows, columns, lanes = source.shape
    down, across = geometry.stride
    if not any(geometry.padding) and down == across == 1:
        return source.reshape(-1)
    top, left = geometry.padding[:2]
    height, width = geometry.phase_rows, geometry.phase_columns
    padded = np.zeros((channels, height * down, width * across, lanes), source.dtype)
    padded[:, top : top + rows, left : left + columns] = source
    if down == across == 1:
        return padded.reshape(-1)
    split = padded.reshape(channels, height, down, width, across, lanes)
    return np.ascontiguousarray(split.transpose(0, 2, 4, 1, 3, 5)).reshape(-1)


@dataclass(frozen=True)
class Taps:
    """Non-zeros by output channel.

    Attributes:
        geometry: of the map that they read.
        starts: int64 (output channels + 1,); channel c has the taps starts[c] to starts[c + 1] - 1.
        offsets: int64, as :meth:`Geometry.offset`.
        values: int32.
    """

    geometry: Geometry
    starts: NDArray[np.int64]
    offsets: NDArray[np.int64]
    values: NDArray[np.int32]


def _starts(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int64)


def taps_of_weights(weights: NDArray[np.int8], geometry: Geometry, groups: int) -> Taps:
    """Taps of a convolution; ``weights`` is int8 (output channels, input channels / groups, kh, kw)."""
    channel, row, column = np.indices((geometry.shape[0], *weights.shape[2:]), np.int64).reshape(3, -1)
    offsets = geometry.offset(channel, row, column).reshape(groups, -1)
    return Taps(geometry, *_nonzeros(weights.reshape(len(weights), -1), offsets))


@njit(cache=True, nogil=True)
def _nonzeros(
    weights: NDArray[np.int8], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """Starts, offsets and values as ``Taps`` has them.

    Args:
        weights: (output channels, weights of each).
        offsets: (groups, weights of an output channel), where each weight reads.
    """
    starts = np.zeros(weights.shape[0] + 1, np.int64)
    count = np.count_nonzero(weights)
    places, values = np.empty(count, np.int64), np.empty(count, np.int32)
    tap = 0
    for output in range(weights.shape[0]):
        own = offsets[output // (weights.shape[0] // offsets.shape[0])]
        for number in range(weights.shape[1]):
            if weights[output, number] != 0:
                places[tap], values[tap] = own[number], weights[output, number]
                tap += 1
        starts[output + 1] = tap
    return starts, places, values


def taps_of_window(kernel: tuple[int, int], geometry: Geometry) -> Taps:
    """Taps of a sum over a window, channel by channel."""
    channel, row, column = np.indices((geometry.shape[0], *kernel), np.int64).reshape(3, -1)
    return Taps(
        geometry,
        _starts(np.full(geometry.shape[0], kernel[0] * kernel[1])),
        geometry.offset(channel, row, column),
        np.ones(channel.size, np.int32),
    )
