"""A scheduled process as a SystemVerilog module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from rtl.expressions import Node
from rtl.ir import Place
from rtl.memories import Memory
from rtl.names import Namespace, identifier
from rtl.printer import Printer, dimension, source_comment
from rtl.process import Access, Port, Process, Register, Step, Update

__all__ = ["StepEnd", "emit_process", "port_signals", "step_ends"]


def port_signals(port: Port) -> tuple[str, str, str]:
    """Names of a port's data, ready and strobe signals, after Vitis HLS' ap_fifo."""
    name = identifier(port.name)
    return (
        (f"{name}_dout", f"{name}_empty_n", f"{name}_read")
        if port.reads
        else (
            f"{name}_din",
            f"{name}_full_n",
            f"{name}_write",
        )
    )


def emit_process(process: Process, module: str) -> str:
    """Text of the module `module` for `process`."""
    return _Emitter(process, module).text()


@dataclass(frozen=True)
class StepEnd:
    """Where logic of a step ends: a register, a memory's write port or a stream.

    Attributes:
        kind: what it is; `state` is the register that holds the step's number.
        name: its name in the SystemVerilog.
        key: the register, memory or port itself, None for `state`.
        enable: it takes effect when this holds and the step fires.
        values: what arrives there: data, and a memory's address.
        place: line of the C++, where one is known.
    """

    kind: Literal["register", "memory", "read", "write", "state"]
    name: str
    key: object
    enable: Node
    values: tuple[Node, ...]
    place: Place


def step_ends(process: Process) -> list[list[StepEnd]]:
    """For every step where its logic ends; values that nothing depends on are left out, as in the SystemVerilog."""
    return _Emitter(process, "").ends()


@dataclass(frozen=True)
class Span:
    """Bits of a register that are kept."""

    low: int
    width: int


def _widen(spans: dict[int, Span], node: Node, low: int, width: int) -> None:
    """Notes that bits low.. of `node` are looked at, when it is a register or a memory's word."""
    if isinstance(node.key, Memory):
        spans[id(node.key)] = Span(0, node.key.width)
    if isinstance(node.key, Register) and node.op == "leaf":
        known = spans.get(id(node.key), Span(low, width))
        bottom = min(known.low, low)
        spans[id(node.key)] = Span(bottom, max(known.low + known.width, low + width) - bottom)


def _operands(node: Node, spans: dict[int, Span]) -> tuple[Node, ...]:
    """Operands of `node`, noted in `spans`."""
    for arg in node.args:
        if node.op == "slice":
            _widen(spans, arg, node.number, node.width)
        else:
            _widen(spans, arg, 0, arg.width)
    return node.args


class _Emitter:
    def __init__(self, process: Process, module: str) -> None:
        self._process = process
        self._module = module
        self._graph = process.graph
        self._names = Namespace()
        for port in process.ports:
            for signal in port_signals(port):
                self._names.unique(signal)
        self._step_names = [self._names.unique(step.name) for step in process.steps]
        self._fire_names = [self._names.unique(f"fire_{name.lower()}") for name in self._step_names]
        self._spans = self._used_spans()
        self._registers = [item for item in process.registers if id(item) in self._spans]
        self._memories = [item for item in process.memories if id(item) in self._spans]
        self._memory_names = {id(memory): self._names.unique(memory.name) for memory in self._memories}
        self._register_names = {id(item): self._names.unique(item.name or "value") for item in self._registers}
        self._printer = Printer(self._names, self._leaf_name, self._memory_name)
        self._state_bits = max((len(process.steps) - 1).bit_length(), 1)

    def text(self) -> str:
        """The whole module."""
        roots = [node for step in self._process.steps for node in self._roots(step, self._spans)]
        self._printer.prepare(roots)
        sections = [
            self._header(),
            self._declarations(),
            "\n".join(self._printer.lines),
            self._control(),
            self._stream_outputs(),
            self._clocked(),
            *self._memory_blocks(),
            self._unused(),
        ]
        body = "\n\n".join(section for section in sections if section)
        return f"{body}\nendmodule\n`default_nettype wire\n"

    def ends(self) -> list[list[StepEnd]]:
        """See `step_ends`."""
        return [list(self._ends(step)) for step in self._process.steps]

    def _ends(self, step: Step) -> Iterator[StepEnd]:
        always = self._graph.const(1, 1)
        for access in step.accesses:
            kind: Literal["read", "write"] = "read" if access.port.reads else "write"
            data = () if access.data is None else (access.data,)
            yield StepEnd(kind, identifier(access.port.name), access.port, access.condition, data, access.place)
        for write in step.writes:
            if id(write.memory) in self._spans:
                values = (write.data, write.address) if write.memory.depth > 1 else (write.data,)
                name = self._memory_names[id(write.memory)]
                yield StepEnd("memory", name, write.memory, write.condition, values, write.place)
        for update in step.updates:
            value = self._new_value(update, self._spans)
            if value is not None:
                name, place = self._register_names[id(update.register)], update.register.instruction.place
                yield StepEnd("register", name, update.register, update.condition, (value,), place)
        if len(self._process.steps) > 1:
            yield StepEnd("state", "state", None, always, (self._next_state(step),), step.place)

    # What is needed -----------------------------------------------------------------------------------------------

    def _roots(self, step: Step, spans: Mapping[int, Span]) -> Iterator[Node]:
        if step.ready is not None:
            yield step.ready
        for access in step.accesses:
            yield access.condition
            if access.data is not None:
                yield access.data
        for write in step.writes:
            if id(write.memory) not in spans:
                continue
            yield from (write.condition, write.data)
            if write.memory.depth > 1:
                yield write.address
        for update in step.updates:
            value = self._new_value(update, spans)
            if value is not None:
                yield from (update.condition, value)
        if len(self._process.steps) > 1:
            yield from (self._next_state(step),)

    def _used_spans(self) -> dict[int, Span]:
        """Per register (by id) the bits from the lowest to the highest that anything depends on; so for memories.

        Grows from nothing, so that registers which only feed themselves, or each other, are not kept.
        """
        spans: dict[int, Span] = {}
        while True:
            found = dict(spans)
            nodes = {node.serial: node for step in self._process.steps for node in self._roots(step, spans)}
            for node in nodes.values():
                _widen(found, node, 0, node.width)
            stack = list(nodes.values())
            while stack:
                for arg in _operands(stack.pop(), found):
                    if arg.serial not in nodes:
                        nodes[arg.serial] = arg
                        stack.append(arg)
            if found == spans:
                return spans
            spans = found

    def _new_value(self, update: Update, spans: Mapping[int, Span]) -> Node | None:
        """The kept bits of a register's new value; None when nothing of it is kept or it does not change."""
        span = spans.get(id(update.register))
        if span is None:
            return None
        before = self._graph.leaf(update.register.width, update.register, update.register.name)
        value = self._graph.slice(update.value, span.low, span.width)
        return None if value is self._graph.slice(before, span.low, span.width) else value

    def _next_state(self, step: Step) -> Node:
        """Number of the step that follows, as an expression."""
        bits = max((len(self._process.steps) - 1).bit_length(), 1)
        exits = step.exits or []
        if not exits:
            return self._graph.const(bits, 0)
        result = self._graph.const(bits, exits[-1].target)
        for way in exits[-2::-1]:
            result = self._graph.select(way.condition, self._graph.const(bits, way.target), result)
        return result

    def _leaf_name(self, node: Node) -> tuple[str, int, int]:
        if isinstance(node.key, Register):
            span = self._spans[id(node.key)]
            return self._register_names[id(node.key)], span.low, span.width
        assert isinstance(node.key, tuple)
        kind, port = node.key
        data, ready, _ = port_signals(port)
        return (data if kind == "data" else ready), 0, node.width

    def _memory_name(self, node: Node) -> tuple[str, bool]:
        assert isinstance(node.key, Memory)
        return self._memory_names[id(node.key)], node.key.depth == 1

    # Text ---------------------------------------------------------------------------------------------------------

    def _header(self) -> str:
        process = self._process
        lines = [f"// {process.name}{source_comment(process.place).replace('  // ', ', ')}", "`default_nettype none"]
        ports = ["input  wire ap_clk", "input  wire ap_rst_n"]
        for port in process.ports:
            data, ready, strobe = port_signals(port)
            toward, back = ("input  wire", "output wire") if port.reads else ("output wire", "input  wire")
            ports += [f"{toward} {dimension(port.bits)}{data}", f"input  wire {ready}", f"output wire {strobe}"]
            del back
        lines.append(f"module {self._module} (")
        lines.append(",\n".join(f"    {port}" for port in ports))
        return "\n".join([*lines, ");"])

    def _declarations(self) -> str:
        lines = []
        if len(self._process.steps) > 1:
            for number, name in enumerate(self._step_names):
                place = source_comment(self._process.steps[number].place)
                lines.append(
                    f"  localparam logic {dimension(self._state_bits)}{name} = {self._state_bits}'d{number};{place}"
                )
            lines.append(f"  logic {dimension(self._state_bits)}state;")
        for register in self._registers:
            place = source_comment(register.instruction.place)
            lines.append(
                f"  logic {dimension(self._spans[id(register)].width)}{self._register_names[id(register)]};{place}"
            )
        for memory in self._memories:
            lines.append(self._memory_declaration(memory))
        return "\n".join(lines)

    def _memory_declaration(self, memory: Memory) -> str:
        name = self._memory_names[id(memory)]
        if memory.depth == 1:
            return f"  logic {dimension(memory.width)}{name};"
        return f"  logic {dimension(memory.width)}{name}[0:{memory.depth - 1}];"

    def _control(self) -> str:
        lines = []
        for number, step in enumerate(self._process.steps):
            assert step.ready is not None
            ready = self._printer.text(step.ready)
            here = f"ap_rst_n & (state == {self._step_names[number]})" if len(self._process.steps) > 1 else "ap_rst_n"
            wrapped = f"({ready})" if " " in ready else ready
            fire = here if ready == "1'b1" else f"{here} & {wrapped}"
            lines.append(f"  wire {self._fire_names[number]} = {fire};")
        return "\n".join(lines)

    def _stream_outputs(self) -> str:
        lines = []
        for port in self._process.ports:
            uses = [
                (number, access)
                for number, step in enumerate(self._process.steps)
                for access in step.accesses
                if access.port is port
            ]
            data, _, strobe = port_signals(port)
            lines.append(f"  assign {strobe} = {' | '.join(self._strobe(*use) for use in uses)};")
            if not port.reads:
                lines.append(f"  assign {data} = {self._output_data(uses)};")
        return "\n".join(lines)

    def _strobe(self, number: int, access: Access) -> str:
        fire = self._fire_names[number]
        if access.condition.op == "const":
            return fire if access.condition.number else "1'b0"
        return f"({fire} & ({self._printer.text(access.condition)}))"

    def _output_data(self, uses: list[tuple[int, Access]]) -> str:
        last = uses[-1][1].data
        assert last is not None
        text = self._printer.text(last)
        for number, access in uses[-2::-1]:
            assert access.data is not None
            if access.data is last:
                continue
            text = f"{self._strobe(number, access)} ? {self._printer.text(access.data)} :\n      {text}"
        return text

    def _clocked(self) -> str:
        lines: list[str] = []
        resets = [f"      state <= {self._step_names[0]};"] if len(self._process.steps) > 1 else []
        for memory in self._memories:
            if memory.depth == 1 and memory.initial is not None and not memory.constant:
                resets.append(f"      {self._memory_names[id(memory)]} <= {memory.width}'h{memory.initial[0]:x};")
        for number, step in enumerate(self._process.steps):
            inner = self._step_updates(step)
            if inner:
                lines += [f"    if ({self._fire_names[number]}) begin", *inner, "    end"]
        if not lines and not resets:
            return ""
        if resets:
            lines += ["    if (!ap_rst_n) begin", *resets, "    end"]
        return "\n".join(["  always_ff @(posedge ap_clk) begin", *lines, "  end"])

    def _step_updates(self, step: Step) -> list[str]:
        lines = []
        if len(self._process.steps) > 1:
            following = self._next_state(step)
            if following.op == "const":
                lines.append(f"      state <= {self._step_names[following.number]};")
            else:
                lines.append(f"      state <= {self._printer.text(following)};")
        for update in step.updates:
            value = self._new_value(update, self._spans)
            if value is not None:
                name = self._register_names[id(update.register)]
                lines.append(self._guarded(update.condition, f"{name} <= {self._printer.text(value)};"))
        for write in step.writes:
            if write.memory.depth == 1 and id(write.memory) in self._spans:
                name = self._memory_names[id(write.memory)]
                lines.append(self._guarded(write.condition, f"{name} <= {self._printer.text(write.data)};"))
        return [line for line in lines if line]

    def _guarded(self, condition: Node, action: str) -> str:
        if condition.op == "const":
            return f"      {action}" if condition.number else ""
        return f"      if ({self._printer.text(condition)}) {action}"

    def _memory_blocks(self) -> Iterator[str]:
        for memory in self._memories:
            if memory.depth == 1:
                continue
            name = self._memory_names[id(memory)]
            if memory.initial is not None:
                yield self._initial(memory, name)
            lines = []
            for number, step in enumerate(self._process.steps):
                for write in step.writes:
                    if write.memory is memory:
                        target = f"{name}[{self._printer.text(write.address)}]"
                        line = self._guarded(write.condition, f"{target} <= {self._printer.text(write.data)};").strip()
                        lines.append(f"      {line}{source_comment(write.place)}" if line else "")
                if lines and not lines[-1].startswith("    end") and any(w.memory is memory for w in step.writes):
                    count = sum(1 for write in step.writes if write.memory is memory)
                    lines[-count:] = [f"    if ({self._fire_names[number]}) begin", *lines[-count:], "    end"]
            if lines:
                yield "\n".join(["  always_ff @(posedge ap_clk) begin", *filter(None, lines), "  end"])

    def _initial(self, memory: Memory, name: str) -> str:
        assert memory.initial is not None
        zeros = f"    for (int word_number = 0; word_number < {memory.depth}; word_number++) {name}[word_number] = '0;"
        lines = [zeros] if 0 in memory.initial else []
        lines += [f"    {name}[{i}] = {memory.width}'h{word:x};" for i, word in enumerate(memory.initial) if word]
        return "\n".join(["  initial begin", *lines, "  end"])

    def _unused(self) -> str:
        """Names the bits that the C++ computes but never looks at, so that lint tools can tell them from mistakes."""
        signals = dict(self._printer.widths)
        for register in self._registers:
            signals[self._register_names[id(register)]] = self._spans[id(register)].width
        for memory in self._memories:
            if memory.depth == 1:
                signals[self._memory_names[id(memory)]] = memory.width
        for port in self._process.ports:
            if port.reads:
                signals[port_signals(port)[0]] = port.bits
        parts = []
        for name, width in signals.items():
            for high, low in self._printer.unseen(name, width):
                whole = high == width - 1 and low == 0
                parts.append(name if whole else f"{name}[{high}]" if high == low else f"{name}[{high}:{low}]")
        if not self._clocked() and not any(memory.depth > 1 and not memory.constant for memory in self._memories):
            parts.append("ap_clk")
        if not parts:
            return ""
        text = ",\n      ".join(parts)
        return f"  // Bits that nothing looks at.\n  wire unused = &{{1'b0,\n      {text}}};"
