"""How the bench stalls the ports of an accelerator: for each port the share of clocks in which it pauses."""

import random
from collections.abc import Callable, Mapping

from testbench.rtl.executor import PORTS

__all__ = ["PATTERNS", "random_shares"]

Shares = dict[str, float]


def random_shares(seed: int) -> Shares:
    """Every seed stalls other ports, from not at all to most of the time."""
    draw = random.Random(seed)
    return {port: draw.choice((0.0, 0.2, 0.5, 0.8)) for port in PORTS}


def _fixed(**shares: float) -> Callable[[int], Shares]:
    return lambda seed: dict(shares)


PATTERNS: Mapping[str, Callable[[int], Shares]] = {
    "none": _fixed(),
    "random": random_shares,
    "light": _fixed(**dict.fromkeys(PORTS, 0.2)),
    "heavy": _fixed(**dict.fromkeys(PORTS, 0.8)),
    "idle": _fixed(features_in=0.8, weights_in=0.8, columns_in=0.8),
    "back-pressure": _fixed(features_out=0.8, requests_out=0.8),
}
"""Stall patterns by name: from a run's seed to the shares of its ports, 0 to below 1; a port that is left out flows."""
