"""The papers' CIFAR networks at their pruning budgets, whole, on one accelerator in one ZCU104, beside the papers'
FPGAs.

    python -m benchmarks.networks            prints the figures; exit code 1 when one is not as expected (minutes)
    python -m benchmarks.networks --update   writes them to networks.json

Networks are those of `zoo.synthetic`: exact shapes, channels removed until the paper's counts of multiplications and
weights are met, synthetic weights. The accelerator is the same for all, and so is synthesised once: its memories hold
what any of them needs. Filter pruning leaves full kernels, so that each of its PEs computes four output channels side
by side, which share a map, the places of the weights and masks (`docs/engines.md`).

Clocks are the schedule's and the cycle model's at batch 1, pipelined for 200 MHz; the RTL of every one of these
networks needs as many: `python -m benchmarks.whole_rtl zcu104`. Milliseconds are those clocks, or where that is longer
the time that a layer's bytes take at 80 % of the board's DDR. LUTs, registers and DSP slices are Yosys', module by
module, arrays by geometry.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field
from rich.console import Console
from rich.table import Table

from benchmarks.kept import asks_to_update, keep_or_compare
from benchmarks.zcu104 import BOARD, KEPT_MODULES, fits, synthesised
from generator import BuildOptions, layouts
from generator.architecture import Architecture
from generator.boards import load_board
from generator.build import scheduled
from generator.emit import TOP, emit_project
from generator.resources import placed
from generator.schedule import ConvolverSchedule, Schedule
from generator.timing import predict
from rtl.resources import Resources
from rtl.synthesis import find_yosys
from zeroskip.pipeliner import KeptStages
from zoo.synthetic import describe

__all__ = [
    "ARCHITECTURE",
    "CASES",
    "CLOCK_MHZ",
    "EXPECTED",
    "Case",
    "Figures",
    "Latency",
    "latency",
    "measure",
    "stages",
]

EXPECTED = Path(__file__).parent / "networks.json"
CLOCK_MHZ = 200.0
ARCHITECTURE = Architecture(
    lanes=64, tile=64, pes=6, pe_outputs=4, fc_pes=0, map_words=2048, max_entries=1773, mask_words=12, max_columns=32,
    sum_bits=25, pointer_words=1, entry_words=1, fc_rows=1, map_columns=1, weight_depth=256, entry_depth=256,
    output_depth=16,
)  # fmt: skip
"""One accelerator for all networks: no FC engine, as their linear layers are convolutions of one position."""


@dataclass(frozen=True)
class Case:
    """A network of `zoo.synthetic`, and the milliseconds of an image that are to be beaten."""

    network: str
    variant: str
    milliseconds: float

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.network} {self.variant}"


CASES = (
    # Li, Li, Meng (Electronics 2022), CIFAR-10, FPGA latencies behind pruning at 1, 2 and 3 %.
    *(Case("vgg16bn", f"{budget}%", ms) for budget, ms in ((1, 0.47), (2, 0.32), (3, 0.34))),
    *(Case("resnet56", f"{budget}%", ms) for budget, ms in ((1, 0.52), (2, 0.41), (3, 0.41))),
    *(Case("resnet110", f"{budget}%", ms) for budget, ms in ((1, 0.74), (2, 0.65), (3, 0.55))),
    *(Case("mobilenetv2", f"{budget}%", ms) for budget, ms in ((1, 0.59), (2, 0.55), (3, 0.51))),
    # Ten times, and over three times, the frames a second of Li et al. (Comput. Intell. Neurosci. 2022).
    Case("vgg13bn", "paper", 1000 / 1500),
    Case("resnet101", "paper", 1000 / 400),
)


class Latency(BaseModel):
    """An image on the accelerator."""

    network: str
    cycles: int = Field(description="nothing stalling")
    milliseconds: float = Field(description="layers whose bytes take longer at the DDR's share counted with that")
    frames_per_second: float
    utilisation_percent: float
    megabytes_moved: float
    bar_milliseconds: float
    met: bool


class Figures(BaseModel):
    """The accelerator, and all networks on it."""

    tool: str = Field(description="Yosys' version")
    takes: Resources = Field(description="by Yosys; block RAM and UltraRAM of arrays by geometry")
    estimate: Resources = Field(description="by the compiler")
    networks: list[Latency]

    @property
    def fits(self) -> bool:
        """Whether the board has room for it."""
        return fits(self.takes)


def stages() -> Mapping[str, tuple[int, int]]:
    """How the compiler pipelines the accelerator."""
    with tempfile.TemporaryDirectory() as folder:
        emit_project(Path(folder), ARCHITECTURE, load_board(BOARD), CLOCK_MHZ)
        return KeptStages()(Path(folder) / "hls", TOP, CLOCK_MHZ)


def latency(case: Case, pipeline: Mapping[str, tuple[int, int]]) -> Latency:
    """A network on the accelerator, which is pipelined as :func:`stages` tells."""
    network = describe(case.network, case.variant, 0.0)
    schedules, architecture = scheduled(network, BuildOptions(architecture=ARCHITECTURE))
    cycles = predict(architecture, schedules, {}, pipeline).layer_cycles
    moved = [_bytes_moved(each) for each in schedules]
    share = load_board(BOARD).ddr_bytes_per_clock(CLOCK_MHZ)
    clocks = sum(max(there, size / share) for there, size in zip(cycles, moved, strict=True))
    convolved = [
        (each.layer.macs, there)
        for each, there in zip(schedules, cycles, strict=True)
        if isinstance(each, ConvolverSchedule)
    ]
    macs, busy = (sum(each) for each in zip(*convolved, strict=True))
    milliseconds = clocks / CLOCK_MHZ / 1000
    return Latency(
        network=case.name,
        cycles=sum(cycles),
        milliseconds=round(milliseconds, 4),
        frames_per_second=round(1000 / milliseconds, 1),
        utilisation_percent=round(100 * macs / (architecture.convolver_multipliers * busy), 1),
        megabytes_moved=round(sum(moved) / 1e6, 2),
        bar_milliseconds=round(case.milliseconds, 4),
        met=milliseconds <= case.milliseconds,
    )


def _bytes_moved(schedule: Schedule) -> int:
    """Over all ports."""
    weight_words = layouts.DESCRIPTOR_WORDS + len(schedule.rounds.words)
    feature_words = schedule.feature_words(ARCHITECTURE.lanes) + schedule.output.words(ARCHITECTURE.lanes)
    return weight_words * layouts.WEIGHT_BITS // 8 + feature_words * ARCHITECTURE.lanes


def measure(kept: Path = KEPT_MODULES) -> Figures:
    """Compiles and synthesises the accelerator (modules that have not changed are taken from `kept`), and schedules
    every network on it."""
    takes, estimate = synthesised(ARCHITECTURE, CLOCK_MHZ, kept)
    arrays = placed(ARCHITECTURE, load_board(BOARD))
    memories = {"bram": arrays.bram36, "uram": arrays.uram}
    pipeline = stages()
    return Figures(
        tool=find_yosys().version,
        takes=takes.model_copy(update=memories),
        estimate=estimate.model_copy(update=memories),
        networks=[latency(case, pipeline) for case in CASES],
    )


def _print(found: Figures) -> None:
    a, console = ARCHITECTURE, Console(width=120)
    title = (
        f"{a.pes} PEs x {a.pe_outputs} output channels x {a.tile} multipliers, {CLOCK_MHZ:g} MHz, batch 1, synthetic "
        "weights"
    )
    columns = ("clocks", "ms", "fps", "utilisation %", "MB moved", "to beat, ms", "")
    table = Table("network", *columns, title=title)
    for each in found.networks:
        table.add_row(
            each.network, f"{each.cycles:,}", f"{each.milliseconds:.3f}", f"{each.frames_per_second:,.1f}",
            f"{each.utilisation_percent:.1f}", f"{each.megabytes_moved:.2f}", f"{each.bar_milliseconds:.3f}",
            "met" if each.met else "missed",
        )  # fmt: skip
    console.print(table)
    takes, board = found.takes, load_board(BOARD)
    console.print(
        f"{takes.lut:,} of {board.luts:,} LUTs (estimate: {found.estimate.lut:,}), {takes.ff:,} of "
        f"{board.flip_flops:,} registers, {takes.dsp:,} of {board.dsps:,} DSP slices, {takes.bram:g} of "
        f"{board.bram36} block RAMs, {takes.uram} of {board.uram} UltraRAMs: "
        f"{'it fits' if found.fits else 'it does not fit'} a {BOARD}."
    )


def main(arguments: list[str] | None = None) -> int:
    """Prints the figures of all networks; returns 1 when one is not as expected."""
    update = asks_to_update(__doc__, EXPECTED, arguments)
    found = measure()
    _print(found)
    return keep_or_compare([found], EXPECTED, update)


if __name__ == "__main__":
    sys.exit(main())
