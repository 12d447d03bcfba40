"""What a PE of the convolver takes of a ZCU104 by Yosys, how many fit, and what the best accelerator that fits takes.

    python -m benchmarks.pe_slice            prints the figures; exit code 1 when one is not as expected (minutes)
    python -m benchmarks.pe_slice --update   writes them to pe_slice.json

A *slice* is a PE with its decoder, its post-processing and its streams: every module of which there is one for each PE.
The rest is shared. Sizes are those of AlexNet's five convolutions with synthetic weights at Han's densities, pipelined
for 200 MHz. Each module is synthesised for itself (`rtl.synthesis`), and counted as often as it is there. Arrays of the
kernels are counted by geometry (`generator.resources`), in block RAM until that is full and in UltraRAM then.

Three accelerators: 30 PEs x 57 of 64, whose memories are too large; the fastest one that `zeroskip estimate` finds
for AlexNet's convolutions on the board, whose maps may come in parts; and 2 PEs x 9 of 16, for which Yosys takes
seconds: its PE is synthesised by the tests, too, which compare the compiler's estimates of the first.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field
from rich.console import Console
from rich.table import Table

import golden
import rtl
from benchmarks.estimate import convolutions
from benchmarks.kept import asks_to_update, keep_or_compare
from benchmarks.zcu104 import BOARD, KEPT_MODULES, compiled
from generator.architecture import Architecture
from generator.boards import load_board
from generator.build import BuildOptions, fit_architecture
from generator.emit import TOP
from generator.estimates import EstimateOptions, estimate
from generator.plan import plan_network
from generator.resources import memories, placed, word_pixels
from generator.schedule import Schedule
from generator.strips import MapMemory
from generator.timing import predict
from rtl.resources import Resources
from rtl.synthesis import ModuleResources, Synthesis, find_yosys, synthesise
from zeroskip.pipeliner import KeptStages
from zoo.synthetic import describe

__all__ = ["BOARD", "EXPECTED", "Figures", "Part", "chosen", "estimates", "figures", "measure", "synthesised"]

EXPECTED = Path(__file__).parent / "pe_slice.json"
_MANY, _SMALL, _CLOCK_MHZ = (30, 57), (2, 9), 200.0


class Part(BaseModel):
    """Modules of one kind: what each takes, and how many belong to a slice and how many to the shared rest."""

    module: str
    of_slice: int
    shared: int
    each: Resources
    estimate: Resources = Field(description="of each, by the compiler (`rtl.resources`)")


class Figures(BaseModel):
    """An accelerator of `pes` PEs of `tile` multipliers; block RAM and UltraRAM of the kernels' arrays apart."""

    tool: str = Field(description="Yosys' version")
    pes: int
    tile: int
    map_words: int = Field(description="that a PE's memory for maps holds")
    frames_per_second: float = Field(description="of AlexNet's convolutions, by the cycle model")
    parts: list[Part]
    slice: Resources
    shared: Resources
    total: Resources
    array_bits: int = Field(description="bits of the feature maps that the PEs hold, each its own")
    array_bram36: float = Field(description="RAMB36E2 of all arrays")
    array_uram: int = Field(description="URAM288 of the arrays that block RAM has no room for")
    fitting: int = Field(description="slices whose LUTs, registers and DSP slices the board has room for")

    @property
    def fits(self) -> bool:
        """Whether the board has room for all of it."""
        board, blocks = load_board(BOARD), self.total.bram + self.array_bram36
        return self.pes <= self.fitting and blocks <= board.bram36 and self.array_uram <= board.uram


def chosen(network: golden.Network) -> tuple[int, int, int]:
    """PEs, multipliers of each and words of its maps, of the accelerator that is estimated to be the fastest there."""
    found = estimate(network, BOARD, EstimateOptions(clock_mhz=_CLOCK_MHZ, pipeliner=KeptStages())).architecture
    return found.pes, found.tile, found.map_words


@dataclass(frozen=True)
class _Compiled:
    """An accelerator's schedules, and its C++ as SystemVerilog in a folder."""

    schedules: Sequence[Schedule]
    architecture: Architecture
    hls: Path
    design: rtl.Design
    report: rtl.Report


def _compile(network: golden.Network, pes: int, tile: int, map_words: int | None, folder: Path) -> _Compiled:
    lanes = word_pixels(tile)
    memory = MapMemory(map_words) if map_words else None
    schedules = plan_network(network, pes, lanes, 1, tile=tile, memory=memory)
    architecture = fit_architecture(schedules, BuildOptions(pes=pes, lanes=lanes, tile=tile))
    return _Compiled(schedules, architecture, folder / "hls", *compiled(architecture, _CLOCK_MHZ, folder))


def measure(
    network: golden.Network, pes: int, tile: int, map_words: int | None = None, kept: Path = KEPT_MODULES
) -> Figures:
    """Compiles and synthesises an accelerator; modules that have not changed are taken from the folder `kept`.

    Args:
        map_words: feature words of maps that a PE has room for; None for whole maps.
    """
    with tempfile.TemporaryDirectory() as name:
        compiled = _compile(network, pes, tile, map_words, Path(name))
        stages = KeptStages()(compiled.hls, TOP, _CLOCK_MHZ)
        synthesis = synthesise(compiled.design, compiled.report, find_yosys(), kept)
    cycles = predict(compiled.architecture, compiled.schedules, {}, stages).layer_cycles
    return figures(synthesis, compiled.architecture, _CLOCK_MHZ * 1e6 / sum(cycles))


def synthesised(network: golden.Network, pes: int, tile: int, process: str, kept: Path = KEPT_MODULES) -> Part:
    """One process of an accelerator by Yosys, as :func:`measure` has it among the others."""
    with tempfile.TemporaryDirectory() as name:
        compiled = _compile(network, pes, tile, None, Path(name))
        rows = [row for row in compiled.report.processes if row.process == process]
        report = compiled.report.model_copy(update={"processes": rows})
        design = compiled.design.model_copy(update={"fifos": []})
        (module,) = synthesise(design, report, find_yosys(), kept).modules
    return _part(module, pes)


def estimates(network: golden.Network, pes: int, tile: int) -> dict[str, Resources]:
    """What the compiler estimates of each of an accelerator's processes, without block RAM as in `Part`."""
    with tempfile.TemporaryDirectory() as name:
        processes = _compile(network, pes, tile, None, Path(name)).report.processes
    return {row.process: row.resources.model_copy(update={"bram": 0.0}) for row in processes}


def figures(synthesis: Synthesis, architecture: Architecture, frames_per_second: float) -> Figures:
    """Slices and the rest of a synthesised accelerator, and how many slices the board has room for."""
    parts = [_part(each, architecture.pes) for each in synthesis.modules]
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
    arrays = placed(architecture, board)
    maps = [each for each in memories(architecture) if each.name == "feature maps"]
    return Figures(
        tool=synthesis.tool,
        pes=architecture.pes,
        tile=architecture.tile,
        map_words=architecture.map_words,
        frames_per_second=round(frames_per_second, 1),
        parts=parts,
        slice=one,
        shared=shared,
        total=one.times(architecture.pes) + shared,
        array_bits=sum(each.words * each.bits * each.copies for each in maps),
        array_bram36=arrays.bram36,
        array_uram=arrays.uram,
        fitting=min(room),
    )


def _part(module: ModuleResources, pes: int) -> Part:
    """Block RAM of processes is left out: those are arrays, which are counted by geometry."""
    each, estimate = (
        found.model_copy(update={"bram": 0.0}) if module.function else found for found in (module.each, module.estimate)
    )
    return Part(
        module=module.function or module.module,
        of_slice=module.instances // pes,
        shared=module.instances % pes,
        each=each,
        estimate=estimate,
    )


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
        f"{found.fitting} slices fit by LUTs, registers and DSP slices. Arrays of {found.pes} PEs x {found.tile}: "
        f"{found.array_bram36:,g} RAMB36E2 and {found.array_uram} URAM288, of which {found.array_bits / 1e6:.1f} Mbit "
        f"are feature maps; {BOARD} has {board.bram36} and {board.uram}. {found.frames_per_second:,} frames/s of the "
        f"convolutions, {'which fits' if found.fits else 'which does not fit'}."
    )


def main(arguments: list[str] | None = None) -> int:
    """Prints the figures; returns 1 when one is not as expected."""
    update = asks_to_update(__doc__, EXPECTED, arguments)
    network = convolutions(describe("alexnet-without-lrn", "han", 0.25))
    found = [measure(network, *sizes) for sizes in (_MANY, chosen(network), _SMALL)]
    for each in found:
        _print(each)
    return keep_or_compare(found, EXPECTED, update)


if __name__ == "__main__":
    sys.exit(main())
