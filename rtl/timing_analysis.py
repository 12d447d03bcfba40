"""How long the logic of a step takes: arrival times through the expression graph, and the longest chain.

A chain begins at the clock, in a register, a stream's word or flag or a memory's word, and ends in a register, a memory
or a stream. Delays are those of `rtl.delays`. Widths are those that matter: bits above the highest that anybody looks
at, and bits that are known to be zero or a copy of the sign, cost nothing. Neighbouring gates share a 6-input LUT.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rtl import delays
from rtl.delays import Cost
from rtl.expressions import Node
from rtl.ir import Place
from rtl.kept import Kept, StepEnd
from rtl.memories import Memory
from rtl.process import Fetch, Port, Process, Register, Update
from rtl.widths import Widths, known_widths

__all__ = [
    "LUT_INPUTS",
    "WIRES",
    "Arrivals",
    "Chain",
    "StageControl",
    "Link",
    "Luts",
    "is_clocked_read",
    "NodeDelays",
    "longest_chains",
    "low_zeros",
    "register_values",
    "setup_time",
]

_GATES = frozenset({"and", "or", "xor", "not", "select"})
WIRES = frozenset({"slice", "cat", "sext", "const"})
_NAMES = {
    "addsub": "add or subtract",
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
LUT_INPUTS = 6
_Input = tuple[int, tuple[int, ...]]
_STATE = ("state",)
_VALID = ("valid",)


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
    """Operators that depend on each other, from the clock to the clock; their delays add up to `delay_ns`.

    Attributes:
        links: the operators.
        end: the register, memory or port in which the chain ends; None for the step's number.
    """

    links: tuple[Link, ...]
    end: object = None

    @property
    def delay_ns(self) -> float:
        """The least clock period that the chain allows, in nanoseconds."""
        return self.links[-1].arrival_ns


def longest_chains(process: Process, depths: Mapping[str, int]) -> list[Chain]:
    """For every step of `process` the longest chain, in whichever stage; what a stage hands on counts for all.

    Args:
        process: it is to be emitted already: the analysis adds expressions to its graph.
        depths: words of the FIFO behind each port, by the port's name.
    """
    kept, control = Kept(process), StageControl(process)
    found = [
        (stage, number, end, control.takes_effect(stage, number, end))
        for stage, part in enumerate(process.stages)
        for number, step in enumerate(part.steps)
        for end in kept.ends(step)
    ]
    shifts = [
        (stage, _shift_end(shift, value), control.go(stage + 1))
        for stage, part in enumerate(process.stages)
        for shift in part.shifts
        if (value := kept.new_value(shift)) is not None
    ]
    shifts += [
        (stage, _fetch_end(fetch, control.go(stage + 1)), control.go(stage + 1))
        for stage, part in enumerate(process.stages)
        for fetch in part.fetches
        if id(fetch.register) in kept.spans
    ]
    roots = [node for _, _, end, enable in found for node in (*end.values, enable)]
    roots += [node for _, end, enable in shifts for node in (*end.values, enable)]
    arrivals = Arrivals(NodeDelays(roots, register_values(process), depths, len(process.stages)), roots)
    writers = Counter((end.kind, id(end.key)) for _, _, end, _ in found)
    idle = Chain((Link("register", 1, "state", Place(), 0.0, 0.0),))
    longest = max(
        (_ended(arrivals, end, enable, len(end.values), depths) for _, end, enable in shifts), key=_delay, default=idle
    )
    chains = [longest] * len(process.steps)
    for stage, number, end, enable in found:
        accesses = process.stages[stage].steps[number].accesses
        arrivals.reads = {access.port: access.place for access in accesses if access.port.reads}
        chain = _ended(arrivals, end, enable, writers[end.kind, id(end.key)], depths)
        chains[number] = max(chains[number], chain, key=_delay)
    return chains


def _delay(chain: Chain) -> float:
    return chain.delay_ns


def _shift_end(shift: Update, value: Node) -> StepEnd:
    return StepEnd("register", shift.register.name, shift.register, shift.condition, (value,), shift.register.place)


def _fetch_end(fetch: Fetch, enable: Node) -> StepEnd:
    addresses = tuple(address for _, address in fetch.addresses)
    return StepEnd("memory", fetch.memory.name, fetch.memory, enable, addresses, fetch.place)


def register_values(process: Process) -> dict[object, list[Node]]:
    """What each register is ever set to."""
    values: dict[object, list[Node]] = {}
    for stage in process.stages:
        for update in [*stage.shifts, *(update for step in stage.steps for update in step.updates)]:
            values.setdefault(update.register, []).append(update.value)
    return values


class StageControl:
    """When stages move and steps take effect, as expressions; `rtl.emit` writes the same as text."""

    def __init__(self, process: Process) -> None:
        self._process, self._graph = process, process.graph
        self._going: dict[int, Node] = {}

    def takes_effect(self, stage: int, number: int, end: StepEnd) -> Node:
        """The step is in that stage, the stage moves, and the end's own condition holds."""
        terms = [self._here(stage, number), self.go(stage), end.enable]
        if stage:
            terms.append(self._graph.leaf(1, (*_VALID, stage), f"valid_{stage}"))
        return self._graph.conjunction(terms)

    def go(self, stage: int) -> Node:
        """All streams that this stage and those behind it touch are ready."""
        if stage == len(self._process.stages):
            return self._graph.const(1, 1)
        if stage not in self._going:
            graph, steps = self._graph, self._process.stages[stage].steps
            waiting = [
                graph.conjunction([self._here(stage, number), graph.inverted(step.ready)])
                for number, step in enumerate(steps)
                if step.ready is not None
            ]
            self._going[stage] = graph.bitwise("and", self.go(stage + 1), graph.inverted(graph.disjunction(waiting)))
        return self._going[stage]

    def _here(self, stage: int, number: int) -> Node:
        graph, count = self._graph, len(self._process.steps)
        if count == 1:
            return graph.const(1, 1)
        bits = (count - 1).bit_length()
        state = graph.leaf(bits, (*_STATE, stage) if stage else _STATE, "state")
        return graph.compare("eq", state, graph.const(bits, number))


def _ended(arrivals: Arrivals, end: StepEnd, enable: Node, writers: int, depths: Mapping[str, int]) -> Chain:
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
    return Chain(_append(slowest, into, width, end, setup_time(end.key)), end.key)


def setup_time(end: object) -> float:
    """What a register or memory needs before the clock, in nanoseconds."""
    block = isinstance(end, Memory) and end.clocked
    return (delays.block_ram_setup() if block else delays.register_setup()).delay_ns


def _append(links: tuple[Link, ...], operator: str, width: int, end: StepEnd, delay: float) -> tuple[Link, ...]:
    before = links[-1].arrival_ns if links else 0.0
    return (*links, Link(operator, width, end.name, end.place, delay, before + delay))


class NodeDelays:
    """What every expression below `roots` costs, from its own operands to its result.

    Args:
        roots: where logic ends.
        registers: what each register is ever set to.
        depths: words of the FIFO behind each port, by the port's name.
        stages: of the process.

    Attributes:
        nodes: all of them by serial, operands before what uses them.
    """

    def __init__(
        self,
        roots: Sequence[Node],
        registers: Mapping[object, Sequence[Node]],
        depths: Mapping[str, int],
        stages: int = 1,
    ) -> None:
        self._depths = depths
        below = _below(roots)
        self.nodes = {serial: below[serial] for serial in sorted(below)}
        self._looked_at = _looked_at(self.nodes, roots)
        values = _below([*roots, *(value for values in registers.values() for value in values)])
        self._widths: dict[int, Widths] = known_widths(values, registers, stages)

    def is_gate(self, node: Node) -> bool:
        """It fits into a LUT, perhaps with gates in front of it."""
        return (
            node.op in _GATES or node.op in ("eq", "ne") and sum(lut_inputs(node, a) for a in node.args) <= LUT_INPUTS
        )

    def delay(self, node: Node) -> float:
        """In nanoseconds; of a register, a stream or a single word from the clock on."""
        if node.op == "leaf":
            return self._source_delay(node)
        if is_clocked_read(node):
            assert isinstance(node.key, Memory)
            return delays.block_ram_read(node.key.depth, node.key.width).delay_ns
        if node.op == "read" and isinstance(node.key, Memory) and node.key.depth == 1:
            return delays.register_output().delay_ns
        if node.op in WIRES:
            return 0.0
        return delays.logic(2).delay_ns if self.is_gate(node) else self.operator(node).delay_ns

    def bits(self, node: Node) -> int:
        """Of its lowest bits how many matter and may be set."""
        return min(self._looked_at[node.serial], max(self._widths[node.serial].unsigned, 1))

    def looked_at(self, node: Node) -> int:
        """Of its lowest bits how many matter."""
        return self._looked_at[node.serial]

    def widths(self, node: Node) -> Widths:
        """Bits that hold its value."""
        return self._widths[node.serial]

    def _source_delay(self, node: Node) -> float:
        if isinstance(node.key, tuple) and isinstance(node.key[-1], Port):
            kind, port = node.key
            depth = self._depths[port.name]
            return (delays.stream_data(depth, port.bits) if kind == "data" else delays.stream_flag(depth)).delay_ns
        if isinstance(node.key, Register) and node.key.memory is not None:
            return delays.block_ram_read(node.key.memory.depth, node.key.memory.width).delay_ns
        return delays.register_output().delay_ns

    def operator(self, node: Node) -> Cost:
        """What an operator costs that is neither gate nor wire."""
        args = node.args
        bits = max(self._widths[arg.serial].least for arg in args)
        width = min(self._looked_at[node.serial], bits + 1)
        match node.op:
            case "add" | "sub":
                return delays.add(width)
            case "addsub":  # a place more for the carry into it
                return delays.add_or_subtract(min(self._looked_at[node.serial], node.width))
            case "mul":
                return self._product(node)
            case "ult" | "ule" | "slt" | "sle":
                return delays.compare(bits)
            case "eq" | "ne":
                number = next((arg for arg in args if arg.op == "const"), None)
                return delays.equal(bits) if number is None else delays.logic(bits)
            case "shl" | "lshr" | "ashr":
                return delays.variable_shift(self._looked_at[node.serial], args[1].width - low_zeros(args[1]))
            case "udiv" | "sdiv" | "urem" | "srem":
                return delays.divide(self._widths[args[0].serial].least)
            case "ones":
                return delays.population_count(args[0].width)
            case "parity":
                return delays.parity(args[0].width)
            case "read":
                assert isinstance(node.key, Memory)
                return delays.lut_ram_read(node.key.depth, node.key.width)
        raise AssertionError(node.op)

    def _product(self, node: Node) -> Cost:
        if node.args[1].op == "const":
            width = min(self._looked_at[node.serial], sum(self._widths[arg.serial].least for arg in node.args))
            return delays.multiply_constant(width, node.args[1].number)
        return self.product(node)

    def product(self, node: Node) -> Cost:
        """What a product costs that is made by multipliers, of a constant too."""
        looked_at = self._looked_at[node.serial]
        first, second = (self._widths[arg.serial] for arg in node.args)
        bits = min(looked_at, first.least), min(looked_at, second.least)
        # Of a product that is cut to its factors' width the sign does not matter.
        signed = first.is_signed or second.is_signed or looked_at <= min(bits)
        return delays.multiply(*bits, signed=signed)


class Arrivals:
    """When every expression below `roots` is there, in nanoseconds after the clock.

    Attributes:
        reads: where the step whose chains are asked for reads its streams.
    """

    def __init__(self, costs: NodeDelays, roots: Sequence[Node]) -> None:
        self.reads: dict[Port, Place] = {}
        self._costs = costs
        self._times: dict[int, float] = {}
        self._before: dict[int, Node | None] = {}
        self._luts = Luts()
        for node in costs.nodes.values():
            self._add(node)

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
            return node.key.place
        if node.op == "leaf" and isinstance(node.key, tuple) and isinstance(node.key[-1], Port):
            return self.reads.get(node.key[-1], Place())
        return node.place

    def _add(self, node: Node) -> None:
        slowest = max(node.args, key=lambda arg: self._times[arg.serial], default=None)
        if self._costs.is_gate(node):
            slowest = self._luts.packed(node, lambda arg: self._times[arg.serial])
        elif node.op == "slice" and node.args[0].op in _GATES:
            self._luts.share(node, node.args[0])
        elif node.op == "read" and isinstance(node.key, Memory) and node.key.depth == 1:
            slowest = None
        self._before[node.serial] = slowest
        start = self._times[slowest.serial] if slowest is not None else 0.0
        self._times[node.serial] = start + self._costs.delay(node)


class Luts:
    """Which gates share a LUT: one takes in those in front of it, the latest first, while six inputs suffice.

    Args:
        turns: a gate also takes in one whose bits reach it in another order (a word that is turned).
    """

    def __init__(self, turns: bool = False) -> None:
        self._turns = turns
        # Of the LUT that makes an expression: what goes in, by serial and the turns behind it, and bits.
        self._inputs: dict[int, dict[_Input, tuple[Node, int]]] = {}

    def packed(
        self, node: Node, time: Callable[[Node], float], joins: Callable[[Node], bool] = lambda _: True
    ) -> Node | None:
        """Makes `node` in one LUT; the latest of that LUT's inputs, None when it has none.

        Args:
            node: a gate.
            time: when an expression is there.
            joins: whether an expression may share the LUT.
        """
        inputs: dict[_Input, tuple[Node, int]] = {
            (arg.serial, ()): (arg, lut_inputs(node, arg)) for arg in node.args if arg.op != "const"
        }
        while True:
            key = max(inputs, key=lambda key: time(inputs[key][0]), default=None)
            inner = self._taken_in(inputs[key][0], key[1]) if key is not None and inputs[key][1] == 1 else None
            if key is None or inner is None or not joins(inputs[key][0]):
                break
            joined = {other: item for other, item in inputs.items() if other != key} | inner
            if sum(bits for _, bits in joined.values()) > LUT_INPUTS:
                break
            inputs = joined
        self._inputs[node.serial] = inputs
        return max((arg for arg, _ in inputs.values()), key=time, default=None)

    def _taken_in(self, node: Node, turns: tuple[int, ...]) -> dict[_Input, tuple[Node, int]] | None:
        """What goes into the LUT that makes `node`, behind which turns already stand; None where none makes it."""
        made = self._inputs.get(node.serial)
        if made is None and self._turns and (gate := _turned(node)) is not None:
            made, turns = self._inputs.get(gate.serial), (node.serial, *turns)
        if made is None or not turns:
            return made
        return {
            (serial, (*before, *turns) if item[0].width > 1 else ()): item for (serial, before), item in made.items()
        }

    def inputs(self, node: Node) -> list[Node]:
        """What goes into the LUT that makes a gate, after `packed`."""
        return [arg for arg, _ in self._inputs[node.serial].values()]

    def alone(self, node: Node) -> None:
        """`node` is made in a LUT of its own after all."""
        self._inputs.pop(node.serial, None)

    def share(self, node: Node, other: Node) -> None:
        """`node` is a bit of what the LUT of `other` makes."""
        if other.serial in self._inputs:
            self._inputs[node.serial] = self._inputs[other.serial]


def _turned(node: Node) -> Node | None:
    """The word whose bits a concatenation of the same width holds; None when it is something else."""
    if node.op != "cat" or any(part.op != "slice" or part.args[0] is not node.args[0].args[0] for part in node.args):
        return None
    word: Node = node.args[0].args[0]
    return word if word.width == node.width else None


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
                case "addsub":
                    wanted = min(bits[serial], arg.width)
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


def low_zeros(node: Node) -> int:
    """Lowest bits of a concatenation that are always zero."""
    lowest = node.args[0] if node.op == "cat" else None
    return lowest.width if lowest is not None and lowest.op == "const" and not lowest.number else 0


def is_clocked_read(node: Node) -> bool:
    """It is a word of a block RAM, which is there a clock after its address."""
    return node.op == "read" and isinstance(node.key, Memory) and node.key.clocked


def lut_inputs(node: Node, arg: Node) -> int:
    """Inputs of a LUT that `arg` takes: one, but all bits of what is compared, and none for a constant."""
    return 0 if arg.op == "const" else arg.width if node.op in ("eq", "ne") else 1


def _name(node: Node) -> str:
    if isinstance(node.key, tuple) and isinstance(node.key[-1], Port):
        return str(node.key[1].name)
    return node.name


def _words(node: Node) -> str:
    """The operator in words."""
    if node.op == "leaf":
        if isinstance(node.key, tuple) and isinstance(node.key[-1], Port):
            return "stream word" if node.key[0] == "data" else "stream flag"
        return "register"
    if node.op == "read" and isinstance(node.key, Memory):
        return "register" if node.key.depth == 1 else f"read of {node.key.depth} words"
    if node.op == "mul" and node.args[1].op == "const":
        return "multiply by a constant"
    return _NAMES.get(node.op, node.op)
