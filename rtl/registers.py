"""The register map of a design with AXI4-Lite control, laid out as Vitis HLS does, and the module that holds it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rtl.design import Register
from rtl.printer import dimension

__all__ = ["emit_registers", "lay_out", "lite_ports"]

_FIRST = 0x10
_CHANNELS = (
    ("input ", "AWADDR", 0),
    ("input ", "AWVALID", 1),
    ("output", "AWREADY", 1),
    ("input ", "WDATA", 32),
    ("input ", "WSTRB", 4),
    ("input ", "WVALID", 1),
    ("output", "WREADY", 1),
    ("output", "BRESP", 2),
    ("output", "BVALID", 1),
    ("input ", "BREADY", 1),
    ("input ", "ARADDR", 0),
    ("input ", "ARVALID", 1),
    ("output", "ARREADY", 1),
    ("output", "RDATA", 32),
    ("output", "RRESP", 2),
    ("output", "RVALID", 1),
    ("input ", "RREADY", 1),
)


def lay_out(wanted: Sequence[Register]) -> list[Register]:
    """The registers with their offsets.

    Behind the words of an input is one that is reserved; behind those of an output the one with the valid bit, and
    (unless it is the other half of an input) as many again that are reserved.
    """
    at, placed = _FIRST, []
    for number, register in enumerate(wanted):
        placed.append(register.model_copy(update={"offset": at}))
        words = _words(register) + 1
        is_half = number > 0 and wanted[number - 1].name == f"{register.name.removesuffix('_o')}_i"
        at += 4 * words * (1 if register.direction == "in" or is_half else 2)
    return placed


def lite_ports(registers: Sequence[Register]) -> list[tuple[str, str, int]]:
    """Direction, name and bits of the AXI4-Lite signals."""
    end = max((item.offset + 4 * (_words(item) + 1) for item in registers), default=_FIRST)
    return [(way, name, bits or max((end - 1).bit_length(), 4)) for way, name, bits in _CHANNELS]


def _words(register: Register) -> int:
    return -(-register.bits // 32)


def emit_registers(module: str, registers: Sequence[Register], has_start: bool, chain: bool = False) -> str:
    """Text of the module.

    Its ports beside those of AXI4-Lite: an output `arg_NAME` for every input of the design; inputs `arg_NAME`,
    `arg_NAME_assigned` and `finish` for every output; ap_start and the like where the start is a register, with
    ap_continue for a `chain`. `ap_done` is high for one clock.
    """
    ports = ["input  wire clk", "input  wire rst_n"]
    signals = lite_ports(registers)
    ports += [f"{way} {'wire' if way == 'input ' else 'logic'} {dimension(bits)}{name}" for way, name, bits in signals]
    if has_start:
        ports += ["output logic ap_start", "input  wire ap_done", "input  wire ap_idle", "input  wire ap_ready"]
        ports += ["output wire ap_interrupt", *(["output logic ap_continue"] * chain)]
    if any(item.direction == "out" for item in registers):
        ports += ["input  wire finish"]
    for item in registers:
        width = dimension(item.bits)
        if item.direction == "in":
            ports.append(f"output logic {width}arg_{item.name}")
        else:
            ports += [f"input  wire {width}arg_{item.name}", f"input  wire arg_{item.name}_assigned"]
    lines = [f"// {module}: the register map.", "//"]
    lines += [f"//   0x{item.offset:02x} {item.name}, {item.bits} bits, {item.direction}" for item in registers]
    lines += ["`default_nettype none", f"module {module} (", ",\n".join(f"    {port}" for port in ports), ");"]
    address = next(bits for _, name, bits in signals if name == "AWADDR")
    lines += [*_handshakes(), *_clocked(registers, has_start, chain, address), *_reads(registers, has_start, address)]
    return "\n".join([*lines, "endmodule", "`default_nettype wire", ""])


def _handshakes() -> Iterator[str]:
    yield """
  wire write = AWVALID & WVALID & ~BVALID;
  wire read = ARVALID & ~RVALID;
  wire [31:0] mask = {{8{WSTRB[3]}}, {8{WSTRB[2]}}, {8{WSTRB[1]}}, {8{WSTRB[0]}}};
  assign AWREADY = write;
  assign WREADY = write;
  assign ARREADY = ~RVALID;
  assign BRESP = 2'b00;
  assign RRESP = 2'b00;
  wire unused = &{1'b0, AWADDR[1:0], ARADDR[1:0], WDATA, mask};

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      BVALID <= 1'b0;
      RVALID <= 1'b0;
    end else begin
      if (write) BVALID <= 1'b1;
      else if (BREADY) BVALID <= 1'b0;
      if (read) RVALID <= 1'b1;
      else if (RREADY) RVALID <= 1'b0;
    end
  end
"""


def _at(channel: str, address: int, offset: int) -> str:
    return f"{channel}ADDR[{address - 1}:2] == {address - 2}'h{offset // 4:x}"


def _clocked(registers: Sequence[Register], has_start: bool, chain: bool, address: int) -> Iterator[str]:
    if has_start:
        yield """  logic auto_restart, done, ready, gie;
  logic [1:0] ier, isr;
  assign ap_interrupt = gie & (isr != '0);
"""
    for item in registers:
        if item.direction == "out":
            yield f"  logic {dimension(item.bits)}arg_{item.name}_kept;\n  logic arg_{item.name}_valid;"
    yield "  always_ff @(posedge clk) begin"
    yield "    if (!rst_n) begin"
    if has_start:
        yield "      {ap_start, auto_restart, done, ready, gie, ier, isr} <= '0;"
    if chain:
        yield "      ap_continue <= 1'b0;"
    for item in registers:
        names = [f"arg_{item.name}"] if item.direction == "in" else [f"arg_{item.name}_kept", f"arg_{item.name}_valid"]
        yield from (f"      {name} <= '0;" for name in names)
    yield "    end else begin"
    if has_start:
        yield f"""      if (ap_ready) ap_start <= auto_restart;
      if (write & ({_at("AW", address, 0)}) & WSTRB[0]) begin
        if (WDATA[0]) ap_start <= 1'b1;
        auto_restart <= WDATA[7];
      end
      if (ap_done) done <= 1'b1;
      else if (read & ({_at("AR", address, 0)})) done <= 1'b0;
      if (ap_ready) ready <= 1'b1;
      else if (read & ({_at("AR", address, 0)})) ready <= 1'b0;
      if (write & ({_at("AW", address, 4)}) & WSTRB[0]) gie <= WDATA[0];
      if (write & ({_at("AW", address, 8)}) & WSTRB[0]) ier <= WDATA[1:0];
      if (write & ({_at("AW", address, 12)}) & WSTRB[0]) isr <= isr ^ WDATA[1:0];
      if (ier[0] & ap_done) isr[0] <= 1'b1;
      if (ier[1] & ap_ready) isr[1] <= 1'b1;"""
    if chain:
        yield f"      ap_continue <= write & ({_at('AW', address, 0)}) & WSTRB[0] & WDATA[4];"
    for item in registers:
        yield from _input(item, address) if item.direction == "in" else _output(item, address)
    yield "    end\n  end"


def _input(item: Register, address: int) -> Iterator[str]:
    for word in range(_words(item)):
        low, high = 32 * word, min(32 * word + 31, item.bits - 1)
        part = f"arg_{item.name}" if item.bits == 1 else f"arg_{item.name}[{high}:{low}]"
        data = f"[{high - low}:0]" if high > low else "[0]"
        value = f"(WDATA{data} & mask{data}) | ({part} & ~mask{data})"
        yield f"      if (write & ({_at('AW', address, item.offset + 4 * word)})) {part} <= {value};"


def _output(item: Register, address: int) -> Iterator[str]:
    here = _at("AR", address, item.offset + 4 * _words(item))
    yield f"      if (finish & arg_{item.name}_assigned) arg_{item.name}_kept <= arg_{item.name};"
    yield f"      if (finish & arg_{item.name}_assigned) arg_{item.name}_valid <= 1'b1;"
    yield f"      else if (read & ({here})) arg_{item.name}_valid <= 1'b0;"


def _reads(registers: Sequence[Register], has_start: bool, address: int) -> Iterator[str]:
    yield "\n  always_ff @(posedge clk) begin\n    if (read) begin"
    yield f"      case (ARADDR[{address - 1}:2])"
    values: list[tuple[int, str, int]] = []
    if has_start:
        status = "{22'd0, ap_interrupt, 1'b0, auto_restart, 3'd0, ready, ap_idle, done, ap_start}"
        values += [(0, status, 32), (4, "gie", 1), (8, "ier", 2), (12, "isr", 2)]
    for item in registers:
        name = f"arg_{item.name}" if item.direction == "in" else f"arg_{item.name}_kept"
        for word in range(_words(item)):
            low, high = 32 * word, min(32 * word + 31, item.bits - 1)
            part = name if item.bits == 1 else f"{name}[{high}:{low}]"
            values.append((item.offset + 4 * word, part, high - low + 1))
        if item.direction == "out":
            values.append((item.offset + 4 * _words(item), f"arg_{item.name}_valid", 1))
    for offset, text, bits in values:
        whole = text if bits == 32 else f"{{{32 - bits}'d0, {text}}}"
        yield f"        {address - 2}'h{offset // 4:x}: RDATA <= {whole};"
    yield "        default: RDATA <= '0;\n      endcase\n    end\n  end"
