"""Where a tensor's activations lie, as a probability for each of its integers, so that scales can be chosen unrun.

Sums of many products are taken as normal and as independent of each other. That is good enough for what it is for: a
layer's activations shall neither all saturate nor all vanish.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from golden.description import ActivationType

__all__ = ["Activations", "normal", "uniform"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Activations:
    """A distribution of integers.

    Attributes:
        dtype: of the tensor.
        values: int64 [n], ascending.
        probability: float64 [n], of each value.
    """

    dtype: ActivationType
    values: NDArray[np.int64]
    probability: Floats

    @property
    def mean(self) -> float:
        """The mean."""
        return float(self.values @ self.probability)

    @property
    def deviation(self) -> float:
        """The standard deviation."""
        return sqrt(max(float(self.values.astype(float) ** 2 @ self.probability) - self.mean**2, 0.0))

    def largest_of(self, count: int) -> Activations:
        """Distribution of the largest of `count` activations."""
        below = np.cumsum(self.probability) ** count
        return Activations(self.dtype, self.values, np.diff(below, prepend=0.0))


def uniform(lowest: int, highest: int, dtype: ActivationType) -> Activations:
    """Every integer of the range alike."""
    values = np.arange(lowest, highest + 1, dtype=np.int64)
    return Activations(dtype, values, np.full(values.size, 1 / values.size))


def normal(mean: float, deviation: float, lowest: int, highest: int, dtype: ActivationType) -> Activations:
    """Normal, rounded and clamped to `lowest`..`highest`."""
    values = np.arange(lowest, highest + 1, dtype=np.int64)
    edges = (values[:-1] + 0.5 - mean) / (max(deviation, 1e-9) * sqrt(2))
    below = np.concatenate([[0.0], (1 + erf(edges)) / 2, [1.0]])
    return Activations(dtype, values, np.diff(below))
