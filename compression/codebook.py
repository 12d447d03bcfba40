"""Shared weights: a linear layer of few different values, for ``csc`` with a codebook of 16 or 32 entries.

Han, Mao, Dally, "Deep Compression: Compressing Deep Neural Networks with Pruning, Trained Quantization and Huffman
Coding" (ICLR 2016), section 3: k-means over a layer's weights after pruning, started at values that lie evenly between
the least and the greatest weight; then the values are retrained, each by the sum of its weights' gradients.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils import parametrize

__all__ = ["Codebook", "cluster", "share_weights"]

_MOST_ROUNDS = 300


def cluster(weights: torch.Tensor, values: int) -> tuple[torch.Tensor, torch.Tensor]:
    """One-dimensional k-means over the weights that are not zero.

    Args:
        weights: any shape, floating point.
        values: how many different ones at most.

    Returns:
        (the values, float32, increasing; their codes, int64 of the weights' shape): code 0 is a zero, code
        c the value c - 1. Weights that have no more than so many different values keep them exactly.
    """
    flat = weights.detach().cpu().double().numpy().reshape(-1)
    kept = np.flatnonzero(flat)
    codes = np.zeros(flat.size, np.int64)
    distinct = np.unique(flat[kept])
    centres = distinct if distinct.size <= values else _lloyd(flat[kept], values)
    codes[kept] = _nearest(centres, flat[kept]) + 1
    return torch.from_numpy(centres).float(), torch.from_numpy(codes).reshape(weights.shape)


def _nearest(centres: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index of each point's centre; halfway between two it is the lower one."""
    return np.searchsorted((centres[1:] + centres[:-1]) / 2, points)


def _lloyd(points: NDArray[np.float64], values: int) -> NDArray[np.float64]:
    """Centres, increasing; a centre that no point is nearest to is left out."""
    centres = np.linspace(points.min(), points.max(), values)
    for _ in range(_MOST_ROUNDS):
        codes = _nearest(centres, points)
        counts = np.bincount(codes, minlength=centres.size)
        moved = np.bincount(codes, points, centres.size)[counts > 0] / counts[counts > 0]
        if np.array_equal(moved, centres):
            break
        centres = moved
    return centres


class Codebook(nn.Module):
    """A parametrisation (``torch.nn.utils.parametrize``) under which weights share few values; zeros stay zeros.

    The values are what is trained. Their gradients are the sums over all weights that share them.

    Args:
        weights: where the zeros are, and which weights share a value.
        entries: of the codebook, 16 or 32. As one of them is zero, which padding entries of ``csc`` take, there
            are ``entries - 1`` values.
    """

    codes: torch.Tensor

    def __init__(self, weights: torch.Tensor, entries: int) -> None:
        super().__init__()
        self._values = entries - 1
        self.register_buffer("codes", cluster(weights, self._values)[1].to(weights.device))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Values (at most ``entries - 1``,) to weights."""
        return torch.cat((values.new_zeros(1), values))[self.codes]

    def right_inverse(self, weights: torch.Tensor) -> torch.Tensor:
        """Weights to values, which ``parametrize`` calls once."""
        return cluster(weights, self._values)[0].to(weights)


def share_weights(layer: nn.Module, entries: int) -> None:
    """Replace a layer's weights by those of a codebook, in place; the parameter now are its values."""
    parametrize.register_parametrization(layer, "weight", Codebook(layer.get_parameter("weight"), entries))
