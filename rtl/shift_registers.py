"""Registers that only hand a bit on, stage by stage: synthesis makes shift registers of them, in LUTs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rtl.expressions import Node
from rtl.kept import Kept
from rtl.process import Process, Register

__all__ = ["ShiftRegisters", "find_shift_registers"]

_SHORTEST = 3  # registers in a row of which Yosys makes a shift register
_LUT_BITS = 32  # of a shift register in one LUT (SRLC32E)
_WIRES = ("slice", "cat")


@dataclass(frozen=True)
class ShiftRegisters:
    """What shift registers take.

    Attributes:
        bits: registers that are part of them.
        luts: that hold them.
    """

    bits: int
    luts: int


def find_shift_registers(
    process: Process, kept: Kept, widths: Mapping[int, int], moves: Sequence[Node], roots: Sequence[Node]
) -> ShiftRegisters:
    """The shift registers of a pipelined process.

    Args:
        process: pipelined or not.
        kept: its registers.
        widths: lowest bits of each register, by id, that are flip-flops at all.
        moves: of each stage when it takes over what is before it. The bits of a shift register move together.
        roots: where its logic ends, but for what stages hand on.
    """
    shifts = [
        (shift.register, value, moves[number + 1])
        for number, stage in enumerate(process.stages)
        for shift in stage.shifts
        if (value := kept.new_value(shift)) is not None
    ]
    handed_on = [(register, move, list(_bits(value))) for register, value, move in shifts]
    moved = {register: move for register, _, move in shifts}
    used = _used(roots, [value for _, value, _ in shifts])
    taken: dict[tuple[Register, int], int] = {}
    for _, _, bits in handed_on:
        for bit in bits:
            if bit is not None:
                taken[bit] = taken.get(bit, 0) + 1
    lengths: dict[tuple[Register, int], int] = {}
    for register, move, bits in handed_on:
        low = kept.spans[id(register)].low
        for number, bit in enumerate(bits[: max(widths[id(register)] - low, 0)], start=low):
            alone = bit is not None and taken[bit] == 1 and not used.get(bit[0], 0) >> bit[1] & 1
            alone = alone and bit is not None and moved.get(bit[0], move) is move
            lengths[register, number] = 1 + (lengths.pop(bit, 0) if bit is not None and alone else 0)
    long = [length for length in lengths.values() if length >= _SHORTEST]
    return ShiftRegisters(sum(long), sum(-(-length // _LUT_BITS) for length in long))


def _bits(node: Node) -> Iterator[tuple[Register, int] | None]:
    """Of each bit the register and bit that it is; None for logic."""
    if node.op == "leaf" and isinstance(node.key, Register):
        yield from ((node.key, bit) for bit in range(node.width))
    elif node.op == "slice":
        yield from list(_bits(node.args[0]))[node.number : node.number + node.width]
    elif node.op == "cat":
        for part in node.args:
            yield from _bits(part)
    else:
        yield from [None] * node.width


def _used(roots: Sequence[Node], handed_on: Sequence[Node]) -> dict[Register, int]:
    """Per register a mask of the bits that logic looks at; what is only handed on, through wires, is not."""
    masks: dict[Register, int] = {}
    seen: set[int] = set()
    stack = [(node, (1 << node.width) - 1) for node in roots]
    stack += [(arg, (1 << arg.width) - 1) for node in handed_on for arg in _logic_below(node)]
    while stack:
        node, mask = stack.pop()
        if node.op == "leaf" and isinstance(node.key, Register):
            masks[node.key] = masks.get(node.key, 0) | mask
        elif node.op == "slice" and node.args[0].op == "leaf":
            stack.append((node.args[0], ((1 << node.width) - 1) << node.number))
        elif node.serial not in seen:
            seen.add(node.serial)
            stack += [(arg, (1 << arg.width) - 1) for arg in node.args]
    return masks


def _logic_below(node: Node) -> list[Node]:
    """The first expressions below wires that are logic."""
    if node.op in _WIRES:
        return [item for arg in node.args for item in _logic_below(arg)]
    return [] if node.op == "leaf" else [node]
