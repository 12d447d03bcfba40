"""`zeroskip compress-report`: plots of a compression run."""

from pathlib import Path
from typing import Annotated

import typer

from zeroskip.console import working
from zeroskip.errors import InputError

__all__ = ["REPORT_EXTRA", "compress_report", "report_missing"]

REPORT_EXTRA = "pip install 'zeroskip[report]'"


def compress_report(
    description: Annotated[Path, typer.Argument(metavar="NAME.json", help="Description that compress has made.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FOLDER", help="Default: NAME.report.")
    ] = None,
) -> None:
    """Plot a compression run: NAME.report/index.html, and each plot as SVG and PNG; from NAME.history.jsonl."""
    if report_missing():
        raise InputError(f"plots need Altair and vl-convert; install them with: {REPORT_EXTRA}.")
    from compression.report import write_report

    with working("drawing"):
        folder = write_report(description, output)
    typer.echo(f"{folder / 'index.html'}")


def report_missing() -> bool:
    """Whether the extra that plots need is not installed."""
    try:
        import altair  # noqa: F401
        import vl_convert  # noqa: F401
    except ModuleNotFoundError:
        return True
    return False
