"""What a phased bench is told and what it reports: the two files between this process and the simulation.

A *phase* is a set of words to send and the words that must come back. The next phase's words are sent in the clock
after the last expected word arrived, as a DMA does that sends a layer's output in again as the next layer's input.
*Background* words (the weights) wait at their port from the start and flow whenever the design takes them.
"""

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Gauge", "Phase", "PhaseTime", "PhasedJob", "PhasedResult", "WrongWord", "load_words", "save_words"]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Gauge(_Message):
    """A FIFO to look into: its hierarchical instance path below the top module ('' parts are not allowed)."""

    name: str
    path: str


class Phase(_Message):
    """Words of one phase, as files of :func:`save_words`, by port."""

    name: str
    send: dict[str, Path]
    expect: dict[str, Path]


class PhasedJob(_Message):
    """A whole run."""

    background: dict[str, Path] = Field(default_factory=dict, description="words that are on offer from the start")
    phases: list[Phase] = Field(min_length=1)
    pauses: dict[str, float] = Field(default_factory=dict, description="share of clocks in which a port pauses")
    quiet_limit: int = Field(default=20_000, gt=0, description="clocks without any transfer after which it is stuck")
    gauges: list[Gauge] = Field(default_factory=list)


class WrongWord(_Message):
    """The first word that differs: hexadecimal, lane 0 in the lowest bits."""

    phase: int
    port: str
    index: int
    expected: str
    got: str
    clock: int


class PhaseTime(_Message):
    """Clocks since reset in which a phase's first word was accepted and its last word left."""

    first_sent: int
    last_received: int


class PhasedResult(_Message):
    """Outcome of a run."""

    status: Literal["passed", "mismatch", "stuck", "left over", "protocol"]
    message: str = ""
    wrong: WrongWord | None = None
    clocks: int = Field(description="clocks simulated since reset")
    first_background: dict[str, int] = Field(description="clock of the first accepted background word, by port")
    phases: list[PhaseTime]
    high_water: dict[str, int] = Field(description="by gauge")
    held: dict[str, int] = Field(description="words left at the end, by gauge")

    @property
    def cycles(self) -> int:
        """Clocks from the first accepted word to the last received one, both included."""
        first = min([*self.first_background.values(), self.phases[0].first_sent])
        return self.phases[-1].last_received - first + 1

    def phase_cycles(self) -> list[int]:
        """Clocks of each phase: from the clock after the previous phase's last word to its own last word."""
        first = min([*self.first_background.values(), self.phases[0].first_sent])
        ends = [first - 1, *(phase.last_received for phase in self.phases)]
        return [after - before for before, after in zip(ends, ends[1:], strict=False)]


def save_words(words: NDArray[np.uint8], path: Path) -> Path:
    """Writes words for a port: uint8 [words, bytes], lowest byte first."""
    if words.ndim != 2 or words.dtype != np.uint8:
        raise ValueError(f"words must be uint8 [words, bytes], not {words.dtype} {words.shape}.")
    np.save(path, words, allow_pickle=False)
    return path


def load_words(path: Path) -> list[int]:
    """The words of a file as unsigned integers."""
    words = np.load(path, allow_pickle=False)
    return [int.from_bytes(row.tobytes(), "little") for row in words]
