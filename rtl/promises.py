"""`#pragma HLS DEPENDENCE`: the user's promise that iterations of a loop do not read what one of the last ones wrote.

A promise is bound to the steps in which the loop's iterations begin. It speaks of the iterations that follow each
other, step after step, so it has an effect on a loop whose iterations are one step. `rtl.pipeline` uses it where an
array's recurrence does not fit into a clock.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rtl.errors import CompileError
from rtl.frontend import SourceLoop
from rtl.ir import Place
from rtl.pragmas import Pragma, function_of
from rtl.process import Process, Promise, Step
from rtl.storage import is_called, variable_of

__all__ = ["bind_promises", "check_promises"]


def check_promises(pragmas: Sequence[Pragma]) -> None:
    """Refuses promises about nothing.

    Raises:
        CompileError: a variable that the pragma's file does not have, or a distance that is no number.
    """
    for pragma in pragmas:
        if pragma.name != "DEPENDENCE":
            continue
        name = variable_of(pragma)
        lines = Path(pragma.file).read_text(errors="replace").splitlines()
        text = "\n".join(line for line in lines if not re.match(r"\s*#\s*pragma", line))
        if name and not re.search(rf"\b{name}\b", text):
            raise CompileError(pragma.file, pragma.line, f"DEPENDENCE: there is no variable '{name}'")
        written = re.search(r"\bdistance\s*=\s*(\S+)", pragma.arguments, re.IGNORECASE)
        if written and not (written[1].isdecimal() and int(written[1])):
            message = f"DEPENDENCE's distance is a number of 1 or more, not '{written[1]}'"
            raise CompileError(pragma.file, pragma.line, message)


def bind_promises(
    process: Process, pragmas: Sequence[Pragma], loops: Sequence[SourceLoop], functions: Sequence[tuple[str, int]]
) -> None:
    """Tells the steps of a process what is promised about its arrays.

    Args:
        process: not pipelined yet.
        pragmas: of all source files.
        loops: by the number that steps name.
        functions: file and first line of every function, in order.
    """
    for pragma in pragmas:
        if pragma.name != "DEPENDENCE" or not _has_effect(pragma):
            continue
        covered = _loops(pragma, loops, functions)
        for step in process.steps:
            if step.loop is not None and loops[step.loop] in covered:
                step.promises += _promises(process, step, loops[step.loop], pragma, functions)


def _promises(
    process: Process, step: Step, loop: SourceLoop, pragma: Pragma, functions: Sequence[tuple[str, int]]
) -> list[Promise]:
    """Those about arrays that the step reads in the loop alone, and not in the code behind it, which it runs last."""
    name, distance = variable_of(pragma), _distance(pragma)
    promises = []
    for memory in process.memories:
        reads = [read for read in step.reads if read.word.key is memory]
        named = is_called(memory, name) if name else memory.depth > 1
        if named and all(read.repeated and _is_inside(read.place, loop, pragma, functions) for read in reads):
            promises.append(Promise(memory, distance, Place(pragma.file, pragma.line)))
    return promises


def _is_inside(place: Place, loop: SourceLoop, pragma: Pragma, functions: Sequence[tuple[str, int]]) -> bool:
    """A line of the loop, or of a function that it calls."""
    if place.file == loop.file and loop.line <= place.line <= loop.last_line:
        return True
    here = function_of(Pragma(place.file, place.line, "", ""), functions)
    return bool(place.line) and here != function_of(pragma, functions)


def _loops(pragma: Pragma, loops: Sequence[SourceLoop], functions: Sequence[tuple[str, int]]) -> list[SourceLoop]:
    """The innermost loop around a pragma; every loop of its function when it stands in none."""
    around = [loop for loop in loops if loop.file == pragma.file and loop.line <= pragma.line <= loop.last_line]
    if around:
        first = max(loop.line for loop in around)
        return [loop for loop in around if loop.line == first]
    function = function_of(pragma, functions)
    return [loop for loop in loops if function_of(Pragma(loop.file, loop.line, "", ""), functions) == function]


def _has_effect(pragma: Pragma) -> bool:
    """It promises something about words that are written in one iteration and read in another."""
    words = re.sub(r"\s*=\s*", "=", pragma.arguments.lower()).split()
    directions = [word for word in words if word in ("raw", "war", "waw") or word.startswith("direction=")]
    promised = "false" in words or "dependent=false" in words or any(word.startswith("distance=") for word in words)
    read_after_write = not directions or directions[0].endswith("raw")
    return ("inter" in words or "type=inter" in words) and promised and read_after_write


def _distance(pragma: Pragma) -> int | None:
    """Iterations from a write to a read that may see it; None when none does."""
    if re.search(r"\bfalse\b", pragma.arguments, re.IGNORECASE):
        return None
    written = re.search(r"\bdistance\s*=\s*(\d+)", pragma.arguments, re.IGNORECASE)
    return int(written[1]) if written else None
