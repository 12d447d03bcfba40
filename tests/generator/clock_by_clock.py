"""The process-network simulation that looks at every process in every clock: what the event model must equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from generator.dataflow import DeadlockError, Pattern, SimulationResult, Trace

__all__ = ["simulate_every_clock"]

Int = npt.NDArray[np.int64]


class _Ports(NamedTuple):
    """What steps touch, pattern after pattern: int64 [patterns + 1] where each one's begin, then, of each port, its
    stream, what a step adds to the words held there, and its stage."""

    start: Int
    stream: npt.NDArray[np.int32]
    delta: npt.NDArray[np.int8]
    stage: npt.NDArray[np.int32]


@numba.njit(cache=True)
def _is_ready(
    streams: npt.NDArray[np.int32],
    deltas: npt.NDArray[np.int8],
    stages: npt.NDArray[np.int32],
    stage: int,
    held: Int,
    depth: Int,
) -> bool:
    """Whether every stream that a step reads in a stage holds a word, and every one that it writes has room."""
    for port in range(streams.size):
        if stages[port] != stage:
            continue
        stream = streams[port]
        if deltas[port] < 0:
            if held[stream] == 0:
                return False
        elif held[stream] >= depth[stream]:
            return False
    return True


@numba.njit(cache=True)
def _commit(
    touched: npt.NDArray[np.int32],
    change: Int,
    held: Int,
    high_water: Int,
) -> None:
    """Ends a clock: what it wrote and read becomes visible."""
    for stream in touched:
        held[stream] += change[stream]
        change[stream] = 0
        high_water[stream] = max(high_water[stream], held[stream])


@numba.njit(cache=True)
def _start(
    run_start: Int,
    run_pattern: npt.NDArray[np.int32],
    run_times: Int,
    slot_start: Int,
) -> tuple[Int, Int, Int, Int, Int, int]:
    """Every process before its first step: run, steps left in it, steps done, pattern a stage; who lives, how many."""
    processes = run_start.size - 1
    run = run_start[:-1].copy()
    left = np.zeros(processes, dtype=np.int64)
    steps = np.zeros(processes, dtype=np.int64)
    slots = np.full(slot_start[-1], -1, dtype=np.int64)
    alive = np.empty(processes, dtype=np.int64)
    living = 0
    for p in range(processes):
        if run[p] < run_start[p + 1]:
            left[p] = run_times[run[p]]
            slots[slot_start[p]] = run_pattern[run[p]]
            alive[living] = p
            living += 1
    return run, left, steps, slots, alive, living


@numba.njit(cache=True)
def _move(
    first: int,
    end: int,
    slots: Int,
    ports: _Ports,
    held: Int,
    depth: Int,
    change: Int,
    touched: npt.NDArray[np.int32],
    touches: int,
) -> tuple[bool, bool, bool, int]:
    """Moves the steps of a process by a stage where they can, the last stage (slot `end` - 1) first.

    Returns:
        Whether the step in the first stage has moved, whether a later stage holds one, whether any has moved, and how
        many streams have been touched so far in this clock.
    """
    busy, moves, fired = False, True, False
    for slot in range(end - 1, first - 1, -1):
        behind_moves, pattern = moves, slots[slot]
        if moves and pattern >= 0:
            own = slice(ports.start[pattern], ports.start[pattern + 1])
            moves = _is_ready(ports.stream[own], ports.delta[own], ports.stage[own], slot - first, held, depth)
            fired = fired or moves
            if moves:
                for port in range(ports.start[pattern], ports.start[pattern + 1]):
                    if ports.stage[port] == slot - first:
                        change[ports.stream[port]] += ports.delta[port]
                        touched[touches] = ports.stream[port]
                        touches += 1
        if slot + 1 < end:
            if behind_moves:
                slots[slot + 1] = pattern if moves else -1
            busy = busy or slots[slot + 1] >= 0
    return moves, busy, fired, touches


@numba.njit(cache=True)
def _advance(
    run_start: Int,
    run_pattern: npt.NDArray[np.int32],
    run_times: Int,
    ports: _Ports,
    slot_start: Int,
    depth: Int,
    mark_start: Int,
    marks: Int,
    mark_clock: Int,
) -> tuple[int, Int, Int, bool]:
    """Runs all traces; returns (clocks, high water per stream, pattern per stage of every process, dead-locked)."""
    run, left, steps, slots, alive, living = _start(run_start, run_pattern, run_times, slot_start)
    processes = run_start.size - 1
    mark = mark_start[:-1].copy()
    held, change, high_water = np.zeros_like(depth), np.zeros_like(depth), np.zeros_like(depth)
    touched = np.empty(processes * slots.size + 2 * ports.stream.size + 2 * depth.size, dtype=np.int32)
    clock = 0
    while living > 0:
        touches, still, any_fired = 0, 0, False
        for k in range(living):
            p = alive[k]
            first = slot_start[p]
            moves, busy, fired, touches = _move(
                first, slot_start[p + 1], slots, ports, held, depth, change, touched, touches
            )  # fmt: skip
            any_fired = any_fired or fired
            if moves and slots[first] >= 0:
                steps[p] += 1
                left[p] -= 1
                if mark[p] < mark_start[p + 1] and marks[mark[p]] == steps[p]:
                    mark_clock[mark[p]] = clock
                    mark[p] += 1
                if left[p] == 0:
                    run[p] += 1
                    slots[first] = -1
                    if run[p] < run_start[p + 1]:
                        left[p] = run_times[run[p]]
                        slots[first] = run_pattern[run[p]]
            if busy or slots[first] >= 0:
                alive[still] = p
                still += 1
        if not any_fired:
            return clock, high_water, slots, True
        living = still
        _commit(touched[:touches], change, held, high_water)
        clock += 1
    return clock, high_water, slots, False


def _is_busy(pattern: int) -> bool:
    return pattern >= 0


class _Tables:
    """The traces as flat arrays for the compiled loop."""

    def __init__(
        self, traces: Sequence[Trace], depths: Mapping[str, int], stages: Mapping[str, tuple[int, int]]
    ) -> None:
        self.streams = {name: number for number, name in enumerate(depths)}
        patterns: dict[Pattern, int] = {}
        run_pattern: list[int] = []
        run_times: list[int] = []
        starts, slots = [0], [0]
        for trace in traces:
            last = 0
            for pattern, times in trace.runs:
                last = max(last, *_stages_of(pattern, stages), 0)
                run_pattern.append(patterns.setdefault(pattern, len(patterns)))
                run_times.append(times)
            starts.append(len(run_pattern))
            slots.append(slots[-1] + last + 1)
        self.slot_start = np.array(slots, dtype=np.int64)
        self.run_start = np.array(starts, dtype=np.int64)
        self.run_pattern = np.array(run_pattern, dtype=np.int32)
        self.run_times = np.array(run_times, dtype=np.int64)
        ports = [
            [(self.streams[s], -1) for s in reads] + [(self.streams[s], 1) for s in writes]
            for reads, writes in patterns
        ]
        self.patterns = list(patterns)
        self.ports = _Ports(
            np.cumsum([0] + [len(p) for p in ports]).astype(np.int64),
            np.array([s for p in ports for s, _ in p], dtype=np.int32),
            np.array([d for p in ports for _, d in p], dtype=np.int8),
            np.array([s for p in patterns for s in _stages_of(p, stages)], dtype=np.int32),
        )


def _stages_of(pattern: Pattern, stages: Mapping[str, tuple[int, int]]) -> list[int]:
    """The stage of each of a step's reads, then of its writes."""
    reads, writes = pattern
    return [stages.get(s, (0, 0))[1] for s in reads] + [stages.get(s, (0, 0))[0] for s in writes]


def simulate_every_clock(
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
    tables = _Tables(traces, depths, stages or {})
    marks = marks or {}
    mark_lists = [list(marks.get(trace.process, ())) for trace in traces]
    mark_start = np.cumsum([0] + [len(m) for m in mark_lists]).astype(np.int64)
    mark_steps = np.array([m for ms in mark_lists for m in ms], dtype=np.int64)
    mark_clock = np.full(mark_steps.size, -1, dtype=np.int64)
    cycles, high_water, slots, dead = _advance(
        tables.run_start,
        tables.run_pattern,
        tables.run_times,
        tables.ports,
        tables.slot_start,
        np.array(list(depths.values()), dtype=np.int64),
        mark_start,
        mark_steps,
        mark_clock,
    )
    if dead:
        waiting = [
            f"{trace.process} (reads {', '.join(reads) or 'nothing'}; writes {', '.join(writes) or 'nothing'})"
            for number, trace in enumerate(traces)
            for pattern in [max(slots[tables.slot_start[number] : tables.slot_start[number + 1]][::-1], key=_is_busy)]
            if pattern >= 0
            for reads, writes in [tables.patterns[pattern]]
        ]
        raise DeadlockError(f"deadlock in clock {cycles}: waiting are " + "; ".join(waiting))
    finished = {
        trace.process: mark_clock[mark_start[number] : mark_start[number + 1]]
        for number, trace in enumerate(traces)
        if mark_lists[number]
    }
    return SimulationResult(int(cycles), finished, dict(zip(depths, (int(h) for h in high_water), strict=True)))
