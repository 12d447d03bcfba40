"""What happened in a run: one JSON object a line, written as it happens."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, get_args

from pydantic import TypeAdapter, ValidationError

from compression.errors import CompressionError

__all__ = [
    "BINS",
    "Diverged",
    "EnSparsity",
    "EpochDone",
    "Histogram",
    "Histograms",
    "LayerCount",
    "Quantised",
    "Record",
    "Started",
    "StepDone",
    "Stopped",
    "Tuned",
    "TuningEpoch",
    "as_line",
    "read_history",
]

BINS = 128
"""Bins of a histogram of weights."""


@dataclass(frozen=True)
class LayerCount:
    """Weights of one layer (biases apart), those that are not zero, and how often an image makes use of each."""

    weights: int
    nonzero: int
    positions: int = 0

    @property
    def macs(self) -> int:
        """Multiplications for one image, zeros included."""
        return self.weights * self.positions

    @property
    def nonzero_macs(self) -> int:
        """Multiplications for one image by weights that are not zero."""
        return self.nonzero * self.positions


@dataclass(frozen=True)
class Started:
    """The dense network, before the first step; ``required`` is the least ``correct`` that a step must keep.
    ``teacher_correct`` is what another network, that retraining compares with, gets right."""

    event: ClassVar[str] = "started"
    settings: dict[str, Any]
    correct: int
    required: int
    images: int
    layers: dict[str, LayerCount]
    teacher_correct: int | None = None


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
class TuningEpoch:
    """One epoch (from 1) of fine-tuning behind pruning; ``stage`` is "codebook" or "qat"."""

    event: ClassVar[str] = "tuning_epoch"
    stage: str
    epoch: int
    loss: float


@dataclass(frozen=True)
class Tuned:
    """A stage of fine-tuning, judged: correct judging images ``before`` its training and behind it.

    It is taken back if there are fewer than before, or if training left the finite numbers (``diverged``).
    """

    event: ClassVar[str] = "tuned"
    stage: str
    accepted: bool
    before: int
    correct: int
    images: int
    diverged: bool


@dataclass(frozen=True)
class Quantised:
    """The description as saved, measured by golden on the test images; ``bits`` is its whole storage, ``dense_weights``
    and ``dense_macs`` are the weights, and multiplications for one image, before pruning."""

    event: ClassVar[str] = "quantised"
    description: str
    correct: int
    images: int
    float_correct: int
    dense_correct: int
    bits: int
    counts: dict[str, LayerCount]
    dense_weights: int = 0
    dense_macs: int = 0

    @property
    def factor(self) -> float:
        """How many times fewer weights the description has than the dense network."""
        return self.dense_weights / max(sum(each.nonzero for each in self.counts.values()), 1)

    @property
    def macs_factor(self) -> float:
        """How many times fewer multiplications there are, those by zeros left out."""
        return self.dense_macs / max(sum(each.nonzero_macs for each in self.counts.values()), 1)

    @property
    def flops_cut(self) -> float:
        """Per cent of the dense network's multiplications that the description does without; zeros count as weights."""
        return 100 * (1 - sum(each.macs for each in self.counts.values()) / max(self.dense_macs, 1))


@dataclass(frozen=True)
class Histogram:
    """The weights of one layer.

    Attributes:
        limit: half the range, a power of two.
        counts: weights that are not zero in each of ``BINS`` equal bins from ``-limit`` to ``limit``.
        deviation: standard deviation of all weights, zeros included.
        least: smallest magnitude that is not zero; 0 where there is none.
    """

    limit: float
    counts: tuple[int, ...]
    deviation: float
    least: float


@dataclass(frozen=True)
class Histograms:
    """The float weights after so many steps: of the dense network (0), and where pruning stopped."""

    event: ClassVar[str] = "histograms"
    step: int
    layers: dict[str, Histogram]


@dataclass(frozen=True)
class EnSparsity:
    """Share (0..1) of a channel's feature-map values behind BN and ReLU that are nearly zero; if the settings'
    ``en_sparsity`` is "relative", what that would be if the layer's fullest channel had none.

    ``step`` is the step that the channels are chosen for, those with a share greater than ``theta`` (but for the few
    that must stay); layers stand in the network's order. Of layers whose channels go together, the first is named.
    """

    event: ClassVar[str] = "en_sparsity"
    step: int
    theta: float
    layers: dict[str, tuple[float, ...]]


Record = Started | EpochDone | StepDone | Diverged | Stopped | TuningEpoch | Tuned | Quantised | Histograms | EnSparsity


def as_line(record: Record) -> str:
    """The record as one line of JSON."""
    return json.dumps({"event": record.event, **asdict(record)}) + "\n"


def read_history(path: Path) -> list[Record]:
    """The records of a ``NAME.history.jsonl``, in order.

    The last line may be half written, as a run that was killed leaves it; it is passed over.

    Raises:
        CompressionError: a line is no record; names file and line.
        OSError: the file cannot be read.
    """
    lines = path.read_bytes().split(b"\n")
    *whole, rest = lines
    records = [_record(line, f"{path}, line {number}") for number, line in enumerate(whole, start=1)]
    if rest:
        with suppress(CompressionError):
            records.append(_record(rest, str(path)))
    return records


def _record(line: bytes, place: str) -> Record:
    try:
        fields = json.loads(line)
        event = fields.pop("event")
        kind = next(each for each in get_args(Record) if each.event == event)
    except (ValueError, KeyError, AttributeError, TypeError):
        raise CompressionError(f"{place}: is no record of a compression run.") from None
    except StopIteration:
        raise CompressionError(f"{place}: there is no event {event!r}; is the history of a newer zeroskip?") from None
    try:
        record: Record = _adapter(kind).validate_python(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise CompressionError(f"{place}: {event}: {where}: {first['msg']}.") from None
    return record


@cache
def _adapter(kind: type[Record]) -> TypeAdapter[Record]:
    return TypeAdapter(kind)
