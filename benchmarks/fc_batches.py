"""AlexNet's three FC layers in batches, by the accelerator that `benchmarks.alexnet_zcu104` has for them on a ZCU104.

    python -m benchmarks.fc_batches            prints the figures; exit code 1 when one is not as expected (minutes)
    python -m benchmarks.fc_batches --update   writes them to fc_batches.json

Synthetic weights at Han's densities, random images, 16 slots, pipelined for 200 MHz: 1, 2 and 4 images together, which
share every column that one of them needs. Clocks are the schedule's, which `benchmarks.whole_rtl` finds in the RTL of 1
and 4; LUTs, registers and DSP slices are Yosys', arrays by geometry.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from benchmarks.alexnet_zcu104 import BOARD, SIZES, Share, share_of
from benchmarks.kept import asks_to_update, keep_or_compare
from generator import BuildOptions
from generator.boards import load_board
from zoo.synthetic import describe

__all__ = ["BATCHES", "EXPECTED", "Figures", "build_options", "measure"]

EXPECTED = Path(__file__).parent / "fc_batches.json"
BATCHES = (1, 2, 4)


class Figures(BaseModel):
    """So many images together; `share` is the accelerator, with clocks and bytes of all of them."""

    batch: int
    share: Share
    frames_per_second: float


def build_options(batch: int) -> BuildOptions:
    """Of the accelerator for so many images together."""
    return replace(SIZES, engine="fc", fc_batch=batch)


def measure(batch: int) -> Figures:
    """Schedules, compiles and synthesises the accelerator for so many images together."""
    sizes = build_options(batch)
    assert sizes.clock_mhz
    share = share_of(describe("alexnet", "han", 0.25, 4), "fc", load_board(BOARD), sizes)
    return Figures(batch=batch, share=share, frames_per_second=round(batch * sizes.clock_mhz * 1e6 / share.clocks, 1))


def _print(measured: list[Figures]) -> None:
    columns = ("clocks", "images/s", "LUT (estimate)", "FF", "DSP48E2", "RAMB36E2", "URAM288", "MB an image")
    table = Table("images together", *columns)
    for each in measured:
        share, takes = each.share, each.share.takes
        table.add_row(
            f"{each.batch}", f"{share.clocks:,}", f"{each.frames_per_second:,}",
            f"{takes.lut:,} ({share.estimate.lut:,})", f"{takes.ff:,}", f"{takes.dsp}", f"{takes.bram:g}",
            f"{takes.uram}", f"{share.megabytes / each.batch:.2f}",
        )  # fmt: skip
    Console(width=120).print(table)


def main(arguments: list[str] | None = None) -> int:
    """Prints the figures; returns 1 when one is not as expected."""
    update = asks_to_update(__doc__, EXPECTED, arguments)
    measured = [measure(batch) for batch in BATCHES]
    _print(measured)
    return keep_or_compare(measured, EXPECTED, update)


if __name__ == "__main__":
    sys.exit(main())
