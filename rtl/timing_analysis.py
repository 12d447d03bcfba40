"""How long the logic of a step takes: arrival times through the expression graph, and the longest chain.

A chain begins at the clock, in a register, a stream's word or flag or a memory's word, and ends in a register, a memory
or a stream. Delays are those of `rtl.delays`. Widths are those that matter: bits above the highest that anybody looks
at, and bits that are known to be zero or a copy of the sign, cost nothing. Neighbouring gates share a 6-input LUT.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rtl import delays
from rtl.emit import StepEnd, step_ends
from rtl.expressions import Node
from rtl.ir import Place
from rtl.memories import Memory
from rtl.process import Port, Process, Register, Step
from rtl.widths import Widths, known_widths

__all__ = ["Chain", "Link", "longest_chains"]

_GATES = frozenset({"and", "or", "xor", "not", "select"})
_WIRES = frozenset({"slice", "cat", "sext", "const"})
_NAMES = {
    "and": "logic",
    "ashr": "shift right",
    "eq": "equal",
    "lshr": "shift right",
    "mul": "multiply",
    "ne": "not equal",
    "not": "logic",
    "ones": "count of ones",
    "or": "logic",
    "sdiv": "divide",
    "shl": "shift left",
    "sle": "at most",
    "slt": "less than",
    "srem": "remainder",
    "sub": "subtract",
    "udiv": "divide",
    "ule": "at most",
    "ult": "less than",
    "urem": "remainder",
    "xor": "logic",
}
_LUT_INPUTS = 6
_STATE = ("state",)


@dataclass(frozen=True)
class Link:
    """One operator of a chain.

    Attributes:
        operator: what it does, in words.
        width: bits of its result.
        name: the name of its result in the source, where LLVM kept one.
        place: its line in the C++, where one is known.
        delay_ns: its own delay.
        arrival_ns: when its result is there, counted from the clock.
    """

    operator: str
    width: int
    name: str
    place: Place
    delay_ns: float
    arrival_ns: float


@dataclass(frozen=True)
class Chain:
    """Operators that depend on each other, from the clock to the clock; their delays add up to `delay_ns`."""

    links: tuple[Link, ...]

    @property
    def delay_ns(self) -> float:
        """The least clock period that the chain allows, in nanoseconds."""
        return self.links[-1].arrival_ns


def longest_chains(process: Process, depths: Mapping[str, int]) -> list[Chain]:
    """For every step of `process` the chain that takes longest.

    Args:
        process: it is to be emitted already: the analysis adds expressions to its graph.
        depths: words of the FIFO behind each port, by the port's name.
    """
    ends = step_ends(process)
    enables = [[_enable(process, step, end) for end in own] for step, own in zip(process.steps, ends, strict=True)]
    roots = [node for own in ends for end in own for node in end.values] + [node for own in enables for node in own]
    registers: dict[object, list[Node]] = {}
    for step in process.steps:
        for update in step.updates:
            registers.setdefault(update.register, []).append(update.value)
    arrivals = _Arrivals(roots, registers, depths)
    writers = Counter((end.kind, id(end.key)) for own in ends for end in own)
    chains = []
    for step, own, conditions in zip(process.steps, ends, enables, strict=True):
        arrivals.reads = {access.port: access.place for access in step.accesses if access.port.reads}
        found = [
            _ended(arrivals, end, enable, writers[end.kind, id(end.key)], depths)
            for end, enable in zip(own, conditions, strict=True)
        ]
        idle = Chain((Link("register", 1, "state", Place(), 0.0, 0.0),))
        chains.append(max(found, key=lambda chain: chain.delay_ns, default=idle))
    return chains


def _enable(process: Process, step: Step, end: StepEnd) -> Node:
    """The step fires, and `end` takes effect in it."""
    graph = process.graph
    assert step.ready is not None
    here = graph.const(1, 1)
    if len(process.steps) > 1:
        bits = (len(process.steps) - 1).bit_length()
        state = graph.leaf(bits, _STATE, "state")
        here = graph.compare("eq", state, graph.const(bits, process.steps.index(step)))
    return graph.conjunction([here, step.ready, end.enable])


def _ended(arrivals: _Arrivals, end: StepEnd, enable: Node, writers: int, depths: Mapping[str, int]) -> Chain:
    """The longest chain to `end`: through its data, or through what enables it."""
    ways = [arrivals.chain(enable), *(arrivals.chain(node) for node in end.values)]
    if end.kind in ("read", "write"):
        assert isinstance(end.key, Port)
        strobe = delays.stream_strobe(depths[end.key.name]).delay_ns
        ways[0] = _append(ways[0], f"stream {end.kind} of", 1, end, strobe)
    if writers > 1 and end.kind != "read":
        choice = delays.multiplexer(writers).delay_ns
        first = 1 if end.kind == "write" else 0  # the strobe of a stream is no data
        ways[first:] = [_append(way, f"choice of {writers} writers", 1, end, choice) for way in ways[first:]]
    slowest = max(ways, key=lambda links: links[-1].arrival_ns if links else 0.0)
    into = {"memory": "into memory", "read": "into stream", "write": "into stream"}.get(end.kind, "into register")
    width = end.values[0].width if end.values else 1
    return Chain(_append(slowest, into, width, end, delays.register_setup().delay_ns))


def _append(links: tuple[Link, ...], operator: str, width: int, end: StepEnd, delay: float) -> tuple[Link, ...]:
    before = links[-1].arrival_ns if links else 0.0
    return (*links, Link(operator, width, end.name, end.place, delay, before + delay))


class _Arrivals:
    """When every expression below `roots` is there, in nanoseconds after the clock.

    Attributes:
        reads: where the step whose chains are asked for reads its streams.
    """

    def __init__(
        self, roots: Iterable[Node], registers: Mapping[object, Sequence[Node]], depths: Mapping[str, int]
    ) -> None:
        self.reads: dict[Port, Place] = {}
        self._depths = depths
        self._times: dict[int, float] = {}
        self._before: dict[int, Node | None] = {}
        self._lut: dict[int, dict[int, tuple[Node, int]]] = {}  # inputs of the LUT that makes an expression, and bits
        nodes = _below(roots)
        self._looked_at = _looked_at(nodes, roots)
        values = _below([*roots, *(value for values in registers.values() for value in values)])
        self._widths: dict[int, Widths] = known_widths(values, registers)
        for serial in sorted(nodes):
            self._add(nodes[serial])

    def chain(self, node: Node) -> tuple[Link, ...]:
        """The longest chain to `node`; links without a delay are left out. Empty for a constant."""
        links: list[Link] = []
        current: Node | None = node
        while current is not None:
            before = self._before[current.serial]
            time = self._times[current.serial]
            own = time - (self._times[before.serial] if before else 0.0)
            if own > 0.0:
                links.append(Link(_words(current), current.width, _name(current), self._place(current), own, time))
            current = before
        return tuple(reversed(links))

    def _place(self, node: Node) -> Place:
        if isinstance(node.key, Register):
            return node.key.instruction.place
        if node.op == "leaf" and isinstance(node.key, tuple) and isinstance(node.key[-1], Port):
            return self.reads.get(node.key[-1], Place())
        return node.place

    def _add(self, node: Node) -> None:
        slowest = max(node.args, key=lambda arg: self._times[arg.serial], default=None)
        delay = 0.0
        if node.op in _GATES or node.op in ("eq", "ne") and sum(_bits(node, arg) for arg in node.args) <= _LUT_INPUTS:
            slowest = self._packed(node)
            delay = delays.logic(2).delay_ns
        elif node.op == "leaf":
            delay = self._source_delay(node)
        elif node.op == "read" and isinstance(node.key, Memory) and node.key.depth == 1:
            slowest, delay = None, delays.register_output().delay_ns
        elif node.op == "slice" and node.args[0].serial in self._lut and node.args[0].op in _GATES:
            self._lut[node.serial] = self._lut[node.args[0].serial]
        elif node.op not in _WIRES:
            delay = self._operator_delay(node)
        self._before[node.serial] = slowest
        self._times[node.serial] = delay + (self._times[slowest.serial] if slowest is not None else 0.0)

    def _packed(self, node: Node) -> Node | None:
        """Makes `node` in one LUT with the gates in front of it, the latest first, while six inputs suffice."""
        inputs = {arg.serial: (arg, _bits(node, arg)) for arg in node.args if arg.op != "const"}
        while True:
            latest = max((arg for arg, _ in inputs.values()), key=lambda arg: self._times[arg.serial], default=None)
            inner = self._lut.get(latest.serial) if latest is not None and inputs[latest.serial][1] == 1 else None
            if latest is None or inner is None:
                break
            joined = {serial: item for serial, item in inputs.items() if serial != latest.serial} | inner
            if sum(bits for _, bits in joined.values()) > _LUT_INPUTS:
                break
            inputs = joined
        self._lut[node.serial] = inputs
        return max((arg for arg, _ in inputs.values()), key=lambda arg: self._times[arg.serial], default=None)

    def _source_delay(self, node: Node) -> float:
        if isinstance(node.key, tuple) and len(node.key) == 2:
            kind, port = node.key
            depth = self._depths[port.name]
            return (delays.stream_data(depth, port.bits) if kind == "data" else delays.stream_flag(depth)).delay_ns
        return delays.register_output().delay_ns

    def _operator_delay(self, node: Node) -> float:
        args = node.args
        bits = max(self._widths[arg.serial].least for arg in args)
        width = min(self._looked_at[node.serial], bits + 1)
        match node.op:
            case "add" | "sub":
                return delays.add(width).delay_ns
            case "mul":
                return self._product_delay(node)
            case "ult" | "ule" | "slt" | "sle":
                return delays.compare(bits).delay_ns
            case "eq" | "ne":
                number = next((arg for arg in args if arg.op == "const"), None)
                return (delays.equal(bits) if number is None else delays.logic(bits)).delay_ns
            case "shl" | "lshr" | "ashr":
                return delays.variable_shift(self._looked_at[node.serial], args[1].width).delay_ns
            case "udiv" | "sdiv" | "urem" | "srem":
                return delays.divide(self._widths[args[0].serial].least).delay_ns
            case "ones":
                return delays.population_count(args[0].width).delay_ns
            case "parity":
                return delays.parity(args[0].width).delay_ns
            case "read":
                assert isinstance(node.key, Memory)
                return delays.lut_ram_read(node.key.depth, node.key.width).delay_ns
        raise AssertionError(node.op)

    def _product_delay(self, node: Node) -> float:
        looked_at = self._looked_at[node.serial]
        first, second = (self._widths[arg.serial] for arg in node.args)
        if node.args[1].op == "const":
            return delays.multiply_constant(min(looked_at, first.least + second.least), node.args[1].number).delay_ns
        bits = min(looked_at, first.least), min(looked_at, second.least)
        return delays.multiply(*bits, signed=first.is_signed or second.is_signed).delay_ns


def _below(roots: Iterable[Node]) -> dict[int, Node]:
    nodes: dict[int, Node] = {}
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node.serial not in nodes:
            nodes[node.serial] = node
            stack.extend(node.args)
    return nodes


def _looked_at(nodes: Mapping[int, Node], roots: Iterable[Node]) -> dict[int, int]:
    """For every expression how many of its lowest bits matter. Operands always have lower serials than their users."""
    bits = dict.fromkeys(nodes, 1)
    for root in roots:
        bits[root.serial] = root.width
    for serial in sorted(nodes, reverse=True):
        node, at = nodes[serial], 0
        for position, arg in enumerate(node.args):
            match node.op:
                case "add" | "sub" | "mul" | "and" | "or" | "xor" | "not":
                    wanted = bits[serial]
                case "slice":
                    wanted = node.number + bits[serial]
                case "select":
                    wanted = 1 if position == 0 else bits[serial]
                case "cat":
                    wanted = max(bits[serial] - at, 1)
                    at += arg.width
                case "sext":
                    wanted = bits[serial]
                case "shl":
                    wanted = bits[serial] if position == 0 else arg.width
                case _:
                    wanted = arg.width
            bits[arg.serial] = max(bits[arg.serial], min(wanted, arg.width))
    return bits


def _bits(node: Node, arg: Node) -> int:
    """Inputs of a LUT that `arg` takes: one, but all bits of what is compared, and none for a constant."""
    return 0 if arg.op == "const" else arg.width if node.op in ("eq", "ne") else 1


def _name(node: Node) -> str:
    if isinstance(node.key, tuple) and len(node.key) == 2:
        return str(node.key[1].name)
    return node.name


def _words(node: Node) -> str:
    """The operator in words."""
    if node.op == "leaf":
        if isinstance(node.key, tuple) and len(node.key) == 2:
            return "stream word" if node.key[0] == "data" else "stream flag"
        return "register"
    if node.op == "read" and isinstance(node.key, Memory):
        return "register" if node.key.depth == 1 else f"read of {node.key.depth} words"
    if node.op == "mul" and node.args[1].op == "const":
        return "multiply by a constant"
    return _NAMES.get(node.op, node.op)
