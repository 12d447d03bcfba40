"""What a compiled design will take, estimated from its expressions in seconds; `rtl.synthesis` asks Yosys instead.

Gates share LUTs as `rtl.timing_analysis` packs them; operators and memories cost what `rtl.delays` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel, Field

from rtl import delays
from rtl.dsp_slices import find_dsp_slices
from rtl.expressions import Node
from rtl.kept import Kept, StepEnd
from rtl.memories import Memory
from rtl.memory_ports import read_ports
from rtl.process import Process, Register
from rtl.shift_registers import find_shift_registers
from rtl.shifters import Shifter
from rtl.timing_analysis import LUT_INPUTS, WIRES, Luts, NodeDelays, StageControl, low_zeros, register_values

__all__ = ["Resources", "estimate_fifo", "estimate_process"]

_LUT_RAM_BITS = {32: 14, 64: 7}  # words -> bits that the 8 LUTs of a RAM32M16 or RAM64M8 hold beside one write port
_CELL_LUTS = 8
_COMPARISONS = frozenset({"eq", "ne", "ult", "ule", "slt", "sle"})
_SHARED = 1.0  # of the LUTs that gates take when packed one by one, what Yosys needs, which sees them all (docs/rtl.md)


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
    acting = [node for end, enable in ends for node in (*end.values, enable)]
    acting += [address for stage in process.stages for fetch in stage.fetches for _, address in fetch.addresses]
    roots = list(_roots(process, kept, ends))
    costs = NodeDelays([*roots, *acting], register_values(process), depths, len(process.stages))
    slices = find_dsp_slices(process, kept, costs.nodes, ends)
    total = _logic(costs, roots, slices.logic)
    bits = {id(register): _register_bits(process, kept, costs, register) for register in process.registers}
    moves = [control.go(stage) for stage in range(len(process.stages))]
    shifts = find_shift_registers(process, kept, bits, moves, acting)
    flip_flops = _registers(process, kept, bits, slices.registers) - shifts.bits
    total += Resources(lut=_choices(ends) + shifts.luts, ff=flip_flops)
    for memory in process.memories:
        if memory.depth > 1 and id(memory) in kept.spans:
            reads = [node.args[0] for node in costs.nodes.values() if node.op == "read" and node.key is memory]
            writes = [end for end, _ in ends if end.key is memory]
            if memory.storage == "registers":
                total += _register_file(costs, memory, reads, writes)
            else:
                total += _memory(process, memory, len({address.serial for address in reads}))
    return total


def estimate_fifo(depth: int, bits: int) -> Resources:
    """What a FIFO (`library/rtl_fifo.sv`) takes: LUT RAM, its addresses and its count; a single word is registers."""
    if depth == 1:
        return Resources(lut=4, ff=bits + 1)
    index, count = max((depth - 1).bit_length(), 1), depth.bit_length()
    control = 2 * index + 2 * count + 4
    return Resources(lut=_lut_ram(depth, bits) + control, ff=2 * index + count)


def _roots(process: Process, kept: Kept, ends: Sequence[tuple[StepEnd, Node]]) -> Iterator[Node]:
    """Where LUTs end: in front of the inputs of registers, memories and streams."""
    numbers: dict[int, list[Node]] = {}
    for end, _ in ends:
        if end.kind == "register":
            numbers.setdefault(id(end.key), []).extend(value for value in end.values if value.op != "const")
    for end, enable in ends:
        yield enable
        if isinstance(end.key, Register):
            yield from _inputs(process, kept, end.key, end.values[0], len(numbers[id(end.key)]) == 1)
        else:
            yield from end.values
    for stage in process.stages:
        for shift in stage.shifts:
            value = kept.new_value(shift)
            if value is not None:
                yield from _inputs(process, kept, shift.register, value, True)
        for fetch in stage.fetches:
            if id(fetch.register) in kept.spans:
                yield from (address for _, address in fetch.addresses)


def _inputs(process: Process, kept: Kept, register: Register, value: Node, single: bool) -> Iterator[Node]:
    """What comes to the data inputs of a register's flip-flops, and to their clock enables and resets.

    A flip-flop (FDRE, FDSE) keeps its bit, or takes a constant, without a LUT for it.

    Args:
        process, kept: whose register it is.
        register: kept.
        value: what it is set to.
        single: nothing else sets it to anything but a number, so that its resets are at the end of its logic.
    """
    graph, span = process.graph, kept.spans[id(register)]
    own = graph.slice(graph.leaf(register.width, register, register.name), span.low, span.width)
    at = 0
    for part in value.args if value.op == "cat" else (value,):
        before, at = graph.slice(own, at, part.width), at + part.width
        while part.op == "select":
            free = [way for way in part.args[1:] if way is before or single and way.op == "const"]
            if not free:
                break
            yield part.args[0]
            part = part.args[2] if free[0] is part.args[1] else part.args[1]
        yield part


def _logic(costs: NodeDelays, roots: Sequence[Node], in_slices: frozenset[int]) -> Resources:
    """LUTs and DSP slices below the roots; a gate that another one's LUT takes in costs nothing by itself.

    Args:
        costs: of the process.
        roots: where its logic ends.
        in_slices: what costs nothing beside a product, by serial number.
    """
    luts, times = Luts(turns=True), dict[int, int]()
    for node in costs.nodes.values():  # depth in LUTs, so that the latest input is taken in first
        level = max((times[arg.serial] for arg in node.args), default=0)
        if costs.is_gate(node):
            latest = luts.packed(node, lambda arg: times[arg.serial])
            level = (times[latest.serial] if latest is not None else 0) + 1
        times[node.serial] = level
    total = Resources()
    seen: set[int] = set()
    compared: set[tuple[str, int, int]] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node.serial in seen:
            continue
        seen.add(node.serial)
        if node.op in _COMPARISONS:
            if _comparison(node) in compared:
                continue
            compared.add(_comparison(node))
        if node.serial in in_slices:
            stack.extend(node.args)
            continue
        if costs.is_gate(node):
            if node.op != "not" or node.args[0].op == "leaf":  # else the LUT in front is one with other contents
                total += Resources(lut=_gate_bits(costs, node))
            stack.extend(luts.inputs(node))
            continue
        stack.extend(_operands(costs, luts, node))
        if node.op not in WIRES and node.op not in ("leaf", "read"):
            total += _operator(costs, node)
    return total


def _operands(costs: NodeDelays, luts: Luts, node: Node) -> Sequence[Node]:
    """What goes into the LUTs of an operator: a sum's, in front of the carry chain, make one of its operands.

    That may lie a few places up in a word, over a carry.
    """
    if node.op in ("add", "sub") and all(arg.op != "const" for arg in node.args):
        for arg, other in (node.args[::-1], node.args):
            parts = arg.args if arg.op == "cat" else (arg,)
            widest = max(parts, key=lambda part: part.width)
            if costs.is_gate(widest) and widest.op not in ("eq", "ne") and len(luts.inputs(widest)) < LUT_INPUTS:
                return [*luts.inputs(widest), *(part for part in parts if part is not widest), other]
    return node.args


def _comparison(node: Node) -> tuple[str, int, int]:
    """What it has in common with its opposite, which is the same LUT with other contents: a <= b is no b < a."""
    first, second = (arg.serial for arg in node.args)
    if node.op in ("eq", "ne"):
        return "equal", first, second
    return (node.op[0], second, first) if node.op.endswith("le") else (node.op[0], first, second)


def _gate_bits(costs: NodeDelays, node: Node) -> int:
    """Bits of a gate that take a LUT each: where an operand is a number the result is a wire, or a number too."""
    bits = min(costs.looked_at(node), costs.widths(node).least)
    if node.op not in ("and", "or", "xor"):
        return bits
    numbers = set()
    for arg in node.args:
        at = 0
        for part in arg.args if arg.op == "cat" else (arg,):
            numbers |= set(range(at, min(at + part.width, bits))) if part.op == "const" else set()
            at += part.width
    return bits - len(numbers)


def _operator(costs: NodeDelays, node: Node) -> Resources:
    """What an operator takes that is no gate."""
    match node.op:
        case "add" | "sub" if any(arg.op == "const" for arg in node.args):
            return Resources()  # a constant needs no LUT in front of the carry chain
        case "ult" | "ule" | "slt" | "sle":
            first, second = sorted(0 if arg.op == "const" else costs.widths(arg).least for arg in node.args)
            return Resources(lut=delays.comparison_luts(first, second))
        case "shl" | "lshr" | "ashr":
            return Resources(lut=_shift_luts(costs, node))
    cost = costs.operator(node)
    if node.op == "mul" and cost.luts:  # by a constant: sums would be faster, but tools take a slice
        cost = costs.product(node)
    return Resources(lut=cost.luts, dsp=cost.dsps)


def _shift_luts(costs: NodeDelays, node: Node) -> int:
    (operand, amount), outputs = node.args, costs.looked_at(node)
    steps = _places(costs, amount)
    if operand.op == "const":  # every bit is a function of the amount
        return outputs * delays.logic(len(steps)).luts
    beyond = [step for step in steps if step >= node.width]
    widths = costs.widths(operand)
    signed = node.op == "ashr" and widths.is_signed
    bits = widths.signed if signed else widths.unsigned
    within = [step for step in steps if step < node.width]
    gate = delays.logic(len(beyond)).luts
    return gate + Shifter(node.op == "shl", signed, bits, outputs, [*within, *beyond[:1]]).luts()


def _places(costs: NodeDelays, amount: Node) -> list[int]:
    """Places that the bits of a shift's amount stand for; those of a product with a constant for its multiples."""
    zeros = low_zeros(amount)
    product = amount.args[0] if amount.op == "slice" and amount.number == 0 else amount
    if product.op == "mul" and product.args[1].op == "const":
        factor, times = product.args[1].number, costs.widths(product.args[0]).unsigned
        if factor << times <= 1 << amount.width:  # nothing is cut off
            return [factor << bit for bit in range(times)]
    return [1 << bit for bit in range(zeros, amount.width)]


def _choices(ends: Sequence[tuple[StepEnd, Node]]) -> int:
    """LUTs of the multiplexers in front of what is written in several places: two more values a LUT."""
    written: dict[tuple[str, int], list[StepEnd]] = {}
    luts = 0
    for end, _ in ends:
        if isinstance(end.key, Memory) and end.key.storage == "registers":
            continue
        if end.kind != "read":
            written.setdefault((end.kind, id(end.key)), []).append(end)
    for writers in written.values():
        for values in zip(*(end.values for end in writers), strict=False):
            different = {value.serial: value for value in values if value.op != "const"}
            luts += max(value.width for value in values) * (len(different) // 2)
    return luts


def _register_bits(process: Process, kept: Kept, costs: NodeDelays, register: Register) -> int:
    """Lowest bits of a register that are flip-flops: those above are zero, or copies of the sign, which share one."""
    leaf = process.graph.leaf(register.width, register, register.name)
    return min(register.width, costs.widths(leaf).least) if leaf.serial in costs.nodes else register.width


def _registers(process: Process, kept: Kept, bits: Mapping[int, int], in_slices: frozenset[int]) -> int:
    outputs = {id(fetch.register) for stage in process.stages for fetch in stage.fetches}
    total = 0
    for register in process.registers:
        span = kept.spans.get(id(register))
        if span is not None and id(register) not in outputs and id(register) not in in_slices:
            total += max(min(span.low + span.width, bits[id(register)]) - span.low, 0)
    total += sum(memory.width for memory in process.memories if memory.depth == 1 and id(memory) in kept.spans)
    state = max((len(process.steps) - 1).bit_length(), 1) if len(process.steps) > 1 else 0
    pause = (max(max(step.interval, step.repeat) for step in process.steps) - 1).bit_length()
    return total + state * len(process.stages) + len(process.stages) - 1 + pause


def _memory(process: Process, memory: Memory, addresses: int) -> Resources:
    """A memory; one that is not clocked has a copy, or a multiplexer, for each address in the SystemVerilog."""
    if memory.storage == "block":
        copies = read_ports(process, memory)
        return Resources(bram=delays.block_ram_read(memory.depth, memory.width).block_rams * copies)
    if memory.storage == "ultra":
        return Resources(uram=delays.ultra_ram_count(memory.depth, memory.width) * read_ports(process, memory))
    if memory.constant:  # LUTs hold 64 words of a bit each
        return Resources(lut=addresses * delays.lut_ram_read(memory.depth, memory.width).luts)
    return Resources(lut=addresses * _lut_ram(memory.depth, memory.width))


def _register_file(costs: NodeDelays, memory: Memory, reads: Sequence[Node], writes: Sequence[StepEnd]) -> Resources:
    """A memory of registers, which a number at a constant place reads, or sets, without a LUT.

    A place that varies is a multiplexer of all words where it is read, and a comparison for each word's enable where
    it is written.

    Args:
        costs: of the process.
        memory: made of registers.
        reads: places that are read.
        writes: what is written, data and place.
    """
    varying = {address.serial for address in reads if address.op != "const"}
    decoded = {address.serial: address for _, address in (end.values for end in writes) if address.op != "const"}
    luts = len(varying) * delays.multiplexer(memory.depth, memory.width).luts
    luts += memory.depth * sum(delays.logic(costs.widths(address).least + 1).luts for address in decoded.values())
    data = [set[int]() for _ in range(memory.depth)]
    for value, address in (end.values for end in writes):
        words = range(memory.depth) if address.op != "const" else [address.number][: address.number < memory.depth]
        for word in words if value.op != "const" else ():
            data[word].add(value.serial)
    luts += sum(memory.width * (len(different) // 2) for different in data)
    return Resources(lut=luts, ff=memory.depth * memory.width)


def _lut_ram(depth: int, width: int) -> int:
    """LUTs of a memory with one write port and one read port, with the choice among its blocks."""
    words = 32 if depth <= 32 else 64
    blocks = -(-depth // words)
    return blocks * -(-width // _LUT_RAM_BITS[words]) * _CELL_LUTS + delays.multiplexer(blocks, width).luts
