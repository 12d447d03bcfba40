"""Random programs: C++ under g++ with Xilinx' types against the compiled SystemVerilog under Verilator."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.random_programs import random_program
from tests.rtl.simulation import compile_programs, run_cpp, run_rtl

BATCHES = 1
PROGRAMS = 14
STALLS = (0, 40, 75)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_rtl_equals_cpp(batch: int, tmp_path: Path) -> None:
    """Every word of every program, without pauses and with random ones at both ports; lint-clean throughout."""
    programs = [random_program(1000 * batch + number) for number in range(PROGRAMS)]
    designs = compile_programs(programs, tmp_path / "rtl")
    wanted = run_cpp(programs, designs, tmp_path / "cpp")
    counts = {program.top: {"out": len(wanted[program.top].words["out"])} for program in programs}
    assert all(counts[program.top]["out"] > 0 for program in programs)
    runs = run_rtl(programs, designs, counts, tmp_path / "simulation", STALLS)
    for run in runs:
        for program in programs:
            assert run[program.top].words == wanted[program.top].words, program.source
