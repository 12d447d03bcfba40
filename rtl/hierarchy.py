"""Which functions are dataflow regions and which are processes, from clang's unoptimised IR.

A region holds local streams and calls: the top function, and every function with `#pragma HLS DATAFLOW` that a region
calls. What a region calls and is no region itself is a process. A top function with logic of its own is a process.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from rtl.errors import CompileError

__all__ = ["Hierarchy", "find_hierarchy"]

_CALL = re.compile(r"^  call void @([\w$.]+)\(")
_NO_PROCESS = ("llvm.", "_ZN3hls6stream")
_NO_PROCESS_HEADER = re.compile(r"^define .*(?:%this[,)]| sret\()")
_LOCAL_STREAM = re.compile(r'^  %\S+ = alloca .*%"class\.hls::stream')
_LOGIC = re.compile(r"^  (?:br|switch) |@_ZN3hls6stream\w*(?:read|write|rs|ls)E")


@dataclass
class Hierarchy:
    """Symbols of the functions that are not inlined.

    Attributes:
        regions: dataflow regions, a caller before what it calls; the top function comes first unless it is a process.
        processes: in order of first call.
    """

    regions: list[str] = field(default_factory=list)
    processes: list[str] = field(default_factory=list)


def find_hierarchy(
    bodies: Mapping[str, Sequence[str]],
    starts: Mapping[str, tuple[str, int]],
    dataflow: Collection[tuple[str, int]],
    top: str,
) -> Hierarchy:
    """Follows the calls from the top function.

    Args:
        bodies: lines of every function's IR, by symbol.
        starts: file and first line of every function, by symbol.
        dataflow: file and first line of the functions that a DATAFLOW pragma stands in.
        top: symbol of the top function.

    Raises:
        CompileError: a region that calls itself.
    """
    found = Hierarchy()
    if starts[top] not in dataflow and _has_logic(bodies[top], bodies):
        found.processes.append(top)
    else:
        _follow(found, bodies, {symbol for symbol, start in starts.items() if start in dataflow}, [top], starts)
    return found


def _has_logic(body: Sequence[str], bodies: Mapping[str, Sequence[str]]) -> bool:
    """It is no mere list of calls: loops, conditions or stream accesses, or nothing called, and no local stream."""
    if any(_LOCAL_STREAM.match(line) for line in body):
        return False
    return any(_LOGIC.search(line) for line in body) or not _calls(body, bodies)


def _calls(body: Sequence[str], bodies: Mapping[str, Sequence[str]]) -> list[str]:
    """Functions that a region calls, each once; no constructors and operators of streams and arguments."""
    names = [match[1] for match in map(_CALL.match, body) if match]
    found = dict.fromkeys(name for name in names if not name.startswith(_NO_PROCESS))
    return [name for name in found if name not in bodies or not _NO_PROCESS_HEADER.match(bodies[name][0])]


def _follow(
    found: Hierarchy,
    bodies: Mapping[str, Sequence[str]],
    regions: Collection[str],
    path: Sequence[str],
    starts: Mapping[str, tuple[str, int]],
) -> None:
    """Adds the region at the end of `path`, and all that it calls."""
    if path[-1] not in found.regions:
        found.regions.append(path[-1])
    for symbol in _calls(bodies[path[-1]], bodies):
        if symbol in path:
            raise CompileError(*starts[symbol], "a dataflow region calls itself")
        if symbol in regions:
            _follow(found, bodies, regions, [*path, symbol], starts)
        elif symbol not in found.processes:
            found.processes.append(symbol)
