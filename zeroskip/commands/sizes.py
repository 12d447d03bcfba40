"""Options on the engines' sizes that several commands have."""

from typing import Annotated

import typer

from generator.schedule import Engine

__all__ = ["DdrLatencyOption", "EngineOption", "WeightDepthOption"]

DdrLatencyOption = Annotated[int, typer.Option(help="Clocks from a request to DDR to its first word.")]
EngineOption = Annotated[Engine | None, typer.Option(help="Layers of one engine alone, for accelerators side by side.")]
WeightDepthOption = Annotated[
    int | None,
    typer.Option(help="Weight words that wait in front of a PE at most; 128 by default. Fewer take fewer LUTs."),
]
