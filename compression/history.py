"""What happened in a run: one JSON object a line, written as it happens."""

import json
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

__all__ = [
    "Diverged",
    "EnSparsity",
    "EpochDone",
    "LayerCount",
    "Quantised",
    "Record",
    "Started",
    "StepDone",
    "Stopped",
    "as_line",
]


@dataclass(frozen=True)
class LayerCount:
    """Weights of one layer (biases apart) and those that are not zero."""

    weights: int
    nonzero: int


@dataclass(frozen=True)
class Started:
    """The dense network, before the first step; ``required`` is the least ``correct`` that a step must keep."""

    event: ClassVar[str] = "started"
    settings: dict[str, Any]
    correct: int
    required: int
    images: int
    layers: dict[str, LayerCount]


@dataclass(frozen=True)
class EpochDone:
    """One epoch of retraining in a step (both counted from 1), with the mean loss over its images."""

    event: ClassVar[str] = "epoch"
    step: int
    epoch: int
    loss: float


@dataclass(frozen=True)
class StepDone:
    """A step of pruning, retrained and judged; ``counts`` is what the step left, accepted or not."""

    event: ClassVar[str] = "step"
    step: int
    method: str
    layers: tuple[str, ...]
    setting: float
    accepted: bool
    correct: int
    counts: dict[str, LayerCount]


@dataclass(frozen=True)
class Diverged:
    """Training left the finite numbers; the run went back to the last accepted step and stopped."""

    event: ClassVar[str] = "diverged"
    step: int
    message: str


@dataclass(frozen=True)
class Stopped:
    """The end of pruning: ``reason`` is "factor" (reached), "bound" (no method goes further) or "diverged"."""

    event: ClassVar[str] = "stopped"
    reason: str
    correct: int
    counts: dict[str, LayerCount]


@dataclass(frozen=True)
class Quantised:
    """The description as saved, measured by golden on the test images; ``bits`` is its whole storage."""

    event: ClassVar[str] = "quantised"
    description: str
    correct: int
    images: int
    float_correct: int
    dense_correct: int
    bits: int
    counts: dict[str, LayerCount]


@dataclass(frozen=True)
class EnSparsity:
    """Share (0..1) of a channel's feature-map values behind BN and ReLU whose magnitude is ``theta`` or less.

    ``step`` is the step that the channels are chosen for; layers stand in the network's order.
    """

    event: ClassVar[str] = "en_sparsity"
    step: int
    theta: float
    layers: dict[str, tuple[float, ...]]


Record = Started | EpochDone | StepDone | Diverged | Stopped | Quantised | EnSparsity


def as_line(record: Record) -> str:
    """The record as one line of JSON."""
    return json.dumps({"event": record.event, **asdict(record)}) + "\n"
