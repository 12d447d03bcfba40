"""Compiler from Vitis HLS C++ dataflow designs to SystemVerilog. docs/rtl.md is its specification."""

from rtl.compiler import compile_cpp, compile_with_report
from rtl.design import Design, Fifo, Instance, TopPort
from rtl.errors import CompileError, OptionError
from rtl.report import Report

__all__ = [
    "CompileError",
    "Design",
    "Fifo",
    "Instance",
    "OptionError",
    "Report",
    "TopPort",
    "compile_cpp",
    "compile_with_report",
]
