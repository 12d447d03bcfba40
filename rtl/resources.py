"""What a compiled design will take, estimated from its expressions in seconds; `rtl.synthesis` asks Yosys instead.

Gates share LUTs as `rtl.timing_analysis` packs them; operators and memories cost what `rtl.delays` says. A sum behind
a product, and the registers beside it, are counted apart, where synthesis may put them into the DSP slice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, Field

from rtl import delays
from rtl.expressions import Node
from rtl.kept import Kept, StepEnd
from rtl.memories import Memory
from rtl.memory_ports import read_ports, write_ports
from rtl.process import Process
from rtl.shift_registers import find_shift_registers
from rtl.timing_analysis import WIRES, Luts, NodeDelays, StageControl, register_values

__all__ = ["Resources", "estimate_fifo", "estimate_process"]

_LUT_RAM_BITS = {32: 14, 64: 7}  # words -> bits that the 8 LUTs of a RAM32M16 or RAM64M8 hold beside one write port
_CELL_LUTS = 8
_SHARED = 0.8  # of the LUTs that gates take when packed one by one, what Yosys needs, which sees them all (docs/rtl.md)


class Resources(BaseModel):
    """Primitives of UltraScale+."""

    lut: int = Field(default=0, description="6-input LUTs, those used as memory included")
    ff: int = Field(default=0, description="registers")
    dsp: int = Field(default=0, description="DSP48E2")
    bram: float = Field(default=0.0, description="RAMB36E2; a RAMB18E2 is half of one")
    uram: int = Field(default=0, description="URAM288")

    def __add__(self, other: Resources) -> Resources:
        """Both together."""
        return Resources(
            lut=self.lut + other.lut,
            ff=self.ff + other.ff,
            dsp=self.dsp + other.dsp,
            bram=self.bram + other.bram,
            uram=self.uram + other.uram,
        )

    def times(self, count: int) -> Resources:
        """Of so many instances."""
        return Resources(
            lut=self.lut * count,
            ff=self.ff * count,
            dsp=self.dsp * count,
            bram=self.bram * count,
            uram=self.uram * count,
        )


def estimate_process(process: Process, depths: Mapping[str, int]) -> Resources:
    """What one instance of a process takes.

    Args:
        process: pipelined or not, and emitted already: the estimate adds expressions to its graph.
        depths: words of the FIFO behind each port, by the port's name.
    """
    kept, control = Kept(process), StageControl(process)
    ends = [
        (end, control.takes_effect(stage, number, end))
        for stage, part in enumerate(process.stages)
        for number, step in enumerate(part.steps)
        for end in kept.ends(step)
    ]
    roots = [node for end, enable in ends for node in (*end.values, enable)]
    roots += [node for stage in process.stages for node in kept.roots(stage)]
    total = _logic(NodeDelays(roots, register_values(process), depths, len(process.stages)), roots)
    acting = [node for end, enable in ends for node in (*end.values, enable)]
    acting += [address for stage in process.stages for fetch in stage.fetches for _, address in fetch.addresses]
    shifts = find_shift_registers(process, kept, acting)
    total += Resources(lut=_choices(ends) + shifts.luts, ff=_registers(process, kept) - shifts.bits)
    for memory in process.memories:
        if memory.depth > 1 and id(memory) in kept.spans:
            total += _memory(process, memory)
    return total


def estimate_fifo(depth: int, bits: int) -> Resources:
    """What a FIFO (`library/rtl_fifo.sv`) takes: LUT RAM, its two addresses and its count."""
    index, count = max((depth - 1).bit_length(), 1), depth.bit_length()
    control = 2 * index + 2 * count + 4
    return Resources(lut=_lut_ram(depth, bits) + control, ff=2 * index + count)


def _logic(costs: NodeDelays, roots: Sequence[Node]) -> Resources:
    """LUTs and DSP slices below the roots; a gate that another one's LUT takes in costs nothing by itself."""
    luts, times = Luts(), dict[int, int]()
    for node in costs.nodes.values():  # depth in LUTs, so that the latest input is taken in first
        level = max((times[arg.serial] for arg in node.args), default=0)
        if costs.is_gate(node):
            latest = luts.packed(node, lambda arg: times[arg.serial])
            level = (times[latest.serial] if latest is not None else 0) + 1
        times[node.serial] = level
    total, gates = Resources(), 0
    seen: set[int] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node.serial in seen:
            continue
        seen.add(node.serial)
        if costs.is_gate(node):
            gates += costs.bits(node)
            stack.extend(luts.inputs(node))
            continue
        stack.extend(node.args)
        if node.op not in WIRES and node.op not in ("leaf", "read"):
            cost = costs.operator(node)
            # A constant needs no LUT in front of the carry chain.
            carries_only = node.op in ("add", "sub") and any(arg.op == "const" for arg in node.args)
            total += Resources(lut=0 if carries_only else cost.luts, dsp=cost.dsps)
    return total + Resources(lut=round(_SHARED * gates))


def _choices(ends: Sequence[tuple[StepEnd, Node]]) -> int:
    """LUTs of the multiplexers in front of what several steps write: two more values a LUT."""
    written: dict[tuple[str, int], list[StepEnd]] = {}
    for end, _ in ends:
        if end.kind != "read":
            written.setdefault((end.kind, id(end.key)), []).append(end)
    luts = 0
    for writers in written.values():
        for values in zip(*(end.values for end in writers), strict=False):
            different = {value.serial: value for value in values if value.op != "const"}
            luts += max(value.width for value in values) * (len(different) // 2)
    return luts


def _registers(process: Process, kept: Kept) -> int:
    outputs = {id(fetch.register) for stage in process.stages for fetch in stage.fetches}
    bits = sum(
        kept.spans[id(register)].width
        for register in process.registers
        if id(register) in kept.spans and id(register) not in outputs
    )
    bits += sum(memory.width for memory in process.memories if memory.depth == 1 and id(memory) in kept.spans)
    state = max((len(process.steps) - 1).bit_length(), 1) if len(process.steps) > 1 else 0
    pause = (max(max(step.interval, step.repeat) for step in process.steps) - 1).bit_length()
    return bits + state * len(process.stages) + len(process.stages) - 1 + pause


def _memory(process: Process, memory: Memory) -> Resources:
    ports = read_ports(process, memory)
    if memory.storage == "block":
        return Resources(bram=delays.block_ram_read(memory.depth, memory.width).block_rams * ports)
    if memory.storage == "ultra":
        return Resources(uram=delays.ultra_ram_count(memory.depth, memory.width) * ports)
    if memory.constant:  # LUTs hold 64 words of a bit each
        return Resources(lut=ports * delays.lut_ram_read(memory.depth, memory.width).luts)
    if memory.storage == "registers":
        choice = delays.multiplexer(memory.depth, memory.width).luts
        writes = write_ports(process, memory)
        return Resources(lut=ports * choice + writes * memory.depth, ff=memory.depth * memory.width)
    return Resources(lut=ports * _lut_ram(memory.depth, memory.width))


def _lut_ram(depth: int, width: int) -> int:
    """LUTs of a memory with one write port and one read port, with the choice among its blocks."""
    words = 32 if depth <= 32 else 64
    blocks = -(-depth // words)
    return blocks * -(-width // _LUT_RAM_BITS[words]) * _CELL_LUTS + delays.multiplexer(blocks, width).luts
