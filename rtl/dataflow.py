"""Dataflow regions: process calls become instances, streams become FIFOs. Regions inside the top are taken apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from rtl.control import Control
from rtl.design import Fifo, Instance, TopPort
from rtl.emit import port_signals
from rtl.errors import CompileError
from rtl.flatten import Element, ProcessCall, Region
from rtl.ir import Place, StreamParameter
from rtl.names import Namespace, identifier
from rtl.process import Port, Process

__all__ = ["Network", "build_network", "emit_top"]


@dataclass
class _Stream:
    """A stream while its ends are being found."""

    name: str
    bits: int
    depth: int
    place: Place
    is_port: bool
    ends: dict[bool, tuple[str, Port]] = field(default_factory=dict)  # by Port.reads: instance name and port


@dataclass
class Network:
    """The top function as instances and FIFOs."""

    top: str
    ports: list[TopPort]
    fifos: list[Fifo]
    instances: list[Instance]
    wiring: dict[str, dict[str, str]]  # per instance: stream port -> FIFO

    def depths(self, process: Process, module: str) -> dict[str, int]:
        """Words of the deepest FIFO behind each port of a process, over all its instances."""
        words = {fifo.name: fifo.depth for fifo in self.fifos}
        wires = [self.wiring[instance.name] for instance in self.instances if instance.module == module]
        return {port.name: max(words.get(wire[port.name], 2) for wire in wires) for port in process.ports}


def build_network(
    regions: Sequence[Region],
    calls: Sequence[ProcessCall],
    name: str,
    processes: Mapping[str, Process],
    modules: Mapping[str, str],
    others: Collection[int] = (),
) -> Network:
    """Connects the streams of all calls of processes.

    Args:
        regions: all calls of dataflow regions, the top first.
        calls: all calls of processes.
        name: of the top function.
        processes: by symbol.
        modules: module name of each process, by symbol.
        others: indices of the top's parameters that are no streams.

    Raises:
        CompileError: a stream without exactly one producer and one consumer.
    """
    streams: dict[Element, _Stream] = {}
    instances = []
    for item in calls:
        process = processes[item.call.op]
        module = modules[item.call.op]
        instances.append(Instance(name=item.name, module=module, function=process.name, states=len(process.steps)))
        for port in process.ports:
            if port.role == "stream":
                _attach(streams, _stream_of(streams, item, port), item.name, port, item.call.place)
    _check_ends(regions, streams, others)
    _check_state(calls, processes)
    network = _network(name, streams, instances)
    for item in calls:
        added = [port for port in processes[item.call.op].ports if port.role != "stream"]
        network.wiring[item.name] |= {port.name: f"{item.name}_{port.name}" for port in added}
    return network


def _stream_of(streams: dict[Element, _Stream], item: ProcessCall, port: Port) -> Element:
    """Key of the stream that `port` of the called process is connected to."""
    place = item.call.place
    outer = item.element(port.parameter)
    key = Element(outer.region, outer.base, outer.offset + port.offset)
    streams.setdefault(key, _described(key, port, place))
    return key


def _described(key: Element, port: Port, place: Place) -> _Stream:
    base, offset = key.base, key.offset
    if isinstance(base, StreamParameter):
        if offset:
            raise CompileError(place.file, place.line, f"arrays of streams ('{base.name}') cannot be ports of the top")
        return _Stream(base.name, port.bits, 2, place, True)
    if base.shape is None or base.shape.bits != port.bits:
        raise CompileError(place.file, place.line, f"'{base.name}' is no stream of {port.bits}-bit words")
    size = base.shape.size
    count = base.size // size
    if offset % size or offset // size >= count:
        raise CompileError(place.file, place.line, f"'{base.name}' has no element at this index")
    name = base.name if count == 1 else f"{base.name}[{offset // size}]"
    return _Stream(key.region.named(name), base.shape.bits, base.shape.depth, place, False)


def _attach(streams: Mapping[Element, _Stream], key: Element, instance: str, port: Port, place: Place) -> None:
    stream = streams[key]
    if port.reads in stream.ends:
        verb = "read" if port.reads else "written"
        raise CompileError(place.file, place.line, f"stream '{stream.name}' is {verb} by two processes")
    stream.ends[port.reads] = (instance, port)


def _check_ends(regions: Sequence[Region], streams: Mapping[Element, _Stream], others: Collection[int]) -> None:
    for stream in streams.values():
        if stream.is_port and len(stream.ends) != 1:
            raise CompileError(
                stream.place.file, stream.place.line, f"port '{stream.name}' is both read and written inside"
            )
        if not stream.is_port and len(stream.ends) != 2:
            missing = "read" if True not in stream.ends else "written"
            raise CompileError(stream.place.file, stream.place.line, f"stream '{stream.name}' is never {missing}")
    for region in regions:
        place = region.function.place
        for item in region.function.objects:
            count = sum(1 for key in streams if key.base is item and key.region is region)
            if item.shape is not None and count != item.size // item.shape.size:
                message = f"stream '{region.named(item.name)}' (or an element of it) is not used"
                raise CompileError(place.file, place.line, message)
    top = regions[0].function
    for parameter in top.parameters:
        if parameter.index in others:
            continue
        if not any(key.base is parameter for key in streams):
            raise CompileError(top.place.file, top.place.line, f"port '{parameter.name}' is not used")


def _check_state(calls: Sequence[ProcessCall], processes: Mapping[str, Process]) -> None:
    """C++ shares static variables between the calls of a function; hardware instances would not."""
    seen: set[str] = set()
    for call in (item.call for item in calls):
        kept = [item for item in processes[call.op].memories if item.initial is not None and not item.constant]
        if call.op in seen and kept:
            message = f"'{processes[call.op].name}' is called twice and has the static variable '{kept[0].name}'"
            raise CompileError(call.place.file, call.place.line, message)
        seen.add(call.op)


def _network(name: str, streams: Mapping[Element, _Stream], instances: list[Instance]) -> Network:
    names = Namespace()
    for item in instances:
        names.unique(item.name)
    network = Network(name, [], [], instances, {instance.name: {} for instance in instances})
    for stream in streams.values():
        fifo = names.unique(f"fifo_{stream.name.replace('.', '_')}")
        producer = stream.ends[False][0] if False in stream.ends else identifier(stream.name)
        consumer = stream.ends[True][0] if True in stream.ends else identifier(stream.name)
        network.fifos.append(
            Fifo(
                name=fifo,
                stream=stream.name,
                bits=stream.bits,
                depth=stream.depth,
                producer=producer,
                consumer=consumer,
            )
        )
        if stream.is_port:
            direction = "in" if True in stream.ends else "out"
            port = next(iter(stream.ends.values()))[1]
            data = stream.bits - sum(bits for _, bits in port.sides)
            network.ports.append(
                TopPort(name=identifier(stream.name), direction=direction, bits=data, sides=dict(port.sides))
            )
        for instance, port in stream.ends.values():
            network.wiring[instance][port.name] = fifo
    return network


def emit_top(
    network: Network,
    processes: Sequence[Process],
    modules: Mapping[str, str],
    control: Control | None = None,
) -> str:
    """Text of the top module, with start, registers and memory if it has any."""
    by_module = {modules[process.symbol]: process for process in processes}
    lines = [f"// {network.top}: processes and the FIFOs between them.", "`default_nettype none"]
    lines.append(f"module {network.top} (")
    ports = ["    input  wire ap_clk", "    input  wire ap_rst_n"]
    for port in network.ports:
        ports += _axis_declarations(port)
    ports += [f"    {port}" for port in control.ports] if control else []
    lines.append(",\n".join(ports))
    lines.append(");")
    lines += control.lines if control else []
    for fifo in network.fifos:
        lines += _fifo_lines(fifo, network)
    for instance in network.instances:
        lines += _instance_lines(instance, by_module[instance.module], network.wiring[instance.name])
    lines += _unused_lines(network, control.unused if control else [])
    return "\n".join([*lines, "endmodule", "`default_nettype wire", ""])


def _padded(bits: int) -> int:
    return (bits + 7) // 8 * 8


def _axis_declarations(port: TopPort) -> list[str]:
    ways = ("input  ", "output ") if port.direction == "in" else ("output ", "input  ")
    sizes = {"TDATA": f"[{_padded(port.bits) - 1}:0] ", "TVALID": ""}
    sizes |= {signal: f"[{bits - 1}:0] " if bits > 1 else "" for signal, bits in port.sides.items()}
    lines = [f"    {ways[0]}wire {size}{port.name}_{signal}" for signal, size in sizes.items()]
    return [*lines, f"    {ways[1]}wire {port.name}_TREADY"]


def _fifo_lines(fifo: Fifo, network: Network) -> list[str]:
    signals = {name: f"{fifo.name}_{name}" for name in ("din", "write", "full_n", "dout", "read", "empty_n")}
    port = next((port for port in network.ports if port.name in (fifo.producer, fifo.consumer)), None)
    outside: dict[str, str] = {}
    if port and port.direction == "in":
        outside = {"din": _word_of_pins(port), "write": f"{port.name}_TVALID"}
        outside["full_n"] = f"{port.name}_TREADY"
    elif port:
        outside = {"read": f"{port.name}_TREADY", "empty_n": f"{port.name}_TVALID"}
    lines = ["", f"  // {fifo.stream}: {fifo.producer} -> {fifo.consumer}"]
    for name, signal in signals.items():
        if name not in outside:
            width = f"[{fifo.bits - 1}:0] " if name in ("din", "dout") else ""
            lines.append(f"  wire {width}{signal};")
    signals.update(outside)
    if port and port.direction == "out":
        lines += _pins_of_word(port, signals["dout"])
    lines.append(f"  rtl_fifo #(.WIDTH({fifo.bits}), .DEPTH({fifo.depth})) {fifo.name} (")
    pins = [".clk(ap_clk)", ".rst_n(ap_rst_n)", *(f".{name}({signal})" for name, signal in signals.items())]
    half = len(pins) - 3
    return [*lines, "      " + ", ".join(pins[:half]) + ",", "      " + ", ".join(pins[half:]) + ");"]


def _word_of_pins(port: TopPort) -> str:
    """A FIFO's word: the data's bits, and the side channels above them."""
    parts = [f"{port.name}_TDATA[{port.bits - 1}:0]", *(f"{port.name}_{signal}" for signal in port.sides)]
    return parts[0] if len(parts) == 1 else f"{{{', '.join(reversed(parts))}}}"


def _pins_of_word(port: TopPort, word: str) -> list[str]:
    zeros = _padded(port.bits) - port.bits
    data = f"{word}[{port.bits - 1}:0]" if port.sides else word
    value = f"{{{zeros}'d0, {data}}}" if zeros else data
    lines = [f"  assign {port.name}_TDATA = {value};"]
    at = port.bits
    for signal, bits in port.sides.items():
        place = f"{at + bits - 1}:{at}" if bits > 1 else str(at)
        lines.append(f"  assign {port.name}_{signal} = {word}[{place}];")
        at += bits
    return lines


def _instance_lines(instance: Instance, process: Process, wiring: Mapping[str, str]) -> list[str]:
    lines = ["", f"  // {instance.function}", f"  {instance.module} {instance.name} ("]
    pins = ["      .ap_clk(ap_clk)", "      .ap_rst_n(ap_rst_n)"]
    for port in process.ports:
        fifo = wiring[port.name]
        ends = ("dout", "empty_n", "read") if port.reads else ("din", "full_n", "write")
        for signal, end in zip(port_signals(port), ends, strict=True):
            pins.append(f"      .{signal}({fifo}_{end})")
    return [*lines, ",\n".join(pins) + ");"]


def _unused_lines(network: Network, others: Sequence[str]) -> list[str]:
    """Input bits above the word's width are ignored."""
    parts = [
        f"{port.name}_TDATA[{_padded(port.bits) - 1}:{port.bits}]"
        for port in network.ports
        if port.direction == "in" and port.bits % 8
    ]
    if not parts and not others:
        return []
    what = "Padding of input words to whole bytes" if parts and not others else "What nothing looks at"
    return ["", f"  // {what}.", f"  wire unused = &{{1'b0, {', '.join([*parts, *others])}}};"]
