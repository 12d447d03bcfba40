"""Runs a compiled C-simulation and reads what it found."""

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testbench.difference import Difference, parse_difference

__all__ = ["CsimResult", "StreamUse", "run_program"]

_DEADLOCK_EXIT_CODE = 3  # zs::kDeadlockExitCode in hls_stream.h


@dataclass(frozen=True)
class StreamUse:
    """How full a stream was over a run, from zs::stream_report().

    Attributes:
        name: the stream's name.
        depth: words it may hold on the board.
        high_water: most words that it held at once.
        written: words written to it.
        left_over: words that nobody read.
    """

    name: str
    depth: int
    high_water: int
    written: int
    left_over: int


@dataclass(frozen=True)
class CsimResult:
    """Outcome of one C-simulation.

    Attributes:
        passed: the program ended with exit code 0 and reported no mismatch.
        difference: the first wrong value that it reported, if any.
        deadlock: the lines of its deadlock report, empty without one.
        streams: use of every stream.
        exit_code: the program's; negative when a signal ended it.
        log: all that it printed.
        seconds: wall time.
    """

    passed: bool
    difference: Difference | None
    deadlock: tuple[str, ...]
    streams: tuple[StreamUse, ...]
    exit_code: int
    log: str
    seconds: float

    def explanation(self) -> str:
        """One line: why it failed, or 'passed'."""
        if self.passed:
            return "passed"
        if self.difference is not None:
            return str(self.difference)
        if self.deadlock:
            return "; ".join(line.strip() for line in self.deadlock)
        lines = self.log.strip().splitlines() or ["it printed nothing"]
        said = next((line for line in lines if line.startswith("WRONG REQUEST ")), lines[-1])
        return f"the program ended with exit code {self.exit_code}: {said}"


def run_program(
    program: Path, arguments: Sequence[str] = (), *, folder: Path | None = None, timeout_seconds: float = 600
) -> CsimResult:
    """Runs a C-simulation program to its end.

    Args:
        program: from :func:`testbench.csim.compile_program`.
        arguments: its command line.
        folder: working folder; the program's own by default.
        timeout_seconds: after which it counts as failed.

    Returns:
        What it printed, parsed. For its first wrong value a test bench prints ``MISMATCH layer=.. image=.. channel=..
        row=.. column=.. expected=.. got=..``; it may also call zs::stream_report(stdout).
    """
    start = time.perf_counter()
    command = [str(program.resolve()), *arguments]
    try:
        run = subprocess.run(
            command, cwd=folder or program.parent, capture_output=True, text=True, timeout=timeout_seconds
        )
    except subprocess.TimeoutExpired:
        log = f"no end after {timeout_seconds:g} s"
        return CsimResult(False, None, (), (), -1, log, time.perf_counter() - start)
    return _read_result(run.returncode, run.stdout, run.stderr, time.perf_counter() - start)


def _read_result(exit_code: int, output: str, errors: str, seconds: float) -> CsimResult:
    lines = output.splitlines()
    mismatches = [line for line in lines if line.startswith("MISMATCH")]
    deadlock = tuple(errors.splitlines()) if exit_code == _DEADLOCK_EXIT_CODE else ()
    return CsimResult(
        passed=exit_code == 0 and not mismatches,
        difference=parse_difference(mismatches[0]) if mismatches else None,
        deadlock=deadlock,
        streams=tuple(_read_stream(line) for line in lines if line.startswith("STREAM ")),
        exit_code=exit_code,
        log=output + errors,
        seconds=seconds,
    )


def _read_stream(line: str) -> StreamUse:
    _, name, depth, high_water, written, left_over = line.split(" ")
    return StreamUse(name, int(depth), int(high_water), int(written), int(left_over))
