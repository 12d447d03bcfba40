"""Verilator's coverage counts, as a run leaves them and as they are kept.

Verilator writes one line a point, `C '<key>' count`, in an order that depends on the model alone. A model of an
accelerator has hundreds of thousands of points, so the keys are kept once for a model, and of a run only the counts.
"""

import gzip
import hashlib
import os
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from testbench.rtl.simulator import COVERAGE_FILE

__all__ = ["CoverageError", "Point", "merge_counts", "pack_coverage", "read_points", "write_coverage"]

_HEADER = b"# SystemC::Coverage-3\n"
_POINTS = "coverage_points.txt.gz"
_COUNTS = "coverage.npz"
_FOLDER = re.compile(rb"\x01f\x02[^\x01]*/")

Counts = NDArray[np.uint64]


class CoverageError(ValueError):
    """Coverage is missing or is not what the model counts; one sentence."""


@dataclass(frozen=True)
class Point:
    """A place that is counted.

    Attributes:
        file: name of the SystemVerilog file.
        line: in that file.
        page: what is counted, as `v_toggle/module` or `v_branch/module`.
        comment: which of the line's points it is: a signal's bit and direction, or a branch's arm.
    """

    file: str
    line: int
    page: str
    comment: str


def pack_coverage(run: Path, model: Path) -> None:
    """Replaces the coverage.dat of a run by its counts alone, and keeps the points with the model.

    Args:
        run: folder of the run.
        model: folder of the model.

    Raises:
        CoverageError: there is no coverage.dat, or it is not Verilator's.
    """
    file = run / COVERAGE_FILE
    if not file.is_file():
        raise CoverageError(f"the simulation left no {file.name}")
    keys, counts = _split(file)
    digest = hashlib.sha256(keys).digest()
    with (run / _COUNTS).open("wb") as stream:
        np.savez_compressed(stream, counts=counts, points=np.frombuffer(digest, np.uint8))
    if not (model / _POINTS).is_file():
        temporary = model / f".{_POINTS}.{os.getpid()}"
        temporary.write_bytes(gzip.compress(keys, 1))
        os.replace(temporary, model / _POINTS)
    file.unlink()


def merge_counts(runs: Iterable[Path], model: Path) -> tuple[list[bytes], Counts]:
    """Adds up the counts of a model's runs.

    Args:
        runs: folders.
        model: folder of the model that all of them ran.

    Returns:
        The keys of the model's points, and for each how often it was hit.

    Raises:
        CoverageError: a file is missing or damaged, or counts other points.
    """
    try:
        keys = gzip.decompress((model / _POINTS).read_bytes())
    except (OSError, EOFError, gzip.BadGzipFile):
        raise CoverageError(f"{model / _POINTS} cannot be read; run the regression with --fresh.") from None
    digest = hashlib.sha256(keys).digest()
    points = keys.splitlines()
    total: Counts = np.zeros(len(points), np.uint64)
    for run in runs:
        counted, counts = _load(run / _COUNTS)
        if counted != digest or counts.shape != total.shape:
            raise CoverageError(f"{run / _COUNTS} counts other points than its model has; run it with --fresh.")
        total += counts
    return points, total


def read_points(keys: Sequence[bytes]) -> list[Point]:
    """What the keys of :func:`merge_counts` say."""
    return [_point(key) for key in keys]


def write_coverage(file: Path, keys: Sequence[bytes], counts: Counts, sources: Path) -> None:
    """Writes merged counts in Verilator's format, for verilator_coverage and what reads its files.

    Args:
        file: to be written.
        keys, counts: from :func:`merge_counts`.
        sources: where the SystemVerilog is now; it was elsewhere while the model was compiled.
    """
    folder = b"\x01f\x02" + os.fsencode(sources) + b"/"
    moved = (_FOLDER.sub(lambda match: folder, key, count=1) for key in keys)
    lines = (b"C '%b' %d\n" % (key, count) for key, count in zip(moved, counts.tolist(), strict=True))
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.write_bytes(_HEADER + b"".join(lines))
    os.replace(temporary, file)


def _split(file: Path) -> tuple[bytes, Counts]:
    header, *lines = file.read_bytes().splitlines()
    if not header.startswith(b"# SystemC::Coverage"):
        raise CoverageError(f"{file} is not Verilator's: it begins with {header[:40]!r}")
    keys, counts = [], []
    for line in lines:
        key, quote, count = line.rpartition(b"' ")
        if not quote or not key.startswith(b"C '") or not count.isdigit():
            raise CoverageError(f"{file} has a line that is no coverage point: {line[:80]!r}")
        keys.append(key[3:])
        counts.append(int(count))
    return b"\n".join(keys), np.array(counts, np.uint64)


def _load(file: Path) -> tuple[bytes, Counts]:
    try:
        with np.load(file, allow_pickle=False) as archive:
            return archive["points"].tobytes(), archive["counts"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        raise CoverageError(f"{file} cannot be read; run the regression with --fresh.") from None


def _point(key: bytes) -> Point:
    """A key is a row of fields, each \\x01 name \\x02 value."""
    fields = dict(part.partition("\x02")[::2] for part in key.decode(errors="replace").split("\x01") if part)
    return Point(
        file=fields.get("f", "").rpartition("/")[2],
        line=int(fields.get("l", "0")),
        page=fields.get("page", ""),
        comment=fields.get("o", ""),
    )
