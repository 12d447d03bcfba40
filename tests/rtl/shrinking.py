"""Makes a program that differs smaller: drops statements as long as it still differs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from tests.rtl.comparison import Setting, Verdict, compare_programs
from tests.rtl.simulation import Program

__all__ = ["shrink"]

_AT_ONCE = 24
_ROUNDS = 12
# What must stay: accesses of streams and what counts them, and whatever would leave a variable without a value.
_STAYS = re.compile(r"\.read\(|\.write\(|\bin >>|\bout <<|^return\b|^\+\+|^#|^for \(int k|hls::stream|buffer\[|\+\+t\b")


def shrink(program: Program, setting: Setting, folder: Path, runtime: Path) -> tuple[str, Verdict]:
    """Drops lines and blocks, the largest first, many candidates to one build.

    Args:
        program: one that differs.
        setting: in which it differs.
        folder, runtime: as for `compare_programs`.

    Returns:
        The smallest source found that differs, and its verdict.
    """
    lines = program.source.splitlines()
    verdict = Verdict(outcome="differs")
    tried: set[str] = set()
    for number in range(_ROUNDS):
        units = sorted(_units(lines), key=lambda unit: unit.start - unit.stop)
        candidates = {"\n".join(_without(lines, [unit])): unit for unit in units}
        fresh = [text for text in candidates if text not in tried][:_AT_ONCE]
        tried |= set(fresh)
        if not fresh:
            break
        found = _differing(program, fresh, setting, folder / f"round{number}", runtime)
        if not found:
            continue
        together = "\n".join(_without(lines, [candidates[text] for text in found]))
        all_at_once = _differing(program, [together], setting, folder / f"round{number}_together", runtime)
        best, verdict = next(iter((all_at_once or found).items()))
        lines = best.splitlines()
    return "\n".join([*lines, ""]), verdict


def _differing(program: Program, texts: list[str], setting: Setting, folder: Path, runtime: Path) -> dict[str, Verdict]:
    """The texts that differ, in order, with their verdicts."""
    names = [f"{program.top}c{number}" for number in range(len(texts))]
    renamed = [text.replace(program.top, name) for text, name in zip(texts, names, strict=True)]
    trials = [replace(program, top=name, source=text) for name, text in zip(names, renamed, strict=True)]
    verdicts = compare_programs(trials, [setting] * len(trials), folder, runtime)
    pairs = ((text, verdicts[name]) for text, name in zip(texts, names, strict=True))
    return {text: verdict for text, verdict in pairs if verdict.outcome == "differs"}


def _units(lines: list[str]) -> list[range]:
    """Statements and blocks, by line, that may be dropped."""
    units = []
    for start in range(len(lines)):
        stop = _end(lines, start)
        if stop is not None and not any(_STAYS.search(line) for line in lines[start:stop]):
            units.append(range(start, stop))
    return units


def _end(lines: list[str], start: int) -> int | None:
    """The line behind the statement that begins at `start`; None where none begins."""
    if lines[start].startswith(("}", "{", "case", "default", "namespace", "void", "using")):
        return None
    depth = 0
    for stop in range(start, len(lines)):
        line = lines[stop]
        depth -= line.startswith("}")
        if depth < 0:
            return None
        if depth == 0 and stop > start and not line.endswith("{"):
            return stop + 1
        depth += line.endswith("{")
        if depth == 0:
            return stop + 1 if line.endswith((";", "}")) else None
    return None


def _without(lines: list[str], units: list[range]) -> list[str]:
    dropped = {number for unit in units for number in unit}
    return [line for number, line in enumerate(lines) if number not in dropped]
