"""How busy 32 PEs x 57 multipliers (behind words of 64 pixels) are in AlexNet's convolutions.

    python -m benchmarks.alexnet_convolver            prints the figures; exit code 1 when one is not as expected
    python -m benchmarks.alexnet_convolver --update   writes them to alexnet_convolver.json

Synthetic weights, at Han's densities with channels 25 % apart, and dense; pooling fused, normalisation left out. Clocks
are those of the schedule for hardware pipelined for 200 MHz, loading and draining included; the tests hold such clocks
against the compiled hardware. Whether so many PEs fit a board is not asked here.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from benchmarks.estimate import convolutions
from benchmarks.kept import asks_to_update, keep_or_compare
from generator.boards import load_board
from generator.build import BuildOptions, fit_architecture
from generator.emit import TOP, emit_project
from generator.plan import plan_network
from generator.timing import predict
from zeroskip.pipeliner import KeptStages
from zoo.synthetic import describe

__all__ = ["EXPECTED", "Figures", "measure"]

EXPECTED = Path(__file__).parent / "alexnet_convolver.json"
VARIANTS = {"han": 0.25, "dense": 0.0}
"""Densities, and how far the channels' lie apart."""
_PES, _LANES, _TILE, _CLOCK_MHZ = 32, 64, 57, 200.0


class Figures(BaseModel):
    """Clocks and useful share of the multipliers' cycles (%), layer by layer, and of conv2 to conv5 together."""

    variant: str
    cycles: dict[str, int]
    utilisation_percent: dict[str, float]
    conv2_to_conv5_percent: float
    frames_per_second: float


def measure(variant: str) -> Figures:
    """The figures of a variant of `zoo.synthetic`'s AlexNet."""
    network = convolutions(describe("alexnet-without-lrn", variant, VARIANTS[variant]))
    options = BuildOptions(pes=_PES, lanes=_LANES, tile=_TILE)
    schedules = plan_network(network, _PES, _LANES, 1, tile=_TILE)
    architecture = fit_architecture(schedules, options)
    with tempfile.TemporaryDirectory() as folder:
        emit_project(Path(folder), architecture, load_board("zcu104"), _CLOCK_MHZ)
        stages = KeptStages()(Path(folder) / "hls", TOP, _CLOCK_MHZ)
    cycles = predict(architecture, schedules, {}, stages).layer_cycles
    macs = [schedule.layer.macs for schedule in schedules]
    names = [schedule.layer.name for schedule in schedules]
    offered = [_PES * _TILE * each for each in cycles]
    return Figures(
        variant=variant,
        cycles=dict(zip(names, cycles, strict=True)),
        utilisation_percent={
            name: round(100 * useful / all_, 2) for name, useful, all_ in zip(names, macs, offered, strict=True)
        },
        conv2_to_conv5_percent=round(100 * sum(macs[1:]) / sum(offered[1:]), 2),
        frames_per_second=round(_CLOCK_MHZ * 1e6 / sum(cycles), 1),
    )


def main(arguments: list[str] | None = None) -> int:
    """Prints the figures of all variants; returns 1 when one is not as expected."""
    update = asks_to_update(__doc__, EXPECTED, arguments)
    measured = [measure(variant) for variant in VARIANTS]
    table = Table("variant", "layer", "clocks", "utilisation %")
    for each in measured:
        for name, cycles in each.cycles.items():
            table.add_row(each.variant, name, f"{cycles:,}", f"{each.utilisation_percent[name]:.1f}")
        table.add_row(each.variant, "conv2 to conv5", "", f"{each.conv2_to_conv5_percent:.1f}", end_section=True)
        table.caption = f"{table.caption or ''}{each.variant}: {each.frames_per_second:,.1f} fps of the convolver  "
    Console(width=120).print(table)
    return keep_or_compare(measured, EXPECTED, update)


if __name__ == "__main__":
    sys.exit(main())
