"""What of a process anybody looks at: the bits of registers and memories that are kept, and where logic ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from rtl.expressions import Node
from rtl.ir import Place
from rtl.memories import Memory
from rtl.process import Process, Register, Stage, Step, Update

__all__ = ["Kept", "Span", "StepEnd"]


@dataclass(frozen=True)
class Span:
    """Bits of a register that are kept."""

    low: int
    width: int


@dataclass(frozen=True)
class StepEnd:
    """Where logic of a step ends: a register, a memory's write port or a stream.

    Attributes:
        kind: what it is; `state` is the register that holds the step's number.
        name: from the source.
        key: the register, memory or port itself, None for `state`.
        enable: it takes effect when this holds and the step fires.
        values: what arrives there: data, and a memory's address.
        place: line of the C++, where one is known.
    """

    kind: Literal["register", "memory", "read", "write", "state"]
    name: str
    key: object
    enable: Node
    values: tuple[Node, ...]
    place: Place


class Kept:
    """The registers and memories of a process that something depends on.

    Args:
        process: registers that only feed themselves, or each other, are not kept.

    Attributes:
        spans: per register (by id) the bits from the lowest to the highest that anything depends on; so for memories.
    """

    def __init__(self, process: Process) -> None:
        self._graph = process.graph
        self._numbered = len(process.steps) > 1
        self._state_bits = max((len(process.steps) - 1).bit_length(), 1)
        self.spans = self._used_spans(process.stages)

    def roots(self, stage: Stage) -> list[Node]:
        """What a stage computes, for everything that it does."""
        return list(self._roots(stage, self.spans))

    def ends(self, step: Step) -> Iterator[StepEnd]:
        """Where the logic of a step ends, in one stage."""
        for access in step.accesses:
            kind: Literal["read", "write"] = "read" if access.port.reads else "write"
            data = () if access.data is None else (access.data,)
            yield StepEnd(kind, access.port.name, access.port, access.condition, data, access.place)
        for write in step.writes:
            if id(write.memory) in self.spans:
                values: tuple[Node, ...] = (write.data,)
                if write.memory.depth > 1:
                    values = (write.data, write.address)
                yield StepEnd("memory", write.memory.name, write.memory, write.condition, values, write.place)
        for update in step.updates:
            value = self.new_value(update)
            if value is not None:
                register = update.register
                yield StepEnd("register", register.name, register, update.condition, (value,), register.place)
        if self._numbered and step.exits:
            values = (self.next_state(step), *(way.condition for way in step.exits[:-1]))
            yield StepEnd("state", "state", None, self._graph.const(1, 1), values, step.place)

    def new_value(self, update: Update) -> Node | None:
        """The kept bits of a register's new value; None when nothing of it is kept or it does not change."""
        return self._new_value(update, self.spans)

    def next_state(self, step: Step) -> Node:
        """Number of the step that follows, as an expression."""
        result = self._graph.const(self._state_bits, step.exits[-1].target if step.exits else 0)
        for way in step.exits[-2::-1]:
            result = self._graph.select(way.condition, self._graph.const(self._state_bits, way.target), result)
        return result

    def _used_spans(self, stages: list[Stage]) -> dict[int, Span]:
        """Grows from nothing, so that registers which only feed themselves, or each other, are not kept."""
        spans: dict[int, Span] = {}
        while True:
            found = dict(spans)
            nodes = {node.serial: node for stage in stages for node in self._roots(stage, spans)}
            for node in nodes.values():
                _widen(found, node, 0, node.width)
            stack = list(nodes.values())
            while stack:
                for arg in _operands(stack.pop(), found):
                    if arg.serial not in nodes:
                        nodes[arg.serial] = arg
                        stack.append(arg)
            for fetch in (fetch for stage in stages for fetch in stage.fetches if id(fetch.register) in found):
                found[id(fetch.memory)] = Span(0, fetch.memory.width)
            if found == spans:
                return spans
            spans = found

    def _roots(self, stage: Stage, spans: Mapping[int, Span]) -> Iterator[Node]:
        for step in stage.steps:
            yield from self._step_roots(step, spans)
        for shift in stage.shifts:
            value = self._new_value(shift, spans)
            if value is not None:
                yield value
        for fetch in stage.fetches:
            if id(fetch.register) in spans:
                yield from (address for _, address in fetch.addresses)

    def _step_roots(self, step: Step, spans: Mapping[int, Span]) -> Iterator[Node]:
        if step.ready is not None:
            yield step.ready
        for access in step.accesses:
            yield access.condition
            if access.data is not None:
                yield access.data
        for write in step.writes:
            if id(write.memory) not in spans:
                continue
            yield from (write.condition, write.data)
            if write.memory.depth > 1:
                yield write.address
        for update in step.updates:
            value = self._new_value(update, spans)
            if value is not None:
                yield from (update.condition, value)
        if self._numbered and step.exits:
            yield self.next_state(step)
        for check in step.checks:
            yield from (node for pair in (*check.reads, *check.writes) for node in pair)

    def _new_value(self, update: Update, spans: Mapping[int, Span]) -> Node | None:
        span = spans.get(id(update.register))
        if span is None:
            return None
        before = self._graph.leaf(update.register.width, update.register, update.register.name)
        value = self._graph.slice(update.value, span.low, span.width)
        return None if value is self._graph.slice(before, span.low, span.width) else value


def _widen(spans: dict[int, Span], node: Node, low: int, width: int) -> None:
    """Notes that bits low.. of `node` are looked at, when it is a register or a memory's word."""
    if isinstance(node.key, Memory):
        spans[id(node.key)] = Span(0, node.key.width)
    if isinstance(node.key, Register) and node.op == "leaf":
        known = spans.get(id(node.key), Span(low, width))
        bottom = min(known.low, low)
        spans[id(node.key)] = Span(bottom, max(known.low + known.width, low + width) - bottom)


def _operands(node: Node, spans: dict[int, Span]) -> tuple[Node, ...]:
    """Operands of `node`, noted in `spans`."""
    for arg in node.args:
        if node.op == "slice":
            _widen(spans, arg, node.number, node.width)
        else:
            _widen(spans, arg, 0, arg.width)
    return node.args
