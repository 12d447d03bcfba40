"""Synthetic weights: an exact number of non-zeros, spread evenly or unevenly over the output channels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["channel_counts", "codebook", "sparse_weights"]

SMALLEST = 14
"""Least magnitude that pruning by magnitude leaves; in units of the int8 weight, our choice."""
_MEAN_EXCESS = 24.0


def channel_counts(
    total: int, channels: int, capacity: int, spread: float, random: np.random.Generator
) -> NDArray[np.int64]:
    """Non-zeros of each output channel, `total` in all.

    Args:
        capacity: weights of a channel; none gets more.
        spread: standard deviation of the channels' densities over their mean; 0 gives all channels the same, but for
            what does not divide. Densities are normal, cut off at two deviations.
    """
    share = np.maximum(1 + spread * np.clip(random.standard_normal(channels), -2, 2), 0.01)
    wanted = np.zeros(channels)
    free = np.ones(channels, dtype=bool)
    while free.any() and total - wanted.sum() > 0.5:
        wanted[free] += share[free] * ((total - wanted.sum()) / share[free].sum())
        wanted = np.minimum(wanted, capacity)
        free &= wanted < capacity
    counts = np.floor(wanted).astype(np.int64)
    # What rounding left over goes to the largest remainders; equal ones in random order.
    rest = np.where(counts < capacity, wanted - counts, -1.0) + 1e-9 * random.random(channels)
    counts[np.argsort(-rest)[: total - int(counts.sum())]] += 1
    return counts


def codebook(bits: int) -> NDArray[np.int8]:
    """2**bits - 1 distinct non-zero int8 values, positive and negative, denser near zero: shared values of a layer."""
    negatives = (1 << bits) // 2
    steps = np.linspace(0, 1, negatives)
    magnitudes = np.unique(np.rint(SMALLEST * (120 / SMALLEST) ** steps).astype(np.int64))
    return np.concatenate([-magnitudes, magnitudes[1:]]).astype(np.int8)


def _values(count: int, book: NDArray[np.int8] | None, random: np.random.Generator) -> NDArray[np.int8]:
    if book is not None:
        return random.choice(book, count)
    magnitude = np.minimum(SMALLEST + random.exponential(_MEAN_EXCESS, count), 127).astype(np.int8)
    return np.where(random.random(count) < 0.5, magnitude, -magnitude).astype(np.int8)


def sparse_weights(
    shape: tuple[int, ...], nonzeros: int, spread: float, book: NDArray[np.int8] | None, random: np.random.Generator
) -> NDArray[np.int8]:
    """int8 weights of `shape` (output channels first), exactly `nonzeros` of them not zero, at random places.

    Args:
        spread: see :func:`channel_counts`.
        book: the values that may occur; None draws magnitudes from an exponential tail, as pruning by magnitude leaves.
    """
    channels = shape[0]
    weights = np.zeros((channels, int(np.prod(shape[1:]))), dtype=np.int8)
    counts = channel_counts(nonzeros, channels, weights.shape[1], spread, random)
    for row, count in zip(weights, counts, strict=True):
        places = random.choice(row.size, int(count), replace=False, shuffle=False)
        row[places] = _values(int(count), book, random)
    return weights.reshape(shape)
