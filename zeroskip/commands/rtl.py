"""`zeroskip rtl`: the C++-to-SystemVerilog compiler alone."""

from pathlib import Path
from typing import Annotated

import typer

import rtl as compiler
from zeroskip.console import JsonOption, print_json, print_table, working

__all__ = ["rtl"]


def rtl(
    source: Annotated[Path, typer.Argument(metavar="FILE.cpp", help="C++ with the top function.")],
    top: Annotated[str, typer.Option(help="Top function.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Output folder.")],
    include: Annotated[list[Path] | None, typer.Option("--include", "-I", help="Folder for #include.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compile a Vitis HLS C++ dataflow design to SystemVerilog."""
    with working(f"compiling {source}"):
        design = compiler.compile_cpp(source, top, include or [source.parent], output)
    if as_json:
        print_json(design.model_dump(mode="json"))
        return
    rows = [[process.name, process.function, process.states] for process in design.processes]
    print_table(f"{design.top}: {len(design.files)} files in {output}", ["process", "function", "states"], rows)
    typer.echo(f"{len(design.fifos)} FIFOs, {len(design.ports)} ports.")
