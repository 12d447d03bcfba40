"""Power-of-two number formats (dynamic fixed point) and the one of least error for given values."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch

__all__ = ["ChannelFixedPoint", "FixedPoint", "best_fixed_point"]

_PART = 1 << 18  # values whose error is taken at once: copies that a processor's cache holds


class _Format(ABC):
    """What formats share: integers q of ``bits`` bits, and the number of q for each 1."""

    signed: bool
    bits: int

    @abstractmethod
    def factor(self, values: torch.Tensor) -> float | torch.Tensor:
        """What makes q of ``values``; a tensor of their type and device that broadcasts, or a number."""

    @property
    def minimum(self) -> int:
        """The least q."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        """The greatest q."""
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    def quantise(self, values: torch.Tensor) -> torch.Tensor:
        """The nearest q of each value (half to even, saturating), as float64 of the same shape."""
        exact = values.double()
        return torch.round(exact * self.factor(exact)).clamp(self.minimum, self.maximum)

    def real(self, values: torch.Tensor) -> torch.Tensor:
        """Q(x), the values that the nearest q stand for, as float64 of the same shape."""
        integers = self.quantise(values)
        return integers / self.factor(integers)


@dataclass(frozen=True)
class FixedPoint(_Format):
    """A number format: the real value is ``q * 2**-fractional_length`` with q an integer of ``bits`` bits.

    The fractional length may be negative (a coarse grid) or exceed the number of bits (a fine one).
    """

    fractional_length: int
    signed: bool
    bits: int = 8

    @property
    def lengths(self) -> tuple[int, ...]:
        """The fractional length, by itself."""
        return (self.fractional_length,)

    def factor(self, values: torch.Tensor) -> float:
        """What makes q of values."""
        return 2.0**self.fractional_length

    def error(self, values: torch.Tensor) -> float:
        """Sum of |x - Q(x)|, added up in float64."""
        return _sum_in_parts(self._error, values)

    def saturation(self, values: torch.Tensor) -> float:
        """Sum of what values exceed the format's range by: no format of this or a lesser range has less error."""
        return _sum_in_parts(self._saturation, values)

    def _error(self, values: torch.Tensor) -> float:
        # In the values' own type, which loses nothing: float32 has 24 bits, and in formats worth a comparison x is less
        # than 2**24 units of Q(x), so that their difference is a multiple of x's last place or of Q's unit.
        rounded = (values * 2.0**self.fractional_length).round_().clamp_(self.minimum, self.maximum)
        return float(rounded.mul_(2.0**-self.fractional_length).sub_(values).abs_().sum(dtype=torch.float64))

    def _saturation(self, values: torch.Tensor) -> float:
        unit = 2.0**-self.fractional_length
        inside = values.clamp(self.minimum * unit, self.maximum * unit)
        return float(inside.sub_(values).abs_().sum(dtype=torch.float64))


def _sum_in_parts(function: Callable[[torch.Tensor], float], values: torch.Tensor) -> float:
    return math.fsum(function(part) for part in torch.split(values.detach().reshape(-1), _PART))


@dataclass(frozen=True)
class ChannelFixedPoint(_Format):
    """As :class:`FixedPoint`, with a fractional length for each output channel, the first axis of the values."""

    lengths: tuple[int, ...]
    signed: bool
    bits: int = 8

    def factor(self, values: torch.Tensor) -> torch.Tensor:
        """What makes q of values (channels, ...): (channels, 1, ...)."""
        factors = torch.tensor([2.0**length for length in self.lengths], dtype=values.dtype, device=values.device)
        return factors.reshape(-1, *(1,) * (values.ndim - 1))


def best_fixed_point(values: torch.Tensor, signed: bool, bits: int = 8, longest: int = 30) -> FixedPoint:
    """The format with the least sum of |x - Q(x)|.

    Args:
        values: any shape, finite; zeros cost nothing in any format, so pruned weights need no special care.
        signed: whether q may be negative.
        bits: width of q.
        longest: no greater fractional length is tried.

    Returns:
        The best format; of equal ones the one with the greatest range.
    """
    peak = max(-float(values.min()), float(values.max())) if values.numel() else 0.0
    if peak == 0.0:
        return FixedPoint(min(bits - 1, longest), signed, bits)
    # The shortest length tried saturates nothing, so that coarser grids are part of its own. Each further one halves
    # the range, until what lies outside is by itself as much as the least error so far.
    shortest = min(math.floor(math.log2(FixedPoint(0, signed, bits).maximum / peak)), longest)
    best = FixedPoint(shortest, signed, bits)
    least = best.error(values)
    for length in range(shortest + 1, longest + 1):
        candidate = FixedPoint(length, signed, bits)
        if candidate.saturation(values) >= least:
            break
        error = candidate.error(values)
        if error < least:
            best, least = candidate, error
    return best
