"""Compiler from Vitis HLS C++ dataflow designs to SystemVerilog. docs/rtl.md is its specification."""

from rtl.compiler import compile_cpp
from rtl.design import Design, Fifo, Instance, TopPort
from rtl.errors import CompileError

__all__ = ["CompileError", "Design", "Fifo", "Instance", "TopPort", "compile_cpp"]
