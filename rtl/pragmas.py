"""`#pragma HLS` lines, and which of them are taken."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rtl.errors import CompileError

__all__ = ["Pragma", "check_pragmas", "function_of", "unroll_factor"]

# Pragmas that change how fast or how large Vitis' hardware is but never what it computes, and the structural ones.
_ACCEPTED = """
    PIPELINE ARRAY_PARTITION ARRAY_RESHAPE BIND_STORAGE BIND_OP INLINE DEPENDENCE INTERFACE DATAFLOW UNROLL
    LOOP_TRIPCOUNT ALLOCATION AGGREGATE DISAGGREGATE LATENCY LOOP_FLATTEN EXPRESSION_BALANCE RESOURCE
"""


@dataclass(frozen=True)
class Pragma:
    """One `#pragma HLS NAME ARGUMENTS` line.

    Attributes:
        file, line: where it stands.
        name: in capitals.
        arguments: the rest of the line.
        function: symbol of the instance of a template that it means; empty for all of them.
        mark: number of what stands in its place for clang; 0 where nothing can.
        inside: symbols of the functions that hold that, so that their loops are meant; empty where nothing stands.
    """

    file: str
    line: int
    name: str
    arguments: str
    function: str = ""
    mark: int = 0
    inside: frozenset[str] = frozenset()


def check_pragmas(pragmas: Iterable[Pragma]) -> None:
    """Refuses pragmas whose effect this version does not have.

    Raises:
        CompileError: a pragma that would change the hardware's behaviour or that is unknown.
    """
    for pragma in pragmas:
        if pragma.name == "STREAM":
            message = "give the depth as hls::stream's template argument; #pragma HLS STREAM is not read"
        elif pragma.name == "UNROLL" and _written_factor(pragma) and not unroll_factor(pragma):
            message = f"UNROLL's factor is a number of 1 or more, not '{_written_factor(pragma)}'"
        elif pragma.name not in _ACCEPTED.split():
            message = f"#pragma HLS {pragma.name} is not supported"
        else:
            continue
        raise CompileError(pragma.file, pragma.line, message)


def unroll_factor(pragma: Pragma) -> int | None:
    """Iterations that an UNROLL pragma puts side by side; None for all of them."""
    written = _written_factor(pragma)
    return int(written) if written.isdecimal() and int(written) else None


def _written_factor(pragma: Pragma) -> str:
    match = re.search(r"\bfactor\b(?:\s*=\s*(\S+))?", pragma.arguments, re.IGNORECASE)
    return match[1] or "nothing" if match else ""


def function_of(pragma: Pragma, starts: Sequence[tuple[str, int]]) -> tuple[str, int] | None:
    """Of the functions that begin at `starts` (file and line, sorted) the one that a pragma stands in."""
    above = [start for start in starts if start[0] == pragma.file and start[1] <= pragma.line]
    return above[-1] if above else None
