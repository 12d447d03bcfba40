"""How many bits an expression's value really takes, as an unsigned and as a signed number.

LLVM widens what the C++ wrote with 17 or 50 bits to 32 or 64; synthesis tools find the zeros and the copies of the sign
again. So does this module, for the delays: it changes no expression.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rtl.expressions import Node

__all__ = ["Widths", "known_widths"]

_ROUNDS = 4  # after which a register that still grows is taken for a counter, where no register only hands on another


@dataclass(frozen=True)
class Widths:
    """Bits that hold a value.

    Attributes:
        unsigned: no bit at or above this one is ever set.
        signed: the bits above the highest of these are copies of it.
    """

    unsigned: int
    signed: int

    @property
    def least(self) -> int:
        """Bits of the shorter of the two, at least 1."""
        return max(min(self.unsigned, self.signed), 1)

    @property
    def is_signed(self) -> bool:
        """It is shorter as a signed number."""
        return self.signed < self.unsigned


def known_widths(
    nodes: Mapping[int, Node], registers: Mapping[object, Sequence[Node]], stages: int = 1
) -> dict[int, Widths]:
    """For every expression its widths.

    Args:
        nodes: by serial, with the operands of each and the values of the registers.
        registers: what each register is ever set to. A register is as wide as the widest of these; one that keeps
            growing, a counter, has its full width.
        stages: registers in a row that may hand a value on.
    """
    rounds = _ROUNDS * stages
    assumed = {register: Widths(0, 1) for register in registers}
    for round_number in range(rounds + 1):
        found = _expressions(nodes, assumed)
        grown = {register: _widest([found[value.serial] for value in registers[register]]) for register in assumed}
        changed = [register for register in assumed if grown[register] != assumed[register]]
        if not changed:
            return found
        for register in changed:
            if round_number < rounds - 1:
                assumed[register] = grown[register]
            else:
                del assumed[register]
    return known_widths(nodes, {register: registers[register] for register in assumed}, stages)


def _widest(items: Sequence[Widths]) -> Widths:
    return Widths(max((item.unsigned for item in items), default=0), max((item.signed for item in items), default=1))


def _expressions(nodes: Mapping[int, Node], registers: Mapping[object, Widths]) -> dict[int, Widths]:
    """Widths of all expressions, given those of registers; a register that is not named has its full width."""
    found: dict[int, Widths] = {}
    for serial in sorted(nodes):
        node = nodes[serial]
        if node.op == "leaf" and node.key in registers:
            found[serial] = registers[node.key]
            continue
        unsigned, signed = _widths(node, [found[arg.serial] for arg in node.args])
        unsigned = max(min(unsigned, node.width), 0)
        signed = min(signed, node.width, unsigned + 1)
        found[serial] = Widths(unsigned, max(signed, 1))
    return found


def _widths(node: Node, args: list[Widths]) -> tuple[int, int]:
    """Unsigned and signed bits; what is too large is cut to the expression's width by the caller."""
    width = node.width
    match node.op:
        case "const":
            negative = node.number >> (width - 1)
            rest = node.number ^ ((1 << width) - 1) if negative else node.number
            return node.number.bit_length(), rest.bit_length() + 1
        case "cat":
            return _of_cat(node, args)
        case "slice":
            return args[0].unsigned - node.number, args[0].signed - node.number
        case "sext":
            positive = args[0].unsigned < node.args[0].width
            return args[0].unsigned if positive else width, args[0].signed
        case "add":
            return max(item.unsigned for item in args) + 1, max(item.signed for item in args) + 1
        case "sub":
            return width, max(item.signed for item in args) + 1
        case "mul":
            return args[0].unsigned + args[1].unsigned, args[0].signed + args[1].signed
        case "and":
            return min(item.unsigned for item in args), max(item.signed for item in args)
        case "or" | "xor":
            return max(item.unsigned for item in args), max(item.signed for item in args)
        case "not":
            return width, args[0].signed
        case "select":
            return max(args[1].unsigned, args[2].unsigned), max(args[1].signed, args[2].signed)
        case "ashr":
            return args[0].unsigned, args[0].signed
        case "lshr" | "udiv" | "urem":
            return args[0].unsigned, width
        case "ones":
            return node.args[0].width.bit_length(), width
    return width, width


def _of_cat(node: Node, args: list[Widths]) -> tuple[int, int]:
    unsigned = at = 0
    for part, item in zip(node.args, args, strict=True):
        if item.unsigned:
            unsigned = at + item.unsigned
        at += part.width
    return unsigned, at - node.args[-1].width + args[-1].signed
