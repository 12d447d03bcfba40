"""`zeroskip verify`: the ladder of checks on a build."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.status import Status

from testbench.build import load_build
from testbench.ladder import Context, Options, Step, climb, rungs_of
from zeroskip.console import JsonOption, print_json, progress_console, write_report

__all__ = ["verify"]


def verify(
    folder: Annotated[Path, typer.Argument(metavar="BUILD", help="Build folder.")],
    level: Annotated[Literal["csim", "rtl"], typer.Option(help="How far up to climb.")] = "rtl",
    images: Annotated[int | None, typer.Option(min=1, help="How many of the build's images.")] = None,
    rtl_images: Annotated[int | None, typer.Option(min=1, help="How many of those the RTL runs.")] = None,
    seed: Annotated[int, typer.Option(min=1, help="Of everything random.")] = 1,
    waves: Annotated[bool, typer.Option("--waves", help="Record waves of the RTL.")] = False,
    rtl: Annotated[Path | None, typer.Option(help="Folder of Verilog exported by Vitis HLS, in place of ours.")] = None,
    mutations: Annotated[bool, typer.Option(help="Break the build on purpose, and expect it to be noticed.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Check a build, from its description to its RTL; BUILD/reports/verify.json keeps the outcome."""
    build = load_build(folder)
    options = Options(level, images, rtl_images, seed, waves, rtl, mutations)
    context = Context(build, options, folder / "work")
    with progress_console().status("") as status:
        steps = climb(context, rungs_of(options), started=_announce(status), ended=_print_step(not as_json))
    passed = all(step.outcome.passed for step in steps)
    document = {"build": str(folder), "passed": passed, "rungs": [_document(step) for step in steps]}
    write_report(folder, "verify", document)
    if as_json:
        print_json(document)
    if not passed:
        raise typer.Exit(1)


def _announce(status: Status) -> Callable[[str], None]:
    return lambda name: status.update(f"{name} ..")


def _print_step(wanted: bool) -> Callable[[Step], None]:
    def show(step: Step) -> None:
        if wanted:
            verdict = "pass" if step.outcome.passed else "FAIL"
            typer.echo(f"{verdict}  {step.name:<34} {step.seconds:6.1f} s  {step.outcome.detail}")

    return show


def _document(step: Step) -> dict[str, object]:
    return {
        "rung": step.name,
        "passed": step.outcome.passed,
        "detail": step.outcome.detail,
        "seconds": round(step.seconds, 3),
        "figures": dict(step.outcome.figures),
    }
