"""Figures that are kept in a file: written anew when asked for, else compared with it."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

__all__ = ["asks_to_update", "keep_or_compare"]


def asks_to_update(usage: str | None, expected: Path, arguments: Sequence[str] | None) -> bool:
    """Whether a benchmark's command line has `--update`, all that it takes; else it prints its help or an error, and
    ends.

    Args:
        usage: what the help says.
        expected: the file that would be written.
        arguments: without the program's name; None: the process's own.
    """
    parser = argparse.ArgumentParser(description=usage, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help=f"write the figures to {expected.name}")
    return bool(parser.parse_args(arguments).update)


def keep_or_compare(figures: Sequence[BaseModel], expected: Path, update: bool) -> int:
    """A command's exit code: 1, with a sentence on stderr, when the figures differ from the file's.

    Args:
        figures: as measured, in the file's order.
        expected: JSON, a list.
        update: write them there instead.
    """
    text = json.dumps([each.model_dump() for each in figures], indent=1) + "\n"
    if update:
        expected.write_text(text)
    elif json.loads(text) != json.loads(expected.read_text()):
        print(f"figures differ from {expected.name}: run with --update and look at the diff", file=sys.stderr)
        return 1
    return 0
