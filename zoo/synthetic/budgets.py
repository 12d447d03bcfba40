"""Channel widths that meet a paper's budget: so many % fewer multiplications and so many % fewer weights.

The papers publish the two totals and no widths. Ours (our reconstruction): stage s keeps the share
min(1, first * ratio**s) of its channels, all layers of a stage alike; the two unknowns follow from the two totals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zoo.synthetic.architectures import Architecture, Widths, unchanged
from zoo.synthetic.shapes import Graph

__all__ = ["Budget", "narrowed"]

_STEPS = 24


@dataclass(frozen=True)
class Budget:
    """What a paper cut, in % of the whole network: multiplications and weights."""

    macs_cut: float
    weights_cut: float


def _widths(first: float, ratio: float) -> Widths:
    def keep(stage: int, channels: int) -> int:
        return max(1, round(channels * min(1.0, first * ratio**stage)))

    return keep


def _least(low: float, high: float, enough: Callable[[float], bool]) -> float:
    """The least value between `low` and `high` that is enough, `enough` being monotonic."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def narrowed(architecture: Architecture, budget: Budget) -> Graph:
    """`architecture` with the widths that meet `budget`: no less work or weights than the paper left, and little more.

    Widths are whole numbers, so that narrow networks end up to two points beside the paper's figure.
    """
    dense = architecture(unchanged)
    macs = dense.macs * (1 - budget.macs_cut / 100)
    weights = dense.weights * (1 - budget.weights_cut / 100)

    def of(ratio: float) -> Graph:
        first = _least(0.0, 8.0, lambda share: architecture(_widths(share, ratio)).macs >= macs)
        return architecture(_widths(first, ratio))

    # A larger ratio moves channels to the later stages, whose maps are small and whose kernels are many.
    return of(_least(0.2, 2.0, lambda ratio: of(ratio).weights >= weights))
