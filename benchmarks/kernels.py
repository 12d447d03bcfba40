"""The kernels of examples/kernels as hardware at 200 MHz, against examples/kernels/expected.json.

    python -m benchmarks.kernels            checks them and prints the figures; exit code 1 when anything differs
    python -m benchmarks.kernels --update   writes the figures there, so that a change shows up as a diff

Each kernel is compiled. Its words, from Verilator without and with random pauses, must be those of g++ with Xilinx'
ap_types and those of a model in Python. Clocks count from the first word in to the last word out, both included, when
nothing pauses.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, Field
from rich.console import Console
from rich.table import Table

from benchmarks.kept import asks_to_update
from benchmarks.kernel_workloads import WORKLOADS, Workload
from rtl import Design, Report, compile_with_report
from tests.rtl.simulation import Outcome, Program, run_cpp, run_rtl

__all__ = ["CLOCK_MHZ", "EXPECTED", "FOLDER", "KernelFigures", "LoopFigures", "differences", "measure", "read_expected"]

FOLDER = Path(__file__).parents[1] / "examples" / "kernels"
EXPECTED = FOLDER / "expected.json"
CLOCK_MHZ = 200.0
STALLS = (0, 35, 70)  # per cent of the clocks in which a port pauses, a run for each


class LoopFigures(BaseModel):
    """A loop of a kernel."""

    process: str
    loop: str = Field(description="its label in the C++")
    ii_asked: int | None = Field(description="of its PIPELINE pragma")
    ii_reached: int | None = Field(description="clocks from one iteration to the next; None: not constant")
    depth: int | None = Field(description="clocks from an iteration's start to its end; None: not constant")
    trip_count: int | None = Field(description="iterations; None: set at run time")
    unrolled_by: int = Field(description="UNROLL's factor: iterations of the C++ that are one here")


class KernelFigures(BaseModel):
    """A kernel, compiled for 200 MHz and run on its workload."""

    kernel: str
    workload: str
    calls: int
    clocks: int = Field(description="from the first word in to the last word out, when nothing pauses")
    stages: dict[str, int] = Field(description="pipeline stages of each process")
    period_ns: float = Field(description="the longest chain by the delay model")
    loops: list[LoopFigures]


def measure(folder: Path) -> tuple[list[KernelFigures], list[str]]:
    """Compiles and runs all kernels, in one build of each simulator.

    Args:
        folder: for what is built.

    Returns:
        The figures, and a sentence for each word that is not what it should be, each II that is missed and each count
        of clocks that is not the one that docs/rtl.md predicts.
    """
    workloads = {name: workload() for name, workload in WORKLOADS.items()}
    programs = [_program(name, workload) for name, workload in workloads.items()]
    compiled = {
        name: compile_with_report(FOLDER / f"{name}.cpp", name, [], folder / "rtl" / name, CLOCK_MHZ)
        for name in WORKLOADS
    }
    designs = {name: design for name, (design, _) in compiled.items()}
    wanted = run_cpp(programs, designs, folder / "cpp")
    counts = {name: {port: len(words) for port, words in outcome.words.items()} for name, outcome in wanted.items()}
    runs = run_rtl(programs, designs, counts, folder / "simulation", STALLS)
    figures = [_figures(name, workloads[name], *compiled[name], runs[0][name]) for name in WORKLOADS]
    problems = [miss for _, report in compiled.values() for miss in report.misses]
    for name, workload in workloads.items():
        problems += _wrong_words(name, workload, wanted[name], [run[name] for run in runs])
    for found in figures:
        problems += _wrong_clocks(found, workloads[found.kernel], designs[found.kernel], runs[0][found.kernel])
    return figures, problems


def _program(name: str, workload: Workload) -> Program:
    """Kernels share a translation unit under g++: each gets a namespace."""
    text = (FOLDER / f"{name}.cpp").read_text()
    source = f"namespace {name}_ {{\n{text}}}\nusing {name}_::{name};\n"
    return Program(name, source, workload.inputs, workload.calls, list(workload.outputs))


def _figures(name: str, workload: Workload, design: Design, report: Report, run: Outcome) -> KernelFigures:
    lines = (FOLDER / f"{name}.cpp").read_text().splitlines()
    loops = [
        LoopFigures(
            process=loop.process,
            loop=_label(lines, loop.line),
            ii_asked=loop.ii_asked,
            ii_reached=loop.ii_reached,
            depth=loop.depth,
            trip_count=loop.trip_count,
            unrolled_by=loop.unrolled_by,
        )
        for loop in report.loops
    ]
    return KernelFigures(
        kernel=name,
        workload=workload.text,
        calls=workload.calls,
        clocks=_clocks(run),
        stages={process.function: process.stages for process in design.processes},
        period_ns=max(process.chain.delay_ns for process in report.processes),
        loops=loops,
    )


def _label(lines: Sequence[str], line: int) -> str:
    """The label above a loop, or its line where it has none."""
    label = re.match(r"\s*(\w+):$", lines[line - 2])
    return label[1] if label else f"line {line}"


def _clocks(run: Outcome) -> int:
    return max(clocks[-1] for clocks in run.clocks.values()) - min(run.first_taken.values()) + 1


def _wrong_words(name: str, workload: Workload, wanted: Outcome, runs: Sequence[Outcome]) -> list[str]:
    problems = []
    wrong = workload.wrong(wanted.words)
    if wrong:
        problems.append(f"{name}: the C++ does not compute what the model does: {wrong}")
    for percent, run in zip(STALLS, runs, strict=True):
        if run.words != wanted.words:
            problems.append(f"{name}: RTL with {percent} % pauses and C++ give different words")
    return problems


def _wrong_clocks(figures: KernelFigures, workload: Workload, design: Design, run: Outcome) -> list[str]:
    """Predicted for kernels of one process: a clock for the FIFO on each side, the steps, the last one's stages."""
    if len(design.processes) != 1:
        return []
    stage = max(fifo.written_in for fifo in design.fifos)
    predicted = 1 + workload.steps + stage + 1
    if figures.clocks == predicted:
        return []
    return [f"{figures.kernel}: {figures.clocks} clocks, but {predicted} by the rules of docs/rtl.md"]


def differences(figures: Sequence[KernelFigures], expected: Mapping[str, KernelFigures]) -> list[str]:
    """A sentence for each kernel whose figures are not the expected ones."""
    found = {item.kernel: item for item in figures}
    problems = [f"{name}: expected, and not there" for name in expected if name not in found]
    for name, item in found.items():
        if name not in expected:
            problems.append(f"{name}: nothing is expected of it")
        elif item != expected[name]:
            now, then = item.model_dump(), expected[name].model_dump()
            parts = [f"{key} is {now[key]}, expected {then[key]}" for key in now if now[key] != then[key]]
            problems.append(f"{name}: {'; '.join(parts)}")
    return problems


def read_expected() -> dict[str, KernelFigures]:
    """The figures of expected.json, by kernel."""
    entries = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else []
    return {entry["kernel"]: KernelFigures(**entry) for entry in entries}


def _print(figures: Sequence[KernelFigures], expected: Mapping[str, KernelFigures]) -> None:
    table = Table(title=f"example kernels at {CLOCK_MHZ:g} MHz")
    for column in ("kernel", "loop", "trips", "II asked", "II", "depth", "clocks", "expected", "equal"):
        table.add_column(column, justify="left" if column in ("kernel", "loop", "equal") else "right")
    for item in figures:
        then = expected.get(item.kernel)
        table.add_section()
        for number, loop in enumerate(item.loops):
            row = [loop.loop, *(_shown(x) for x in (loop.trip_count, loop.ii_asked, loop.ii_reached, loop.depth))]
            ends = [f"{item.clocks:,}", f"{then.clocks:,}" if then else "-", "yes" if item == then else "NO"]
            table.add_row("" if number else item.kernel, *row, *(["", "", ""] if number else ends))
    console = Console(width=120)
    console.print(table)
    for item in figures:
        console.print(f"{item.kernel}: {item.workload}, {item.period_ns:.2f} ns")


def _shown(number: int | None) -> str:
    return "-" if number is None else str(number)


def main() -> int:
    """Prints all figures; returns 1 when anything is not as expected."""
    update = asks_to_update("The example kernels against their expected figures.", EXPECTED, None)
    with tempfile.TemporaryDirectory() as folder:
        figures, problems = measure(Path(folder))
    if update:
        EXPECTED.write_text(json.dumps([item.model_dump() for item in figures], indent=1) + "\n")
    expected = read_expected()
    _print(figures, expected)
    problems += differences(figures, expected)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
