"""What an array becomes: block RAM, UltraRAM, LUT RAM or registers, by its pragmas and its size.

A word of block RAM or UltraRAM is there a clock after its address, through one port for reads and one for writes.
LUT RAM is read without a clock, and registers have as many ports as there are accesses.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from rtl.errors import CompileError
from rtl.pragmas import Pragma

if TYPE_CHECKING:
    from rtl.ir import MemoryObject
    from rtl.memories import Memory

__all__ = [
    "Line",
    "Storage",
    "bind_storage",
    "function_at",
    "is_called",
    "partition",
    "variable_of",
    "worth_block_ram",
]

Storage = Literal["auto", "block", "ultra", "distributed", "registers"]
"""As `ram_style` of Vivado and Yosys names them; `auto` is decided when the process is pipelined."""

Line = tuple[str, int]
"""File and line."""

_LUT_WORDS = 64  # words that a LUT holds a bit of
_FEW_BITS = 4096
_MANY_BITS = 1 << 16

_IMPLEMENTATIONS: Mapping[str, Storage] = {
    "auto": "auto",
    "bram": "block",
    "bram_ecc": "block",
    "uram": "ultra",
    "uram_ecc": "ultra",
    "lutram": "distributed",
    "srl": "distributed",
}


def bind_storage(
    memories: Sequence[Memory], pragmas: Sequence[Pragma], functions: Sequence[Line], lines: Collection[Line]
) -> None:
    """Sets each memory's storage from the pragmas that name its array, in functions that the process' code is from.

    Args:
        memories: of one process.
        pragmas: of all source files.
        functions: file and first line of every function, in order.
        lines: file and line of everything that the process does.

    Raises:
        CompileError: an implementation that does not exist, or cannot hold the array.
    """
    inside = {function_at(functions, line) for line in lines}
    for pragma in pragmas:
        wish, name = _wish(pragma), variable_of(pragma)
        if wish and name and function_at(functions, (pragma.file, pragma.line)) in inside:
            for memory in memories:
                whole = pragma.name != "ARRAY_PARTITION" or memory.flat or partition(pragma)[1] == 0
                if whole and is_called(memory, name):
                    _check(pragma, wish, memory)
                    memory.storage = wish


def _check(pragma: Pragma, wish: Storage, memory: Memory) -> None:
    if wish == "ultra" and memory.initial is not None and any(memory.initial):
        message = f"'{memory.name}' has initial values, which UltraRAM cannot hold; bind it to bram"
        raise CompileError(pragma.file, pragma.line, message)


def function_at(functions: Sequence[Line], line: Line) -> Line | None:
    """The function that a line stands in."""
    above = functions[: bisect_right(functions, line)]
    return above[-1] if above and above[-1][0] == line[0] else None


def worth_block_ram(memory: Memory, circular: bool) -> bool:
    """Whether an array without a pragma is to be block RAM: more words than a LUT holds, and not just a few bits.

    Args:
        memory: the array.
        circular: what it reads is needed for what it holds next. Block RAM would make that a clock longer, so only an
            array too large for LUTs pays that.
    """
    least = _MANY_BITS if circular else _FEW_BITS
    return memory.depth > _LUT_WORDS and memory.depth * memory.width > least


def variable_of(pragma: Pragma) -> str:
    """The name that a pragma gives as its variable, of a member the last part; empty when it gives none."""
    match = re.search(r"\bvariable\s*=\s*(?:\w+\s*(?:\.|->)\s*)*(\w+)", pragma.arguments, re.IGNORECASE)
    return match[1] if match else ""


def is_called(memory: Memory | MemoryObject, variable: str) -> bool:
    """The memory is the array, or a column or field of it."""
    return re.fullmatch(rf"(?:.*\.)?{re.escape(variable)}(?:_\d+|\.\w+)*", memory.name) is not None


def _wish(pragma: Pragma) -> Storage | None:
    if pragma.name == "BIND_STORAGE":
        return _bound(pragma)
    return "registers" if pragma.name == "ARRAY_PARTITION" and partition(pragma)[0] == "complete" else None


def _bound(pragma: Pragma) -> Storage | None:
    match = re.search(r"\bimpl\s*=\s*(\w+)", pragma.arguments, re.IGNORECASE)
    if match is None:
        return None
    found = _IMPLEMENTATIONS.get(match[1].lower())
    if found is None:
        known = ", ".join(_IMPLEMENTATIONS)
        raise CompileError(pragma.file, pragma.line, f"BIND_STORAGE impl={match[1]} is none of {known}")
    return found


def partition(pragma: Pragma) -> tuple[str, int]:
    """Kind and dimension of an ARRAY_PARTITION; 0 is all of them, and 1 what Vitis takes when none is named."""
    kind = re.search(r"\b(complete|cyclic|block)\b", pragma.arguments, re.IGNORECASE)
    dimension = re.search(r"\bdim\s*=\s*(\d+)", pragma.arguments, re.IGNORECASE)
    return kind[1].lower() if kind else "complete", int(dimension[1]) if dimension else 1
