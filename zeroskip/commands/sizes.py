"""Options on the engines' sizes that several commands have."""

from typing import Annotated, Literal

import typer

from generator.schedule import Engine

__all__ = [
    "FC_ROWS_AT_ONCE",
    "FC_SUMS",
    "BatchOption",
    "DdrLatencyOption",
    "EngineOption",
    "FcSums",
    "WeightDepthOption",
]

BatchOption = Annotated[
    int,
    typer.Option(help="Images that the streamed FC engine works on together, with --engine fc; a column comes once."),
]
DdrLatencyOption = Annotated[int, typer.Option(help="Clocks from a request to DDR to its first word.")]
EngineOption = Annotated[Engine | None, typer.Option(help="Layers of one engine alone, for accelerators side by side.")]
FcSums = Literal["bram", "uram"]
FC_SUMS = typer.Option(help="Where the streamed FC engine's sums lie: block RAM, the default, or UltraRAM.")
FC_ROWS_AT_ONCE = typer.Option(
    help="Rows that the streamed FC engine hands over, adds up and requantises in a clock: 1, 2, 4 or 8, the default. "
    "Fewer take fewer LUTs and DSP slices, and more clocks a layer."
)
WeightDepthOption = Annotated[
    int | None,
    typer.Option(help="Weight words that wait in front of a PE at most; 128 by default. Fewer take fewer LUTs."),
]
