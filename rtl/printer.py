"""Expressions as SystemVerilog text: what is used twice, or sliced, or long, becomes a named wire."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import PurePath

from rtl.expressions import Node
from rtl.ir import Place
from rtl.names import Namespace

__all__ = ["Printer", "dimension", "source_comment"]

_INFIX = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "and": "&",
    "or": "|",
    "xor": "^",
    "eq": "==",
    "ne": "!=",
    "ult": "<",
    "ule": "<=",
    "udiv": "/",
    "urem": "%",
    "shl": "<<",
    "lshr": ">>",
}
_SIGNED_INFIX = {"slt": "<", "sle": "<=", "sdiv": "/", "srem": "%"}
_ALWAYS_NAMED = frozenset({"mul", "addsub", "udiv", "urem", "sdiv", "srem", "ashr", "ones", "read", "select"})
_LONGEST_INLINE = 48


def dimension(width: int) -> str:
    """`[7:0] `, or nothing for one bit."""
    return f"[{width - 1}:0] " if width > 1 else ""


def source_comment(place: Place) -> str:
    """`  // file.cpp:12`, or nothing."""
    return f"  // {PurePath(place.file).name}:{place.line}" if place.line else ""


class Printer:
    """Turns the expressions that are needed into wires.

    Args:
        namespace: for the wires' names.
        leaf: of a `leaf` node's signal the name, the node's bit that is the signal's bit 0, and the width.
        memory: name of a `read` node's memory, and whether it is a single register.
    """

    def __init__(
        self,
        namespace: Namespace,
        leaf: Callable[[Node], tuple[str, int, int]],
        memory: Callable[[Node], tuple[str, bool]],
    ) -> None:
        self._namespace = namespace
        self._leaf = leaf
        self._memory = memory
        self._uses: dict[int, int] = {}
        self._sliced: set[int] = set()
        self._names: dict[int, str] = {}
        self._texts: dict[int, str] = {}
        self._seen: dict[str, int] = {}
        self.widths: dict[str, int] = {}
        self.lines: list[str] = []

    def prepare(self, roots: Iterable[Node]) -> None:
        """Declares a wire for every expression below `roots` that needs one."""
        nodes: dict[int, Node] = {}
        stack = list(roots)
        for root in stack:
            self._uses[root.serial] = self._uses.get(root.serial, 0) + 1
        while stack:
            node = stack.pop()
            if node.serial in nodes:
                continue
            nodes[node.serial] = node
            for arg in node.args:
                self._uses[arg.serial] = self._uses.get(arg.serial, 0) + 1
                stack.append(arg)
            if node.op == "slice" or node.op == "sext" and node.args[0].op != "slice":
                self._sliced.add(node.args[0].serial)
        for serial in sorted(nodes):
            self._declare(nodes[serial])

    def text(self, node: Node) -> str:
        """The expression; a name wherever `prepare` gave it one."""
        name = self._names.get(node.serial)
        if name is not None:
            self._see(name, (1 << node.width) - 1)
            return name
        if node.serial not in self._texts:
            self._texts[node.serial] = self._render(node)
        return self._texts[node.serial]

    def unseen(self, name: str, width: int) -> list[tuple[int, int]]:
        """Ranges (high, low) of a signal's bits that no expression looks at."""
        seen = self._seen.get(name, 0)
        ranges: list[tuple[int, int]] = []
        for bit in range(width):
            if seen >> bit & 1:
                continue
            if ranges and ranges[-1][0] == bit - 1:
                ranges[-1] = (bit, ranges[-1][1])
            else:
                ranges.append((bit, bit))
        return ranges

    # --------------------------------------------------------------------------------------------------------------

    def _declare(self, node: Node) -> None:
        if node.op == "const":
            return
        if node.op == "leaf":
            self._names[node.serial] = self._leaf(node)[0]
            return
        if not self._needs_name(node):
            return
        text = self._render(node)
        name = self._namespace.unique(node.name or node.op)
        self.lines.append(f"  wire {dimension(node.width)}{name} = {text};{source_comment(node.place)}")
        self._names[node.serial] = name
        self.widths[name] = node.width

    def _needs_name(self, node: Node) -> bool:
        if node.op == "read" and self._memory(node)[1]:
            return False
        if node.serial in self._sliced and node.width > 1:
            return True
        if node.op in ("slice", "not") and len(node.args[0].args) < 1:
            return False
        if self._uses[node.serial] > 1:
            return node.op != "slice"
        if node.op in _ALWAYS_NAMED:
            return True
        text = self._texts[node.serial] = self._render(node)
        return len(text) > _LONGEST_INLINE and node.op != "cat"

    def _see(self, name: str, mask: int) -> None:
        self._seen[name] = self._seen.get(name, 0) | mask

    def _operand(self, node: Node) -> str:
        """Text that any operator can stand next to."""
        text = self.text(node)
        plain = node.serial in self._names or node.op in (
            "const",
            "slice",
            "cat",
            "read",
            "sext",
            "leaf",
            "not",
            "parity",
        )
        return text if plain else f"({text})"

    def _base(self, node: Node) -> str:
        """Name of a signal that is about to be sliced."""
        if node.op == "read" and self._memory(node)[1]:
            return self._memory(node)[0]
        return self._names[node.serial]

    def _render(self, node: Node) -> str:
        op, args = node.op, node.args
        if op == "const":
            return _literal(node)
        if op in _INFIX:
            if op == "mul":
                return " * ".join(self._factor(arg) for arg in args)
            return f"{self._operand(args[0])} {_INFIX[op]} {self._operand(args[1])}"
        if op in _SIGNED_INFIX:
            return f"$signed({self.text(args[0])}) {_SIGNED_INFIX[op]} $signed({self.text(args[1])})"
        match op:
            case "addsub":
                return self._render_add_or_subtract(node)
            case "slice":
                return self._render_slice(node)
            case "cat":
                return self._render_cat(node)
            case "sext":
                return self._render_sext(node)
            case "not":
                return f"~{self._operand(args[0])}"
            case "select":
                return f"{self._operand(args[0])} ? {self._operand(args[1])} : {self._operand(args[2])}"
            case "ashr":
                return f"$signed({self.text(args[0])}) >>> {self._operand(args[1])}"
            case "ones":
                return f"{node.width}'($countones({self.text(args[0])}))"
            case "parity":
                return f"^{self._operand(args[0])}"
            case "read":
                name, single = self._memory(node)
                if single:
                    self._see(name, (1 << node.width) - 1)
                return name if single else f"{name}[{self.text(args[0])}]"
        raise AssertionError(op)

    def _factor(self, node: Node) -> str:
        """A factor as a signed number of no more bits than it needs: a DSP slice multiplies 27 by 18 signed bits.

        The product's bits below its width are the same whatever sign the factors are read with.
        """
        if node.op == "sext":
            return f"{node.width}'($signed({self.text(node.args[0])}))"
        if node.op == "cat" and node.args[-1].op == "const" and not node.args[-1].number:
            parts = ", ".join(self.text(part) for part in reversed(node.args[:-1]))
            return f"{node.width}'($signed({{1'b0, {parts}}}))"
        return f"$signed({self.text(node)})"

    def _render_add_or_subtract(self, node: Node) -> str:
        """a + b, or a + ~b + 1: the lowest place makes the carry, so that one carry chain does both."""
        a, b, subtract = (self.text(arg) for arg in node.args)
        flipped = f"{{{b}, 1'b0}} ^ {{{node.width + 1}{{{subtract}}}}}"
        return f"{node.width}'(({{{a}, 1'b1}} + ({flipped})) >> 1)"

    def _render_slice(self, node: Node) -> str:
        return self._bits(node.args[0], node.number, node.width)

    def _bits(self, base: Node, low: int, width: int) -> str:
        """Bits of a named expression."""
        name, whole = self._base(base), base.width
        if base.op == "leaf":
            _, first, whole = self._leaf(base)
            low -= first
        self._see(name, ((1 << width) - 1) << low)
        if width == whole:
            return name
        return f"{name}[{low}]" if width == 1 else f"{name}[{low + width - 1}:{low}]"

    def _render_cat(self, node: Node) -> str:
        texts = [self.text(part) for part in reversed(node.args)]
        lines, line = [], ""
        for text in texts:
            if line and len(line) + len(text) > 100:
                lines.append(line)
                line = ""
            line += f"{', ' if line else ''}{text}"
        return "{" + ",\n      ".join([*lines, line]) + "}"

    def _render_sext(self, node: Node) -> str:
        inner = node.args[0]
        copies = node.width - inner.width
        text = self.text(inner)
        if inner.width == 1:
            sign = text
        elif inner.op == "slice":
            sign = self._bits(inner.args[0], inner.number + inner.width - 1, 1)
        else:
            sign = self._bits(inner, inner.width - 1, 1)
        return f"{{{{{copies}{{{sign}}}}}, {text}}}"


def _literal(node: Node) -> str:
    if node.width == 1:
        return f"1'b{node.number}"
    if node.number < 10:
        return f"{node.width}'d{node.number}"
    return f"{node.width}'h{node.number:x}"
