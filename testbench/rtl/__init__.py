"""RTL benches: builds SystemVerilog with Verilator, drives its AXI streams with cocotb, compares every word."""

from testbench.rtl.simulator import Model, SimulationFailed, build_model, run_module

__all__ = ["Model", "SimulationFailed", "build_model", "run_module"]
