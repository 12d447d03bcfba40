"""The command line application: collects the commands and turns errors into exit codes."""

from typing import Annotated

import typer

from zeroskip import __version__

__all__ = ["app", "main"]

app = typer.Typer(
    name="zeroskip",
    help="Pruned, quantised convolutional networks to sparse FPGA hardware, proven bit for bit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options that stand before the command."""


def main() -> None:
    """Runs the command line. Exit codes: 0, 1 (a check failed), 2 (bad input: one sentence on stderr)."""
    app()
