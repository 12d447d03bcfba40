"""AlexNet on a ZCU104 by three accelerators side by side, one for each engine, each with ports of its own.

    python -m benchmarks.alexnet_zcu104            prints the figures; exit code 1 when one is not as expected (minutes)
    python -m benchmarks.alexnet_zcu104 --update   writes them to alexnet_zcu104.json

One accelerator with all engines is idle in two of them at any time. Apart (`zeroskip generate --engine`), convolver,
map engine and FC engine work on different images: the host sends each the layers of whatever image is ready for it, so
that images leave at the pace of the slowest engine. An image still takes the clocks of all three, and its weights are
sent for it alone (batch 1).

Synthetic weights at Han's densities, channels 25 % apart, normalisation included, pipelined for 200 MHz. Clocks are the
schedule's, which `benchmarks.whole_rtl` finds in the RTL; LUTs, registers and DSP slices are Yosys', module by module,
arrays by geometry, as in `benchmarks.pe_slice`.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, Field
from rich.console import Console
from rich.table import Table

import golden
from benchmarks.kept import asks_to_update, keep_or_compare
from benchmarks.zcu104 import BOARD, KEPT_MODULES, fits, synthesised
from generator import BuildOptions
from generator.boards import DDR_SHARE, Board, load_board
from generator.estimates import EstimateOptions, estimate
from generator.resources import placed
from generator.schedule import Engine
from rtl.resources import Resources
from rtl.synthesis import find_yosys
from zeroskip.pipeliner import KeptStages
from zoo.synthetic import describe

__all__ = ["ENGINES", "EXPECTED", "SIZES", "Figures", "Share", "measure", "share_of"]

EXPECTED = Path(__file__).parent / "alexnet_zcu104.json"
ENGINES: tuple[Engine, ...] = ("convolver", "map", "fc")
SIZES = BuildOptions(
    pes=19, lanes=128, tile=85, map_words=512, weight_depth=64, map_lanes=8, fc_slots=16, fc_rows_at_once=2,
    fc_sums="uram", clock_mhz=200.0,
)  # fmt: skip


class Share(BaseModel):
    """One engine's accelerator."""

    engine: Engine
    clocks: int = Field(description="of an image, or a batch, behind the board's DDR")
    megabytes: float = Field(description="that cross its ports for them")
    takes: Resources = Field(description="by Yosys; block RAM and UltraRAM of arrays by geometry")
    estimate: Resources = Field(description="by the compiler")


class Figures(BaseModel):
    """All of them on one board."""

    tool: str = Field(description="Yosys' version")
    shares: list[Share]
    total: Resources
    frames_per_second: float
    milliseconds: float = Field(description="from an image's first layer to its last")
    ddr_gb_per_s: float

    @property
    def fits(self) -> bool:
        """Whether the board has room for all, and its DDR for what they move."""
        return fits(self.total) and self.ddr_gb_per_s <= DDR_SHARE * load_board(BOARD).ddr_gb_per_s


def measure(network: golden.Network, sizes: BuildOptions = SIZES, kept: Path = KEPT_MODULES) -> Figures:
    """Schedules, compiles and synthesises each accelerator; modules that have not changed are taken from `kept`."""
    shares: list[Share] = []
    board = load_board(BOARD)
    assert sizes.clock_mhz
    for engine in reversed(ENGINES):  # the convolver's maps get the memories that are left
        share = share_of(network, engine, board, sizes, kept)
        blocks, ultra = board.bram36 - share.takes.bram, board.uram - share.takes.uram
        board = board.model_copy(update={"bram36": blocks, "uram": ultra})
        shares.insert(0, share)
    return _together(shares, sizes.clock_mhz)


def share_of(
    network: golden.Network, engine: Engine, board: Board, sizes: BuildOptions = SIZES, kept: Path = KEPT_MODULES
) -> Share:
    """One engine's accelerator, whose memories lie in the block RAM and UltraRAM that `board` has left."""
    assert sizes.clock_mhz
    options = EstimateOptions(
        pes=sizes.pes, tile=sizes.tile, map_lanes=sizes.map_lanes, fc_slots=sizes.fc_slots, engine=engine,
        map_words=sizes.map_words, weight_depth=sizes.weight_depth, fc_rows_at_once=sizes.fc_rows_at_once,
        fc_sums=sizes.fc_sums, fc_batch=sizes.fc_batch, clock_mhz=sizes.clock_mhz, pipeliner=KeptStages(),
    )  # fmt: skip
    found = estimate(network, BOARD, options)
    takes, by_compiler = synthesised(found.architecture, sizes.clock_mhz, kept)
    arrays = placed(found.architecture, board)
    memories = {"bram": arrays.bram36, "uram": arrays.uram}
    return Share(
        engine=engine,
        clocks=found.cycles + found.ddr_clocks,
        megabytes=round(found.bytes_moved / 1e6, 2),
        takes=takes.model_copy(update=memories),
        estimate=by_compiler.model_copy(update=memories),
    )


def _together(shares: list[Share], clock_mhz: float) -> Figures:
    total = Resources()
    for share in shares:
        total += share.takes
    fps = clock_mhz * 1e6 / max(share.clocks for share in shares)
    return Figures(
        tool=find_yosys().version,
        shares=shares,
        total=total,
        frames_per_second=round(fps, 1),
        milliseconds=round(sum(share.clocks for share in shares) / clock_mhz / 1e3, 3),
        ddr_gb_per_s=round(fps * sum(share.megabytes for share in shares) / 1e3, 2),
    )


def build_options(engine: Engine) -> BuildOptions:
    """Of one engine's accelerator."""
    return replace(SIZES, engine=engine)


def _print(found: Figures) -> None:
    columns = ("LUT (estimate)", "FF", "DSP48E2", "RAMB36E2", "URAM288", "MB an image")
    table = Table("engine", "clocks", "images/s", *columns)
    clock = SIZES.clock_mhz or 0.0
    for share in found.shares:
        each = share.takes
        table.add_row(
            share.engine, f"{share.clocks:,}", f"{clock * 1e6 / share.clocks:,.0f}",
            f"{each.lut:,} ({share.estimate.lut:,})", f"{each.ff:,}", f"{each.dsp:,}", f"{each.bram:g}", f"{each.uram}",
            f"{share.megabytes:g}",
        )  # fmt: skip
    table.add_section()
    board, total = load_board(BOARD), found.total
    table.add_row(
        "all", "", f"{found.frames_per_second:,.0f}", f"{total.lut:,}", f"{total.ff:,}", f"{total.dsp:,}",
        f"{total.bram:g}", f"{total.uram}",
    )  # fmt: skip
    table.add_row(
        BOARD, "", "", f"{board.luts:,}", f"{board.flip_flops:,}", f"{board.dsps:,}", f"{board.bram36}", f"{board.uram}"
    )
    console = Console(width=120)
    console.print(table)
    console.print(
        f"{SIZES.pes} PEs x {SIZES.tile}, {SIZES.map_lanes} lanes of the map engine, {SIZES.fc_slots} slots: "
        f"{found.frames_per_second:,} images/s, each {found.milliseconds:g} ms under way; {found.ddr_gb_per_s:g} GB/s. "
        f"{'It fits' if found.fits else 'It does not fit'} a {BOARD}."
    )


def main(arguments: list[str] | None = None) -> int:
    """Prints the figures; returns 1 when one is not as expected."""
    update = asks_to_update(__doc__, EXPECTED, arguments)
    found = measure(describe("alexnet", "han", 0.25, 4))
    _print(found)
    return keep_or_compare([found], EXPECTED, update)


if __name__ == "__main__":
    sys.exit(main())
