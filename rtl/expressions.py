"""Combinational logic as a graph of expressions: equal expressions are one node, and simple ones are simplified.

Wide words are concatenations of slices here, not shifts and masks: `trunc(lshr(x, 8))` becomes `x[15:8]` and an OR of
shifted lanes becomes `{c, b, a}`, whatever detour the C++ took.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rtl.ir import Place

__all__ = ["Graph", "Node", "SIGNED_COMPARISONS", "significant_bits", "upper_bound"]

SIGNED_COMPARISONS = frozenset({"slt", "sle"})
_COMMUTATIVE = frozenset({"add", "mul", "and", "or", "xor", "eq", "ne"})


@dataclass(eq=False, slots=True)
class Node:
    """One expression.

    Attributes:
        op: `const`, `leaf` (a register, a stream's data, a memory's output), `slice`, `cat` (operands from low to
            high), `sext`, or an operation.
        width: bits, at least 1.
        args: operands.
        number: of `const` the value, of `slice` the lowest bit.
        key: of `leaf`, what it stands for.
        name: a name from the source, when there is one.
    """

    op: str
    width: int
    args: tuple[Node, ...] = ()
    number: int = 0
    key: object = None
    name: str = ""
    place: Place = field(default_factory=Place)
    serial: int = 0


class Graph:
    """Makes nodes."""

    def __init__(self) -> None:
        self._nodes: dict[tuple[object, ...], Node] = {}

    def __len__(self) -> int:
        """Nodes so far; the next one has this serial."""
        return len(self._nodes)

    # Leaves -----------------------------------------------------------------------------------------------------

    def const(self, width: int, number: int) -> Node:
        """The number modulo 2**width."""
        return self._node("const", width, (), number & ((1 << width) - 1))

    def leaf(self, width: int, key: object, name: str) -> Node:
        """A signal from elsewhere, the same node for the same key."""
        node = self._node("leaf", width, (), 0, key)
        node.name = node.name or name
        return node

    def memory_read(self, width: int, memory: object, address: Node, name: str) -> Node:
        """The word of `memory` at `address`."""
        node = self._node("read", width, (address,), 0, memory)
        node.name = node.name or name
        return node

    # Wiring -----------------------------------------------------------------------------------------------------

    def slice(self, value: Node, low: int, width: int) -> Node:
        """Bits low + width - 1 to low."""
        if low == 0 and width == value.width:
            return value
        if value.op == "const":
            return self.const(width, value.number >> low)
        if value.op == "slice":
            return self.slice(value.args[0], value.number + low, width)
        if value.op == "cat":
            return self._slice_of_cat(value, low, width)
        if value.op == "sext":
            inner = value.args[0]
            if low + width <= inner.width:
                return self.slice(inner, low, width)
            if low < inner.width:
                return self.sext(self.slice(inner, low, inner.width - low), width)
        return self._node("slice", width, (value,), low)

    def _slice_of_cat(self, value: Node, low: int, width: int) -> Node:
        parts, at = [], 0
        for part in value.args:
            first, last = max(low, at), min(low + width, at + part.width)
            if first < last:
                parts.append(self.slice(part, first - at, last - first))
            at += part.width
        return self.cat(parts)

    def cat(self, parts: Sequence[Node]) -> Node:
        """Concatenation, `parts` from the low bits to the high."""
        flat: list[Node] = []
        for part in parts:
            for piece in part.args if part.op == "cat" else (part,):
                joined = self._joined(flat[-1], piece) if flat else None
                if joined is not None:
                    flat[-1] = joined
                else:
                    flat.append(piece)
        if len(flat) == 1:
            return flat[0]
        return self._node("cat", sum(part.width for part in flat), tuple(flat))

    def _joined(self, low: Node, high: Node) -> Node | None:
        """One node for two neighbours, when they are neighbours in their source too."""
        if low.op == "const" and high.op == "const":
            return self.const(low.width + high.width, high.number << low.width | low.number)
        if high.op != "slice":
            return None
        source = high.args[0]
        if low.op == "slice" and low.args[0] is source and low.number + low.width == high.number:
            return self.slice(source, low.number, low.width + high.width)
        return None

    def zext(self, value: Node, width: int) -> Node:
        """Zeros above."""
        if width == value.width:
            return value
        return self.cat([value, self.const(width - value.width, 0)])

    def sext(self, value: Node, width: int) -> Node:
        """Copies of the sign above."""
        if width == value.width:
            return value
        if value.op == "const":
            half = 1 << (value.width - 1)
            return self.const(width, (value.number ^ half) - half)
        if value.op == "cat" and value.args[-1].op == "const" and not value.args[-1].number >> value.args[-1].width - 1:
            return self.zext(value, width)
        if value.op == "sext":
            return self.sext(value.args[0], width)
        return self._node("sext", width, (value,))

    def reverse(self, value: Node) -> Node:
        """Bits in reverse order."""
        return self.cat([self.slice(value, bit, 1) for bit in range(value.width - 1, -1, -1)])

    # Logic ------------------------------------------------------------------------------------------------------

    def inverted(self, value: Node) -> Node:
        """Bitwise not."""
        if value.op == "const":
            return self.const(value.width, ~value.number)
        if value.op == "not":
            return value.args[0]
        opposite = {"eq": "ne", "ne": "eq"}.get(value.op)
        if opposite:
            return self._node(opposite, 1, value.args)
        swapped = {"ult": "ule", "ule": "ult", "slt": "sle", "sle": "slt"}.get(value.op)
        if swapped:
            return self._node(swapped, 1, value.args[::-1])
        return self._node("not", value.width, (value,))

    def bitwise(self, op: str, a: Node, b: Node) -> Node:
        """`and`, `or`, `xor`."""
        if a.op == "const":
            a, b = b, a
        full = (1 << a.width) - 1
        if a is b:
            return self.const(a.width, 0) if op == "xor" else a
        if b.op == "const":
            if b.number == 0:
                return b if op == "and" else a
            if b.number == full:
                return a if op == "and" else b if op == "or" else self.inverted(a)
        if a.width == 1:
            return self._boolean(op, a, b)
        return self._by_parts(op, a, b) or self._binary(op, a.width, a, b)

    def _boolean(self, op: str, a: Node, b: Node) -> Node:
        if op == "xor":
            return self._binary(op, 1, a, b)
        if self.inverted(a) is b:
            return self.const(1, op == "or")
        dual = "or" if op == "and" else "and"
        for x, y in ((a, b), (b, a)):
            if x.op == op and y in x.args:
                return x
            if x.op == op and self.inverted(y) in x.args:
                return self.const(1, op == "or")
            if x.op == dual and y in x.args:
                return y
            if x.op == dual and self.inverted(y) in x.args:  # (x | !y) & y
                rest = x.args[1] if x.args[0] is self.inverted(y) else x.args[0]
                return self.bitwise(op, rest, y)
        if a.op == dual and b.op == dual:
            return self._factored(op, a, b) or self._binary(op, 1, a, b)
        return self._binary(op, 1, a, b)

    def _factored(self, op: str, a: Node, b: Node) -> Node | None:
        """(p & c) | (p & d) = p & (c | d), which matters where c and d are opposites; and the dual."""
        shared = [x for x in a.args if x in b.args]
        if not shared:
            return None
        rest_a = a.args[1] if a.args[0] is shared[0] else a.args[0]
        rest_b = b.args[1] if b.args[0] is shared[0] else b.args[0]
        return self.bitwise(a.op, shared[0], self.bitwise(op, rest_a, rest_b))

    def _by_parts(self, op: str, a: Node, b: Node) -> Node | None:
        """The operation segment by segment, when no segment needs logic (masks, lanes put side by side)."""
        if b.op != "const" and a.op != "cat" and b.op != "cat":
            return None
        edges = sorted({*_edges(a), *_edges(b)})
        if len(edges) > 600:
            return None
        parts = []
        for low, high in zip(edges, edges[1:], strict=False):
            x, y = self.slice(a, low, high - low), self.slice(b, low, high - low)
            if x.op == "const":
                x, y = y, x
            whole = (1 << y.width) - 1
            if y.op != "const" or y.number not in (0, whole):
                return None
            if op == "xor" and y.number:
                parts.append(self.inverted(x))
            elif op == "and":
                parts.append(x if y.number else y)
            else:
                parts.append(y if op == "or" and y.number else x)
        return self.cat(parts)

    def conjunction(self, values: Sequence[Node]) -> Node:
        """And of one-bit values; 1 for none."""
        result = self.const(1, 1)
        for value in values:
            result = self.bitwise("and", result, value)
        return result

    def disjunction(self, values: Sequence[Node]) -> Node:
        """Or of one-bit values; 0 for none."""
        result = self.const(1, 0)
        for value in values:
            result = self.bitwise("or", result, value)
        return result

    def select(self, condition: Node, yes: Node, no: Node) -> Node:
        """condition ? yes : no."""
        if yes is no:
            return yes
        if condition.op == "const":
            return yes if condition.number else no
        if condition.op == "not":
            return self.select(condition.args[0], no, yes)
        if yes.width == 1 and (yes.op == "const" or no.op == "const"):
            if yes.op == "const":
                return (
                    self.bitwise("or", condition, no)
                    if yes.number
                    else self.bitwise("and", self.inverted(condition), no)
                )
            return (
                self.bitwise("or", self.inverted(condition), yes) if no.number else self.bitwise("and", condition, yes)
            )
        if no.op == "select" and no.args[0] is condition:
            no = no.args[2]
        if yes.op == "select" and yes.args[0] is condition:
            yes = yes.args[1]
        if yes is no:
            return yes
        return self._select_parts(condition, yes, no) or self._node("select", yes.width, (condition, yes, no))

    def _select_parts(self, condition: Node, yes: Node, no: Node) -> Node | None:
        """Bits that are the same either way (zeros above, mostly) stay outside."""
        if yes.op == "const" and no.op == "const":
            return self._select_numbers(condition, yes, no)
        if yes.op not in ("cat", "const") or no.op not in ("cat", "const"):
            return None
        edges = sorted({*_edges(yes), *_edges(no)})
        low = high = 0
        while low < yes.width:
            step = next(edge for edge in edges if edge > low)
            if self.slice(yes, low, step - low) is not self.slice(no, low, step - low):
                break
            low = step
        high = yes.width
        while high > low:
            step = max(edge for edge in edges if edge < high)
            if self.slice(yes, step, high - step) is not self.slice(no, step, high - step):
                break
            high = step
        if low == 0 and high == yes.width:
            return None
        middle = self.select(condition, self.slice(yes, low, high - low), self.slice(no, low, high - low))
        parts = [self.slice(yes, 0, low)] if low else []
        parts.append(middle)
        return self.cat([*parts, self.slice(yes, high, yes.width - high)] if high < yes.width else parts)

    def _select_numbers(self, condition: Node, yes: Node, no: Node) -> Node | None:
        """A choice of two numbers that differ in one run of bits is the condition there, and wires elsewhere."""
        different = yes.number ^ no.number
        low, high = (different & -different).bit_length() - 1, different.bit_length()
        run = yes.number >> low & ((1 << high - low) - 1)
        if run not in (0, (1 << high - low) - 1) or different != ((1 << high - low) - 1) << low:
            return None
        middle = self.sext(condition if run else self.inverted(condition), high - low)
        parts = [self.slice(yes, 0, low)] if low else []
        parts.append(middle)
        return self.cat([*parts, self.slice(yes, high, yes.width - high)] if high < yes.width else parts)

    # Arithmetic -------------------------------------------------------------------------------------------------

    def compare(self, predicate: str, a: Node, b: Node) -> Node:
        """LLVM's icmp."""
        if predicate in ("ugt", "uge", "sgt", "sge"):
            return self.compare({"g": "l"}[predicate[1]].join((predicate[0], predicate[2])), b, a)
        if a.op == "const" and b.op == "const":
            return self.const(1, _compare_numbers(predicate, a, b))
        if a is b:
            return self.const(1, predicate in ("eq", "ule", "sle"))
        if a.width == 1:
            return self._compare_bits(predicate, a, b)
        low = min(_constant_bits(a), _constant_bits(b), a.width - 1)
        if low:
            return self._compare_above(predicate, a, b, low)
        return self._trimmed_compare(predicate, a, b)

    def _compare_bits(self, predicate: str, a: Node, b: Node) -> Node:
        """Of single bits; of signed ones 1 is less than 0."""
        if predicate in ("eq", "ne"):
            different = self.bitwise("xor", a, b)
            return different if predicate == "ne" else self.inverted(different)
        if predicate in SIGNED_COMPARISONS:
            a, b = b, a
        return self.bitwise("and" if predicate.endswith("lt") else "or", self.inverted(a), b)

    def _compare_above(self, predicate: str, a: Node, b: Node, low: int) -> Node:
        """The comparison without `low` bits that both have as numbers: what these say decides between equal rests."""
        rest = [self.slice(node, low, node.width - low) for node in (a, b)]
        x, y = (self.slice(node, 0, low).number for node in (a, b))
        if predicate in ("eq", "ne"):
            return self.compare(predicate, *rest) if x == y else self.const(1, predicate == "ne")
        true_when_equal = x < y or x == y and predicate.endswith("le")
        return self.compare(predicate[0] + ("le" if true_when_equal else "lt"), *rest)

    def _trimmed_compare(self, predicate: str, a: Node, b: Node) -> Node:
        """Without the zeros that both have above. Numbers known to be positive compare as unsigned."""
        bits = max(significant_bits(a), significant_bits(b), 1)
        if bits < a.width:
            predicate = predicate.replace("s", "u", 1) if predicate in SIGNED_COMPARISONS else predicate
            return self.compare(predicate, self.slice(a, 0, bits), self.slice(b, 0, bits))
        bits = max(_signed_bits(a), _signed_bits(b))
        if bits < a.width:  # copies of the sign keep every order
            return self.compare(predicate, self.slice(a, 0, bits), self.slice(b, 0, bits))
        known = _compare_bounds(predicate, a, b)
        if known is not None:
            return self.const(1, known)
        low = _undecided_bits(predicate, a, b)
        if low:
            return self.compare(predicate, self.slice(a, low, a.width - low), self.slice(b, low, b.width - low))
        zero = self._against_zero(predicate, a, b)
        if zero is not None:
            return zero
        if predicate == "slt" and b.op == "const" and b.number == 0:
            return self.slice(a, a.width - 1, 1)
        if predicate in ("eq", "ne") and a.op == "const":
            a, b = b, a
        return self._binary(predicate, 1, a, b)

    def _against_zero(self, predicate: str, a: Node, b: Node) -> Node | None:
        """A comparison that only asks whether an unsigned number is 0; None for others."""
        nothing = self.const(a.width, 0)
        known = a.number if a.op == "const" else b.number if b.op == "const" else None
        match predicate, a.op == "const", known:
            case ("ult", True, 0) | ("ule", True, 1):
                return self._binary("ne", 1, b, nothing)
            case ("ult", False, 1) | ("ule", False, 0):
                return self._binary("eq", 1, a, nothing)
        return None

    def arithmetic(self, op: str, a: Node, b: Node) -> Node:
        """`add`, `sub`, `mul`, `udiv`, `sdiv`, `urem`, `srem` at the operands' width."""
        if a.op == "const" and b.op == "const":
            return self.const(a.width, _arithmetic_numbers(op, a, b))
        if a.op == "const" and op in ("add", "mul"):
            a, b = b, a
        if b.op == "const":
            if b.number == 0 and op in ("add", "sub"):
                return a
            if op in ("mul", "udiv") and b.number == 1:
                return a
            if op in ("mul", "udiv", "urem") and b.number and not b.number & (b.number - 1):
                return self._power_of_two(op, a, b.number.bit_length() - 1)
            if op == "mul" and b.number == 0:
                return b
        if op == "sub":
            return self._difference(a, b)
        return self._binary(op, a.width, a, b)

    def _difference(self, a: Node, b: Node) -> Node:
        """a - b: a number where they have the same bits above numbers, as the ends of a range `8 * i + 7, 8 * i`."""
        low = min(_constant_bits(a), _constant_bits(b))
        if a is b:
            return self.const(a.width, 0)
        if low and self.slice(a, low, a.width - low) is self.slice(b, low, b.width - low):
            return self.const(a.width, self.slice(a, 0, low).number - self.slice(b, 0, low).number)
        return self._binary("sub", a.width, a, b)

    def add_or_subtract(self, a: Node, b: Node, subtract: Node) -> Node:
        """subtract ? a - b : a + b, in one carry chain."""
        if subtract.op == "const":
            return self.arithmetic("sub" if subtract.number else "add", a, b)
        return self._node("addsub", a.width, (a, b, subtract))

    def _power_of_two(self, op: str, a: Node, places: int) -> Node:
        if op == "urem":
            return self.zext(self.slice(a, 0, places), a.width) if places else self.const(a.width, 0)
        return self.shift("shl" if op == "mul" else "lshr", a, self.const(a.width, places))

    def shift(self, op: str, value: Node, amount: Node) -> Node:
        """`shl`, `lshr`, `ashr`. Amounts past the width give what the vacant bits are."""
        if amount.op == "const":
            return self._constant_shift(op, value, amount.number)
        bits = significant_bits(amount)
        return self._node(op, value.width, (value, self.slice(amount, 0, max(bits, 1))))

    def _constant_shift(self, op: str, value: Node, places: int) -> Node:
        if places == 0:
            return value
        if op == "ashr":
            places = min(places, value.width - 1)
            return self.sext(self.slice(value, places, value.width - places), value.width)
        if places >= value.width:
            return self.const(value.width, 0)
        kept, zeros = value.width - places, self.const(places, 0)
        if op == "shl":
            return self.cat([zeros, self.slice(value, 0, kept)])
        return self.cat([self.slice(value, places, kept), zeros])

    def ones(self, value: Node, width: int) -> Node:
        """How many bits are set, as a number of `width` bits."""
        if value.op == "const":
            return self.const(width, value.number.bit_count())
        return self._node("ones", width, (value,))

    def leading_zeros(self, value: Node, width: int) -> Node:
        """Zeros above the highest set bit, as a number of `width` bits; the value's width when there is none."""
        if value.width == 1:
            return self.zext(self.inverted(value), width) if width > 1 else self.inverted(value)
        half = 1 << ((value.width - 1).bit_length() - 1)
        high, low = self.slice(value, value.width - half, half), self.slice(value, 0, value.width - half)
        below = self.arithmetic("add", self.leading_zeros(low, width), self.const(width, half))
        empty = self.compare("eq", high, self.const(half, 0))
        return self.select(empty, below, self.leading_zeros(high, width))

    def parity(self, value: Node) -> Node:
        """Exclusive or of all bits."""
        return self._node("parity", 1, (value,))

    # Nodes ------------------------------------------------------------------------------------------------------

    def _binary(self, op: str, width: int, a: Node, b: Node) -> Node:
        if op in _COMMUTATIVE and b.op != "const" and (a.op == "const" or a.serial > b.serial):
            a, b = b, a
        return self._node(op, width, (a, b))

    def rebuilt(self, node: Node, args: Sequence[Node]) -> Node:
        """The same operation on other operands of the same widths, as it stands."""
        copy = self._node(node.op, node.width, tuple(args), node.number, node.key)
        if copy is not node:
            copy.name, copy.place = copy.name or node.name, copy.place if copy.place.line else node.place
        return copy

    def _node(self, op: str, width: int, args: tuple[Node, ...], number: int = 0, key: object = None) -> Node:
        identity = (op, width, number, key, *(arg.serial for arg in args))
        node = self._nodes.get(identity)
        if node is None:
            node = Node(op, width, args, number, key, serial=len(self._nodes))
            self._nodes[identity] = node
        return node


def significant_bits(node: Node) -> int:
    """No bit at or above this one is ever set."""
    return upper_bound(node).bit_length()


def upper_bound(node: Node, depth: int = 6) -> int:
    """A number that the expression, read as unsigned, never exceeds."""
    full = (1 << node.width) - 1
    if node.op == "const":
        return node.number
    if node.op == "cat":
        top, at = 0, 0
        for part in node.args:
            top += upper_bound(part, depth - 1) << at if depth else ((1 << part.width) - 1) << at
            at += part.width
        return top
    if depth == 0:
        return full
    if node.op == "select":
        return max(upper_bound(node.args[1], depth - 1), upper_bound(node.args[2], depth - 1))
    if node.op == "and":
        return min(upper_bound(arg, depth - 1) for arg in node.args)
    if node.op in ("or", "xor"):
        return (1 << max(significant_bits(arg) for arg in node.args)) - 1
    if node.op in ("add", "mul"):
        a, b = (upper_bound(arg, depth - 1) for arg in node.args)
        return (
            min(full, a + b if node.op == "add" else a * b) if (a + b if node.op == "add" else a * b) <= full else full
        )
    if node.op == "urem" and node.args[1].op == "const" and node.args[1].number:
        return node.args[1].number - 1
    if node.op == "udiv" and node.args[1].op == "const" and node.args[1].number:
        return upper_bound(node.args[0], depth - 1) // node.args[1].number
    if node.op == "lshr":
        return upper_bound(node.args[0], depth - 1)
    if node.op == "ones":
        return min(full, node.args[0].width)
    return full


def _signed_bits(node: Node) -> int:
    """Bits that hold the expression as a signed number."""
    if node.op == "sext":
        return node.args[0].width
    if node.op == "const":
        return min(node.width, max(_signed_number(node).bit_length(), (~_signed_number(node)).bit_length()) + 1)
    return min(node.width, significant_bits(node) + 1)


def _edges(node: Node) -> list[int]:
    """Bit positions between the parts of a concatenation, or between the runs of equal bits of a constant."""
    if node.op == "cat":
        edges = [0]
        for part in node.args:
            edges += [edges[-1] + edge for edge in _edges(part)[1:]] if part.op == "const" else [edges[-1] + part.width]
        return edges
    if node.op == "const":
        changes = node.number ^ (node.number >> 1)
        found = [bit + 1 for bit in range(node.width - 1) if changes >> bit & 1]
        return [0, *found, node.width]
    return [0, node.width]


def _constant_bits(node: Node) -> int:
    """Lowest bits that are a number."""
    lowest = node.args[0] if node.op == "cat" else node
    return lowest.width if lowest.op == "const" else 0


def _signed_number(node: Node) -> int:
    half = 1 << (node.width - 1)
    return (node.number ^ half) - half


def _compare_numbers(predicate: str, a: Node, b: Node) -> bool:
    if predicate in SIGNED_COMPARISONS:
        x, y = _signed_number(a), _signed_number(b)
        return x < y if predicate == "slt" else x <= y
    x, y = a.number, b.number
    return {"eq": x == y, "ne": x != y, "ult": x < y, "ule": x <= y}[predicate]


def _undecided_bits(predicate: str, a: Node, b: Node) -> int:
    """Lowest bits without a say in comparing with a number: x < 8 is x[..:3] < 1, and 7 < x is 0 < x[..:3]."""
    if predicate in ("eq", "ne") or (a.op == "const") == (b.op == "const"):
        return 0
    number = a.number if a.op == "const" else b.number
    if (a.op == "const") == predicate.endswith("lt"):
        number += 1  # the ones at its end
    return min((number & -number).bit_length() - 1, a.width - 1) if number else 0


def _compare_bounds(predicate: str, a: Node, b: Node) -> bool | None:
    """An unsigned comparison that the largest possible values decide."""
    least_a, least_b = (node.number if node.op == "const" else 0 for node in (a, b))
    most_a, most_b = upper_bound(a), upper_bound(b)
    match predicate:
        case "ult":
            return True if most_a < least_b else False if least_a >= most_b else None
        case "ule":
            return True if most_a <= least_b else False if least_a > most_b else None
        case "eq" | "ne" if most_a < least_b or most_b < least_a:
            return predicate == "ne"
    return None


def _arithmetic_numbers(op: str, a: Node, b: Node) -> int:
    if op in ("add", "sub", "mul"):
        return {"add": a.number + b.number, "sub": a.number - b.number, "mul": a.number * b.number}[op]
    if b.number == 0:
        return 0
    if op in ("udiv", "urem"):
        return a.number // b.number if op == "udiv" else a.number % b.number
    x, y = _signed_number(a), _signed_number(b)
    quotient = abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)
    return quotient if op == "sdiv" else x - quotient * y
