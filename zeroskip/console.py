"""What commands print: tables and progress for people on the terminal, or one JSON document."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

__all__ = ["JsonOption", "print_json", "print_table", "progress_console", "working", "write_report"]

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document in place of text.")]


def print_json(document: Mapping[str, object]) -> None:
    """Prints a JSON document to stdout."""
    typer.echo(json.dumps(document, indent=1))


def write_report(build: Path, name: str, document: Mapping[str, object]) -> None:
    """Keeps a JSON document in a build's `reports` folder; a failure leaves the earlier one."""
    file = build / "reports" / f"{name}.json"
    file.parent.mkdir(exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.write_text(json.dumps(document, indent=1) + "\n")
    os.replace(temporary, file)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints a table to stdout; columns whose cells are numbers are set flush right."""
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        numeric = all(isinstance(row[number], int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    Console(width=None if Console().is_terminal else 160).print(table)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def progress_console() -> Console:
    """Where progress is shown: stderr, so that it never mixes with a result."""
    return Console(stderr=True)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Shows a spinner on a terminal's stderr while something runs."""
    with progress_console().status(what):
        yield
