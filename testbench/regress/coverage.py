"""Coverage of the emitted SystemVerilog, brought back to lines of the emitted C++.

The compiler writes `// file:line` behind what a line of C++ became: wires, registers, memory writes and the names of
steps. A line counts as hit when something of it did something: a bit of its wires or registers changed, its memory
write happened, its step fired. Wires are computed in every clock, needed or not, so "hit" is the weaker statement
and "not hit" the stronger one: nothing behind that line ever moved.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from testbench.regress.coverage_points import Counts, Point, merge_counts, read_points, write_coverage
from testbench.regress.digests import file_digest
from testbench.regress.models import sources_folder
from testbench.regress.runs import Run

__all__ = ["Coverage", "CppFile", "CppLine", "LineCount", "count_lines", "coverage_of", "cpp_places"]

_PLACE = re.compile(r"\S.*//.*?([\w.-]+):(\d+)\s*$")
_STEP = re.compile(r"\s*localparam .*?(\w+) = [^;]*;\s*//.*?([\w.-]+):(\d+)\s*$")
_FIRE = re.compile(r"\s*wire fire_(\w+) = ")

Place = tuple[str, int]
"""File name and line."""


@dataclass
class LineCount:
    """What the hardware of one C++ line did.

    Attributes:
        points: what could move.
        hits: how often something of it did.
        arms, arms_taken: sides of its conditional expressions, and how many of them were ever chosen.
    """

    points: int = 0
    hits: int = 0
    arms: int = 0
    arms_taken: int = 0

    def add(self, other: "LineCount") -> None:
        """Counts other hardware of the same line too."""
        self.points += other.points
        self.hits += other.hits
        self.arms += other.arms
        self.arms_taken += other.arms_taken


class CppLine(BaseModel):
    """A line of C++ that was not hit, or of whose conditional expressions a side was never chosen."""

    model_config = ConfigDict(extra="forbid")

    line: int
    text: str
    arms: int
    arms_taken: int


class CppFile(BaseModel):
    """Coverage of one file of the emitted C++; builds whose copies are equal share it."""

    model_config = ConfigDict(extra="forbid")

    file: str
    builds: list[str]
    lines: int
    hit: int
    missed: list[CppLine]
    partly: list[CppLine]


class Coverage(BaseModel):
    """Coverage of a suite's builds."""

    model_config = ConfigDict(extra="forbid")

    runs: int
    lines: int
    hit: int
    files: list[CppFile]


@dataclass
class _Source:
    """A version of a C++ file: its text, the builds that have it, and what its lines did."""

    name: str
    text: list[str]
    builds: set[str] = field(default_factory=set)
    lines: dict[int, LineCount] = field(default_factory=dict)


def coverage_of(models: Mapping[Path, Sequence[Run]], runs: Path, merged: Path) -> Coverage:
    """Merges the coverage of runs and brings it back to the C++.

    Args:
        models: folder of each model, and the runs that counted its coverage.
        runs: folder of all runs.
        merged: folder where each model's merged counts are written in Verilator's format, as `DIGEST.dat`.

    Raises:
        CoverageError: a run's counts are missing or damaged.
    """
    merged.mkdir(exist_ok=True)
    counted = []
    for model, its_runs in models.items():
        keys, counts = merge_counts([runs / run.name for run in its_runs], model)
        write_coverage(merged / f"{model.name}.dat", keys, counts, sources_folder(model))
        lines = count_lines(read_points(keys), counts, sources_folder(model))
        counted.append((lines, {run.build_name: run.build / "hls" for run in its_runs}))
    return _summary(counted, sum(map(len, models.values())))


def cpp_places(systemverilog: str) -> dict[int, Place]:
    """The place in the C++ that each line of a SystemVerilog file came from, by line, where it is known."""
    lines = systemverilog.splitlines()
    steps = {match[1].lower(): (match[2], int(match[3])) for match in map(_STEP.match, lines) if match}
    places: dict[int, Place] = {}
    for number, line in enumerate(lines, 1):
        if match := _FIRE.match(line):
            # A step that is spread over stages fires once in each: fire_line_12, fire_line_12_1, ..
            step = steps.get(match[1]) or steps.get(match[1].rpartition("_")[0])
            if step:
                places[number] = step
        elif (match := _PLACE.search(line)) and not line.startswith("//"):
            places[number] = (match[1], int(match[2]))
    return places


def count_lines(points: Sequence[Point], counts: Counts, sources: Path) -> dict[Place, LineCount]:
    """What every line of the C++ did.

    Args:
        points: of a model.
        counts: hits of each.
        sources: folder of the model's SystemVerilog.
    """
    places = {file.name: cpp_places(file.read_text()) for file in sorted(sources.glob("*.sv"))}
    found: dict[Place, LineCount] = {}
    for point, count in zip(points, counts.tolist(), strict=True):
        place = places.get(point.file, {}).get(point.line)
        if place is not None:
            _count(found.setdefault(place, LineCount()), point, count)
    return found


def _count(line: LineCount, point: Point, count: int) -> None:
    if point.comment.startswith("cond_"):  # one side of `a ? b : c`, one of which is chosen in every clock
        line.arms += 1
        line.arms_taken += count > 0
    elif point.comment != "else":  # of an `if` without an else: says that nothing was done
        line.points += 1
        line.hits += count


def _summary(counted: Iterable[tuple[Mapping[Place, LineCount], Mapping[str, Path]]], runs: int) -> Coverage:
    """Puts models together: of each its lines, and the folders of the C++ of the builds that it stands for."""
    sources: dict[tuple[str, str], _Source] = {}
    for lines, folders in counted:
        for name in sorted({file for file, _ in lines}):
            for source in _versions(name, folders, sources):
                for (file, number), count in lines.items():
                    if file == name:
                        source.lines.setdefault(number, LineCount()).add(count)
    files = [_file(sources[key]) for key in sorted(sources)]
    return Coverage(
        runs=runs, lines=sum(file.lines for file in files), hit=sum(file.hit for file in files), files=files
    )


def _versions(name: str, folders: Mapping[str, Path], sources: dict[tuple[str, str], _Source]) -> Iterable[_Source]:
    """The versions of a file that builds of one model have: one, as their C++ is equal, or none if the compiler's."""
    seen = set()
    for build, folder in folders.items():
        path = folder / name
        if not path.is_file():
            continue
        key = (name, file_digest(path))
        if key not in sources:
            sources[key] = _Source(name, path.read_text(errors="replace").splitlines())
        sources[key].builds.add(build)
        seen.add(key)
    return [sources[key] for key in sorted(seen)]


def _file(source: _Source) -> CppFile:
    # What is left of some lines is wider than Verilator counts: of them, nothing is known.
    lines = sorted((number, count) for number, count in source.lines.items() if count.points)
    return CppFile(
        file=source.name,
        builds=sorted(source.builds),
        lines=len(lines),
        hit=sum(count.hits > 0 for _, count in lines),
        missed=[_line(source, number, count) for number, count in lines if not count.hits],
        partly=[
            _line(source, number, count) for number, count in lines if count.hits and count.arms_taken < count.arms
        ],
    )


def _line(source: _Source, number: int, count: LineCount) -> CppLine:
    text = source.text[number - 1].strip() if number <= len(source.text) else ""
    return CppLine(line=number, text=text, arms=count.arms, arms_taken=count.arms_taken)
