"""Exact clocks of a process network, event by event: the compiled inner loops of `dataflow`.

A step n of a process is worked on in its stages 0, 1, ..; T(n, s) is the clock in which it does stage s and moves on:

    the least clock t that is not before T(n, s - 1) + 1 (in stage 0: T(n - 1, 0) + 1),
    nor before what stage s touches is ready: a word that it reads was written in a clock before t, the place of a word
    that it writes was freed in a clock before t,
    and in which the step before it moves too, t = T(n - 1, s') with s' > s, or has left its last stage.

These are all clocks that there are: none of them need be looked at in which nothing happens, and processes need not be
looked at in the order of time, as a word's clocks do not depend on it. A process is followed as far as the clocks of
other processes' words are known (`_follow`); whoever waits for one is woken when it is known. A long run of steps that
touch nothing is skipped once the steps before it have left the stages.

The state is kept in arrays of records, which compiled code reads as fast as plain arrays: `_PROCESS`, `_STREAM`,
`_STEP`. `time` int64 [processes, window, stages] holds T of a process's steps that are on their way, and of the step
before them, at number mod window. `ring` int64 [2, n] holds the clocks in which a stream's last words were written and
read. Window and rings are powers of two.
"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from numba import carray  # type: ignore[attr-defined]

__all__ = ["Network", "Outcome", "run_network"]

Int = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
Records = npt.NDArray[Any]


def _record(*names: str) -> np.dtype[Any]:
    return np.dtype([(name, np.int64) for name in names])


# The part of its trace that a process is in, the parts' end, the part's repetitions to come, the run, the steps of
# that run that have not begun; steps begun, the oldest step on its way; its next mark and the marks' end; whether it is
# queued.
_PROCESS = _record(
    "stages", "part", "parts_end", "again", "run", "left", "begun", "oldest", "mark", "marks_end", "queued"
)
# Words that fit, processes at the ends (-1: none); words written and read; those up to which the high water is known;
# whether its ends wait; the high water; where its ring lies, and its length less one.
_STREAM = _record(
    "depth", "writer", "reader", "written", "read", "seen_written", "seen_read", "writer_waits", "reader_waits", "high",
    "ring", "mask",
)  # fmt: skip
# Stages of a step whose clock is known, the port that comes next, what the step touches.
_STEP = _record("known", "port", "pattern")
_PORT = _record("stream", "stage")
_PART = _record("first", "last", "times")
_RUN = _record("pattern", "length")


class Network(NamedTuple):
    """A network and its traces.

    Attributes:
        stages: int64 [processes], of each.
        part_start: int64 [processes + 1], of each process's parts in the next three.
        part_first, part_last, part_times: int64 [parts], runs [first, last) that are gone through so often.
        run_pattern, run_times: int32, int64 [runs], the runs of equal steps.
        port_start: int64 [patterns + 1], of each pattern's ports in the next two, in the order of stages.
        port_stream, port_stage: int32 [ports]; streams that are read are given as -1 - stream.
        depth: int64 [streams].
        writer, reader: int64 [streams], processes; -1 for none.
        mark_start: int64 [processes + 1], of each process's marks.
        marks: int64 [marks], ascending steps.
    """

    stages: Int
    part_start: Int
    part_first: Int
    part_last: Int
    part_times: Int
    run_pattern: Int32
    run_times: Int
    port_start: Int
    port_stream: Int32
    port_stage: Int32
    depth: Int
    writer: Int
    reader: Int
    mark_start: Int
    marks: Int


class Outcome(NamedTuple):
    """What came out.

    Attributes:
        cycles: clocks until the last step is done, or until nothing goes on.
        high_water: int64 [streams].
        mark_clock: int64 [marks].
        waiting: int64 [processes], pattern of the oldest step that is not done; -1: all are.
    """

    cycles: int
    high_water: Int
    mark_clock: Int
    waiting: Int


@numba.njit(cache=True)
def _see(s: Any, ring: Int, last: bool) -> None:
    """Brings a stream's high water up to the last clock of which all is known; `last`: nothing more will happen."""
    write, read = s.seen_written, s.seen_read
    while write < s.written:
        if read < s.read:
            if ring[1, s.ring + (read & s.mask)] <= ring[0, s.ring + (write & s.mask)]:
                read += 1
                continue
        elif not last:
            break
        write += 1
        s.high = max(s.high, write - read)
    s.seen_written = write
    s.seen_read = read


@numba.njit(cache=True)
def _wake(p: int, process: Records, queue: Int) -> None:
    """Puts a process into the queue, whose first element is its length, unless it is there or is none."""
    if p >= 0 and process[p].queued == 0:
        process[p].queued = 1
        queue[0] += 1
        queue[queue[0]] = p


@numba.njit(cache=True)
def _ready(port: int, clock: int, stream: Records, ring: Int) -> int:
    """The clock, `clock` or later, in which a port is ready; -1 while that is not known, then the process waits."""
    if port < 0:
        s = stream[-1 - port]
        if s.read >= s.written:
            s.reader_waits = 1
            return -1
        return max(clock, int(ring[0, s.ring + (s.read & s.mask)]) + 1)
    s = stream[port]
    place = s.written - s.depth
    if place < 0:
        return clock
    if place >= s.read:
        s.writer_waits = 1
        return -1
    return max(clock, int(ring[1, s.ring + (place & s.mask)]) + 1)


@numba.njit(cache=True)
def _touch(port: int, clock: int, stream: Records, ring: Int, process: Records, queue: Int) -> None:
    """A port's word is read, or written, in `clock`."""
    if port < 0:
        s = stream[-1 - port]
        ring[1, s.ring + (s.read & s.mask)] = clock
        s.read += 1
        if s.writer_waits:
            s.writer_waits = 0
            _wake(s.writer, process, queue)
    else:
        s = stream[port]
        ring[0, s.ring + (s.written & s.mask)] = clock
        s.written += 1
        if s.reader_waits:
            s.reader_waits = 0
            _wake(s.reader, process, queue)
    _see(s, ring, False)


@numba.njit(cache=True)
def _behind(time: Int, before: int, known: int, stage: int, stages: int, clock: int) -> int:
    """The clock, `clock` or later, in which the step in front moves or has left; -1 while that is not known.

    Args:
        before: the place of the step in front.
        known: how many of its clocks are known.
    """
    for later in range(stage + 1, stages):
        if later >= known:
            return -1
        if time[before, later] >= clock:
            return int(time[before, later])
    return clock


@numba.njit(cache=True)
def _work(
    number: int,
    stages: int,
    time: Int,
    step: Records,
    port_start: Int,
    port: Records,
    stream: Records,
    ring: Int,
    process: Records,
    queue: Int,
) -> bool:
    """Takes a step through the stages whose clocks can be known; returns whether these are all.

    Args:
        number: the step's.
        time, step: the process's, [window, stages] and [window].
    """
    mask = step.size - 1
    now, before = number & mask, (number - 1) & mask
    this, stage = step[now], step[now].known
    end = port_start[this.pattern + 1]
    while stage < stages:
        clock = 0
        if number > 0:
            if step[before].known <= stage:
                break
            clock = time[before, 0] + 1
        if stage > 0:
            clock = time[now, stage - 1] + 1
        first = last = this.port
        while last < end and port[last].stage == stage and clock >= 0:
            clock = _ready(port[last].stream, clock, stream, ring)
            last += 1
        if clock >= 0 and number > 0:
            clock = _behind(time, before, step[before].known, stage, stages, clock)
        if clock < 0:
            break
        time[now, stage] = clock
        for each in range(first, last):
            _touch(port[each].stream, clock, stream, ring, process, queue)
        stage += 1
        this.port = last
        this.known = stage
    return bool(stage == stages)


@numba.njit(cache=True)
def _mark(own: Any, begun: int, clock: int, marks: Int, mark_clock: Int) -> None:
    """Notes the clocks of a process's marks up to `begun` steps, the last of which was in stage 0 in `clock`.

    Steps that have passed since the last call were in it a clock apart.
    """
    while own.mark < own.marks_end and marks[own.mark] <= begun:
        mark_clock[own.mark] = clock - (begun - marks[own.mark])
        own.mark += 1


@numba.njit(cache=True)
def _begin(own: Any, step: Records, part: Records, run: Records, port_start: Int) -> bool:
    """Puts a process's next step in front of its stages; returns whether there is one."""
    if own.left == 0:
        if own.part >= own.parts_end:
            return False
        own.run += 1
        if own.run == part[own.part].last:
            own.again -= 1
            if own.again == 0:
                own.part += 1
                if own.part >= own.parts_end:
                    return False
                own.again = part[own.part].times
            own.run = part[own.part].first
        own.left = run[own.run].length
    own.left -= 1
    new = step[own.begun & (step.size - 1)]
    new.pattern = run[own.run].pattern
    new.port = port_start[new.pattern]
    new.known = 0
    own.begun += 1
    return True


@numba.njit(cache=True)
def _skip(own: Any, time: Int, step: Records, port_start: Int) -> None:
    """Skips the rest of a run that touches nothing, when its last step was held up by nothing: all others are not."""
    left, last, mask = own.left, own.stages - 1, step.size - 1
    now, then = (own.begun - 1) & mask, (own.begun - 1 + left) & mask
    pattern = step[now].pattern
    if port_start[pattern] < port_start[pattern + 1] or time[now, last] != time[now, 0] + last:
        return
    for stage in range(own.stages):
        time[then, stage] = time[now, stage] + left
    step[then].known = own.stages
    own.begun += left
    own.oldest = own.begun
    own.left = 0


@numba.njit(cache=True)
def _follow(
    own: Any,
    time: Int,
    step: Records,
    part: Records,
    run: Records,
    port_start: Int,
    port: Records,
    stream: Records,
    ring: Int,
    process: Records,
    queue: Int,
    marks: Int,
    mark_clock: Int,
) -> None:
    """Follows a process as far as the clocks of others' words are known."""
    for number in range(own.oldest, own.begun):
        done = _work(number, own.stages, time, step, port_start, port, stream, ring, process, queue)
        own.oldest += done
    while True:
        if own.begun > 0:
            newest = (own.begun - 1) & (step.size - 1)
            if step[newest].known == 0:
                return
            _mark(own, own.begun, time[newest, 0], marks, mark_clock)
        if not _begin(own, step, part, run, port_start):
            return
        done = _work(own.begun - 1, own.stages, time, step, port_start, port, stream, ring, process, queue)
        own.oldest += done
        if done and own.left > 0:
            _skip(own, time, step, port_start)


@numba.njit(cache=True)
def _run(
    process: Records,
    stream: Records,
    step: Records,
    time: Int,
    part: Records,
    run: Records,
    port_start: Int,
    port: Records,
    ring: Int,
    queue: Int,
    marks: Int,
    mark_clock: Int,
) -> None:
    """Follows all processes until none can go on."""
    for p in range(process.size - 1, -1, -1):
        if process[p].part < process[p].parts_end:
            process[p].again = part[process[p].part].times
            process[p].run = part[process[p].part].first - 1
            _wake(p, process, queue)
    while queue[0] > 0:
        p = queue[queue[0]]
        queue[0] -= 1
        process[p].queued = 0
        _follow(
            process[p], time[p], step[p], part, run, port_start, port, stream, ring, process, queue, marks, mark_clock
        )
    for number in range(stream.size):
        _see(stream[number], ring, True)


_ARRAYS = 12


@numba.cfunc("void(CPointer(voidptr), CPointer(int64))", cache=True)
def _run_in_memory(addresses: Any, shapes: Any) -> None:
    """`_run` on arrays that are known by their addresses and shapes ([arrays, 3], 0 where there are fewer axes).

    Calls between compiled functions count references to array objects, which takes three quarters of the time; what
    has an address only is not counted.
    """
    at, n = carray(addresses, _ARRAYS), carray(shapes, (_ARRAYS, 3))
    _run(
        carray(at[0], n[0, 0], _PROCESS),
        carray(at[1], n[1, 0], _STREAM),
        carray(at[2], (n[2, 0], n[2, 1]), _STEP),
        carray(at[3], (n[3, 0], n[3, 1], n[3, 2]), np.int64),
        carray(at[4], n[4, 0], _PART),
        carray(at[5], n[5, 0], _RUN),
        carray(at[6], n[6, 0], np.int64),
        carray(at[7], n[7, 0], _PORT),
        carray(at[8], (n[8, 0], n[8, 1]), np.int64),
        carray(at[9], n[9, 0], np.int64),
        carray(at[10], n[10, 0], np.int64),
        carray(at[11], n[11, 0], np.int64),
    )


def _run_on(*arrays: Records) -> None:
    """`_run` on its arguments."""
    assert all(each.flags.c_contiguous for each in arrays)
    shapes = np.zeros((_ARRAYS, 3), dtype=np.int64)
    for number, each in enumerate(arrays):
        shapes[number, : each.ndim] = each.shape
    addresses = (ctypes.c_void_p * _ARRAYS)(*(each.ctypes.data for each in arrays))
    _run_in_memory.ctypes(addresses, shapes.ctypes.data_as(ctypes.POINTER(ctypes.c_int64)))


def _records(kind: np.dtype[Any], shape: int | tuple[int, ...], **columns: Int | Int32 | int) -> Records:
    table = np.zeros(shape, dtype=kind)
    for name, values in columns.items():
        table[name] = values
    return table


def run_network(net: Network) -> Outcome:
    """Runs all traces to their ends, or until nothing goes on. Equal to looking at every clock, only sooner."""
    processes, stages = net.stages.size, int(net.stages.max(initial=1))
    window = 1 << (stages + 1).bit_length()
    size = 1 << np.ceil(np.log2(net.depth + 2)).astype(np.int64)
    process = _records(
        _PROCESS, processes, stages=net.stages, part=net.part_start[:-1], parts_end=net.part_start[1:],
        mark=net.mark_start[:-1], marks_end=net.mark_start[1:],
    )  # fmt: skip
    stream = _records(
        _STREAM, net.depth.size, depth=net.depth, writer=net.writer, reader=net.reader, ring=np.cumsum(size) - size,
        mask=size - 1,
    )  # fmt: skip
    step = _records(_STEP, (processes, window))
    time = np.zeros((processes, window, stages), dtype=np.int64)
    mark_clock = np.full(net.marks.size, -1, dtype=np.int64)
    _run_on(
        process, stream, step, time,
        _records(_PART, net.part_first.size, first=net.part_first, last=net.part_last, times=net.part_times),
        _records(_RUN, net.run_times.size, pattern=net.run_pattern, length=net.run_times),
        net.port_start, _records(_PORT, net.port_stream.size, stream=net.port_stream, stage=net.port_stage),
        np.zeros((2, int(size.sum())), dtype=np.int64), np.zeros(processes + 1, dtype=np.int64), net.marks, mark_clock,
    )  # fmt: skip
    oldest = process["oldest"]
    patterns = step["pattern"][np.arange(processes), oldest % window]
    known = np.arange(stages) < step["known"][:, :, None]
    return Outcome(
        cycles=int(time.max(initial=-1, where=known)) + 1,
        high_water=stream["high"].copy(),
        mark_clock=mark_clock,
        waiting=np.where(oldest < process["begun"], patterns, -1),
    )
