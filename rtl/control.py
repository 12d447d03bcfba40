"""The part of the top module that starts the processes, gives them their numbers, and connects them to memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rtl.arguments import Arguments, Field
from rtl.design import ControlPorts, MemoryPort, Register
from rtl.errors import CompileError
from rtl.expressions import Graph, Node
from rtl.flatten import ProcessCall
from rtl.interfaces import Argument, Interface, Master
from rtl.ir import StreamParameter
from rtl.names import Namespace, identifier
from rtl.printer import Printer, dimension
from rtl.process import Port, Process
from rtl.registers import emit_registers, lay_out, lite_ports

__all__ = ["AccessUnit", "Control", "argument_kinds", "build_control"]

_STREAM = Argument("", "stream", 0, 0, False)
_FIXED = {"ID": (1, 0), "LOCK": (1, 0), "CACHE": (4, 3), "PROT": (3, 0), "QOS": (4, 0), "REGION": (4, 0)}
"""Signals of the address channels with their bits and their value: bufferable, modifiable, no protection."""


@dataclass(frozen=True)
class AccessUnit:
    """What makes bursts of a process' reads, or of its writes, by one pointer.

    Attributes:
        bundle: name of the AXI4 master port that it shares.
        bits: of a word.
        instance: of the process.
        symbol: of the process.
        pointer: the top's parameter.
        port: the process' stream of requests or of words to store.
        burst: most words of a burst.
        outstanding: most bursts that have not been answered.
        latency: clocks that are hidden between the request of a word and its use; 0 where each access waits.
        ordered: the process reads and writes by the pointer, and each access waits for the one before it.
    """

    bundle: str
    bits: int
    instance: str
    symbol: str
    pointer: str
    port: Port
    burst: int
    outstanding: int
    latency: int
    ordered: bool


@dataclass
class Control:
    """Text for the top module.

    Attributes:
        ports: declarations of further ports.
        lines: of the module's body.
        unused: signals and bits that nothing looks at.
        texts: further modules, by name.
        library: modules of the library that they need.
        described: the same for design.json.
        units: what accesses memory, by port.
    """

    described: ControlPorts
    ports: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    library: list[str] = field(default_factory=list)
    units: list[AccessUnit] = field(default_factory=list)


def argument_kinds(calls: Sequence[ProcessCall], interface: Interface) -> dict[str, dict[int, Argument]]:
    """What each pointer parameter of each process stands for: process' symbol, index, argument of the top.

    Raises:
        CompileError: two calls of a process with different things in one place.
    """
    found: dict[str, dict[int, Argument]] = {}
    for item in calls:
        kinds = found.setdefault(item.call.op, {})
        for index in item.pointers():
            base = item.element(index).base
            if not isinstance(base, StreamParameter) and base.shape is None and base.element_bytes != base.size:
                place, message = item.call.place, f"the array '{base.name}' is between processes; use a stream"
                raise CompileError(place.file, place.line, message)
            if isinstance(base, StreamParameter):
                kind = interface.arguments[base.index]
            else:
                kind = _STREAM if base.shape else Argument(base.name, "scalar", 8 * base.size, base.size, True)
            known = kinds.setdefault(index, kind)
            if (known.kind, known.bytes) != (kind.kind, kind.bytes) and known.kind != "stream":
                place = item.call.place
                raise CompileError(place.file, place.line, f"'{kind.name}' is no argument as in an earlier call")
            kinds[index] = max(known, kind, key=lambda argument: argument.master.latency if argument.master else 0)
    return found


def build_control(
    top: str,
    interface: Interface,
    calls: Sequence[ProcessCall],
    processes: Mapping[str, Process],
    arguments: Mapping[str, Arguments],
) -> Control:
    """Start, registers and memory of a design.

    Args:
        top: name of the top function.
        interface: of it.
        calls: all calls of processes.
        processes: by symbol.
        arguments: layout of their start and done words, by symbol.

    Raises:
        CompileError: a result or a pointer that several processes write; pointers of one bundle that do not fit.
    """
    return _Builder(top, interface, calls, processes, arguments).control


class _TopLeaf:
    """Expressions of the top's parameters."""

    def __init__(self, interface: Interface) -> None:
        self.graph = Graph()
        self._interface = interface

    def __call__(self, index: int, width: int) -> Node:
        argument = self._interface.arguments[index]
        node = self.graph.leaf(argument.bits, index, argument.name)
        return self.graph.slice(self.graph.zext(node, max(width, argument.bits)), 0, width) if width else node


@dataclass
class _Unit:
    """A process' access to memory: instance name, layout, and the port that it asks by."""

    name: str
    call: ProcessCall
    port: Port
    argument: Argument
    index: int
    ordered: bool

    @property
    def master(self) -> Master:
        """The AXI4 port that it shares."""
        assert self.argument.master
        return self.argument.master

    def described(self, burst: int, outstanding: int, latency: int = 0) -> AccessUnit:
        """For the report."""
        argument, call = self.argument, self.call
        place = (self.master.bundle, 8 * argument.bytes, call.name, call.call.op, argument.name, self.port)
        return AccessUnit(*place, burst, outstanding, latency, self.ordered)


class _Builder:
    def __init__(
        self,
        top: str,
        interface: Interface,
        calls: Sequence[ProcessCall],
        processes: Mapping[str, Process],
        arguments: Mapping[str, Arguments],
    ) -> None:
        self._top, self._interface, self._calls = top, interface, calls
        self._processes, self._arguments = processes, arguments
        self._results = self._find_results()
        self._inputs = self._find_inputs()
        maps = {bundle: lay_out(self._registers(bundle)) for bundle in interface.bundles}
        described = ControlPorts(
            start=interface.control,
            chain=interface.chain,
            bundles=interface.bundles,
            registers=[register for registers in maps.values() for register in registers],
            memories=[],
        )
        self.control = Control(described)
        for bundle, registers in maps.items():
            self._registers_lines(bundle, registers)
        self._plain_ports()
        self._launch_lines()
        self._start_lines()
        self._result_lines()
        self._memory_lines()

    # Numbers --------------------------------------------------------------------------------------------------------

    def _top_index(self, call: ProcessCall, item: Field) -> int | None:
        """Index of the top's parameter that a pointer of a process stands for."""
        if item.parameter not in call.pointers():
            return None
        base = call.element(item.parameter).base
        return base.index if isinstance(base, StreamParameter) else None

    def _find_results(self) -> dict[int, tuple[ProcessCall, Field, int]]:
        """Per result of the top the call that gives it, its field and the field's lowest bit in the done word."""
        found: dict[int, tuple[ProcessCall, Field, int]] = {}
        for call in self._calls:
            low = 0
            for item in self._arguments[call.call.op].done:
                index = self._top_index(call, item)
                if index is not None and not item.valid:
                    if index in found:
                        name, place = self._interface.arguments[index].name, call.call.place
                        raise CompileError(place.file, place.line, f"'{name}' is given back by two processes")
                    found[index] = (call, item, low)
                low += item.bits
        return found

    def _find_inputs(self) -> set[int]:
        """Results that are looked at before they are assigned: they are inputs too."""
        fields = [(call, item) for call in self._calls for item in self._arguments[call.call.op].start]
        found = {self._top_index(call, item) for call, item in fields}
        arguments = self._interface.arguments
        return {index for index in found if index is not None and arguments[index].kind == "result"}

    def _registers(self, bundle: str) -> list[Register]:
        wanted = []
        for number, argument in enumerate(self._interface.arguments):
            if argument.bundle != bundle:
                continue
            bits = 64 if argument.kind == "memory" else argument.bits
            both = argument.kind == "result" and number in self._inputs
            if argument.kind != "result" or both:
                name = f"{argument.name}_i" if both else argument.name
                wanted.append(Register(name=name, offset=0, bits=bits, direction="in", bundle=bundle))
            if argument.kind == "result":
                name = f"{argument.name}_o" if both else argument.name
                wanted.append(Register(name=name, offset=0, bits=bits, direction="out", bundle=bundle))
        return wanted

    def _input(self, index: int) -> str:
        """Signal of a number, or of a base address."""
        argument = self._interface.arguments[index]
        name = f"{argument.name}_i" if index in self._inputs else argument.name
        return f"arg_{name}" if argument.register else identifier(name)

    def _registers_lines(self, bundle: str, registers: Sequence[Register]) -> None:
        control, first = self.control, bundle == self._interface.bundles[0]
        has_start = first and self._interface.control == "registers"
        chain = has_start and self._interface.chain
        pins = [".clk(ap_clk)", ".rst_n(ap_rst_n)"]
        for way, name, bits in lite_ports(registers):
            control.ports.append(f"{way} wire {dimension(bits)}s_axi_{bundle}_{name}")
            pins.append(f".{name}(s_axi_{bundle}_{name})")
        if has_start:
            control.ports.append("output wire ap_interrupt")
            pins += [f".{name}({name})" for name in ("ap_start", "ap_idle", "ap_ready", "ap_interrupt")]
            pins += [".ap_done(finish)", *([".ap_continue(ap_continue)"] if chain else [])]
        if any(item.direction == "out" for item in registers):
            pins.append(".finish(finish)")
        control.lines += ["", f"  // The register map of s_axi_{bundle}."]
        for item in registers:
            control.lines.append(f"  wire {dimension(item.bits)}arg_{item.name};")
            pins.append(f".arg_{item.name}(arg_{item.name})")
            if item.direction == "out":
                control.lines.append(f"  wire arg_{item.name}_assigned;")
                pins.append(f".arg_{item.name}_assigned(arg_{item.name}_assigned)")
        if has_start:
            control.lines.append("  wire ap_start, ap_done, ap_idle, ap_ready;")
            control.unused.append("ap_done")
        if chain:
            control.lines.append("  wire ap_continue;")
        suffix = "" if first else f"_{bundle}"
        module = f"{self._top}_registers{suffix}"
        control.texts[module] = emit_registers(module, registers, has_start, chain)
        control.lines.append(_instance(module, f"registers{suffix}_u", pins))

    def _plain_ports(self) -> None:
        """Numbers that are in no register map."""
        if self._interface.control == "wires":
            self.control.ports += ["input  wire ap_start", *(["input  wire ap_continue"] * self._interface.chain)]
            self.control.ports += [f"output wire {name}" for name in ("ap_done", "ap_idle", "ap_ready")]
        for number, argument in enumerate(self._interface.arguments):
            if argument.register or argument.kind == "stream":
                continue
            bits = argument.bits
            if argument.master is not None:
                if argument.master.offset == "off":
                    continue
                bits = 64
            if argument.kind != "result" or number in self._inputs:
                self.control.ports.append(f"input  wire {dimension(bits)}{self._input(number)}")
            if argument.kind == "result":
                name = self._output(number)
                self.control.ports += [f"output wire {dimension(bits)}{name}", f"output wire {name}_ap_vld"]

    def _output(self, index: int) -> str:
        argument = self._interface.arguments[index]
        name = f"{argument.name}_o" if index in self._inputs else argument.name
        return name if argument.register else identifier(name)

    def _launch_lines(self) -> None:
        done = [f"{call.name}_ap_done_empty_n" for call in self._calls]
        done += [f"{unit.name}_idle" for unit in self._units() if unit.port.role == "store"]
        pins = [".clk(ap_clk)", ".rst_n(ap_rst_n)"]
        pins += [f".{name}({name})" for name in ("ap_start", "ap_done", "ap_idle", "ap_ready", "launch", "finish")]
        proceed = "ap_continue" if self._interface.chain else "1'b1"
        pins += [".all_done(all_done)", f".ap_continue({proceed})"]
        self.control.lines += ["", "  // A run begins for all processes at once, and ends when the last has returned."]
        self.control.lines += ["  wire launch, finish, all_done;", _instance("rtl_launch", "launch_u", pins)]
        self._deferred = f"  assign all_done = {' & '.join(done)};"
        self.control.library.append("rtl_launch")

    def _start_lines(self) -> None:
        """For every process a FIFO with its numbers, and one that says that it has returned."""
        leaf = _TopLeaf(self._interface)
        words = {}
        for call in self._calls:
            fields = self._arguments[call.call.op].start
            parts = [_resized(leaf.graph, call.scalar(item.parameter, leaf), item.bits) for item in fields]
            words[call.name] = leaf.graph.cat(parts) if parts else leaf.graph.const(1, 1)
        names = Namespace()
        printer = Printer(names, self._leaf_name, lambda node: ("", False))
        printer.prepare(words.values())
        self.control.lines += printer.lines
        for call in self._calls:
            start, done = f"{call.name}_ap_start", f"{call.name}_ap_done"
            bits = sum(item.bits for item in self._arguments[call.call.op].done) or 1
            width = words[call.name].width
            text = printer.text(words[call.name])
            self.control.lines += [
                "",
                f"  wire {dimension(width)}{start}_dout;",
                f"  wire {start}_full_n, {start}_read, {start}_empty_n;",
                f"  wire {dimension(bits)}{done}_din, {done}_dout;",
                f"  wire {done}_full_n, {done}_write, {done}_empty_n;",
                _fifo(start, width, din=text, write="launch"),
                _fifo(done, bits, read="finish"),
            ]
            self.control.unused += [f"{start}_full_n", f"{done}_dout"]
        self.control.lines.append(self._deferred)
        self._note_unseen(printer)

    def _note_unseen(self, printer: Printer) -> None:
        """Bits of numbers that no process takes."""
        bases = {unit.index for unit in self._units()}
        for number, argument in enumerate(self._interface.arguments):
            if argument.kind == "scalar" or number in self._inputs:
                for high, low in printer.unseen(self._input(number), argument.bits):
                    whole = (high, low) == (argument.bits - 1, 0)
                    self.control.unused.append(self._input(number) if whole else f"{self._input(number)}[{high}:{low}]")
            elif argument.master and argument.master.offset != "off" and number not in bases:
                self.control.unused.append(self._input(number))

    def _leaf_name(self, node: Node) -> tuple[str, int, int]:
        assert isinstance(node.key, int)
        return self._input(node.key), 0, node.width

    def _result_lines(self) -> None:
        for number, argument in enumerate(self._interface.arguments):
            if argument.kind != "result":
                continue
            value, valid = "'0", "1'b0"
            if number in self._results:
                call, item, low = self._results[number]
                word = f"{call.name}_ap_done_dout"
                value = f"{word}[{low + item.bits - 1}:{low}]" if item.bits > 1 else f"{word}[{low}]"
                valid = f"{word}[{low + item.bits}]"
            name = self._output(number)
            if argument.register:
                self.control.lines += [f"  assign arg_{name} = {value};", f"  assign arg_{name}_assigned = {valid};"]
            else:
                self.control.lines += [f"  assign {name} = {value};", f"  assign {name}_ap_vld = finish & {valid};"]

    # Memory ---------------------------------------------------------------------------------------------------------

    def _units(self) -> list[_Unit]:
        units = []
        for call in self._calls:
            ordered = self._arguments[call.call.op].ordered
            for port in self._processes[call.call.op].ports:
                if port.role not in ("request", "store"):
                    continue
                base = call.element(port.of).base
                assert isinstance(base, StreamParameter)
                argument = self._interface.arguments[base.index]
                units.append(_Unit(f"{call.name}_{port.name}", call, port, argument, base.index, port.of in ordered))
        return units

    def _memory_lines(self) -> None:
        units = self._units()
        self._check_sharing(units)
        bundles: dict[str, list[_Unit]] = {}
        for unit in units:
            bundles.setdefault(unit.master.bundle, []).append(unit)
        for number in sorted({unit.index for unit in units}):
            self._base_lines(number)
        for name, members in bundles.items():
            if len({unit.argument.bytes for unit in members}) > 1:
                place = members[0].call.call.place
                message = f"the pointers of bundle '{name}' have elements of different sizes; give each size a bundle"
                raise CompileError(place.file, place.line, message)
            self._bundle_lines(name, members)

    def _check_sharing(self, units: Sequence[_Unit]) -> None:
        users: dict[int, set[str]] = {}
        for unit in units:
            users.setdefault(unit.index, set()).add(unit.call.name)
        for unit in units:
            if unit.port.role == "store" and len(users[unit.index]) > 1:
                place = unit.call.call.place
                message = (
                    f"'{unit.argument.name}' is written by a process and used by another; pass the words by a stream"
                )
                raise CompileError(place.file, place.line, message)

    def _base_lines(self, number: int) -> None:
        """A base address holds from the start of a run on."""
        argument = self._interface.arguments[number]
        name = f"base_{argument.name}"
        if argument.master and argument.master.offset == "off":
            self.control.lines += ["", f"  wire [63:0] {name} = '0;"]
            return
        self.control.lines += [
            "",
            f"  logic [63:0] {name};",
            f"  always_ff @(posedge ap_clk) if (launch) {name} <= {self._input(number)};",
        ]

    def _bundle_lines(self, bundle: str, units: Sequence[_Unit]) -> None:
        control, size = self.control, units[0].argument.bytes
        readers = [unit for unit in units if unit.port.role == "request"]
        writers = [unit for unit in units if unit.port.role == "store"]
        pointers = list(dict.fromkeys(unit.argument.name for unit in units))
        control.described.memories.append(MemoryPort(name=bundle, bits=8 * size, pointers=pointers))
        prefix = f"m_axi_{bundle}"
        self._axi_ports(prefix, size, bool(readers), bool(writers))
        for unit in readers:
            self._reader_lines(unit, prefix)
        for unit in writers:
            self._writer_lines(unit)
        self._join(prefix, "read", readers, size)
        self._join(prefix, "write", writers, size)
        control.library += ["rtl_axi_bursts", "rtl_axi_reader"] if readers else []
        control.library += ["rtl_axi_bursts", "rtl_axi_writer"] if writers else []

    def _axi_ports(self, prefix: str, size: int, reads: bool, writes: bool) -> None:
        control = self.control
        for channel in ("AW", "AR"):
            signals = {"ADDR": 64, "LEN": 8, "SIZE": 3, "BURST": 2} | {name: bits for name, (bits, _) in _FIXED.items()}
            control.ports += [f"output wire {dimension(bits)}{prefix}_{channel}{n}" for n, bits in signals.items()]
            control.ports += [f"output wire {prefix}_{channel}VALID", f"input  wire {prefix}_{channel}READY"]
            control.lines += ["", f"  assign {prefix}_{channel}SIZE = 3'd{size.bit_length() - 1};"]
            control.lines.append(f"  assign {prefix}_{channel}BURST = 2'b01;")
            control.lines += [
                f"  assign {prefix}_{channel}{n} = {bits}'d{value};" for n, (bits, value) in _FIXED.items()
            ]
        control.ports += [
            f"output wire {dimension(8 * size)}{prefix}_WDATA",
            f"output wire {dimension(size)}{prefix}_WSTRB",
            *(f"output wire {prefix}_{name}" for name in ("WLAST", "WVALID", "BREADY", "RREADY")),
            *(f"input  wire {prefix}_{name}" for name in ("WREADY", "BID", "BVALID", "RID", "RLAST", "RVALID")),
            *(f"input  wire [1:0] {prefix}_{name}" for name in ("BRESP", "RRESP")),
            f"input  wire {dimension(8 * size)}{prefix}_RDATA",
        ]
        control.unused += [f"{prefix}_{name}" for name in ("BID", "BRESP", "RID", "RRESP")]
        if not reads:
            control.lines += [f"  assign {prefix}_{name.upper()} = '0;" for name in _READER_OUT]
            control.unused += [f"{prefix}_{name}" for name in ("ARREADY", "RDATA", "RLAST", "RVALID")]
        if not writes:
            control.lines += [f"  assign {prefix}_{name.upper()} = '0;" for name in _WRITER_OUT]
            control.unused += [f"{prefix}_{name}" for name in ("AWREADY", "WREADY", "BVALID")]

    def _reader_lines(self, unit: _Unit, prefix: str) -> None:
        name, size = unit.name, unit.argument.bytes
        data = f"{unit.call.name}_{unit.port.name.removesuffix('_request')}_data"
        width = unit.port.bits - unit.ordered
        latency = None if unit.ordered else self._hidden(unit)
        burst, outstanding = 1 if latency is None else unit.master.read_burst, unit.master.read_outstanding
        self.control.units.append(unit.described(burst, outstanding, latency or 0))
        parameters = {"INDEX": width, "BYTES": size, "BURST": burst, "OUTSTANDING": outstanding}
        pins = [".clk(ap_clk)", ".rst_n(ap_rst_n)", f".base(base_{unit.argument.name})"]
        pins += [f".request_din({name}_din[{width - 1}:0])", f".request_write({name}_write)"]
        pins += [f".request_full_n({name}_full_n)"]
        pins += [f".data_{signal}({data}_{signal})" for signal in ("dout", "read", "empty_n")]
        signals = {"araddr": 64, "arlen": 8, "arvalid": 1, "arready": 1, "rvalid": 1, "rready": 1}
        pins += [f".{signal}({name}_{signal})" for signal in signals]
        pins += [f".rdata({prefix}_RDATA)", f".rlast({prefix}_RLAST)"]
        self.control.lines += [
            "",
            f"  wire {dimension(unit.port.bits)}{name}_din;",
            f"  wire {name}_full_n, {name}_write;",
            f"  wire {dimension(8 * size)}{data}_dout;",
            f"  wire {data}_read, {data}_empty_n;",
            *(f"  wire {dimension(bits)}{name}_{signal};" for signal, bits in signals.items()),
            _instance("rtl_axi_reader", f"{name}_unit", pins, parameters),
        ]
        self.control.unused += [f"{name}_din[{width}]"] if unit.ordered else []

    def _hidden(self, unit: _Unit) -> int | None:
        """Clocks for which the process asks on while a word is on its way; None where it waits for each."""
        ports = self._processes[unit.call.call.op].ports
        return next((port.latency for port in ports if port.answers == unit.port.name), None)

    def _writer_lines(self, unit: _Unit) -> None:
        name, size = unit.name, unit.argument.bytes
        stored = f"{unit.call.name}_{unit.port.name.removesuffix('_store')}_stored"
        width = unit.port.bits - unit.ordered - 9 * size
        burst, outstanding = 1 if unit.ordered else unit.master.write_burst, unit.master.write_outstanding
        self.control.units.append(unit.described(burst, outstanding))
        parameters: dict[str, object] = {"INDEX": width, "BYTES": size, "BURST": burst, "OUTSTANDING": outstanding}
        parameters["REPORTS"] = "1'b1" if unit.ordered else "1'b0"
        pins = [".clk(ap_clk)", ".rst_n(ap_rst_n)", f".base(base_{unit.argument.name})"]
        pins += [f".store_din({name}_din[{width + 9 * size - 1}:0])", f".store_write({name}_write)"]
        pins += [f".store_full_n({name}_full_n)", f".idle({name}_idle)"]
        lines = [
            "",
            f"  wire {dimension(unit.port.bits)}{name}_din;",
            f"  wire {name}_full_n, {name}_write, {name}_idle;",
            f"  wire {stored}_dout, {stored}_read, {stored}_empty_n;",
        ]
        pins += [f".stored_{signal}({stored}_{signal})" for signal in ("dout", "read", "empty_n")]
        if unit.ordered:
            self.control.unused.append(f"{name}_din[{width + 9 * size}]")
        else:
            lines.append(f"  assign {stored}_read = 1'b0;")
            self.control.unused += [f"{stored}_dout", f"{stored}_empty_n"]
        signals = {"awaddr": 64, "awlen": 8, "awvalid": 1, "awready": 1, "wdata": 8 * size, "wstrb": size}
        signals |= {"wlast": 1, "wvalid": 1, "wready": 1, "bvalid": 1, "bready": 1}
        pins += [f".{signal}({name}_{signal})" for signal in signals]
        lines += [f"  wire {dimension(bits)}{name}_{signal};" for signal, bits in signals.items()]
        self.control.lines += [*lines, _instance("rtl_axi_writer", f"{name}_unit", pins, parameters)]

    def _join(self, prefix: str, way: str, units: Sequence[_Unit], size: int) -> None:
        """Connects the readers, or the writers, of a bundle to its port."""
        out: tuple[str, ...] = _READER_OUT if way == "read" else _WRITER_OUT
        into: tuple[str, ...] = ("arready", "rvalid") if way == "read" else ("awready", "wready", "bvalid")
        if len(units) == 1:
            name = units[0].name
            self.control.lines += [f"  assign {prefix}_{signal.upper()} = {name}_{signal};" for signal in out]
            self.control.lines += [f"  assign {name}_{signal} = {prefix}_{signal.upper()};" for signal in into]
        elif units:
            masters = [unit.master for unit in units]
            outstanding = sum(m.read_outstanding if way == "read" else m.write_outstanding for m in masters)
            parameters = {"COUNT": len(units), "OUTSTANDING": outstanding}
            parameters |= {} if way == "read" else {"BYTES": size}
            pins = [".clk(ap_clk)", ".rst_n(ap_rst_n)"]
            for signal in (*out, *into):
                together = ", ".join(f"{unit.name}_{signal}" for unit in reversed(units))
                pins += [f".s_{signal}({{{together}}})", f".{signal}({prefix}_{signal.upper()})"]
            pins += [f".rlast({prefix}_RLAST)"] if way == "read" else []
            module = f"rtl_axi_{way}_mux"
            self.control.lines.append(_instance(module, f"{prefix}_{way}", pins, parameters))
            self.control.library += [module, "rtl_axi_turn"]


_READER_OUT = ("araddr", "arlen", "arvalid", "rready")
_WRITER_OUT = ("awaddr", "awlen", "awvalid", "wdata", "wstrb", "wlast", "wvalid", "bready")


def _resized(graph: Graph, node: Node, bits: int) -> Node:
    return graph.slice(graph.zext(node, max(bits, node.width)), 0, bits)


def _instance(module: str, name: str, pins: Sequence[str], parameters: Mapping[str, object] | None = None) -> str:
    given = ", ".join(f".{key}({value})" for key, value in (parameters or {}).items())
    text = ",\n".join(f"      {pin}" for pin in pins)
    return f"  {module} {f'#({given}) ' if given else ''}{name} (\n{text});"


def _fifo(prefix: str, width: int, **given: str) -> str:
    signals = {
        name: given.get(name, f"{prefix}_{name}") for name in ("din", "write", "full_n", "dout", "read", "empty_n")
    }
    pins = [".clk(ap_clk)", ".rst_n(ap_rst_n)", *(f".{name}({signal})" for name, signal in signals.items())]
    return _instance("rtl_fifo", f"{prefix}_fifo", pins, {"WIDTH": width, "DEPTH": 2})
