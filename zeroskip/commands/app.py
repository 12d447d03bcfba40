"""The command line application: collects the commands and turns errors into exit codes."""

import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Annotated

import typer

from zeroskip.errors import bad_input, sentence

__all__ = ["COMMANDS", "application", "main"]

BAD_INPUT_EXIT_CODE = 2

COMMANDS = (
    "compress",
    "compress-report",
    "inspect",
    "run",
    "estimate",
    "explore",
    "generate",
    "verify",
    "regress",
    "synth",
    "report",
    "rtl",
)
"""In the order of the help; each is a function in a module of its name."""


def application(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """The application with some of the commands; only their modules are imported, with what they need."""
    app = typer.Typer(
        name="zeroskip",
        help="Pruned, quantised convolutional networks to sparse FPGA hardware, proven bit for bit.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    for name in names:
        place = name.replace("-", "_")
        app.command()(getattr(import_module(f"zeroskip.commands.{place}"), place))
    return app


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("zeroskip")
    except PackageNotFoundError:  # an uninstalled checkout
        return "0+unknown"


def _print_version(value: bool) -> None:
    if value:
        typer.echo(_version())
        raise typer.Exit


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
    arguments = sys.argv[1:] if arguments is None else arguments
    known = [name for name in arguments[:1] if name in COMMANDS]
    try:
        code = application(known or COMMANDS)(arguments, standalone_mode=False)
    except typer.TyperException as error:
        typer.echo(f"zeroskip: {' '.join(error.format_message().split())}", err=True)
        sys.exit(BAD_INPUT_EXIT_CODE)
    except bad_input() as error:
        typer.echo(f"zeroskip: {sentence(error)}", err=True)
        sys.exit(BAD_INPUT_EXIT_CODE)
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("zeroskip: interrupted.", err=True)
        sys.exit(130)
    sys.exit(code or 0)
