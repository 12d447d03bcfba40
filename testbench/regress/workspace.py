"""The output folder of a regression: what is kept in it, and that one regression at a time uses it."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbench.regress.suite import Suite, SuiteError

__all__ = ["Workspace", "open_workspace", "write_file"]

_MARKER = "regress.json"
_FORMAT = {"format": "zeroskip-regress", "version": 1}


@dataclass(frozen=True)
class Workspace:
    """Folders of a regression."""

    folder: Path

    @property
    def builds(self) -> Path:
        """Builds that were generated for the suite."""
        return self.folder / "builds"

    @property
    def models(self) -> Path:
        """Compiled simulations."""
        return self.folder / "models"

    @property
    def runs(self) -> Path:
        """One folder a run, by its name."""
        return self.folder / "runs"

    @property
    def scratch(self) -> Path:
        """The worker processes' own files."""
        return self.folder / ".workers"

    @property
    def marker(self) -> Path:
        """The file by which the folder is known."""
        return self.folder / _MARKER


@contextmanager
def open_workspace(suite: Suite) -> Iterator[Workspace]:
    """Makes or opens a suite's output folder, for this process alone.

    Raises:
        SuiteError: the folder holds something else, or another regression uses it.
        OSError: it cannot be made.
    """
    space = Workspace(suite.output.resolve())
    _claim(space, suite)
    with (space.folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SuiteError(
                f"{suite.file}: output: another regression is running in {space.folder}; wait for it, or name another."
            ) from None
        _sweep(space)
        yield space


def write_file(file: Path, text: str) -> None:
    """Writes a file that a reader sees whole or not at all."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, file)


def _claim(space: Workspace, suite: Suite) -> None:
    folder = space.folder
    if folder.exists() and not space.marker.is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise SuiteError(f"{suite.file}: output: {folder} holds other files; name a folder of its own.")
    folder.mkdir(parents=True, exist_ok=True)
    if not space.marker.is_file():
        write_file(space.marker, json.dumps(_FORMAT) + "\n")
    for each in (space.builds, space.models, space.runs):
        each.mkdir(exist_ok=True)


def _sweep(space: Workspace) -> None:
    """Removes what a killed regression was about to compile, and its workers' folders."""
    for folder in (*space.models.glob(".*.*"), space.scratch):
        shutil.rmtree(folder, ignore_errors=True)
