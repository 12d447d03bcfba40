"""Waves as FST, whatever the machine: converts the VCD that Verilator always can write.

Verilator's own FST writer wants the headers of lz4 and zlib, which a machine with nothing but g++ lacks. The `pylibfst`
wheel carries GTKWave's FST library ready-made.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pylibfst

__all__ = ["vcd_to_fst"]

_SCOPES = {
    "module": pylibfst.lib.FST_ST_VCD_MODULE,
    "task": pylibfst.lib.FST_ST_VCD_TASK,
    "function": pylibfst.lib.FST_ST_VCD_FUNCTION,
    "begin": pylibfst.lib.FST_ST_VCD_BEGIN,
    "fork": pylibfst.lib.FST_ST_VCD_FORK,
    "struct": pylibfst.lib.FST_ST_VCD_STRUCT,
}
_VARIABLES = {
    "wire": pylibfst.lib.FST_VT_VCD_WIRE,
    "reg": pylibfst.lib.FST_VT_VCD_REG,
    "integer": pylibfst.lib.FST_VT_VCD_INTEGER,
    "parameter": pylibfst.lib.FST_VT_VCD_PARAMETER,
}


def vcd_to_fst(vcd: Path, fst: Path) -> None:
    """Writes the waves of `vcd` to `fst` (hierarchy, aliases, two- and four-state values; no reals).

    Raises:
        ValueError: the file is no VCD, or holds real numbers.
        OSError: a file cannot be read or written.
    """
    writer = pylibfst.lib.fstWriterCreate(str(fst).encode(), 1)
    if writer == pylibfst.ffi.NULL:
        raise OSError(f"{fst} cannot be written.")
    try:
        pylibfst.lib.fstWriterSetPackType(writer, pylibfst.lib.FST_WR_PT_LZ4)
        with vcd.open() as lines:
            handles = _write_hierarchy(writer, lines, vcd)
            _write_changes(writer, lines, handles)
    finally:
        pylibfst.lib.fstWriterClose(writer)


def _write_hierarchy(writer: Any, lines: Iterable[str], vcd: Path) -> dict[str, tuple[int, int]]:
    """Reads up to $enddefinitions; returns handle and bits of each VCD identifier."""
    handles: dict[str, tuple[int, int]] = {}
    null = pylibfst.ffi.NULL
    for line in lines:
        words = line.split()
        match words[:1]:
            case ["$timescale"]:
                pylibfst.lib.fstWriterSetTimescaleFromString(writer, "".join(words[1:-1]).encode())
            case ["$scope"]:
                kind = _SCOPES.get(words[1], _SCOPES["module"])
                pylibfst.lib.fstWriterSetScope(writer, kind, words[2].encode(), null)
            case ["$upscope"]:
                pylibfst.lib.fstWriterSetUpscope(writer)
            case ["$var"]:
                kind, bits, identifier = _VARIABLES.get(words[1]), int(words[2]), words[3]
                if kind is None:
                    raise ValueError(f"{vcd} declares a '{words[1]}', which is not converted.")
                known = handles.get(identifier, (0, bits))[0]
                name = " ".join(words[4:-1]).encode()
                direction = pylibfst.lib.FST_VD_IMPLICIT
                handle = pylibfst.lib.fstWriterCreateVar(writer, kind, direction, bits, name, known)
                handles.setdefault(identifier, (handle, bits))
            case ["$enddefinitions"]:
                return handles
    raise ValueError(f"{vcd} is no VCD file: it has no $enddefinitions.")


def _write_changes(writer: Any, lines: Iterable[str], handles: dict[str, tuple[int, int]]) -> None:
    change, emit_time = pylibfst.lib.fstWriterEmitValueChange, pylibfst.lib.fstWriterEmitTimeChange
    for line in lines:
        if not line.endswith("\n"):
            return  # a simulation that was killed stops in the middle of a line
        line = line.rstrip()
        if not line or line[0] == "$":
            continue
        if line[0] == "#":
            emit_time(writer, int(line[1:]))
        elif line[0] in "bB":
            value, _, identifier = line[1:].partition(" ")
            handle, bits = handles[identifier]
            filling = value[0] if value[0] in "xXzZ" else "0"
            change(writer, handle, value.rjust(bits, filling).encode())
        else:
            handle, _ = handles[line[1:]]
            change(writer, handle, line[0].encode())
