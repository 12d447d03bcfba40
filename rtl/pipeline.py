"""Pipelining: a step's logic is spread over several clocks, so that no chain is longer than the clock allows.

What a process keeps from step to step, its *elements* (registers, memories, streams, the number of the step), each get
one stage as their home. Every step reads and writes an element there, so that steps that follow each other at the
distance of a clock see each other's results as if each took one clock: nothing but the latency changes. Elements that
depend on each other in a circle (a recurrence) have one home, and the logic between them fits into one clock; all
other logic may take as many stages as it needs. A circle that takes longer is *slow*: its logic is spread too, its
elements are written in a later stage than they are read in, and the next step begins that many clocks later.

This is modulo scheduling (Rau, "Iterative Modulo
Scheduling", MICRO 1994) of the whole process at an initiation interval of one step, not of one loop: a loop needs
neither filling nor draining when the next one begins.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from rtl import delays
from rtl.errors import CompileError
from rtl.expressions import Graph, Node
from rtl.kept import Kept, StepEnd
from rtl.long_operators import LongOperators
from rtl.memories import Memory
from rtl.memory_ports import second_write
from rtl.process import Access, Check, Exit, Fetch, Port, Process, Promise, Register, Stage, Step, Update, Write
from rtl.storage import Storage, worth_block_ram
from rtl.timing_analysis import LUT_INPUTS, WIRES, Luts, NodeDelays, is_clocked_read, register_values, setup_time

__all__ = ["CLOCK_SHARE", "circular_answers", "pipeline"]

CLOCK_SHARE = 0.73
"""Of the clock's period, what logic is given; the rest is for what the delays leave out. Vitis HLS keeps 27 % too."""

_STATE = "state"
_ROUNDS = 10_000
_NEVER = _ROUNDS  # later than any stage
_MOST_NAMES = 4

Element = Register | Memory | Port | str
"""`_STATE` is the number of the step."""


def pipeline(process: Process, depths: Mapping[str, int], period_ns: float) -> None:
    """Spreads the steps of `process` over stages for a clock; over one, if everything fits into it.

    Args:
        process: not pipelined yet; gets stages and circles, and its graph grows.
        depths: words of the FIFO behind each port, by the port's name.
        period_ns: the clock's period, in nanoseconds.
    """
    _take_apart(process, depths, period_ns)
    schedule = _scheduled(process, depths, period_ns)
    process.circles = schedule.circles()
    for step, pace in zip(process.steps, schedule.paces, strict=True):
        step.interval, step.repeat, step.recurrence = pace.interval, pace.repeat, pace.circle
    if schedule.count > 1:
        process.stages = _Stages(process, schedule).stages


def _take_apart(process: Process, depths: Mapping[str, int], period: float) -> None:
    """Operators that are too long become small ones; in a circle, which may use the whole clock, only those longer."""
    operators = LongOperators(process, depths, CLOCK_SHARE * period)
    if operators.found:
        circular = _Elements(process, Kept(process)).locked
        found = operators.found.items()
        operators.take_apart([node for node, time in found if time > period or node.serial not in circular])


def _scheduled(process: Process, depths: Mapping[str, int], period: float) -> _Schedule:
    """The schedule; where an array's recurrence takes more than a clock, one that relies on what is promised of it."""
    wishes = [memory.storage for memory in process.memories]
    schedule = _Schedule(process, depths, period)
    promised = dict.fromkeys(  # in the source's order, as checks are written in it
        promise.memory
        for number, step in enumerate(process.steps)
        for promise in step.promises
        if any(way.target == number for way in step.exits) and schedule.is_kept_slow(promise.memory)
    )
    if not promised:
        return schedule
    for memory, wish in zip(process.memories, wishes, strict=True):
        memory.storage = wish
    return _Schedule(process, depths, period, promised)


def circular_answers(process: Process) -> list[Port]:
    """Streams whose words later requests for such words hang on: they cannot be read stages after the request."""
    elements = _Elements(process, Kept(process))
    answers = [item for item in elements.all if isinstance(item, Port) and item.answers]
    return [port for port in answers if elements.asks(port) in elements.around(port)]


@dataclass(frozen=True, order=True)
class _Time:
    """When an expression is there: stage, and nanoseconds after that stage's clock."""

    stage: int
    ns: float


@dataclass(frozen=True)
class _Pace:
    """Clocks from a step to the next one, if that is another and if it is the same again; the circle that asks."""

    interval: int
    repeat: int
    circle: str


class _Elements:
    """What depends on what: the elements of a process and the circles among them.

    Args:
        process: its steps.
        kept: what of it anybody looks at.
        promised: memories that are taken not to read what they have written; steps that do so wait.

    Attributes:
        all: the elements that logic ends in.
        ends: of each, with the number of the step.
        reads: per step and memory the expressions that read it.
        circle: per element the number of its circle; elements that are in none have one to themselves.
        locked: by an expression's serial the circle that it is part of.
    """

    def __init__(self, process: Process, kept: Kept, promised: Collection[Memory] = ()) -> None:
        self.promised = promised
        self.ends: dict[Element, list[tuple[int, StepEnd]]] = {}
        self.reads: list[dict[Memory, list[Node]]] = []
        for number, step in enumerate(process.steps):
            ends = list(kept.ends(step))
            for end in ends:
                self.ends.setdefault(_element(end), []).append((number, end))
            self.reads.append(_reads(_below([node for end in ends for node in (end.enable, *end.values)])))
        self.all = list(self.ends)
        self.roots = [node for ends in self.ends.values() for _, end in ends for node in (end.enable, *end.values)]
        self.roots += [node for step in process.steps for node in _checked(step, promised)]
        self.nodes = _below(self.roots)
        self._bits = {element: 1 << number for number, element in enumerate(self.all)}
        self._sources = self._leaves()
        self._all_reads = _reads(self.nodes)
        self.circle = self._circles(len(process.steps) > 1)
        self.locked = self._locked()

    def around(self, element: Element) -> list[Element]:
        """The elements of the circle that an element is in; none for one that does not depend on itself."""
        number = self.circle.get(element)
        return [other for other in self.all if self.circle[other] == number] if number in self._cyclic else []

    def inputs(self, element: Element) -> Iterator[Node]:
        """Everything that must be there when the element is read or written."""
        for _, end in self.ends[element]:
            yield from (end.enable, *end.values)
        if isinstance(element, Memory):
            for read in self._all_reads.get(element, ()):
                yield from read.args

    def circles_through(self, memory: Memory) -> set[int]:
        """The circles that a memory's words are part of."""
        reads = {self.locked[read.serial] for read in self.reads_of(memory) if read.serial in self.locked}
        return reads | ({self.circle[memory]} if self.around(memory) else set())

    def reads_of(self, memory: Memory) -> list[Node]:
        """Every expression that reads the memory."""
        return self._all_reads.get(memory, [])

    def asks(self, port: Port) -> Element:
        """The stream that asks for what is read from `port`."""
        return next(item for item in self.all if isinstance(item, Port) and item.name == port.answers)

    def never_changes(self, node: Node) -> bool:
        """It depends on nothing that anything writes."""
        return self._sources[node.serial] == 0

    def _leaves(self) -> dict[int, int]:
        """Per expression the elements that it depends on, as a set of bits."""
        sources: dict[int, int] = {}
        for serial in sorted(self.nodes):
            node = self.nodes[serial]
            home = home_of(node)
            # A promised memory's words are no element's, and yet not constant.
            own = 1 << len(self.all) if home in self.promised else self._bits.get(home, 0)  # type: ignore[call-overload]
            for arg in node.args:
                own |= sources[arg.serial]
            sources[serial] = own
        return sources

    def _circles(self, numbered: bool) -> dict[Element, int]:
        """Strongly connected components, by transitive closure over sets of bits."""
        every_step = self._bits[_STATE] if numbered else 0
        needs = {}
        for element in self.all:
            bits = every_step
            for node in self.inputs(element):
                bits |= self._sources[node.serial]
            if isinstance(element, Port) and element.answers:
                bits |= self._bits[self.asks(element)]
            needs[element] = bits
        for through in self.all:
            bit, more = self._bits[through], needs[through]
            for element in self.all:
                if needs[element] & bit:
                    needs[element] |= more
        found: dict[int, int] = {}
        circle = {}
        for number, element in enumerate(self.all):
            around = [
                other for other in self.all if needs[element] & self._bits[other] and needs[other] & self._bits[element]
            ]
            key = sum(self._bits[other] for other in around) or -1 - number
            circle[element] = found.setdefault(key, number)
        self._cyclic = {circle[element] for element in self.all if needs[element] & self._bits[element]}
        return circle

    def _locked(self) -> dict[int, int]:
        locked: dict[int, int] = {}
        for number in self._cyclic:
            members = [element for element in self.all if self.circle[element] == number]
            bits = sum(self._bits[element] for element in members)
            stack = [node for element in members for node in self.inputs(element)]
            while stack:
                node = stack.pop()
                if node.serial not in locked and self._sources[node.serial] & bits:
                    locked[node.serial] = number
                    stack.extend(node.args)
        return locked


def _checked(step: Step, promised: Collection[Memory]) -> list[Node]:
    """What is to be known in simulation of the reads that promises are about."""
    memories = [promise.memory for promise in step.promises if promise.memory in promised]
    return [node for read in step.reads if read.word.key in memories for node in (read.condition, *read.word.args)]


def _reads(nodes: Mapping[int, Node]) -> dict[Memory, list[Node]]:
    found: dict[Memory, list[Node]] = {}
    for node in nodes.values():
        if node.op == "read" and isinstance(node.key, Memory):
            found.setdefault(node.key, []).append(node)
    return found


def _element(end: StepEnd) -> Element:
    assert end.key is None or isinstance(end.key, Register | Memory | Port)
    return _STATE if end.key is None else end.key


def home_of(node: Node) -> object:
    """The element that an expression reads; None for logic and for constant memories."""
    if node.op == "leaf":
        return node.key[1] if isinstance(node.key, tuple) else node.key
    return node.key if node.op == "read" and isinstance(node.key, Memory) and not node.key.constant else None


def _words(elements: Sequence[Element]) -> str:
    # LLVM names the parts of a variable that it takes apart `sum.sroa.0.0`.
    names = [element if isinstance(element, str) else element.name.split(".sroa.")[0] for element in elements]
    named = [f"'{name}'" for name in dict.fromkeys(names) if name]
    return ", ".join(named[:_MOST_NAMES]) + (
        f" and {len(named) - _MOST_NAMES} more" if len(named) > _MOST_NAMES else ""
    )


class _Schedule:
    """Homes of elements and stages of expressions, each as early as possible.

    Attributes:
        homes: per element its stage; of those in slow circles the stage in which they are read.
        times: by an expression's serial when it is there.
        ends: per step and element the stage in which it is written (a stream: touched).
        paces: of each step.
        checks: per step those of promises, in the stage that is named.
        count: stages.
    """

    def __init__(
        self, process: Process, depths: Mapping[str, int], period: float, promised: Collection[Memory] = ()
    ) -> None:
        self._process = process
        self._elements = _Elements(process, Kept(process), promised)
        self._period, self._budget, self._depths = period, CLOCK_SHARE * period, depths
        self._slow = {self._elements.circle[memory] for memory in promised}
        for memory in process.memories:
            memory.storage = self._storage(process, memory)
            self._slow |= self._elements.circles_through(memory) if memory.clocked else set()
        self._costs = NodeDelays(self._elements.roots, register_values(process), depths)
        self._clock = delays.register_output().delay_ns
        self.homes: dict[Element, int] = dict.fromkeys(self._elements.all, 0)
        self.times: dict[int, _Time] = {}
        rounds = 0
        while self._moved():
            rounds += 1
            assert rounds < _ROUNDS, "the schedule does not settle"
        self.ends = self._all_ends()
        for memory in promised:
            self.homes[memory] = min(self._accessed_in(number, memory)[0] for number in range(len(process.steps)))
        self.paces = [self._pace(number) for number in range(len(process.steps))]
        self.checks = [self._step_checks(number) for number in range(len(process.steps))]
        checked = [stage for checks in self.checks for stage, _ in checks]
        self.count = max([*self.homes.values(), *self.ends.values(), *checked], default=0) + 1
        for number, element in self.ends:
            if isinstance(element, Port) and element.role == "done":  # the process has done all else by then
                self.ends[number, element] = self.count - 1

    def _storage(self, process: Process, memory: Memory) -> Storage:
        """What a memory is made of."""
        if memory.depth == 1:
            return "registers"
        second = second_write(process, memory)
        if memory.storage == "block" and second is not None:
            message = f"'{memory.name}' is written twice in a clock, and a block RAM has one port for writes here"
            raise CompileError(second.place.file, second.place.line, f"{message}; partition it, or bind it to lutram")
        if memory.storage != "auto":
            return memory.storage
        if second is not None:
            return "registers"
        return "block" if worth_block_ram(memory, bool(self._elements.circles_through(memory))) else "distributed"

    def is_kept_slow(self, memory: Memory) -> bool:
        """Anybody looks at the memory, and it is part of a circle that takes more than one clock."""
        return memory in self.homes and self.is_slow(memory)

    def is_slow(self, element: Element) -> bool:
        """It is kept in a circle that takes more than one clock."""
        return not isinstance(element, Port) and self._elements.circle[element] in self._slow

    def _all_ends(self) -> dict[tuple[int, Element], int]:
        stages: dict[tuple[int, Element], int] = {}
        for element in self._elements.all:
            for number, end in self._elements.ends[element]:
                stage = self.homes[element]
                if self.is_slow(element):
                    stage = max(stage, self._end_stage(element, end), stages.get((number, element), 0))
                    if isinstance(element, Memory):  # nothing is overwritten before the step has read it
                        stage = max(stage, *self._read_stages(number, element))
                stages[number, element] = stage
        return stages

    def _read_stages(self, number: int, memory: Memory) -> list[int]:
        return [0, *(self.times[read.serial].stage for read in self._elements.reads[number].get(memory, ()))]

    def _pace(self, number: int) -> _Pace:
        """The next step must find everything that this one has written, and nothing that this one still reads gone."""
        longest = again = 0
        circle = circle_again = ""
        for element in self._elements.all:
            if self.is_slow(element):
                last = [self.ends.get((number, element), 0)]
                last += self._read_stages(number, element) if isinstance(element, Memory) else []
                clocks, name = max(last) - self.homes[element], _words(self._elements.around(element) or [element])
                longest, circle = max((longest, circle), (clocks, name), key=lambda item: item[0])
                clocks = self._clocks_again(number, element, clocks)
                again, circle_again = max((again, circle_again), (clocks, name), key=lambda item: item[0])
        return _Pace(longest + 1, again + 1, circle_again or circle)

    def _clocks_again(self, number: int, element: Element, clocks: int) -> int:
        """How long the same step waits for an element; it may be promised not to read the last words written."""
        promise = self._promise(number, element)
        if promise is None:
            return clocks
        assert isinstance(element, Memory)
        first, last = self._accessed_in(number, element)
        return 0 if promise.distance is None else (last - first) // promise.distance

    def _promise(self, number: int, element: Element) -> Promise | None:
        """The strongest promise about a memory that is relied on."""
        if element not in self._elements.promised:
            return None
        found = [promise for promise in self._process.steps[number].promises if promise.memory is element]
        return max(found, key=lambda promise: promise.distance or math.inf, default=None)

    def _accessed_in(self, number: int, memory: Memory) -> tuple[int, int]:
        """The first and the last stage in which a step takes an address of a memory."""
        reads = self._elements.reads[number].get(memory, [])
        stages = [self.times[read.serial].stage - memory.clocked for read in reads]
        if (number, memory) in self.ends:
            stages.append(self.ends[number, memory])
        return min(stages, default=_NEVER), max(stages, default=0)

    def _step_checks(self, number: int) -> list[tuple[int, Check]]:
        """What simulation has to compare, and in which stage all of it is there."""
        found, step = [], self._process.steps[number]
        for memory in self._elements.promised:
            promise, (first, last) = self._promise(number, memory), self._accessed_in(number, memory)
            iterations = (last - first) // self.paces[number].repeat
            live = self._elements.reads[number].get(memory, [])
            reads = [(read.condition, read.word.args[0]) for read in step.reads if read.word in live]
            writes = [(write.condition, write.address) for write in step.writes if write.memory is memory]
            if promise is not None and iterations and reads and writes:
                stages = [self.times[node.serial].stage for pair in (*reads, *writes) for node in pair]
                found.append((max(stages), Check(promise, iterations, reads, writes)))
        return found

    def circles(self) -> dict[object, str]:
        """What is in each element's circle, in words."""
        found = {element: self._elements.around(element) for element in self._elements.all}
        return {element: _words(others) for element, others in found.items() if others}

    @property
    def nodes(self) -> list[Node]:
        """All expressions, operands before what uses them."""
        return list(self._costs.nodes.values())

    def never_changes(self, node: Node) -> bool:
        """It is the same in all stages."""
        return self._elements.never_changes(node)

    def home(self, node: Node) -> int | None:
        """The stage in which an expression reads its element; None for logic."""
        element = home_of(node)
        if element is None or element not in self.homes:
            return None
        return None if isinstance(element, Memory) and self.is_slow(element) else self.homes[element]

    def made_in(self, node: Node) -> int:
        """The stage in which an expression is there first."""
        home = None if is_clocked_read(node) else self.home(node)
        return self.times[node.serial].stage if home is None else home

    def read_ports(self) -> dict[int, tuple[int, frozenset[int]]]:
        """Per read of a block RAM, by serial, the number of its port and the steps that it is for.

        Reads of different steps share a port: only one step is in a stage.
        """
        found: dict[int, tuple[int, frozenset[int]]] = {}
        taken: set[tuple[Memory, int, int, int]] = set()
        for node in self._elements.nodes.values():
            if not is_clocked_read(node) or not isinstance(node.key, Memory):
                continue
            memory, stage = node.key, self.times[node.serial].stage
            steps = frozenset(
                number for number, reads in enumerate(self._elements.reads) if node in reads.get(memory, ())
            )
            port = next(port for port in count() if not any((memory, stage, port, step) in taken for step in steps))
            taken |= {(memory, stage, port, step) for step in steps}
            found[node.serial] = port, steps
        return found

    def _moved(self) -> bool:
        """Times for the present homes; whether any home must be later."""
        self.times, self._luts = {}, Luts()
        for node in self._costs.nodes.values():
            self.times[node.serial] = self._time(node)
        slow = len(self._slow)
        wanted: dict[object, int] = {}
        for element in self._elements.all:
            group = self._group(element)
            wanted[group] = max(wanted.get(group, 0), self._wanted(element))
        moved = len(self._slow) > slow
        for element in self._elements.all:
            home = wanted.get(self._group(element), 0)
            moved, self.homes[element] = moved or home > self.homes[element], max(home, self.homes[element])
        return moved

    def _group(self, element: Element) -> object:
        """Elements that have one home: those of a circle, but not the streams in a slow one."""
        number = self._elements.circle[element]
        return element if number in self._slow and isinstance(element, Port) else number

    # Expressions ----------------------------------------------------------------------------------------------------

    def _time(self, node: Node) -> _Time:
        if self._elements.never_changes(node):
            return _Time(0, 0.0)
        home = self.home(node)
        if home is not None and not (node.op == "read" and isinstance(node.key, Memory) and node.key.depth > 1):
            return _Time(home, self._costs.delay(node))
        start = self._start(node)
        if is_clocked_read(node):
            return self._fetch_time(node, start)
        if home is not None:
            start = max(start, _Time(home, self._clock))
        element = home_of(node)
        if home is None and isinstance(element, Memory) and element in self.homes:
            start = max(start, _Time(self.homes[element], self._clock))
        locked = self._lock(node)
        if locked is not None:
            start = max(start, _Time(self.homes[self._elements.all[locked]], 0.0))
        finish = start.ns + self._costs.delay(node)
        if finish <= self._budget or start.ns <= self._clock or locked is not None or home is not None:
            return _Time(start.stage, finish)
        self._luts.alone(node)
        return _Time(start.stage + 1, self._clock + self._costs.delay(node))

    def _fetch_time(self, read: Node, start: _Time) -> _Time:
        """A block RAM takes the address at the end of its home, or of the first stage that has it in time."""
        assert isinstance(read.key, Memory)
        home = self.home(read)
        stage = home if home is not None else max(start.stage, self.homes.get(read.key, 0))
        if home is None and stage == start.stage and start.ns + setup_time(read.key) > self._budget:
            stage += 1
        return _Time(stage + 1, self._costs.delay(read))

    def _lock(self, node: Node) -> int | None:
        """The circle that an expression must keep up with, if it is in one."""
        number = self._elements.locked.get(node.serial)
        return None if number in self._slow else number

    def _start(self, node: Node) -> _Time:
        """When the latest operand is there; gates in front that share a LUT are looked through."""
        stage = max((self.times[arg.serial].stage for arg in node.args), default=0)
        if self._costs.is_gate(node):
            latest = self._luts.packed(
                node, lambda arg: self._in(arg, stage), lambda arg: self.times[arg.serial].stage == stage
            )
        else:
            latest = max(node.args, key=lambda arg: self._in(arg, stage), default=None)
            if node.op == "slice":
                self._luts.share(node, node.args[0])
        return _Time(stage, self._in(latest, stage) if latest is not None else 0.0)

    def _in(self, node: Node, stage: int) -> float:
        """When an expression is there, seen in a stage: one of an earlier stage comes from a register."""
        time = self.times[node.serial]
        if self._elements.never_changes(node):
            return 0.0
        return time.ns if time.stage == stage else self._clock

    # Elements -------------------------------------------------------------------------------------------------------

    def _wanted(self, element: Element) -> int:
        """The earliest stage that an element can live in, as things stand."""
        home = self.homes[element]
        if self.is_slow(element):
            return home
        stage = max((self.times[node.serial].stage for node in self._elements.inputs(element)), default=0)
        if isinstance(element, Port) and element.answers:
            stage = max(stage, self.homes[self._elements.asks(element)] + element.latency)
        if stage > home:
            return stage
        ends = [end for _, end in self._elements.ends[element]]
        if isinstance(element, Memory) and element.clocked and self._fetches_late(element, home):
            return home + 1
        if not any(self._is_late(element, end, home, self._budget) for end in ends):
            return home
        if self._can_move(element):
            return home + 1
        if self._elements.around(element) and any(self._is_late(element, end, home, self._period) for end in ends):
            self._slow.add(self._elements.circle[element])
        return home

    def _fetches_late(self, memory: Memory, home: int) -> bool:
        """Whether an address for a block RAM comes too late in its home, and a later home would help."""
        setup = setup_time(memory) + delays.multiplexer(len(self._elements.reads)).delay_ns
        return any(
            self._is_under_way(arg, home) and self._in(arg, home) + setup > self._budget
            for read in self._elements.reads_of(memory)
            for arg in read.args
        )

    def _end_stage(self, element: Element, end: StepEnd) -> int:
        """The first stage in which all that an end needs is there in time."""
        stage = max(self.times[node.serial].stage for node in (end.enable, *end.values))
        return stage + 1 if self._is_late(element, end, stage, self._budget) else stage

    def _is_late(self, element: Element, end: StepEnd, stage: int, limit: float) -> bool:
        """Whether what the element needs comes too late in a stage's clock, which has so many nanoseconds."""
        setup = setup_time(element)
        choice = delays.multiplexer(len(self._elements.ends[element])).delay_ns
        if any(self._in(node, stage) + choice + setup > limit for node in end.values):
            return True
        enable = self._in(end.enable, stage) + delays.logic(LUT_INPUTS).delay_ns + setup
        if isinstance(element, Port):
            if end.enable.op != "const" and stage and self.times[end.enable.serial].stage == stage:
                return self._lock(end.enable) is None  # stages before it wait for this: from a register
            enable += delays.stream_strobe(self._depths[element.name]).delay_ns
        return end.enable.op != "const" and enable > limit

    def _can_move(self, element: Element) -> bool:
        """Whether a later home would help: whether anything from outside its circle arrives during its clock."""
        number = self._elements.circle[element]
        if self._group(element) is element:  # a stream in a slow circle: its logic is locked to nothing
            return any(self._is_under_way(node, self.homes[element]) for node in self._elements.inputs(element))
        members = [other for other in self._elements.all if self._elements.circle[other] == number]
        if _STATE in members:
            return False
        return any(
            self._arrives(node, self.homes[element]) for other in members for node in self._elements.inputs(other)
        ) or any(
            self._arrives(arg, self.homes[element])
            for serial, circle in self._elements.locked.items()
            if circle == number
            for arg in self._elements.nodes[serial].args
        )

    def _arrives(self, node: Node, stage: int) -> bool:
        """It comes from outside all circles, and not from a register at that stage's beginning."""
        return node.serial not in self._elements.locked and self._is_under_way(node, stage)

    def _is_under_way(self, node: Node, stage: int) -> bool:
        time = self.times[node.serial]
        return time.stage == stage and time.ns > self._clock


class _Stages:
    """Takes a process apart by its schedule.

    Attributes:
        stages: the result.
    """

    def __init__(self, process: Process, schedule: _Schedule) -> None:
        self._process, self._schedule, self._graph = process, schedule, process.graph
        self._kept = Kept(process)
        self._made: dict[tuple[int, int], Node] = {}
        self._read_ports = schedule.read_ports()
        self._fetches: dict[tuple[Memory, int, int], Fetch] = {}
        names = [(step.name, step.place, step.loop) for step in process.steps]
        self.stages = [
            Stage([Step(name, place, loop=loop) for name, place, loop in names]) for _ in range(schedule.count)
        ]
        for node in schedule.nodes:  # operands first, so that long chains of them do not become deep recursion
            self._at(node, schedule.made_in(node))
        for number, step in enumerate(process.steps):
            self._distribute(number, step)
        for stage in self.stages:
            for step in stage.steps:
                step.ready = _ready(self._graph, step.accesses)

    def _distribute(self, number: int, step: Step) -> None:
        ends = self._schedule.ends
        for access in step.accesses:
            stage = ends[number, access.port]
            data = None if access.data is None else self._at(access.data, stage)
            moved = Access(access.port, self._at(access.condition, stage), data, access.place)
            self.stages[stage].steps[number].accesses.append(moved)
        for write in step.writes:
            if id(write.memory) in self._kept.spans:
                stage = ends[number, write.memory]
                # The condition says whether the address is that of a single word; nothing else looks at it.
                address = write.address if write.memory.depth > 1 else self._graph.const(write.address.width, 0)
                nodes = [self._at(node, stage) for node in (write.condition, address, write.data)]
                moved_write = Write(write.memory, nodes[0], nodes[1], nodes[2], write.place)
                self.stages[stage].steps[number].writes.append(moved_write)
        for update in step.updates:
            if self._kept.new_value(update) is not None:
                stage = ends[number, update.register]
                self.stages[stage].steps[number].updates.append(self._update(update, stage))
        for stage, check in self._schedule.checks[number]:
            self.stages[stage].steps[number].checks.append(self._check(check, stage))
        if len(self._process.steps) > 1 and step.exits:
            stage = ends[number, _STATE]
            exits = [Exit(self._at(way.condition, stage), way.target) for way in step.exits[:-1]]
            exits.append(Exit(self._graph.const(1, 1), step.exits[-1].target))
            self.stages[stage].steps[number].exits += exits

    def _check(self, check: Check, stage: int) -> Check:
        """What simulation compares, in a stage."""
        reads = [(self._at(condition, stage), self._at(address, stage)) for condition, address in check.reads]
        writes = [(self._at(condition, stage), self._at(address, stage)) for condition, address in check.writes]
        return Check(check.promise, check.iterations, reads, writes)

    def _update(self, update: Update, stage: int) -> Update:
        """An update in a stage; bits that nobody looks at are zero."""
        span, register = self._kept.spans[id(update.register)], update.register
        value = self._kept.new_value(update)
        assert value is not None
        parts = [self._graph.const(span.low, 0)] if span.low else []
        parts.append(self._at(value, stage))
        above = register.width - span.low - span.width
        whole = self._graph.cat([*parts, self._graph.const(above, 0)] if above else parts)
        return Update(register, self._at(update.condition, stage), whole)

    def _at(self, node: Node, stage: int) -> Node:
        """An expression as it is in a stage: made there, or taken over from an earlier one."""
        if node.op == "const" or self._schedule.never_changes(node):
            return node
        known = self._made.get((node.serial, stage))
        if known is None:
            known = self._made[node.serial, stage] = self._make(node, stage)
        return known

    def _make(self, node: Node, stage: int) -> Node:
        graph = self._graph
        if node.op in WIRES:
            args = [self._at(arg, stage) for arg in node.args]
            if node.op == "cat":
                return graph.cat(args)
            return (
                graph.slice(args[0], node.number, node.width) if node.op == "slice" else graph.sext(args[0], node.width)
            )
        made = self._schedule.made_in(node)
        assert made <= stage, (node.op, node.name, made, stage)
        if made == stage and is_clocked_read(node):
            return self._fetched(node, stage)
        if made == stage:
            return graph.rebuilt(node, [self._at(arg, stage) for arg in node.args])
        register = Register(f"{node.name or node.op}_s{stage}", node.width, node.place)
        self._process.registers.append(register)
        self.stages[stage - 1].shifts.append(Update(register, graph.const(1, 1), self._at(node, stage - 1)))
        return graph.leaf(node.width, register, register.name)

    def _fetched(self, read: Node, stage: int) -> Node:
        """The output of the port through which a block RAM's word comes into a stage."""
        assert isinstance(read.key, Memory)
        memory, (port, steps) = read.key, self._read_ports[read.serial]
        fetch = self._fetches.get((memory, stage, port))
        if fetch is None:
            register = Register(f"{memory.name}_word", memory.width, read.place, memory)
            self._process.registers.append(register)
            fetch = self._fetches[memory, stage, port] = Fetch(memory, register, [], read.place)
            self.stages[stage - 1].fetches.append(fetch)
        fetch.addresses.append((steps, self._at(read.args[0], stage - 1)))
        return self._graph.leaf(memory.width, fetch.register, fetch.register.name)


def _ready(graph: Graph, accesses: Sequence[Access]) -> Node:
    """Every stream that is touched is ready."""
    parts = []
    for port in dict.fromkeys(access.port for access in accesses):
        used = graph.disjunction([access.condition for access in accesses if access.port is port])
        parts.append(graph.bitwise("or", graph.inverted(used), graph.leaf(1, ("ready", port), f"{port.name}_ready")))
    return graph.conjunction(parts)


def _below(roots: Sequence[Node]) -> dict[int, Node]:
    nodes: dict[int, Node] = {}
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node.serial not in nodes:
            nodes[node.serial] = node
            stack.extend(node.args)
    return nodes
