"""Where a run stands, on disk: enough to go on after a kill at any moment, with the same result bit for bit."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from compression.errors import CompressionError
from compression.history import Record, as_line
from compression.methods import Step
from compression.prune import Masks
from compression.train import Snapshot

__all__ = ["RunFiles", "RunState", "Trial"]

StateDict = dict[str, torch.Tensor]


@dataclass
class Trial:
    """A step whose retraining is under way: the network behind the last whole epoch, and what training needs."""

    model: StateDict
    snapshot: Snapshot


@dataclass
class RunState:
    """Everything that a run has found out so far.

    Attributes:
        fingerprint: of model, data and settings.
        dense_correct: judged images that the dense network classifies correctly.
        good: the network as last accepted.
        masks: of the network as last accepted.
        steps: all steps, kept or not, in order.
        trial: the step under way, if its retraining has done an epoch.
        diverged: whether training left the finite numbers, which ends pruning.
        stopped: whether the end of pruning is in the history.
        teacher_correct: the same of the teacher, if it is another network.
        tuned: stages of fine-tuning that are done, with the trainable graph as it came out.
        untuned: those of them whose training left the finite numbers.
    """

    fingerprint: str
    dense_correct: int
    good: StateDict
    masks: Masks
    steps: list[Step]
    trial: Trial | None = None
    diverged: bool = False
    stopped: bool = False
    teacher_correct: int | None = None
    tuned: dict[str, StateDict] = field(default_factory=dict)
    untuned: list[str] = field(default_factory=list)


class RunFiles:
    """The files of a run, beside the description that it makes: ``NAME.history.jsonl``, ``NAME.pruned.pt`` (the pruned
    network in floating point) and, until it ends, ``NAME.state.pt``.

    Args:
        output: the description's path, ``NAME.json``.
    """

    def __init__(self, output: Path) -> None:
        self.state = output.with_suffix(".state.pt")
        self.history = output.with_suffix(".history.jsonl")
        self.pruned = output.with_suffix(".pruned.pt")

    def record(self, record: Record) -> None:
        """Append to the history; :meth:`save` makes it last."""
        with _named(self.history), self.history.open("a") as file:
            file.write(as_line(record))

    def save(self, state: RunState) -> None:
        """Replace the state at one stroke.

        Raises:
            OSError: it cannot be written (as on a full disk); the state before stays.
        """
        _write(_plain(state, self.history.stat().st_size), self.state)

    def save_pruned(self, model: StateDict) -> None:
        """Replace the checkpoint of the pruned network at one stroke; errors as of :meth:`save`."""
        _write(dict(model), self.pruned)

    def load(self, fingerprint: str) -> RunState | None:
        """The state of a run that was stopped, or None (and an empty history) where there is none.

        What the history holds beyond that state is cut off: it will happen again.

        Raises:
            CompressionError: the state is that of another run, or no state.
        """
        if not self.state.exists():
            with _named(self.history):
                self.history.write_bytes(b"")
            return None
        try:
            state, length = _from_plain(torch.load(self.state, map_location="cpu", weights_only=True))
        except OSError:
            raise
        except Exception:  # torch.load raises errors of many kinds on damaged files
            raise CompressionError(f"{self.state}: is no state of a run; delete it to start anew.") from None
        if state.fingerprint != fingerprint:
            raise CompressionError(
                f"{self.state}: belongs to a run with another model, data or settings; repeat that command, "
                f"or delete the file to start anew."
            )
        with _named(self.history):
            self.history.touch()
            os.truncate(self.history, length)
        return state

    def finish(self) -> None:
        """Remove the state: the run is over, and the same command starts anew."""
        self.state.unlink(missing_ok=True)


def _plain(state: RunState, history_length: int) -> dict[str, Any]:
    """Nothing but tensors, lists, dicts and numbers, so that it loads without unpickling code."""
    trial = state.trial and {"model": state.trial.model, "snapshot": vars(state.trial.snapshot)}
    steps = [asdict(step) for step in state.steps]
    return {**vars(state), "steps": steps, "trial": trial, "history_length": history_length}


def _from_plain(fields: dict[str, Any]) -> tuple[RunState, int]:
    length = int(fields.pop("history_length"))
    fields["steps"] = [Step(**{**step, "layers": tuple(step["layers"])}) for step in fields["steps"]]
    if fields["trial"] is not None:
        fields["trial"] = Trial(fields["trial"]["model"], Snapshot(**fields["trial"]["snapshot"]))
    return RunState(**fields), length


def _write(content: dict[str, Any], file: Path) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    with _named(file):
        try:
            temporary.write_bytes(buffer.getbuffer())
            os.replace(temporary, file)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def _named(file: Path) -> Iterator[None]:
    """Errors of writing say which file it was."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from None
