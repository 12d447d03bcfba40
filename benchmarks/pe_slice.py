"""What a PE of the convolver takes of a ZCU104 by Yosys, and how many of AlexNet's size fit.

    python -m benchmarks.pe_slice            prints the figures; exit code 1 when one is not as expected (minutes)
    python -m benchmarks.pe_slice --update   writes them to pe_slice.json

A *slice* is a PE with its decoder, its post-processing and its streams: every module of which there is one for each PE.
The rest is shared. Sizes are those of AlexNet's five convolutions with synthetic weights at Han's densities, pipelined
for 200 MHz. Each module is synthesised for itself (`rtl.synthesis`), and counted as often as it is there. Arrays of the
kernels are counted by geometry (`generator.resources`), as Yosys has no UltraRAM for them; FIFOs in block RAM by Yosys.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from pydantic import BaseModel, Field
from rich.console import Console
from rich.table import Table

import rtl
from benchmarks.estimate import convolutions
from benchmarks.kept import keep_or_compare
from generator.boards import load_board
from generator.build import BuildOptions, fit_architecture
from generator.emit import TOP, emit_project
from generator.plan import plan_network
from generator.resources import memories
from rtl.resources import Resources
from rtl.synthesis import ModuleResources, Synthesis, find_yosys, synthesise
from zoo.synthetic import describe

__all__ = ["BOARD", "EXPECTED", "Figures", "compiled", "figures", "measure"]

EXPECTED = Path(__file__).parent / "pe_slice.json"
BOARD = "zcu104"
_KEPT_MODULES = Path("build") / "pe_slice"
_PES, _LANES, _TILE, _CLOCK_MHZ = 30, 64, 57, 200.0


class Part(BaseModel):
    """Modules of one kind: what each takes, and how many belong to a slice and how many to the shared rest."""

    module: str
    of_slice: int
    shared: int
    each: Resources
    estimate: Resources = Field(description="of each, by the compiler (`rtl.resources`)")


class Figures(BaseModel):
    """An accelerator of `pes` PEs; block RAM and UltraRAM of the kernels' arrays apart."""

    tool: str = Field(description="Yosys' version")
    pes: int
    parts: list[Part]
    slice: Resources
    shared: Resources
    total: Resources
    array_blocks: float = Field(description="RAMB36E2 of all arrays, were none of them in UltraRAM")
    array_bits: int = Field(description="bits of the feature maps that the PEs hold, each its own")
    fitting: int = Field(description="slices whose LUTs, registers and DSP slices the board has room for")


def compiled(folder: Path) -> tuple[rtl.Design, rtl.Report, float, int]:
    """The accelerator's design and report; RAMB36E2 of its arrays, and bits of all PEs' feature maps.

    Args:
        folder: for C++ and SystemVerilog.
    """
    network = convolutions(describe("alexnet-without-lrn", "han", 0.25))
    schedules = plan_network(network, _PES, _LANES, 1, tile=_TILE)
    architecture = fit_architecture(schedules, BuildOptions(pes=_PES, lanes=_LANES, tile=_TILE))
    emit_project(folder, architecture, load_board(BOARD), _CLOCK_MHZ)
    hls = folder / "hls"
    design, report = rtl.compile_with_report(hls / "top.cpp", TOP, [hls], folder / "rtl", _CLOCK_MHZ)
    if report.misses:
        raise RuntimeError(report.misses[0])
    arrays = memories(architecture)
    bits = sum(each.words * each.bits * each.copies for each in arrays if each.name == "feature maps")
    return design, report, sum(each.bram36 * each.copies for each in arrays), bits


def figures(synthesis: Synthesis, array_blocks: float, array_bits: int) -> Figures:
    """Slices and the rest of a synthesised accelerator, and how many slices the board has room for."""
    parts = [_part(each) for each in synthesis.modules]
    one, shared = Resources(), Resources()
    for part in parts:
        one += part.each.times(part.of_slice)
        shared += part.each.times(part.shared)
    board = load_board(BOARD)
    room = [
        (there - taken) // each
        for there, taken, each in (
            (board.luts, shared.lut, one.lut),
            (board.flip_flops, shared.ff, one.ff),
            (board.dsps, shared.dsp, one.dsp),
        )
    ]
    return Figures(
        tool=synthesis.tool,
        pes=_PES,
        parts=parts,
        slice=one,
        shared=shared,
        total=one.times(_PES) + shared,
        array_blocks=array_blocks,
        array_bits=array_bits,
        fitting=min(room),
    )


def _part(module: ModuleResources) -> Part:
    """Block RAM of processes is left out: those are arrays, which are counted by geometry."""
    each, estimate = (
        found.model_copy(update={"bram": 0.0}) if module.function else found for found in (module.each, module.estimate)
    )
    return Part(
        module=module.function or module.module,
        of_slice=module.instances // _PES,
        shared=module.instances % _PES,
        each=each,
        estimate=estimate,
    )


def measure(kept: Path = _KEPT_MODULES) -> Figures:
    """Compiles and synthesises; modules that have not changed are taken from the folder `kept`."""
    with tempfile.TemporaryDirectory() as folder:
        design, report, blocks, bits = compiled(Path(folder))
        return figures(synthesise(design, report, find_yosys(), kept), blocks, bits)


def _print(found: Figures) -> None:
    table = Table("module", "a slice", "shared", "LUT (estimate)", "FF", "DSP48E2", "RAMB36E2")
    for part in found.parts:
        each = part.each
        counts = f"{part.of_slice}", f"{part.shared}"
        luts = f"{each.lut:,} ({part.estimate.lut:,})"
        table.add_row(part.module, *counts, luts, f"{each.ff:,}", f"{each.dsp}", f"{each.bram:g}")
    board = load_board(BOARD)
    table.add_section()
    for name, sum_ in (("a slice", found.slice), ("shared", found.shared), (f"{found.pes} slices", found.total)):
        table.add_row(name, "", "", f"{sum_.lut:,}", f"{sum_.ff:,}", f"{sum_.dsp}", f"{sum_.bram:g}")
    table.add_row(BOARD, "", "", f"{board.luts:,}", f"{board.flip_flops:,}", f"{board.dsps}", f"{board.bram36}")
    console = Console(width=120)
    console.print(table)
    console.print(
        f"{found.fitting} slices fit by LUTs, registers and DSP slices. Arrays of {found.pes} PEs: "
        f"{found.array_blocks:,g} RAMB36E2 without UltraRAM, of which {found.array_bits / 1e6:.1f} Mbit "
        f"are feature maps; {BOARD} has {board.bram36} and {board.uram} URAM288, "
        f"{(board.bram36 * 36 + board.uram * 288) / 1024:.1f} Mbit."
    )


def main(arguments: list[str] | None = None) -> int:
    """Prints the figures; returns 1 when one is not as expected."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help=f"write the figures to {EXPECTED.name}")
    update = parser.parse_args(arguments).update
    found = measure()
    _print(found)
    return keep_or_compare([found], EXPECTED, update)


if __name__ == "__main__":
    sys.exit(main())
