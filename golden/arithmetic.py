"""Exact integer arithmetic of the model (docs/arithmetic.md): the definition, not the fast path."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["nearest_even", "requantise", "round_half_even_shift"]


def nearest_even(value: Fraction) -> int:
    """The nearest integer; of two equally near ones the even one."""
    return round(value)


def round_half_even_shift(value: int, shift: int) -> int:
    """round_half_even(value / 2**shift), for any integer and any shift of 0 or more.

    >>> [round_half_even_shift(value, 1) for value in (-3, -2, -1, 0, 1, 2, 3)]
    [-2, -1, 0, 0, 0, 1, 2]
    """
    if shift == 0:
        return value
    return (value + (1 << (shift - 1)) - 1 + ((value >> shift) & 1)) >> shift


def requantise(
    accumulator: NDArray[Any], multiplier: NDArray[np.int32], shift: NDArray[np.int32], minimum: int, maximum: int
) -> NDArray[np.int64]:
    """clamp(round_half_even(accumulator * multiplier / 2**shift), minimum, maximum).

    Args:
        accumulator: integers within int32, any shape.
        multiplier: 1 or more, of a shape that broadcasts.
        shift: 0..47, of a shape that broadcasts.
        minimum: lower clamp.
        maximum: upper clamp.

    Returns:
        int64, of the broadcast shape.
    """
    product = accumulator.astype(np.int64) * multiplier.astype(np.int64)
    places = np.broadcast_to(shift.astype(np.int64), product.shape)
    half_less_one = np.where(places > 0, (np.int64(1) << np.maximum(places - 1, 0)) - 1, 0)
    odd = np.where(places > 0, (product >> places) & 1, 0)
    rounded: NDArray[np.int64] = (product + half_less_one + odd) >> places
    return rounded.clip(minimum, maximum)
