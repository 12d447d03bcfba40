"""Loops of a scheduled process: which steps they hold, what an iteration costs, how often they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rtl.expressions import Node
from rtl.process import Process, Register

__all__ = ["Loop", "clocks_per_call", "find_loops"]

_MOST_STEPS = 1 << 16  # of a simulated loop; one that runs longer has no known trip count
_OPERATIONS: dict[str, Callable[[Node, Sequence[int]], int]] = {
    "add": lambda node, x: x[0] + x[1],
    "sub": lambda node, x: x[0] - x[1],
    "mul": lambda node, x: x[0] * x[1],
    "and": lambda node, x: x[0] & x[1],
    "or": lambda node, x: x[0] | x[1],
    "xor": lambda node, x: x[0] ^ x[1],
    "not": lambda node, x: ~x[0],
    "select": lambda node, x: x[1] if x[0] else x[2],
    "slice": lambda node, x: x[0] >> node.number,
    "sext": lambda node, x: _signed(x[0], node.args[0].width),
    "eq": lambda node, x: int(x[0] == x[1]),
    "ne": lambda node, x: int(x[0] != x[1]),
    "ult": lambda node, x: int(x[0] < x[1]),
    "ule": lambda node, x: int(x[0] <= x[1]),
    "slt": lambda node, x: int(_signed(x[0], node.args[0].width) < _signed(x[1], node.args[0].width)),
    "sle": lambda node, x: int(_signed(x[0], node.args[0].width) <= _signed(x[1], node.args[0].width)),
    "shl": lambda node, x: x[0] << x[1] if x[1] < node.width else 0,
    "lshr": lambda node, x: x[0] >> x[1],
    "cat": lambda node, x: _joined(node, x),
}


@dataclass
class Loop:
    """A loop of the C++ as steps.

    Attributes:
        head: number of the step in which an iteration begins.
        steps: numbers of all its steps, those of loops inside it included.
        inner: the loops directly inside it.
        trip_count: iterations, None where that is not constant, or not known here to be: more than can be run, or a
            loop inside whose own number varies.
        iteration_clocks: clocks of the longest iteration when nothing stalls, None where that is not constant.
        leaving_clocks: how many more the last iteration takes.
    """

    head: int
    steps: set[int]
    inner: list[Loop] = field(default_factory=list)
    trip_count: int | None = None
    iteration_clocks: int | None = None
    leaving_clocks: int = 0


def find_loops(process: Process) -> list[Loop]:
    """The loops of `process`, outer ones before those inside them.

    A loop that LLVM found to run at most once is listed with its one step.
    """
    followers = _followers(process)
    dominators = _dominators(followers)
    found: dict[int, Loop] = {}
    for number, step in enumerate(process.steps):
        tails = [
            source for source, targets in enumerate(followers) if number in targets and number in dominators[source]
        ]
        if tails or step.loop is not None:
            found[number] = Loop(number, _natural(followers, number, tails))
    loops = sorted(found.values(), key=lambda loop: -len(loop.steps))
    outermost: list[Loop] = []
    for position, loop in enumerate(loops):
        around = [other for other in loops[:position] if loop.head in other.steps]
        (around[-1].inner if around else outermost).append(loop)
    intervals = [step.interval for step in process.steps]
    for loop in reversed(loops):
        loop.iteration_clocks = _longest(intervals, followers, loop.head, loop.steps - {loop.head}, loop.inner)
        if loop.steps == {loop.head}:
            loop.iteration_clocks = process.steps[loop.head].repeat
            loop.leaving_clocks = process.steps[loop.head].interval - loop.iteration_clocks
        loop.trip_count = _trip_count(process, loop)
    return loops


def clocks_per_call(process: Process, loops: Sequence[Loop]) -> int | None:
    """Clocks of the longest call when nothing stalls; None when that is not constant."""
    inside = {inner.head for loop in loops for inner in loop.inner}
    outermost = [loop for loop in loops if loop.head not in inside]
    intervals = [step.interval for step in process.steps]
    return _longest(intervals, _followers(process), 0, set(range(1, len(process.steps))), outermost)


def _followers(process: Process) -> list[list[int]]:
    """The steps that may follow each step inside a call; returning is none."""
    return [sorted({way.target for way in step.exits if way.target != 0}) for step in process.steps]


def _dominators(followers: Sequence[Sequence[int]]) -> list[set[int]]:
    """For every step those that every way from the entry passes, itself included."""
    count = len(followers)
    sources: list[list[int]] = [[] for _ in range(count)]
    for source, targets in enumerate(followers):
        for target in targets:
            sources[target].append(source)
    dominators = [{0}] + [set(range(count)) for _ in range(count - 1)]
    changed = True
    while changed:
        changed = False
        for number in range(1, count):
            before = [dominators[source] for source in sources[number]]
            new = (set.intersection(*before) if before else set()) | {number}
            if new != dominators[number]:
                dominators[number], changed = new, True
    return dominators


def _natural(followers: Sequence[Sequence[int]], head: int, tails: Sequence[int]) -> set[int]:
    """The steps from which control comes back to `head` through one of `tails`."""
    steps, stack = {head}, list(tails)
    while stack:
        number = stack.pop()
        if number not in steps:
            steps.add(number)
            stack += [source for source, targets in enumerate(followers) if number in targets]
    return steps


def _longest(
    intervals: Sequence[int], followers: Sequence[Sequence[int]], start: int, steps: set[int], inner: Sequence[Loop]
) -> int | None:
    """Clocks of the longest way from `start` through `steps`; a loop on the way runs all its iterations."""
    whole = {loop.head: loop for loop in inner}
    known: dict[int, int | None] = {}

    def clocks(number: int) -> int | None:
        if number not in known:
            loop = whole.get(number)
            own: int | None = intervals[number]
            leaving = set(followers[number])
            if loop is not None:
                counts = (loop.trip_count, loop.iteration_clocks)
                own = None if counts[0] is None or counts[1] is None else counts[0] * counts[1] + loop.leaving_clocks
                leaving = {target for source in loop.steps for target in followers[source]} - loop.steps
            rest = [clocks(target) for target in leaving & steps]
            known[number] = None if own is None or None in rest else own + max((item or 0 for item in rest), default=0)
        return known[number]

    return clocks(start)


def _trip_count(process: Process, loop: Loop) -> int | None:
    """Iterations, when the loop's exits hang on nothing but registers that begin with constants: it is run here."""
    if not any(way.target == loop.head for number in loop.steps for way in process.steps[number].exits):
        return 1
    registers = _control_registers(process, loop)
    if registers is None:
        return None
    first = {id(register): _first_value(process, loop, register) for register in registers}
    try:
        return _simulated(process, loop, {key: value for key, value in first.items() if value is not None}, set(first))
    except KeyError:  # a register is looked at that begins with no constant
        return None


def _control_registers(process: Process, loop: Loop) -> list[Register] | None:
    """The registers that decide whether the loop goes on, and where; None when something else has a say in it."""
    stack = [way.condition for number in loop.steps for way in process.steps[number].exits if way.target in loop.steps]
    seen: set[int] = set()
    registers: dict[int, Register] = {}
    while stack:
        node = stack.pop()
        if node.serial in seen:
            continue
        seen.add(node.serial)
        if node.op == "leaf" and isinstance(node.key, Register):
            if id(node.key) not in registers:
                registers[id(node.key)] = node.key
                updates = [update for number in loop.steps for update in process.steps[number].updates]
                stack += [way for u in updates if u.register is node.key for way in (u.condition, u.value)]
        elif node.op != "const" and node.op not in _OPERATIONS:
            return None
        stack += node.args
    return list(registers.values())


def _first_value(process: Process, loop: Loop, register: Register) -> int | None:
    """What `register` holds when the loop begins, when it is the same constant whatever way led there."""
    outside = [step for number, step in enumerate(process.steps) if number not in loop.steps]
    found = {
        update.value.number if update.value.op == "const" else None
        for step in outside
        for update in step.updates
        if update.register is register
    }
    return found.pop() if len(found) == 1 else None


def _simulated(process: Process, loop: Loop, values: dict[int, int], registers: set[int]) -> int | None:
    """Runs the loop's control and counts how often it comes to the head.

    Raises:
        KeyError: a register that is not in `values` is looked at before it is set.
    """
    number, trips = loop.head, 0
    for _ in range(_MOST_STEPS):
        trips += number == loop.head
        step = process.steps[number]
        known: dict[int, int] = {}
        inside = [way for way in step.exits if way.target in loop.steps]
        following = next((way.target for way in inside if _evaluate(way.condition, values, known)), None)
        changes = {
            id(update.register): _evaluate(update.value, values, known)
            for update in step.updates
            if id(update.register) in registers and _evaluate(update.condition, values, known)
        }
        values.update(changes)
        if following is None:
            return trips
        number = following
    return None


def _evaluate(node: Node, values: dict[int, int], known: dict[int, int]) -> int:
    """The unsigned number that `node` is when registers hold `values`."""
    if node.op == "const":
        return node.number
    if node.serial not in known:
        if node.op == "leaf":
            result = values[id(node.key)]
        else:
            result = _OPERATIONS[node.op](node, [_evaluate(arg, values, known) for arg in node.args])
        known[node.serial] = result & ((1 << node.width) - 1)
    return known[node.serial]


def _signed(number: int, width: int) -> int:
    half = 1 << (width - 1)
    return (number ^ half) - half


def _joined(node: Node, parts: Sequence[int]) -> int:
    result = at = 0
    for arg, part in zip(node.args, parts, strict=True):
        result |= part << at
        at += arg.width
    return result
