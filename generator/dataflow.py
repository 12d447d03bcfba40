"""Clocks of a process network from the traces of its processes.

A process is a sequence of *steps*, one a clock. A step reads and writes streams, each at most once, and happens in the
first clock in which all it reads hold a word and all it writes have room (docs/rtl.md gives the same contract for the
compiled hardware). A word written in clock t can be read from clock t + 1 on; a place freed in clock t can be filled
from t + 1 on. That is all there is to the timing of a network whose processes only use blocking reads and writes, so
that cycle counts are exact without looking at a single weight's value.

A pipelined process takes its steps through stages, one a clock, and touches each stream in the stream's own stage. A
stage stands still while what it has to touch is not ready, or while the stage behind it stands still.

`event_model` computes the clocks event by event; the tests hold its outcomes against a simulation of every clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from generator.event_model import Network, Outcome, run_network

__all__ = ["DeadlockError", "Pattern", "SimulationResult", "Trace", "simulate", "simulation"]

Pattern = tuple[tuple[str, ...], tuple[str, ...]]


class DeadlockError(RuntimeError):
    """The network stands still before its traces end; names the waiting processes and what they wait for."""


class Part(NamedTuple):
    """A part of a trace: runs that are gone through `times` over.

    Attributes:
        patterns: int32 [runs], numbers in the trace's `patterns`.
        lengths: int64 [runs], equal steps of each run.
    """

    patterns: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int64]
    times: int


@dataclass
class Trace:
    """The steps of one process as runs of equal steps: (what a step reads and writes, how often in a row).

    Attributes:
        patterns: what the process's steps read and write, in the order of their first use.
        steps: clocks the process needs when nothing holds it up.
    """

    process: str
    patterns: dict[Pattern, int] = field(default_factory=dict)
    steps: int = 0
    _parts: list[Part] = field(default_factory=list)
    _last: list[list[int]] = field(default_factory=list)  # runs behind the parts: pattern, length

    def step(self, reads: Iterable[str] = (), writes: Iterable[str] = (), times: int = 1) -> None:
        """Appends `times` equal steps; equal neighbours merge."""
        if times <= 0:
            return
        pattern = self._number((tuple(reads), tuple(writes)))
        if self._last and self._last[-1][0] == pattern:
            self._last[-1][1] += times
        else:
            self._last.append([pattern, times])
        self.steps += times

    def extend(self, other: Sequence[tuple[Pattern, int]], times: int = 1) -> None:
        """Appends the runs `other`, `times` over."""
        numbers = np.array([self._number(pattern) for pattern, _ in other], dtype=np.int32)
        self._append(numbers, np.array([length for _, length in other], dtype=np.int64), times)

    def choose(
        self, patterns: Sequence[Pattern], which: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64] | None = None
    ) -> None:
        """Appends runs of `patterns[which]`, each of so many steps (0 leaves it out), one by default: int64 [runs]."""
        table = np.array([self._number(pattern) for pattern in patterns], dtype=np.int32)
        lengths = np.ones(which.size, dtype=np.int64) if lengths is None else lengths
        self._append(table[which[lengths > 0]], lengths[lengths > 0], 1)

    def _number(self, pattern: Pattern) -> int:
        return self.patterns.setdefault(pattern, len(self.patterns))

    def _append(self, patterns: npt.NDArray[np.int32], lengths: npt.NDArray[np.int64], times: int) -> None:
        if patterns.size and times > 0:
            self._close()
            self._parts.append(Part(patterns, lengths, times))
            self.steps += int(lengths.sum()) * times

    def _close(self) -> None:
        if self._last:
            runs = np.array(self._last, dtype=np.int64)
            self._parts.append(Part(runs[:, 0].astype(np.int32), runs[:, 1], 1))
            self._last = []

    @property
    def parts(self) -> Sequence[Part]:
        """The whole trace."""
        self._close()
        return self._parts

    @property
    def runs(self) -> list[tuple[Pattern, int]]:
        """The runs one by one; for small traces."""
        patterns = list(self.patterns)
        return [
            (patterns[pattern], int(length))
            for part in self.parts
            for _ in range(part.times)
            for pattern, length in zip(part.patterns, part.lengths, strict=True)
        ]


@dataclass(frozen=True)
class SimulationResult:
    """What a simulation measured.

    Attributes:
        cycles: clocks until the last step of the last process, that clock included.
        finished: per process, for each of its marks (see `simulate`), the clock in which that many steps were done.
        high_water: per stream, the most words it held at once.
    """

    cycles: int
    finished: Mapping[str, npt.NDArray[np.int64]]
    high_water: Mapping[str, int]


class _Tables:
    """The traces as flat arrays; see :class:`generator.event_model.Network`."""

    def __init__(
        self, traces: Sequence[Trace], depths: Mapping[str, int], stages: Mapping[str, tuple[int, int]]
    ) -> None:
        self.traces = traces
        self.streams = {name: number for number, name in enumerate(depths)}
        self.patterns: dict[Pattern, int] = {}
        self.stages = stages
        self.depth = np.array(list(depths.values()), dtype=np.int64)
        self.process_stages: list[int] = []
        self.writer, self.reader = (np.full(len(depths), -1, dtype=np.int64) for _ in range(2))
        for number, trace in enumerate(traces):
            last = 0
            for pattern in trace.patterns:
                self.patterns.setdefault(pattern, len(self.patterns))
                last = max(last, *_stages_of(pattern, stages), 0)
                self.reader[[self.streams[stream] for stream in pattern[0]]] = number
                self.writer[[self.streams[stream] for stream in pattern[1]]] = number
            self.process_stages.append(last + 1)

    def _ports(self) -> list[list[tuple[int, int]]]:
        """Per pattern (stage, stream or, when it is read, -1 - stream), by stages."""
        numbers = [([-1 - self.streams[s] for s in r], [self.streams[s] for s in w]) for r, w in self.patterns]
        return [
            sorted(zip(_stages_of(pattern, self.stages), reads + writes, strict=True))
            for pattern, (reads, writes) in zip(self.patterns, numbers, strict=True)
        ]

    def network(self, marks: Sequence[Sequence[int]]) -> Network:
        """All of it; `marks` per trace."""
        parts = [part for trace in self.traces for part in trace.parts]
        owners = [np.array([self.patterns[p] for p in trace.patterns], dtype=np.int32) for trace in self.traces]
        runs = [owner[part.patterns] for owner, trace in zip(owners, self.traces, strict=True) for part in trace.parts]
        ends = _starts([part.patterns.size for part in parts])
        ports = self._ports()
        return Network(
            stages=np.array(self.process_stages, dtype=np.int64),
            part_start=_starts([len(trace.parts) for trace in self.traces]),
            part_first=ends[:-1],
            part_last=ends[1:],
            part_times=np.array([part.times for part in parts], dtype=np.int64),
            run_pattern=np.concatenate([*runs, np.zeros(0, dtype=np.int32)]),
            run_times=np.concatenate([*(part.lengths for part in parts), np.zeros(0, dtype=np.int64)]),
            port_start=_starts([len(each) for each in ports]),
            port_stream=np.array([stream for each in ports for _, stream in each], dtype=np.int32),
            port_stage=np.array([stage for each in ports for stage, _ in each], dtype=np.int32),
            depth=self.depth,
            writer=self.writer,
            reader=self.reader,
            mark_start=_starts([len(each) for each in marks]),
            marks=np.array([mark for each in marks for mark in each], dtype=np.int64),
        )

    def deadlock(self, outcome: Outcome) -> DeadlockError:
        """Says who waits for what."""
        patterns = list(self.patterns)
        waiting = [
            f"{trace.process} (reads {', '.join(reads) or 'nothing'}; writes {', '.join(writes) or 'nothing'})"
            for trace, pattern in zip(self.traces, outcome.waiting, strict=True)
            if pattern >= 0
            for reads, writes in [patterns[pattern]]
        ]
        return DeadlockError(f"deadlock in clock {outcome.cycles}: waiting are " + "; ".join(waiting))


def _starts(sizes: Sequence[int]) -> npt.NDArray[np.int64]:
    """Where each of several neighbours begins, and where the last one ends: int64 [sizes + 1]."""
    return np.cumsum([0, *sizes]).astype(np.int64)


def _stages_of(pattern: Pattern, stages: Mapping[str, tuple[int, int]]) -> list[int]:
    """The stage of each of a step's reads, then of its writes."""
    reads, writes = pattern
    return [stages.get(s, (0, 0))[1] for s in reads] + [stages.get(s, (0, 0))[0] for s in writes]


def simulate(
    traces: Sequence[Trace],
    depths: Mapping[str, int],
    marks: Mapping[str, Sequence[int]] | None = None,
    stages: Mapping[str, tuple[int, int]] | None = None,
) -> SimulationResult:
    """Simulates the network of `traces` over streams with the given `depths` (in words).

    Args:
        marks: per process, ascending step counts; `SimulationResult.finished` tells in which clock each was reached.
        stages: per stream the stage of its producer in which it is written and that of its consumer in which it is
            read, of pipelined processes; 0 where nothing is said.

    Raises:
        DeadlockError: no process can go on although traces are left.
    """
    return simulation(traces, depths, marks, stages)()


def simulation(
    traces: Sequence[Trace],
    depths: Mapping[str, int],
    marks: Mapping[str, Sequence[int]] | None = None,
    stages: Mapping[str, tuple[int, int]] | None = None,
) -> Callable[[], SimulationResult]:
    """What :func:`simulate` does, with everything ready but the simulation: compiled code, which runs beside others."""
    marks = marks or {}
    tables = _Tables(traces, depths, stages or {})
    network = tables.network([list(marks.get(trace.process, ())) for trace in traces])

    def run() -> SimulationResult:
        outcome = run_network(network)
        if (outcome.waiting >= 0).any():
            raise tables.deadlock(outcome)
        finished = {
            trace.process: outcome.mark_clock[network.mark_start[number] : network.mark_start[number + 1]]
            for number, trace in enumerate(traces)
            if marks.get(trace.process)
        }
        high_water = (int(words) for words in outcome.high_water)
        return SimulationResult(outcome.cycles, finished, dict(zip(depths, high_water, strict=True)))

    return run
