"""CRC-32 of packets, a word a clock, in PyCDE: `python crc_pycde.py FOLDER` writes SystemVerilog to FOLDER/hw.

`start` begins a packet with this word; `crc` is that of the words so far.
"""

import functools
import operator
import sys

from pycde import Clock, Input, Module, Output, Reset, System, generator
from pycde.circt.ir import StringAttr
from pycde.constructs import Mux, Reg
from pycde.signals import BitsSignal
from pycde.types import Bits

POLYNOMIAL = 0xEDB88320


def parities() -> list[int]:
    """For each bit of the next CRC a mask of the bits of (CRC xor word) that it is the parity of."""
    rows = [0] * 32
    for place in range(32):
        crc = 1 << place
        for _ in range(32):
            crc = crc >> 1 ^ (POLYNOMIAL if crc & 1 else 0)
        for output in range(32):
            rows[output] |= (crc >> output & 1) << place
    return rows


class Top(Module):
    """The CRC of 32-bit words."""

    clk = Clock()
    rst = Reset()
    start = Input(Bits(1))
    valid = Input(Bits(1))
    data = Input(Bits(32))
    crc = Output(Bits(32))

    @generator
    def build(ports) -> None:
        """One register, and a tree of exclusive ors for each of its bits."""
        ones = Bits(32)(0xFFFFFFFF)
        last = Reg(Bits(32), ports.clk, rst=ports.rst, rst_value=0xFFFFFFFF, ce=ports.valid)
        mixed = Mux(ports.start, last, ones) ^ ports.data
        chosen = ([mixed[place] for place in range(32) if row >> place & 1] for row in parities())
        last.assign(BitsSignal.concat([functools.reduce(operator.xor, bits) for bits in chosen][::-1]))
        ports.crc = last ^ ones


if __name__ == "__main__":
    system = System([Top], name="crc", output_directory=sys.argv[1])
    # Yosys takes no variables inside an always block.
    system.mod.operation.attributes["circt.loweringOptions"] = StringAttr.get(
        "disallowLocalVariables", system.mod.operation.context
    )
    system.compile()
