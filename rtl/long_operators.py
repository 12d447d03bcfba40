"""Operators that are longer than the clock are taken apart into small ones, which the scheduler spreads over stages.

A product becomes products of a DSP slice's size and their sums, a division a conditional subtraction per bit of the
quotient (non-restoring division, Koren, "Computer Arithmetic Algorithms", 2002, chapter 3), a shift by a number one of
four ways at a time, a count of bits the sum of the halves' counts. All that follows sees plain operators.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from rtl import delays
from rtl.expressions import Graph, Node
from rtl.kept import Kept
from rtl.process import Process, Step
from rtl.timing_analysis import NodeDelays, register_values
from rtl.widths import Widths

__all__ = ["LongOperators"]

_SHIFTS = frozenset({"shl", "lshr", "ashr"})
_DIVISIONS = frozenset({"udiv", "sdiv", "urem", "srem"})
_SHIFT_BITS = 2  # of a shift's amount that a LUT takes


class LongOperators:
    """The operators of a process that do not fit into a clock.

    Args:
        process: not pipelined yet.
        depths: words of the FIFO behind each port, by the port's name.
        limit_ns: what logic is given between two registers, in nanoseconds.

    Attributes:
        found: the operators, with what each takes from a register on, in nanoseconds.
    """

    def __init__(self, process: Process, depths: Mapping[str, int], limit_ns: float) -> None:
        kept = Kept(process)
        roots = [node for step in process.steps for end in kept.ends(step) for node in (end.enable, *end.values)]
        self._process, self._limit = process, limit_ns
        self._costs = NodeDelays(roots, register_values(process), depths)
        self.found: dict[Node, float] = {}
        for node in self._costs.nodes.values():
            if node.op in ("mul", "ones") or node.op in _SHIFTS or node.op in _DIVISIONS:
                time = delays.register_output().delay_ns + self._costs.operator(node).delay_ns
                if time > limit_ns:
                    self.found[node] = time

    def take_apart(self, chosen: Collection[Node]) -> None:
        """Rewrites the process without these operators; its values stay the same."""
        rewriter = _Rewriter(self._process.graph, self._costs, {node.serial for node in chosen}, self._limit)
        for step in self._process.steps:
            _rewrite(step, rewriter)


def _rewrite(step: Step, rewriter: _Rewriter) -> None:
    new = rewriter.rewritten
    step.accesses[:] = [
        replace(item, condition=new(item.condition), data=None if item.data is None else new(item.data))
        for item in step.accesses
    ]
    step.writes[:] = [
        replace(item, condition=new(item.condition), address=new(item.address), data=new(item.data))
        for item in step.writes
    ]
    step.updates[:] = [replace(item, condition=new(item.condition), value=new(item.value)) for item in step.updates]
    step.reads[:] = [replace(item, word=new(item.word), condition=new(item.condition)) for item in step.reads]
    step.exits[:] = [replace(item, condition=new(item.condition)) for item in step.exits]
    step.ready = None if step.ready is None else new(step.ready)


class _Rewriter:
    """Makes expressions anew, the chosen operators of them in pieces."""

    def __init__(self, graph: Graph, costs: NodeDelays, chosen: Collection[int], limit: float) -> None:
        self._graph, self._costs, self._chosen, self._limit = graph, costs, chosen, limit
        self._made: dict[int, Node] = {}

    def rewritten(self, node: Node) -> Node:
        """The expression without chosen operators."""
        stack = [node]
        while stack:
            item = stack[-1]
            missing = [arg for arg in item.args if arg.serial not in self._made]
            if missing:
                stack += missing
                continue
            stack.pop()
            if item.serial not in self._made:
                self._made[item.serial] = self._make(item, [self._made[arg.serial] for arg in item.args])
        return self._made[node.serial]

    def _make(self, node: Node, args: Sequence[Node]) -> Node:
        if node.serial in self._chosen:
            first = len(self._graph)
            result = self._pieces(node, args)
            _place(result, node, first)
            return result
        if all(new is old for new, old in zip(args, node.args, strict=True)):
            return node
        match node.op:
            case "slice":
                return self._graph.slice(args[0], node.number, node.width)
            case "cat":
                return self._graph.cat(args)
            case "sext":
                return self._graph.sext(args[0], node.width)
            case "not":
                return self._graph.inverted(args[0])
        return self._graph.rebuilt(node, args)

    def _pieces(self, node: Node, args: Sequence[Node]) -> Node:
        graph = self._graph
        if node.op == "ones":
            return graph.zext(self._ones(args[0]), node.width)
        if node.op in _SHIFTS:
            return _shifted(graph, node.op, args[0], args[1])
        widths = [self._costs.widths(arg) for arg in node.args]
        if node.op == "mul":
            return _product(graph, args, widths, self._costs.looked_at(node))
        return _division(graph, node.op, args, widths)

    def _ones(self, value: Node) -> Node:
        """How many bits are set, as a number that just has room for it."""
        graph, bits = self._graph, value.width.bit_length()
        time = delays.register_output().delay_ns + delays.population_count(value.width).delay_ns
        if time <= self._limit or value.width <= 2:
            return graph.ones(value, bits)
        half = value.width // 2
        parts = (graph.slice(value, 0, half), graph.slice(value, half, value.width - half))
        counts = [graph.zext(self._ones(part), bits) for part in parts]
        return graph.arithmetic("add", counts[0], counts[1])


def _place(result: Node, node: Node, first: int) -> None:
    """The pieces, whose numbers begin at `first`, stand in the line of the operator."""
    result.name = result.name or node.name
    stack = [result]
    while stack:
        piece = stack.pop()
        if piece.serial >= first and not piece.place.line:
            piece.place = node.place
            stack += piece.args


def _shifted(graph: Graph, op: str, value: Node, amount: Node) -> Node:
    """A shift by two bits of the amount at a time."""
    for low in range(0, amount.width, _SHIFT_BITS):
        part = graph.slice(amount, low, min(_SHIFT_BITS, amount.width - low))
        value = graph.shift(op, value, graph.cat([graph.const(low, 0), part]) if low else part)
    return value


# Products -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    """Part of a sum: `value` times 2**low, as a signed or unsigned number."""

    low: int
    value: Node
    signed: bool

    @property
    def high(self) -> int:
        """The bit above its highest."""
        return self.low + self.value.width


def _product(graph: Graph, args: Sequence[Node], widths: Sequence[Widths], wanted: int) -> Node:
    """The lowest `wanted` bits of a product; zeros above."""
    factors = [_factor(graph, arg, width, wanted) for arg, width in zip(args, widths, strict=True)]
    ways = [
        [_split(graph, factor, size) for factor, size in zip(factors, sizes, strict=True)]
        for sizes in (delays.DSP_BITS, delays.DSP_BITS[::-1])
    ]
    pairs = min(([(a, b) for a in way[0] for b in way[1] if a.low + b.low < wanted] for way in ways), key=len)
    rows = [_partial(graph, a, b, wanted) for a, b in pairs]
    rows = _joined(graph, [row for row in rows if row.value.op != "const" or row.value.number])
    while len(rows) > 1:
        couples = zip_longest(rows[::2], rows[1::2])
        rows = [_sum(graph, first, second, wanted) if second else first for first, second in couples]
    if not rows:
        return graph.const(args[0].width, 0)
    value = _extended(graph, rows[0], wanted - rows[0].low)
    whole = graph.cat([graph.const(rows[0].low, 0), value]) if rows[0].low else value
    return graph.zext(whole, args[0].width)


def _factor(graph: Graph, arg: Node, widths: Widths, wanted: int) -> _Row:
    """A factor without the bits that say nothing; of a product that is cut to its width the sign does not matter."""
    if widths.least > wanted:
        return _Row(0, graph.slice(arg, 0, wanted), False)
    return _Row(0, graph.slice(arg, 0, widths.least), widths.is_signed)


def _split(graph: Graph, factor: _Row, size: int) -> list[_Row]:
    """A factor in pieces that go into a port of a DSP slice, which takes so many signed bits."""
    pieces, low = [], 0
    while factor.value.width - low > (size if factor.signed else size - 1):
        pieces.append(_Row(low, graph.slice(factor.value, low, size - 1), False))
        low += size - 1
    return [*pieces, _Row(low, graph.slice(factor.value, low, factor.value.width - low), factor.signed)]


def _partial(graph: Graph, first: _Row, second: _Row, wanted: int) -> _Row:
    width, low = first.value.width + second.value.width, first.low + second.low
    product = graph.arithmetic("mul", _extended(graph, first, width), _extended(graph, second, width))
    kept = min(width, wanted - low)
    return _Row(low, graph.slice(product, 0, kept), first.signed or second.signed)


def _extended(graph: Graph, row: _Row, width: int) -> Node:
    if width <= row.value.width:
        return graph.slice(row.value, 0, width)
    return graph.sext(row.value, width) if row.signed else graph.zext(row.value, width)


def _joined(graph: Graph, rows: Sequence[_Row]) -> list[_Row]:
    """Rows that do not overlap side by side, as one row."""
    found: list[_Row] = []
    for row in sorted(rows, key=lambda item: item.low):
        below = [other for other in found if other.high <= row.low and not other.signed]
        if not below:
            found.append(row)
            continue
        other = max(below, key=lambda item: item.high)
        gap = [graph.const(row.low - other.high, 0)] if row.low > other.high else []
        found[found.index(other)] = _Row(other.low, graph.cat([other.value, *gap, row.value]), row.signed)
    return sorted(found, key=lambda item: item.low)


def _sum(graph: Graph, first: _Row, second: _Row, wanted: int) -> _Row:
    """Both rows together; the lower bits of `first`, which begins below `second`, take no part in the sum."""
    apart = second.low - first.low
    if apart >= first.value.width and not first.signed:
        return _joined(graph, [first, second])[0]
    signed = first.signed or second.signed
    above = first if not apart else _Row(second.low, _above(graph, first, apart), first.signed)
    room = max(row.value.width + (signed and not row.signed) for row in (above, second)) + 1
    width = min(room, wanted - second.low)
    total = graph.arithmetic("add", _extended(graph, above, width), _extended(graph, second, width))
    below = [_extended(graph, first, apart)] if apart else []
    return _Row(first.low, graph.cat([*below, total]), signed)


def _above(graph: Graph, row: _Row, low: int) -> Node:
    wide = _extended(graph, row, max(row.value.width, low + 1))
    return graph.slice(wide, low, wide.width - low)


# Divisions ----------------------------------------------------------------------------------------------------------


def _division(graph: Graph, op: str, args: Sequence[Node], widths: Sequence[Widths]) -> Node:
    """Quotient or remainder, truncated towards zero. Divided by zero: a quotient of ones, the dividend as remainder."""
    signed = op in ("sdiv", "srem")
    (dividend, minus), (divisor, other) = (
        _magnitude(graph, arg, width, signed) for arg, width in zip(args, widths, strict=True)
    )
    quotient, remainder = _long_division(graph, dividend, divisor)
    negative = minus if op in ("urem", "srem") else graph.bitwise("xor", minus, other)
    result = remainder if op in ("urem", "srem") else quotient
    width = args[0].width
    if negative.op == "const" and not negative.number:
        return graph.zext(result, width)
    bits = min(result.width + 1, width)
    return graph.sext(graph.add_or_subtract(graph.const(bits, 0), graph.zext(result, bits), negative), width)


def _magnitude(graph: Graph, value: Node, widths: Widths, signed: bool) -> tuple[Node, Node]:
    """A number without its sign, in as few bits as hold it, and the sign."""
    if not signed or widths.unsigned < value.width:
        return graph.slice(value, 0, max(widths.unsigned, 1)), graph.const(1, 0)
    low = graph.slice(value, 0, widths.signed)
    negative = graph.slice(low, low.width - 1, 1)
    return graph.add_or_subtract(graph.const(low.width, 0), low, negative), negative


def _long_division(graph: Graph, dividend: Node, divisor: Node) -> tuple[Node, Node]:
    """Quotient and remainder of unsigned numbers.

    Invariant: the remainder of the bits so far is `rest`, or `rest + divisor` where `rest` is negative.
    """
    bits = divisor.width
    wide = graph.zext(divisor, bits + 1)
    rest, negative, digits = graph.const(bits + 1, 0), graph.const(1, 0), list[Node]()
    for bit in reversed(range(dividend.width)):
        shifted = graph.cat([graph.slice(dividend, bit, 1), graph.slice(rest, 0, bits)])
        rest = graph.add_or_subtract(shifted, wide, graph.inverted(negative))
        negative = graph.slice(rest, bits, 1)
        digits.append(graph.inverted(negative))
    low = graph.slice(rest, 0, bits)
    remainder = graph.select(negative, graph.arithmetic("add", low, divisor), low)
    kept = min(bits, dividend.width)
    return graph.cat(digits[::-1]), graph.slice(remainder, 0, kept)
