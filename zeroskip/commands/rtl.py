"""`zeroskip rtl`: the C++-to-SystemVerilog compiler alone."""

from pathlib import Path
from typing import Annotated

import typer

import rtl as compiler
from rtl.report import check_options
from rtl.report_table import print_report
from zeroskip.console import JsonOption, print_json, print_table, working

__all__ = ["rtl"]


def rtl(
    source: Annotated[Path, typer.Argument(metavar="FILE.cpp", help="C++ with the top function.")],
    top: Annotated[str, typer.Option(help="Top function.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="DIR", help="Output folder.")] = None,
    include: Annotated[list[Path] | None, typer.Option("--include", "-I", help="Folder for #include.")] = None,
    clock: Annotated[
        float | None, typer.Option(metavar="MHZ", help="Pipeline for this clock; adds report.json.")
    ] = None,
    report: Annotated[bool, typer.Option("--report", help="Print the timing report (needs --clock).")] = False,
    relaxed: Annotated[
        bool, typer.Option("--relaxed", help="Exit code 0 even when a PIPELINE loop misses its II or the clock.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compile a Vitis HLS C++ dataflow design to SystemVerilog."""
    check_options(output, clock, report, relaxed)
    folders, found = include or [source.parent], None
    with working(f"compiling {source}"):
        if clock is not None:
            design, found = compiler.compile_with_report(source, top, folders, output, clock)
        elif output is not None:
            design = compiler.compile_cpp(source, top, folders, output)
    _show(design, found if report else None, output, as_json)
    if found is not None and found.misses and not relaxed:
        typer.echo(f"{len(found.misses)} misses, the first: {found.misses[0]}", err=True)
        raise typer.Exit(1)


def _show(design: compiler.Design, report: compiler.Report | None, output: Path | None, as_json: bool) -> None:
    if as_json:
        print_json((report or design).model_dump(mode="json"))
        return
    if report is not None:
        print_report(report)
    if output is not None:
        rows = [[process.name, process.function, process.states] for process in design.processes]
        print_table(f"{design.top}: {len(design.files)} files in {output}", ["process", "function", "states"], rows)
        typer.echo(f"{len(design.fifos)} FIFOs, {len(design.ports)} ports.")
