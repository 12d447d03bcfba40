"""Sums and registers that synthesis puts into a DSP slice beside its product."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rtl.expressions import Node
from rtl.kept import Kept, StepEnd
from rtl.process import Process, Register

__all__ = ["DspSlices", "find_dsp_slices"]

_WIRES = frozenset({"slice", "cat", "zext", "sext"})
_SUM_BITS = 48


@dataclass(frozen=True)
class DspSlices:
    """What costs nothing beside the DSP slices of products.

    Attributes:
        logic: sums, and the choices between a sum and zero in front of them, by serial number.
        registers: of sums, and those that products alone read, by id.
    """

    logic: frozenset[int]
    registers: frozenset[int]


def find_dsp_slices(
    process: Process, kept: Kept, nodes: Mapping[int, Node], ends: Sequence[tuple[StepEnd, Node]]
) -> DspSlices:
    """The products of a process that add up, with all that their slices hold.

    A sum is in the slice of its product (UG579, figure 1-1) where it goes into a register and nowhere else, and adds
    to that register's own value, or to zero. A register is in the slices of the products that read it where nothing
    else does.

    Args:
        process, kept: whose they are.
        nodes: all expressions, by serial number.
        ends: where logic ends, and when that takes effect.
    """
    users = _Users(process, kept, nodes, ends)
    logic: set[int] = set()
    registers: set[int] = set()
    for node in nodes.values():
        held = users.registers_alone(node) if node.op == "add" and node.width <= _SUM_BITS else set()
        for product, other in (node.args, node.args[::-1]) if held else ():
            choice = _cleared(_core(other))
            kept_ways = [way for way in choice.args[1:] if way.op != "const"] if choice else [other]
            before = _core(kept_ways[0])
            own = before.op == "leaf" and id(before.key) in held
            if own and _core(product).op == "mul" and users.of(_core(product)) == {node.serial}:
                logic |= {node.serial, *([choice.serial] if choice and users.of(choice) == {node.serial} else [])}
                registers |= held
    products = {node.serial for node in nodes.values() if node.op == "mul"}
    for register, readers in users.of_registers.items():
        if readers and readers <= products:
            registers.add(register)
    return DspSlices(frozenset(logic), frozenset(registers))


def _core(node: Node) -> Node:
    """What lies below the wires that widen or narrow it."""
    while node.op in _WIRES:
        parts = [arg for arg in node.args if arg.op != "const"]
        if len(parts) != 1:
            break
        node = parts[0]
    return node


def _cleared(node: Node) -> Node | None:
    """A choice between a value and zero."""
    numbers = [arg for arg in node.args[1:] if arg.op == "const" and arg.number == 0] if node.op == "select" else []
    return node if len(numbers) == 1 else None


class _Users:
    """Who uses an expression or a register: expressions behind wires, by serial number, or registers."""

    def __init__(
        self, process: Process, kept: Kept, nodes: Mapping[int, Node], ends: Sequence[tuple[StepEnd, Node]]
    ) -> None:
        self._above: dict[int, list[Node]] = {}
        self._held: dict[int, set[int]] = {}
        self._other: set[int] = set()
        for node in nodes.values():
            for arg in node.args:
                self._above.setdefault(arg.serial, []).append(node)
        for end, enable in ends:
            self._other.add(enable.serial)
            for value in end.values:
                if end.kind == "register":
                    self._held.setdefault(value.serial, set()).add(id(end.key))
                else:
                    self._other.add(value.serial)
        for stage in process.stages:
            for shift in stage.shifts:
                moved = kept.new_value(shift)
                if moved is not None:
                    self._held.setdefault(moved.serial, set()).add(id(shift.register))
        self.of_registers: dict[int, set[int]] = {}
        for node in nodes.values():
            if node.op == "leaf" and isinstance(node.key, Register):
                self.of_registers.setdefault(id(node.key), set()).update(self.of(node))

    def of(self, node: Node) -> set[int]:
        """Serial numbers of the expressions that use it, -1 for anything that is none."""
        found = set()
        for above in self._behind_wires(node):
            if above.serial in self._other or above.serial in self._held:
                found.add(-1)
            found |= {user.serial for user in self._above.get(above.serial, ()) if user.op not in _WIRES}
        return found

    def registers_alone(self, node: Node) -> set[int]:
        """Ids of the registers that take it; none where anything else uses it."""
        held: set[int] = set()
        for above in self._behind_wires(node):
            if above.serial in self._other or any(user.op not in _WIRES for user in self._above.get(above.serial, ())):
                return set()
            held |= self._held.get(above.serial, set())
        return held

    def _behind_wires(self, node: Node) -> Iterator[Node]:
        stack, seen = [node], set[int]()
        while stack:
            here = stack.pop()
            if here.serial not in seen:
                seen.add(here.serial)
                yield here
                stack += [user for user in self._above.get(here.serial, ()) if user.op in _WIRES]
