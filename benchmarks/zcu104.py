"""What an accelerator takes of a ZCU104: LUTs, registers and DSP slices by Yosys, memories by geometry."""

from __future__ import annotations

import tempfile
from pathlib import Path

import rtl
from generator.architecture import Architecture
from generator.boards import load_board
from generator.emit import TOP, emit_project
from rtl.resources import Resources
from rtl.synthesis import find_yosys, synthesise

__all__ = ["BOARD", "KEPT_MODULES", "compiled", "fits", "synthesised"]

BOARD = "zcu104"
KEPT_MODULES = Path("build") / "pe_slice"
"""Modules that Yosys has been through, by their text, of all benchmarks."""


def compiled(architecture: Architecture, clock_mhz: float, folder: Path) -> tuple[rtl.Design, rtl.Report]:
    """An accelerator's C++, in `folder`/hls, as SystemVerilog.

    Raises:
        RuntimeError: a loop misses the clock.
    """
    emit_project(folder, architecture, load_board(BOARD), clock_mhz)
    hls = folder / "hls"
    design, report = rtl.compile_with_report(hls / "top.cpp", TOP, [hls], folder / "rtl", clock_mhz)
    if report.misses:
        raise RuntimeError(report.misses[0])
    return design, report


def synthesised(architecture: Architecture, clock_mhz: float, kept: Path = KEPT_MODULES) -> tuple[Resources, Resources]:
    """All modules of an accelerator by Yosys, and by the compiler; modules of the same text are taken from `kept`."""
    with tempfile.TemporaryDirectory() as name:
        design, report = compiled(architecture, clock_mhz, Path(name))
        synthesis = synthesise(design, report, find_yosys(), kept)
    return synthesis.total, synthesis.estimate


def fits(takes: Resources) -> bool:
    """Whether the board has room for so much."""
    board = load_board(BOARD)
    there = (board.luts, board.flip_flops, board.dsps, board.bram36, board.uram)
    return all(a <= b for a, b in zip((takes.lut, takes.ff, takes.dsp, takes.bram, takes.uram), there, strict=True))
