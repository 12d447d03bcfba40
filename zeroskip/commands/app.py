"""The command line application: collects the commands and turns errors into exit codes."""

import sys
from typing import Annotated

import typer

from zeroskip import __version__
from zeroskip.commands.compress import compress
from zeroskip.commands.compress_report import compress_report
from zeroskip.commands.estimate import estimate
from zeroskip.commands.explore import explore
from zeroskip.commands.generate import generate
from zeroskip.commands.inspect import inspect
from zeroskip.commands.regress import regress
from zeroskip.commands.report import report
from zeroskip.commands.rtl import rtl
from zeroskip.commands.run import run
from zeroskip.commands.synth import synth
from zeroskip.commands.verify import verify
from zeroskip.errors import BAD_INPUT, sentence

__all__ = ["app", "main"]

BAD_INPUT_EXIT_CODE = 2

app = typer.Typer(
    name="zeroskip",
    help="Pruned, quantised convolutional networks to sparse FPGA hardware, proven bit for bit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    compress,
    compress_report,
    inspect,
    run,
    estimate,
    explore,
    generate,
    verify,
    regress,
    synth,
    report,
    rtl,
):
    app.command()(command)


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


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits: 0, 1 (a check failed), 2 (bad input: one sentence on stderr).

    Args:
        arguments: without the program's name; the process's own by default.
    """
    try:
        code = app(arguments, standalone_mode=False)
    except typer.TyperException as error:
        typer.echo(f"zeroskip: {' '.join(error.format_message().split())}", err=True)
        sys.exit(BAD_INPUT_EXIT_CODE)
    except BAD_INPUT as error:
        typer.echo(f"zeroskip: {sentence(error)}", err=True)
        sys.exit(BAD_INPUT_EXIT_CODE)
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("zeroskip: interrupted.", err=True)
        sys.exit(130)
    sys.exit(code or 0)
