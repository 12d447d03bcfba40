"""Compiles programs and compares each one's C++ with its hardware; a program that spoils a build is left out of it."""

from __future__ import annotations

import hashlib
import re
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from unittest import mock

from pydantic import BaseModel

from rtl import CompileError, Design
from tests.rtl import simulation
from tests.rtl.simulation import BuildError, Outcome, Program, compile_programs, run_cpp, run_rtl

__all__ = ["STALLS", "Setting", "Verdict", "compare_programs", "judge"]

STALLS = (0, 30, 60, 90)  # per cent of clocks in which a port pauses; one run each
_RUN_LIMIT_S = 60.0


@dataclass(frozen=True)
class Setting:
    """How a program is compiled: pipelined for a clock in MHz (None: a clock a step), and then with every memory that
    may be one in block RAM, however small."""

    clock_mhz: float | None = None
    block_ram: bool = False


class Verdict(BaseModel):
    """What was found about a program.

    Attributes:
        outcome: `equal`; `differs`: other words, a lint warning or a crash of the compiler; `refused`: by a
            CompileError; `invalid`: g++ or the C++ program fails, so the program is no fair one.
        words: compared, over all runs.
        detail: what differed, or what the tool said.
        digest: of the program, its SystemVerilog and how they are compared; empty where it did not come to that.
    """

    outcome: Literal["equal", "differs", "refused", "invalid"]
    words: int = 0
    detail: str = ""
    digest: str = ""


def compare_programs(
    programs: Sequence[Program],
    settings: Sequence[Setting],
    folder: Path,
    runtime: Path | None = None,
    known: Mapping[str, Verdict] | None = None,
) -> dict[str, Verdict]:
    """Builds all programs together and compares them word by word under pauses.

    Args:
        programs: with names of their own.
        settings: of each.
        folder: for the builds.
        runtime: as for `run_rtl`.
        known: verdicts of earlier comparisons by digest; what has one is not run again.

    Returns:
        A verdict per program, by top.
    """
    verdicts: dict[str, Verdict] = {}
    designs: dict[str, Design] = {}
    for program, setting in zip(programs, settings, strict=True):
        try:
            designs |= _compiled(program, setting, folder / "rtl")
        except CompileError as error:
            verdicts[program.top] = Verdict(outcome="refused", detail=f"line {error.line}: {error.message}")
        except Exception:
            verdicts[program.top] = Verdict(outcome="differs", detail=traceback.format_exc())
    digests = {item.top: _digest(item, designs[item.top]) for item in programs if item.top in designs}
    verdicts |= {top: known[digest] for top, digest in digests.items() if known and digest in known}
    fresh = [item for item in programs if item.top in designs and item.top not in verdicts]
    wanted: dict[str, Outcome] = {}

    def run_reference(some: list[Program], where: Path) -> None:
        wanted.update(run_cpp(some, designs, where, _RUN_LIMIT_S))

    def run_hardware(some: list[Program], where: Path) -> None:
        counts = {item.top: {name: len(words) for name, words in wanted[item.top].words.items()} for item in some}
        runs = run_rtl(some, designs, counts, where, STALLS, runtime=runtime)
        for item in some:
            verdicts[item.top] = judge(wanted[item.top], [run[item.top] for run in runs])

    fair = _all_that_build(fresh, run_reference, folder / "cpp", "invalid", verdicts)
    _all_that_build(fair, run_hardware, folder / "simulation", "differs", verdicts)
    return {top: each.model_copy(update={"digest": digests.get(top, "")}) for top, each in verdicts.items()}


def _digest(program: Program, design: Design) -> str:
    """Of all that a verdict follows from: the C++, what is sent to it, the hardware, and the code that compares."""
    texts = [repr(asdict(program)), Path(__file__).read_text(), Path(simulation.__file__).read_text()]
    texts += [f"{path.name}\n{path.read_text()}" for path in sorted(design.files)]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:32]


def _compiled(program: Program, setting: Setting, folder: Path) -> dict[str, Design]:
    if not setting.block_ram:
        return compile_programs([program], folder, setting.clock_mhz)
    with mock.patch("rtl.pipeline.worth_block_ram", lambda memory, circular: True):
        return compile_programs([program], folder, setting.clock_mhz)


def _all_that_build(
    programs: list[Program],
    run: Callable[[list[Program], Path], None],
    folder: Path,
    otherwise: Literal["invalid", "differs"],
    verdicts: dict[str, Verdict],
) -> list[Program]:
    """Runs the programs together; when that fails, without those that it names, or in halves."""
    if not programs:
        return []
    try:
        run(programs, folder)
        return programs
    except BuildError as error:
        text = error.output
    if len(programs) == 1:
        verdicts[programs[0].top] = Verdict(outcome=otherwise, detail=text[-3000:])
        return []
    named = {name for line in text.splitlines() if re.search("error|%Warning", line) for name in _names(line)}
    parts = [[item for item in programs if (item.top in named) == blamed] for blamed in (False, True)]
    if not all(parts):
        half = len(programs) // 2
        parts = [programs[:half], programs[half:]]
    elif len(parts[1]) > 1:
        parts = [parts[0], *([item] for item in parts[1])]
    places = (folder.with_name(f"{folder.name}_{number}") for number in range(len(parts)))
    return [
        item
        for part, place in zip(parts, places, strict=True)
        for item in _all_that_build(part, run, place, otherwise, verdicts)
    ]


def _names(line: str) -> list[str]:
    return re.findall(r"\b(program\d+(?:c\d+)?)(?=[_./])", line)


def judge(wanted: Outcome, runs: Sequence[Outcome]) -> Verdict:
    """The verdict about a program from what its C++ wrote and what its hardware did, for each of STALLS."""
    words = sum(len(found) for found in wanted.words.values())
    if not words:
        return Verdict(outcome="invalid", detail="the program writes nothing")
    for stall, run in zip(STALLS, runs, strict=True):
        for port, found in run.words.items():
            if found != wanted.words[port]:
                return Verdict(
                    outcome="differs", words=words, detail=_difference(stall, port, wanted.words[port], found)
                )
    return Verdict(outcome="equal", words=words * len(runs))


def _difference(stall: int, port: str, wanted: list[int], found: list[int]) -> str:
    pairs = zip(wanted, found, strict=False)
    first = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(wanted), len(found)))
    ends = [f"{item[first]:#x}" if first < len(item) else "nothing" for item in (wanted, found)]
    counts = f"{len(found)} words of {len(wanted)}"
    return f"{stall} % pauses, port {port}, {counts}: word {first} is {ends[1]} in hardware and {ends[0]} in C++"
