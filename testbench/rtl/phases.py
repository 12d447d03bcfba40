"""What a phased bench is told and what it reports: the two files between this process and the simulation.

A *phase* is a set of words to send and the words that must come back. The next phase's words are sent in the clock
after the last expected word arrived, as a DMA does that sends a layer's output in again as the next layer's input.
*Background* words (the weights) wait at their port from the start and flow whenever the design takes them. A *run* is
background and phases from one reset to an end in which nothing is left over.
"""

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Gauge",
    "MoverJob",
    "Phase",
    "PhaseTime",
    "PhasedJob",
    "PhasedResult",
    "Run",
    "RunResult",
    "Words",
    "WrongWord",
]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(_Message):
    """Part of a raw file of words for a port, each lowest byte first."""

    file: Path
    word_bytes: int = Field(gt=0)
    first: int = Field(default=0, ge=0, description="words before it in the file")
    count: int = Field(ge=0)

    @classmethod
    def save(cls, words: NDArray[np.uint8], file: Path) -> "Words":
        """Writes uint8 [words, bytes] to a file of its own."""
        if words.ndim != 2 or words.dtype != np.uint8:
            raise ValueError(f"words must be uint8 [words, bytes], not {words.dtype} {words.shape}.")
        words.tofile(file)
        return cls(file=file.resolve(), word_bytes=words.shape[1], count=words.shape[0])

    def load(self) -> list[int]:
        """The words as unsigned integers.

        Raises:
            ValueError: the file is too short.
        """
        size = self.word_bytes
        raw = np.fromfile(self.file, np.uint8, count=self.count * size, offset=self.first * size).tobytes()
        if len(raw) != self.count * size:
            raise ValueError(f"{self.file} ends before word {self.first + self.count}.")
        return [int.from_bytes(raw[start : start + size], "little") for start in range(0, len(raw), size)]


class Gauge(_Message):
    """A FIFO to look into: its name for people and its hierarchical instance path below the top module."""

    name: str
    path: str


class MoverJob(_Message):
    """A memory behind a port of requests and a port of words; testbench/rtl/data_mover.py has its rule."""

    requests: str
    columns: str
    first: tuple[int, int] = Field(description="lowest bit and bits, in a request, of the number of the first word")
    count: tuple[int, int] = Field(description="the same of how many words")
    word_bytes: int = Field(gt=0)
    latency: int = Field(default=0, ge=0, description="clocks from a request to its first word")
    bytes_per_clock: float | None = Field(default=None, gt=0, description="to a thousandth; None: a word a clock")


class Phase(_Message):
    """Words of one phase, by port; `memory` is what requests count from."""

    name: str
    memory: Words | None = None
    send: dict[str, Words]
    expect: dict[str, Words] = Field(min_length=1)


class Run(_Message):
    """From one reset to a clean end."""

    background: dict[str, list[Words]] = Field(default_factory=dict)
    phases: list[Phase] = Field(min_length=1)


class PhasedJob(_Message):
    """All runs of one simulation; it stops at the first that fails."""

    runs: list[Run] = Field(min_length=1)
    pauses: dict[str, float] = Field(default_factory=dict, description="share of clocks in which a port pauses")
    quiet_limit: int = Field(default=20_000, gt=0, description="clocks without any transfer after which it is stuck")
    gauges: list[Gauge] = Field(default_factory=list)
    mover: MoverJob | None = None


class WrongWord(_Message):
    """The first word that differs: hexadecimal, lane 0 in the lowest bits; 'nothing' where none was expected."""

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
    asked_for: int = Field(default=0, description="words of the memory that were asked for")
    late: int = Field(default=0, description="clocks in which such a word was not on offer, stalls apart")


class RunResult(_Message):
    """Outcome of one run."""

    status: Literal["passed", "mismatch", "stuck", "left over", "protocol"]
    message: str = ""
    wrong: WrongWord | None = None
    clocks: int = Field(description="clocks simulated since reset")
    first_background: dict[str, int] = Field(description="clock of the first accepted background word, by port")
    phases: list[PhaseTime]
    high_water: dict[str, int] = Field(description="most words a FIFO held, by gauge")
    held: dict[str, int] = Field(description="words left at the end, by gauge")

    @property
    def first_clock(self) -> int:
        """The clock in which the first word of any port was accepted."""
        return min([*self.first_background.values(), self.phases[0].first_sent])

    @property
    def cycles(self) -> int:
        """Clocks from the first accepted word to the last received one, both included."""
        return self.phases[-1].last_received - self.first_clock + 1

    def phase_cycles(self) -> list[int]:
        """Clocks of each phase: from the clock after the previous phase's last word to its own last word."""
        ends = [self.first_clock - 1, *(phase.last_received for phase in self.phases)]
        return [after - before for before, after in zip(ends, ends[1:], strict=False)]


class PhasedResult(_Message):
    """Outcome of a simulation: its runs up to and including the first that failed."""

    runs: list[RunResult]

    @property
    def last(self) -> RunResult:
        """The run it ended with."""
        return self.runs[-1]

    @property
    def passed(self) -> bool:
        """Whether every run passed."""
        return all(run.status == "passed" for run in self.runs)
