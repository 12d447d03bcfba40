"""What every layer must compute, written a second time: dense, 64-bit, from the definitions, without golden's code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def requantise(accumulator: Integers, multiplier: Any, shift: Any, minimum: int, maximum: int) -> Integers:
    """Exact, by Python's unbounded integers: floor division and the remainder against one half."""
    product = accumulator.astype(object) * np.asarray(multiplier).astype(object)
    divisor = np.asarray(2 ** np.asarray(shift).astype(object))
    quotient, remainder = product // divisor, product % divisor
    up = (2 * remainder > divisor) | ((2 * remainder == divisor) & (quotient % 2 == 1))
    return np.clip((quotient + up).astype(object), minimum, maximum).astype(np.int64)


def by_channel(values: Any) -> NDArray[Any]:
    """One value for each channel, shaped to broadcast over (N, channels, rows, columns)."""
    return np.asarray(values).reshape(-1, 1, 1)


def convolution(
    images: NDArray[Any],
    weights: NDArray[np.int8],
    bias: NDArray[Any],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int],
    groups: int,
) -> Integers:
    """Accumulators (N, outputs, rows, columns): one output pixel after another, over the whole dense window."""
    top, left, bottom, right = padding
    padded = np.pad(images.astype(np.int64), ((0, 0), (0, 0), (top, bottom), (left, right)))
    outputs, inner, height, width = weights.shape
    tall, wide = dilation[0] * (height - 1) + 1, dilation[1] * (width - 1) + 1
    rows, columns = (padded.shape[2] - tall) // stride[0] + 1, (padded.shape[3] - wide) // stride[1] + 1
    result = np.empty((len(images), outputs, rows, columns), np.int64)
    for channel in range(outputs):
        group = channel // (outputs // groups)
        for row in range(rows):
            for column in range(columns):
                y, x = row * stride[0], column * stride[1]
                window = padded[
                    :, group * inner : (group + 1) * inner, y : y + tall : dilation[0], x : x + wide : dilation[1]
                ]
                terms = window * weights[channel].astype(np.int64)
                result[:, channel, row, column] = terms.sum(axis=(1, 2, 3)) + int(bias[channel])
    return result


def windows(
    images: NDArray[Any], kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int, int, int]
) -> Any:
    """Every window of a padded map with a mask of the pixels that lie in the map: (row, column, pixels, inside)."""
    top, left, bottom, right = padding
    padded = np.pad(images.astype(np.int64), ((0, 0), (0, 0), (top, bottom), (left, right)))
    inside = np.pad(np.ones(images.shape[2:], np.bool_), ((top, bottom), (left, right)))
    for row in range((padded.shape[2] - kernel[0]) // stride[0] + 1):
        for column in range((padded.shape[3] - kernel[1]) // stride[1] + 1):
            y, x = row * stride[0], column * stride[1]
            part = (slice(y, y + kernel[0]), slice(x, x + kernel[1]))
            yield row, column, padded[:, :, *part], inside[part]


def pool(images: NDArray[Any], kernel: Any, stride: Any, padding: Any, largest: bool) -> Integers:
    """Largest pixel inside the map, or sum over the window, of every window."""
    found: dict[tuple[int, int], Integers] = {}
    for row, column, pixels, inside in windows(images, kernel, stride, padding):
        chosen = pixels[:, :, inside]
        found[row, column] = chosen.max(axis=2) if largest else chosen.sum(axis=2)
    rows, columns = (max(place[axis] for place in found) + 1 for axis in (0, 1))
    flat = np.stack([found[row, column] for row in range(rows) for column in range(columns)], axis=2)
    return flat.reshape(*flat.shape[:2], rows, columns)


def normalise(images: NDArray[Any], size: int, table: NDArray[Any], index_shift: int, shift: int) -> Integers:
    """Local response normalisation before its clamp."""
    wide = images.astype(np.int64)
    result = np.empty_like(wide)
    for channel in range(wide.shape[1]):
        neighbours = wide[:, max(0, channel - size // 2) : channel + size // 2 + 1]
        index = np.minimum((neighbours**2).sum(axis=1) // 2**index_shift, len(table) - 1)
        product = wide[:, channel] * table.astype(np.int64)[index]
        result[:, channel] = requantise(product, 1, shift, -(10**9), 10**9)
    return result
