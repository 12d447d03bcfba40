"""C-simulation: compiles emitted C++ with g++ and Xilinx' open ap_types, runs it, reads what it found."""

from testbench.csim.compiler import CompileFailed, compile_program
from testbench.csim.program import CsimResult, StreamUse, run_program

__all__ = ["CompileFailed", "CsimResult", "StreamUse", "compile_program", "run_program"]
