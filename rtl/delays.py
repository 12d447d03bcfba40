"""What operators cost on UltraScale+ (speed grade -2, VCCINT 0.85 V): nanoseconds, LUTs, DSP slices.

One table, `TABLE`, holds the delays of the device's elements, each with its source; every other number is computed
from it. The delay of an operator is from its inputs to its output, the typical short wire in front of each LUT or DSP
included, and everything else about placement, routing and fan-out left out.

Sources, as the table names them:

- DS925: Zynq UltraScale+ MPSoC data sheet, DSP48 switching characteristics (-1: 338 MHz, -2: 410 MHz without MREG). The
  data sheets of this family give no delays of LUTs and carry chains; only Vivado knows them.
- Vivado: routed timing reports of Vivado 2021.2 for xczu3eg, speed grade -1, published in the repository
  gussmith23/lakeroad-evaluation (`if.futil`, `inlining.futil`). Scaled to -2 by 338 / 410, as DS925's DSP slice.
- FloPoCo: its target VirtexUltrascalePlus (xcvu3p, -2), constants copied there from Vivado's speed files.
- UG574, UG579: user guides of the CLB (6-input LUTs, CARRY8, F7 to F9 multiplexers, LUT RAM of 64 words) and of the
  DSP48E2 (27 x 18 signed).
- estimate: nobody's figure; chosen here, on the slow side.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "DEVICE",
    "DSP_BITS",
    "TABLE",
    "Cost",
    "Element",
    "add",
    "add_or_subtract",
    "block_ram_read",
    "block_ram_setup",
    "compare",
    "comparison_luts",
    "constant_shift",
    "divide",
    "equal",
    "logic",
    "lut_ram_read",
    "multiply",
    "multiply_constant",
    "multiplexer",
    "parity",
    "population_count",
    "register_output",
    "register_setup",
    "stream_data",
    "stream_flag",
    "stream_strobe",
    "ultra_ram_count",
    "variable_shift",
]

DEVICE = "UltraScale+, speed grade -2, 0.85 V"

_LUT_INPUTS = 6
_CARRY_BITS = 8
_LUT_RAM_WORDS = 64
_WIDE_MULTIPLEXER = 32  # inputs that the LUTs of one CLB and its F7, F8, F9 multiplexers choose from (UG574)
DSP_BITS = (27, 18)
"""Bits of a DSP48E2's operands, which are signed (UG579); unsigned ones have a bit less."""
_LEAST_DSP_PRODUCT = 9  # Yosys' synth_xilinx gives narrower products to LUTs (DSP_Y_MINWIDTH)
_ULTRA_RAM = (4096, 72)  # words, bits (UG573)
_BLOCK_RAM_SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))  # RAMB18E2 (UG573)
_GRADE = 338 / 410  # -1 to -2


@dataclass(frozen=True)
class Element:
    """Delay of one element of the device.

    Attributes:
        delay_ns: in nanoseconds.
        source: where it comes from, as the module's comment lists them.
    """

    delay_ns: float
    source: str


@dataclass(frozen=True)
class Cost:
    """What an operator costs.

    Attributes:
        delay_ns: from its slowest input to its output, in nanoseconds.
        luts: 6-input LUTs, roughly.
        dsps: DSP48E2 slices.
        block_rams: RAMB36E2; a RAMB18E2 is half of one.
    """

    delay_ns: float
    luts: int = 0
    dsps: int = 0
    block_rams: float = 0


TABLE: dict[str, Element] = {
    "wire": Element(0.180, "FloPoCo (local routing); Vivado's estimate before placement is 0.19 to 0.20"),
    "lut": Element(0.148, "FloPoCo (LUT6); Vivado 0.174 x 0.82"),
    "lut_to_carry": Element(0.011, "FloPoCo; Vivado"),
    "carry_start": Element(0.238 * _GRADE, "Vivado (CARRY8 S to CO)"),
    "carry_pass": Element(0.026 * _GRADE, "Vivado (CARRY8 CI to CO, 0.023 to 0.030); FloPoCo 0.015"),
    "carry_wire": Element(0.026, "FloPoCo; Vivado 0.028"),
    "carry_end": Element(0.146 * _GRADE, "Vivado (CARRY8 CI to O); FloPoCo 0.116"),
    "wide_multiplexer": Element(0.060, "estimate (each of F7, F8, F9)"),
    "dsp_inputs": Element((0.195 + 0.092) * _GRADE, "Vivado (A_B_DATA, PREADD_DATA)"),
    "dsp_multiplier": Element((0.737 + 0.059) * _GRADE, "Vivado (MULTIPLIER, M_DATA)"),
    "dsp_sum": Element(0.699 * _GRADE, "Vivado (ALU)"),
    "dsp_output": Element(0.141 * _GRADE, "Vivado (OUTPUT)"),
    "dsp_cascade": Element((0.159 - 0.141 + 0.016 + 0.698) * _GRADE, "Vivado (PCOUT to PCIN, ALU)"),
    "lut_ram": Element(0.148, "estimate (as a LUT)"),
    "block_ram": Element(1.100, "estimate; UG949 names about 1.5 over all families, DS958 0.9 for Versal -2"),
    "block_ram_setup": Element(0.350, "estimate; Vivado has 0.2 to 0.5 for RAMB36E2, address to clock"),
    "clock_to_out": Element(0.096 * _GRADE, "Vivado (FDRE C to Q)"),
    "setup": Element(
        0.080, "estimate: the wire from a LUT to the register beside it, 0.02 to 0.06 in Vivado, and setup"
    ),
}
"""Delays of the device's elements by name."""


def _ns(name: str) -> float:
    return TABLE[name].delay_ns


def _lut_level() -> float:
    return _ns("wire") + _ns("lut")


def _carry_chain(bits: int) -> float:
    """A wire, a LUT, and the carry chain of `bits` positions to its slowest sum bit."""
    groups = -(-bits // _CARRY_BITS)
    start = _lut_level() + _ns("lut_to_carry") + _ns("carry_start")
    if groups == 1:
        return start
    return start + (groups - 1) * _ns("carry_wire") + (groups - 2) * _ns("carry_pass") + _ns("carry_end")


def logic(inputs: int) -> Cost:
    """A function of `inputs` bits per bit of its result: and, or, xor, a choice of two (3 inputs)."""
    if inputs <= 1:
        return Cost(0.0)
    levels = 1
    luts = remaining = -(-inputs // _LUT_INPUTS)
    while remaining > 1:
        remaining = -(-remaining // _LUT_INPUTS)
        luts += remaining
        levels += 1
    return Cost(levels * _lut_level(), luts)


def add(width: int) -> Cost:
    """A sum or difference of `width` bits: a LUT per bit and a CARRY8 per 8 bits; up to 3 bits are plain LUTs."""
    if 2 * width <= _LUT_INPUTS:
        return Cost(_lut_level(), width)
    return Cost(_carry_chain(width), width)


def add_or_subtract(width: int) -> Cost:
    """A sum or difference as a further input says: that shares the LUTs of the sum, and makes its carry."""
    return Cost(add(width + 1).delay_ns, width)


def compare(width: int) -> Cost:
    """Less than, of two numbers of `width` bits: the carry chain of a subtraction."""
    return Cost(add(width).delay_ns, comparison_luts(width, width))


def comparison_luts(narrow: int, wide: int) -> int:
    """LUTs of less than, of numbers of so many bits; 0 for a constant.

    A place of the carry chain takes two LUTs, whether the numbers differ there and which is less. Of three bits of both
    numbers: a sum has a place a bit because it has a result there. Where one number has no bits of its own, only its
    sign or those of a constant, five of the other.
    """
    if narrow + wide <= _LUT_INPUTS:
        return 1
    return 2 * (-(-narrow // 3) + -(-(wide - narrow) // 5))


def equal(width: int) -> Cost:
    """Equality of two numbers of `width` bits: three bit pairs to a LUT, then ands."""
    return logic(2 * width)


def multiplexer(inputs: int, width: int = 1) -> Cost:
    """One of `inputs` words of `width` bits, chosen by a number."""
    if inputs <= 1:
        return Cost(0.0)
    if inputs > _WIDE_MULTIPLEXER:
        first = multiplexer(_WIDE_MULTIPLEXER, width)
        groups = -(-inputs // _WIDE_MULTIPLEXER)
        rest = multiplexer(groups, width)
        return Cost(first.delay_ns + rest.delay_ns, groups * first.luts + rest.luts)
    quads = -(-inputs // 4)
    return Cost(_lut_level() + (quads - 1).bit_length() * _ns("wide_multiplexer"), quads * width)


def constant_shift(width: int) -> Cost:
    """A shift by a constant is wires only."""
    del width
    return Cost(0.0)


def variable_shift(width: int, amount_bits: int) -> Cost:
    """A shift by a number of `amount_bits` bits: a LUT chooses one of four, so two of the log2 stages a level."""
    stages = min(amount_bits, max(width - 1, 1).bit_length() + 1)
    levels = -(-stages // 2)
    return Cost(levels * _lut_level(), levels * width)


def multiply(first: int, second: int, signed: bool = False) -> Cost:
    """A product of numbers of `first` and `second` bits: LUTs up to 8 bits of product, else DSP slices in a cascade.

    Args:
        first: bits of one factor, its sign included.
        second: bits of the other.
        signed: the highest bit of either is a sign.
    """
    wide, narrow = max(first, second), min(first, second)
    if narrow <= 1 or first + second <= _LUT_INPUTS:
        return Cost(_lut_level(), wide * narrow)
    if first + second < _LEAST_DSP_PRODUCT:
        sums = (narrow - 1).bit_length()
        return Cost(_lut_level() + sums * add(first + second).delay_ns, narrow * (first + second))
    room = [bits if signed else bits - 1 for bits in DSP_BITS]
    slices = -(-wide // room[0]) * -(-narrow // room[1])
    one = sum(map(_ns, ("wire", "dsp_inputs", "dsp_multiplier", "dsp_sum", "dsp_output")))
    return Cost(one + (slices - 1) * _ns("dsp_cascade"), 0, slices)


def multiply_constant(width: int, number: int) -> Cost:
    """A product of `width` bits with a constant: a tree of additions, one operand per signed digit, or a DSP slice."""
    digits, rest = 0, number
    while rest:
        if rest & 1:
            rest -= 2 - (rest & 3)
            digits += 1
        rest >>= 1
    if digits <= 1:
        return Cost(0.0)
    sums = Cost((digits - 1).bit_length() * add(width).delay_ns, (digits - 1) * width)
    return min(sums, multiply(width, number.bit_length()), key=lambda cost: cost.delay_ns)


def divide(width: int) -> Cost:
    """A quotient or remainder of `width` bits without registers: a subtraction per bit of the quotient (estimate)."""
    return Cost(width * add(width + 1).delay_ns, width * (width + 1))


def population_count(width: int) -> Cost:
    """How many of `width` bits are set: 6 to 3 in LUTs, then a tree of small additions (estimate)."""
    groups = -(-width // _LUT_INPUTS)
    levels = (groups - 1).bit_length()
    return Cost(_lut_level() + levels * add(width.bit_length()).delay_ns, 3 * groups + width)


def parity(width: int) -> Cost:
    """Exclusive or of `width` bits."""
    return logic(width)


def lut_ram_read(depth: int, width: int) -> Cost:
    """A read without a clock of `depth` words of `width` bits: LUT RAM (or ROM), then a multiplexer over its blocks."""
    blocks = -(-depth // _LUT_RAM_WORDS)
    choice = multiplexer(blocks, width)
    return Cost(_ns("wire") + _ns("lut_ram") + choice.delay_ns, blocks * width + choice.luts)


def block_ram_read(depth: int, width: int) -> Cost:
    """Clock to data of a block RAM without its output register."""
    halves = min(-(-width // bits) * -(-depth // words) for words, bits in _BLOCK_RAM_SHAPES)
    deep = -(-depth // 4096)
    return Cost(_ns("block_ram") + multiplexer(deep, width).delay_ns, 0, 0, halves / 2)


def ultra_ram_count(depth: int, width: int) -> int:
    """URAM288 of a memory; its delays are taken to be those of a block RAM."""
    words, bits = _ULTRA_RAM
    return -(-depth // words) * -(-width // bits)


def block_ram_setup() -> Cost:
    """What a block RAM's address, data and enable need before the clock."""
    return Cost(_ns("block_ram_setup"))


def register_output() -> Cost:
    """Clock to output of a register."""
    return Cost(_ns("clock_to_out"))


def register_setup() -> Cost:
    """What a register's input needs before the clock."""
    return Cost(_ns("setup"))


def stream_data(depth: int, width: int) -> Cost:
    """Clock to the word at the head of a FIFO: the read pointer, then LUT RAM (`library/rtl_fifo.sv`)."""
    return Cost(_ns("clock_to_out") + lut_ram_read(depth, width).delay_ns)


def stream_flag(depth: int) -> Cost:
    """Clock to a FIFO's `empty_n` or `full_n`: its count against a constant."""
    return Cost(_ns("clock_to_out") + logic(depth.bit_length()).delay_ns)


def stream_strobe(depth: int) -> Cost:
    """From a FIFO's `read` or `write` to the register of its count: the gate with the flag, then the next count."""
    return Cost(_lut_level() + add(depth.bit_length()).delay_ns)
