"""AlexNet whole at batch 1: convolver, map engine and the streamed FC engine, weights of FC layers in a ZCU104's DDR.

    python -m benchmarks.alexnet            prints the figures; exit code 1 when one is not as expected
    python -m benchmarks.alexnet --update   writes them to alexnet.json

What `zeroskip estimate` says of 32 PEs x 57 of 64 multipliers, 32 lanes of the map engine and 64 slots. Weights are
synthetic: Han's densities, channels 25 % apart, linear layers of 15 shared values; so is the image (random), and so are
the shares of activations that are not zero. The DDR gives 80 % of 19.2 GB/s and answers after 100 clocks (assumed). All
layers one after another, loading and draining included; clocks are the schedule's for hardware pipelined for 200 MHz,
and the RTL needs as many (`python -m benchmarks.whole_rtl`).
Whether so many multipliers fit a board is not asked here: by the compiler's estimate they exceed a ZCU104.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

import generator
from benchmarks.kept import asks_to_update, keep_or_compare
from generator.boards import load_board
from generator.estimates import Estimate
from zeroskip.pipeliner import KeptStages
from zoo.synthetic import describe

__all__ = ["CLOCK_MHZ", "EXPECTED", "FC_SLOTS", "MAP_LANES", "PES", "TILE", "LayerFigures", "WholeFigures", "measure"]

EXPECTED = Path(__file__).parent / "alexnet.json"
PES, TILE, MAP_LANES, FC_SLOTS, CLOCK_MHZ = 32, 57, 32, 64, 200.0
_NO_LIMIT = 10**9


class LayerFigures(BaseModel):
    """A layer.

    Attributes:
        cycles: nothing stalling.
        ddr_clocks: that the DDR adds where columns are fetched.
        bytes_moved: over all ports.
        macs: with weights that are not zero, on the FC engine with such activations.
    """

    layer: str
    engine: str
    cycles: int
    ddr_clocks: int
    bytes_moved: int
    macs: int


class WholeFigures(BaseModel):
    """The network: its layers, their sum, images a second with what the DDR bounds, and the layers that it bounds."""

    layers: list[LayerFigures]
    cycles: int
    ddr_clocks: int
    ddr_bound: list[str]
    frames_per_second: float
    bytes_moved: int
    luts: int
    dsps: int


def measure() -> WholeFigures:
    """The figures, on a board of a ZCU104's DDR and as much logic as is asked for."""
    network = describe("alexnet", "han", 0.25, 4)
    options = generator.EstimateOptions(
        PES, TILE, map_lanes=MAP_LANES, fc_slots=FC_SLOTS, clock_mhz=CLOCK_MHZ, pipeliner=KeptStages()
    )
    free = dict.fromkeys(("luts", "flip_flops", "dsps", "bram36", "uram"), _NO_LIMIT)
    with tempfile.TemporaryDirectory() as folder:
        board = Path(folder) / "ddr_of_zcu104.json"
        board.write_text(load_board("zcu104").model_copy(update=free).model_dump_json())
        return _figures(generator.estimate(network, str(board), options))


def _figures(found: Estimate) -> WholeFigures:
    return WholeFigures(
        layers=[
            LayerFigures(
                layer=each.name,
                engine=each.engine,
                cycles=each.cycles,
                ddr_clocks=each.ddr_clocks,
                bytes_moved=each.weight_bytes + each.input_bytes + each.output_bytes + each.column_bytes,
                macs=each.macs,
            )
            for each in found.layers
        ],
        cycles=found.cycles,
        ddr_clocks=found.ddr_clocks,
        ddr_bound=[each.name for each in found.layers if each.ddr_bound],
        frames_per_second=round(found.fps, 1),
        bytes_moved=found.bytes_moved,
        luts=found.resources.luts,
        dsps=found.resources.dsps,
    )


def main(arguments: list[str] | None = None) -> int:
    """Prints the figures; returns 1 when one is not as expected."""
    update = asks_to_update(__doc__, EXPECTED, arguments)
    found = measure()
    table = Table("layer", "engine", "clocks", "for DDR", "KB moved", "multiplications", title="AlexNet, batch 1")
    for each in found.layers:
        numbers = (each.cycles, each.ddr_clocks, each.bytes_moved // 1000, each.macs)
        table.add_row(each.layer, each.engine, *(f"{number:,}" for number in numbers))
    console = Console(width=120)
    console.print(table)
    console.print(
        f"{found.cycles:,} clocks, and {found.ddr_clocks:,} for DDR: {found.frames_per_second:,.1f} images a second; "
        f"{found.bytes_moved / 1e6:,.2f} MB an image; the DDR bounds {', '.join(found.ddr_bound) or 'no layer'}"
    )
    return keep_or_compare([found], EXPECTED, update)


if __name__ == "__main__":
    sys.exit(main())
