"""How many words of a memory are read and written in a clock."""

from __future__ import annotations

from itertools import combinations

from rtl.expressions import Graph, Node
from rtl.kept import Kept
from rtl.memories import Memory
from rtl.process import Process, Step, Write

__all__ = ["read_ports", "second_write", "write_ports"]


def read_ports(process: Process, memory: Memory) -> int:
    """Words that can be read in a clock: of a block RAM its output registers, else the most addresses of a step."""
    if memory.clocked:
        return sum(fetch.memory is memory for stage in process.stages for fetch in stage.fetches)
    return max((len(_addresses(process, step, memory)) for step in process.steps), default=0)


def _addresses(process: Process, step: Step, memory: Memory) -> set[int]:
    """Where a step reads the memory, as serials of the addresses."""
    found: set[int] = set()
    seen: set[int] = set()
    stack = [node for end in Kept(process).ends(step) for node in (end.enable, *end.values)]
    while stack:
        node = stack.pop()
        if node.serial not in seen:
            seen.add(node.serial)
            stack.extend(node.args)
            if node.op == "read" and node.key is memory:
                found.add(node.args[0].serial)
    return found


def write_ports(process: Process, memory: Memory) -> int:
    """Words that are written in a clock at most, as far as the writes' conditions show."""
    counts = [len(_writes(step, memory)) for step in process.steps]
    return max(counts, default=0) if second_write(process, memory) else min(max(counts, default=0), 1)


def second_write(process: Process, memory: Memory) -> Write | None:
    """A write to the memory in the same clock as another one; None when there is one at most."""
    for step in process.steps:
        for first, second in combinations(_writes(step, memory), 2):
            if not _exclude(process.graph, first, second):
                return second
    return None


def _writes(step: Step, memory: Memory) -> list[Write]:
    return [write for write in step.writes if write.memory is memory]


def _exclude(graph: Graph, first: Write, second: Write) -> bool:
    """One of the terms of a write's condition is the opposite of a term of the other's."""
    opposites = {graph.inverted(term).serial for term in _terms(first.condition)}
    return any(term.serial in opposites for term in _terms(second.condition))


def _terms(condition: Node) -> list[Node]:
    """The terms of a conjunction."""
    if condition.op != "and":
        return [condition]
    return [term for arg in condition.args for term in _terms(arg)]
