"""LLVM's integer operations as expressions."""

from __future__ import annotations

from collections.abc import Sequence

from rtl.errors import CompileError
from rtl.expressions import Graph, Node
from rtl.ir import Instruction

__all__ = ["evaluate"]

_ARITHMETIC = frozenset(["add", "sub", "mul", "udiv", "sdiv", "urem", "srem"])
_BITWISE = frozenset(["and", "or", "xor"])
_SHIFTS = frozenset(["shl", "lshr", "ashr"])
_EXTREMES = {"umin": "ult", "umax": "ugt", "smin": "slt", "smax": "sgt"}


def evaluate(graph: Graph, instruction: Instruction, args: Sequence[Node]) -> Node:
    """The expression for `instruction` with operands `args`.

    Raises:
        CompileError: an operation without hardware.
    """
    op = instruction.op
    if op in _ARITHMETIC:
        return graph.arithmetic(op, args[0], args[1])
    if op in _BITWISE:
        return graph.bitwise(op, args[0], args[1])
    if op in _SHIFTS:
        return graph.shift(op, args[0], args[1])
    if op in _EXTREMES:
        return graph.select(graph.compare(_EXTREMES[op], args[0], args[1]), args[0], args[1])
    match op:
        case "icmp":
            return graph.compare(instruction.predicate, args[0], args[1])
        case "select":
            return graph.select(args[0], args[1], args[2])
        case "freeze":
            return args[0]
        case "zext":
            return graph.zext(args[0], instruction.width)
        case "sext":
            return graph.sext(args[0], instruction.width)
        case "trunc":
            if instruction.width == 1 and args[0].op == "ones":
                return graph.parity(args[0].args[0])
            return graph.slice(args[0], 0, instruction.width)
        case "ctpop":
            return graph.ones(args[0], instruction.width)
        case "ctlz":
            return graph.leading_zeros(args[0], instruction.width)
        case "cttz":
            return graph.leading_zeros(graph.reverse(args[0]), instruction.width)
        case "bitreverse":
            return graph.reverse(args[0])
        case "bswap":
            return graph.cat([graph.slice(args[0], low, 8) for low in range(args[0].width - 8, -8, -8)])
        case "abs":
            zero = graph.const(args[0].width, 0)
            negative = graph.compare("slt", args[0], zero)
            return graph.select(negative, graph.arithmetic("sub", zero, args[0]), args[0])
        case "fshl" | "fshr":
            return _funnel(graph, op, args)
        case "ucmp" | "scmp":
            return _three_way(graph, op, args, instruction.width)
    if op.endswith(".sat"):
        return _saturated(graph, op, args)
    raise CompileError(instruction.place.file, instruction.place.line, f"LLVM's '{op}' has no hardware here")


def _funnel(graph: Graph, op: str, args: Sequence[Node]) -> Node:
    """The high (fshl) or low (fshr) half of {args[0], args[1]} shifted by args[2] modulo the width."""
    width = args[0].width
    both = graph.cat([args[1], args[0]])
    places = graph.zext(graph.arithmetic("urem", args[2], graph.const(width, width)), 2 * width)
    if op == "fshl":
        return graph.slice(graph.shift("shl", both, places), width, width)
    return graph.slice(graph.shift("lshr", both, places), 0, width)


def _three_way(graph: Graph, op: str, args: Sequence[Node], width: int) -> Node:
    sign = op[0]
    below = graph.compare(f"{sign}lt", args[0], args[1])
    above = graph.compare(f"{sign}gt", args[0], args[1])
    return graph.select(below, graph.const(width, -1), graph.zext(above, width) if width > 1 else above)


def _saturated(graph: Graph, op: str, args: Sequence[Node]) -> Node:
    """`usub.sat` and its relatives: computed with one more bit, then clamped."""
    width = args[0].width
    signed = op[0] == "s"
    extend = graph.sext if signed else graph.zext
    wide = graph.arithmetic(op[1:4], extend(args[0], width + 1), extend(args[1], width + 1))
    if not signed:
        limit = graph.const(width, 0 if op[1:4] == "sub" else -1)
        return graph.select(graph.slice(wide, width, 1), limit, graph.slice(wide, 0, width))
    overflow = graph.bitwise("xor", graph.slice(wide, width, 1), graph.slice(wide, width - 1, 1))
    largest = graph.const(width, (1 << (width - 1)) - 1)
    smallest = graph.const(width, 1 << (width - 1))
    limit = graph.select(graph.slice(wide, width, 1), smallest, largest)
    return graph.select(overflow, limit, graph.slice(wide, 0, width))
