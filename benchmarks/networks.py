"""The papers' CIFAR networks at their pruning budgets, whole, on one size of engines: latency beside the papers' FPGAs.

    python -m benchmarks.networks            prints the figures; exit code 1 when one is not as expected
    python -m benchmarks.networks --update   writes them to networks.json

Networks are those of `zoo.synthetic`: exact shapes, channels removed until the paper's counts of multiplications and
weights are met, synthetic weights. Clocks are `zeroskip estimate`'s at batch 1: the schedule and cycle model of
`zeroskip generate`, pipelined for 200 MHz. The RTL of every one of these networks needs as many: `python -m
benchmarks.whole_rtl`. A ZCU104 has no room for that accelerator with all that any of these networks needs; the last
columns are what `zeroskip estimate --weight-depth 32` finds for each network on a ZCU104 by itself, resources by the
estimate.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from benchmarks.kept import keep_or_compare
from generator import EstimateOptions, estimate
from zeroskip.pipeliner import KeptStages
from zoo.synthetic import describe

__all__ = ["CASES", "CLOCK_MHZ", "EXPECTED", "FC_PES", "MAP_LANES", "PES", "TILE", "Case", "Figures", "measure"]

EXPECTED = Path(__file__).parent / "networks.json"
PES, TILE, FC_PES, MAP_LANES, CLOCK_MHZ = 24, 64, 8, 8, 200.0
_WEIGHT_DEPTH = 32  # on a ZCU104, whose LUTs are short
_BOARD = "u250"  # for its DDR to be no bound; only layers' clocks are used


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


class Figures(BaseModel):
    """Clocks of an image, and what follows at 200 MHz."""

    network: str
    cycles: int
    milliseconds: float
    frames_per_second: float
    utilisation_percent: float
    megabytes_moved: float
    bar_milliseconds: float
    met: bool
    zcu104_pes: int
    zcu104_tile: int
    zcu104_milliseconds: float
    zcu104_met: bool


def measure(case: Case) -> Figures:
    """The figures of a network."""
    options = EstimateOptions(
        pes=PES, tile=TILE, fc_pes=FC_PES, map_lanes=MAP_LANES, clock_mhz=CLOCK_MHZ, pipeliner=KeptStages()
    )
    network = describe(case.network, case.variant, 0.0)
    found = estimate(network, _BOARD, options)
    milliseconds = found.cycles / CLOCK_MHZ / 1000
    options = EstimateOptions(clock_mhz=CLOCK_MHZ, pipeliner=KeptStages(), weight_depth=_WEIGHT_DEPTH)
    fitting = estimate(network, "zcu104", options)
    return Figures(
        network=case.name,
        cycles=found.cycles,
        milliseconds=round(milliseconds, 4),
        frames_per_second=round(1000 / milliseconds, 1),
        utilisation_percent=round(100 * found.utilisation, 1),
        megabytes_moved=round(found.bytes_moved / 1e6, 2),
        bar_milliseconds=round(case.milliseconds, 4),
        met=milliseconds <= case.milliseconds,
        zcu104_pes=fitting.architecture.pes,
        zcu104_tile=fitting.architecture.tile,
        zcu104_milliseconds=round(1000 / fitting.fps, 4),
        zcu104_met=1000 / fitting.fps <= case.milliseconds,
    )


def _print(measured: list[Figures]) -> None:
    title = (
        f"{PES} PEs x {TILE} multipliers, {FC_PES} FC PEs, {MAP_LANES} map lanes, 200 MHz, batch 1, synthetic weights"
    )
    columns = ("clocks", "ms", "fps", "utilisation %", "MB moved", "to beat, ms", "", "a ZCU104", "ms", "")
    table = Table("network", *columns, title=title)
    for each in measured:
        table.add_row(
            each.network, f"{each.cycles:,}", f"{each.milliseconds:.3f}", f"{each.frames_per_second:,.1f}",
            f"{each.utilisation_percent:.1f}", f"{each.megabytes_moved:.2f}", f"{each.bar_milliseconds:.3f}",
            "met" if each.met else "missed", f"{each.zcu104_pes} x {each.zcu104_tile}",
            f"{each.zcu104_milliseconds:.3f}", "met" if each.zcu104_met else "missed",
        )  # fmt: skip
    Console(width=120).print(table)


def main(arguments: list[str] | None = None) -> int:
    """Prints the figures of all networks; returns 1 when one is not as expected."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help=f"write the figures to {EXPECTED.name}")
    update = parser.parse_args(arguments).update
    measured = [measure(case) for case in CASES]
    _print(measured)
    return keep_or_compare(measured, EXPECTED, update)


if __name__ == "__main__":
    sys.exit(main())
