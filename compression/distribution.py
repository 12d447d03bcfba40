"""How the weights of a layer are spread, small enough to keep in a run's history."""

import math

import numpy as np
from numpy.typing import NDArray

from compression.history import BINS, Histogram

__all__ = ["histogram_of"]


def histogram_of(weights: NDArray[np.floating]) -> Histogram:
    """Count the weights that are not zero.

    The range is a power of two, so that the histograms of a layer before and after pruning have the same bins, or one
    has bins that are whole groups of the other's.

    Args:
        weights: any shape, finite.
    """
    values = weights.astype(np.float64).ravel()
    present = values[values != 0]
    largest = float(np.abs(present).max(initial=0))
    limit = 2.0 ** math.ceil(math.log2(largest)) if largest else 1.0
    counts, _ = np.histogram(present, bins=BINS, range=(-limit, limit))
    least = float(np.abs(present).min()) if present.size else 0.0
    return Histogram(limit, tuple(counts.tolist()), float(values.std()), least)
