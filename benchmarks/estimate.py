"""AlexNet's estimate: exact cycles on the configuration that the search chooses, and how long the estimate takes.

    python -m benchmarks.estimate            prints the figures; exit code 1 when one differs from the kept ones
    python -m benchmarks.estimate --update   writes them to estimate.json

The network is AlexNet with synthetic weights at Han's densities (NIPS 2015) and channels that differ by 25 %: without
normalisation on the U250, its five convolutions alone on the ZCU104, and whole on the ZCU104, linear layers of 15
shared values that come from DDR. Maps that have no room in the PEs come in strips. By `benchmarks.pe_slice` the PEs
that are chosen for the convolutions have too many LUTs; so there is an estimate of 12, too, which have not.

Seconds are of this process, imports left out, once the accelerator's stages are kept and compiled loops are cached;
they are printed and not compared.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

import golden
from benchmarks.kept import asks_to_update, keep_or_compare
from generator import Estimate, EstimateOptions, estimate
from zeroskip.pipeliner import KeptStages
from zoo.synthetic import describe

__all__ = ["EXPECTED", "EstimateFigures", "convolutions", "figures_of", "main"]

EXPECTED = Path(__file__).parent / "estimate.json"
BAR_SECONDS = 2.0
"""What an estimate should take at most."""


class EstimateFigures(BaseModel):
    """An estimate: sizes that were chosen, exact cycles of each layer."""

    network: str
    board: str
    pes: int
    lanes: int
    tile: int
    fc_pes: int
    fc_slots: int
    map_lanes: int
    layer_cycles: dict[str, int]
    cycles: int
    dense_cycles: int
    frames_per_second: float
    utilisation_percent: float
    dsps: int
    bram36: float
    uram: int
    luts: int


def figures_of(found: Estimate) -> EstimateFigures:
    """What is kept of an estimate."""
    return EstimateFigures(
        network=found.network,
        board=found.board,
        pes=found.architecture.pes,
        lanes=found.architecture.lanes,
        tile=found.architecture.tile,
        fc_pes=found.architecture.fc_pes,
        fc_slots=found.architecture.fc_slots,
        map_lanes=found.architecture.map_lanes,
        layer_cycles={layer.name: layer.cycles for layer in found.layers},
        cycles=found.cycles,
        dense_cycles=found.dense_cycles,
        frames_per_second=round(found.fps, 2),
        utilisation_percent=round(100 * found.utilisation, 2),
        dsps=found.resources.dsps,
        bram36=found.resources.bram36,
        uram=found.resources.uram,
        luts=found.resources.luts,
    )


def convolutions(network: golden.Network) -> golden.Network:
    """The layers up to the last pooling alone."""
    names = [layer.name for layer in network.layers]
    kept = network.layers[: names.index("flatten")]
    tensors = {name: each for name, each in network.tensors.items() if name.split(".")[0] in names[: len(kept)]}
    name = f"{network.name}-convolutions"
    update = {"name": name, "layers": kept, "outputs": (kept[-1].name,)}
    return golden.Network.assemble(network.description.model_copy(update=update), tensors)


def _timed(network: golden.Network, board: str, sizes: tuple[int, int] | None) -> tuple[Estimate, float]:
    pes, tile = sizes or (None, None)
    options = EstimateOptions(pes, tile, pipeliner=KeptStages())
    with tempfile.TemporaryDirectory() as folder:
        golden.save(network, Path(folder) / "network.json")
        estimate(network, board, options)  # compiles what is not kept yet
        begun = time.perf_counter()
        found = estimate(golden.load(Path(folder) / "network.json"), board, options)
        return found, time.perf_counter() - begun


def _print(found: Estimate, seconds: float) -> None:
    figures = figures_of(found)
    fc = f"{figures.fc_slots} FC slots" if figures.fc_slots else f"{figures.fc_pes} FC PEs"
    sizes = f"{figures.pes} PEs x {figures.tile} of {figures.lanes} lanes, {fc}, {figures.map_lanes} map lanes"
    title = f"{found.network} on {found.board}: {sizes}"
    table = Table("layer", "cycles", "utilisation %", "dense cycles >=", title=title)
    for layer in found.layers:
        row = (f"{layer.cycles:,}", f"{100 * layer.utilisation:.1f}", f"{layer.dense_cycles:,}")
        table.add_row(layer.name, *row)
    console = Console(width=150)
    console.print(table)
    console.print(
        f"{found.cycles:,} cycles, {found.fps:,.1f} fps at {found.clock_mhz:g} MHz, "
        f"utilisation {100 * found.utilisation:.1f} %; "
        f"estimated in {seconds:.2f} s (the bar is {BAR_SECONDS:g} s)"
    )


def main(arguments: list[str] | None = None) -> int:
    """Prints all estimates; returns 1 when a figure is not as expected."""
    update = asks_to_update(__doc__, EXPECTED, arguments)
    network, whole = describe("alexnet-without-lrn", "han", 0.25), describe("alexnet", "han", 0.25, 4)
    measured = []
    for each, board, sizes in (
        (network, "u250", None),
        (convolutions(network), "zcu104", None),
        (convolutions(network), "zcu104", (12, 121)),
        (whole, "zcu104", None),
    ):
        found, seconds = _timed(each, board, sizes)
        _print(found, seconds)
        measured.append(figures_of(found))
    return keep_or_compare(measured, EXPECTED, update)


if __name__ == "__main__":
    sys.exit(main())
