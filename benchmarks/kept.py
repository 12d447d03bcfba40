"""Figures that are kept in a file: written anew when asked for, else compared with it."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

__all__ = ["keep_or_compare"]


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
