"""`#pragma HLS` lines as clang's preprocessor leaves them: comments, `#if`, continued lines and `_Pragma` are its work.

A pragma's number may be an expression. clang does not look into pragmas that it does not know, so the constant

    static constexpr long long rtl_pragma_7 = (N + 1);

takes the pragma's line, and clang says its value, for each instance of a template.

A pragma that is about the loop around it has an effect only where clang compiles its place: not in the branch that
`if constexpr` discards, nor in a template that nobody instantiates. So wherever a statement can stand the call

    ::rtl::pragma_mark<7>();

takes its line, and the functions of clang's IR that hold the call hold the pragma.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rtl.errors import CompileError
from rtl.pragmas import Pragma

__all__ = ["PROBE", "Preprocessed", "evaluated", "placed", "read_preprocessed", "without_marks"]

PROBE = "rtl_pragma_"
"""What the names of the constants begin with."""

_MARKER = re.compile(r'^# (\d+) "((?:[^"\\]|\\.)*)"')
_PRAGMA = re.compile(r"^\s*#\s*pragma\s+HLS\s+(\w+)(.*)$", re.IGNORECASE)
_DEFINED = re.compile(r"^#define (\w+)(?: (.*))?$")
_MACRO = re.compile(r"^#(?:define|undef) (\w+)")
_PROBED = re.compile(rf'^@"?_ZZ(.*)E\d+{PROBE}(\d+)"? = .*\bconstant i64 (-?\d+)')

# Pragmas that are about the loop around them.
_OF_LOOPS = ("UNROLL", "PIPELINE", "DEPENDENCE")
# Declared where no line of the source is. A constant expression may run through it.
_MARKS = ['# 1 "<rtl>"', "namespace rtl { template <int> constexpr void pragma_mark() noexcept {} }"]
_MARK_SYMBOL = r"@_ZN3rtl11pragma_markILi(\d+)EEEvv\("
_MARK_CALL = re.compile(rf"^  call void {_MARK_SYMBOL}")
_MARK_DEFINED = re.compile(rf"^define .*{_MARK_SYMBOL}")
_DEFINED_SYMBOL = re.compile(r"^define .*?@([\w$.]+|\"[^\"]*\")\(")

# The options whose numbers have an effect.
_NUMBERS = {
    "UNROLL": "factor",
    "DEPENDENCE": "distance",
    "PIPELINE": "II",
    "ARRAY_PARTITION": "factor|dim",
    "INTERFACE": "max_(?:read|write)_burst_length|num_(?:read|write)_outstanding|latency",
}


@dataclass
class Preprocessed:
    """A translation unit to be compiled, and its HLS pragmas in order.

    Attributes:
        text: C++ with line markers, constants and marks in place of the pragmas that need them.
        pragmas: their arguments name those constants.
    """

    text: str
    pragmas: list[Pragma] = field(default_factory=list)


def read_preprocessed(text: str, folder: Path, unmarked: Collection[tuple[str, int]] | None = ()) -> Preprocessed:
    """Takes the pragmas from what `clang -E -dD` wrote.

    Args:
        text: with line markers and #define lines.
        folder: what relative names in the markers stand in.
        unmarked: file and line of pragmas in whose place no statement can stand; None: no place is known for any.

    Raises:
        CompileError: an expression where no declaration can stand.
    """
    return _Reader(folder, unmarked).read(text)


class _Reader:
    def __init__(self, folder: Path, unmarked: Collection[tuple[str, int]] | None) -> None:
        self._folder = folder
        self._unmarked = unmarked
        self._macros: dict[str, str] = {}
        self._file, self._line = "", 0
        self._before = ""  # the last character of the C++ before
        self._pragmas: list[Pragma] = []
        self._probes = 0

    def read(self, text: str) -> Preprocessed:
        """What preprocessed C++ holds, with the marks of its pragmas."""
        lines = [self._kept(line) for line in text.splitlines()]
        marks = _MARKS if any(pragma.mark for pragma in self._pragmas) else []
        return Preprocessed("\n".join([*marks, *lines, ""]), self._pragmas)

    def _kept(self, line: str) -> str:
        """What is compiled in place of a line."""
        marker = _MARKER.match(line)
        if marker:
            self._file = str(self._folder / re.sub(r"\\(.)", r"\1", marker[2]))
            self._line = int(marker[1])
            return line
        self._line += 1
        if not line.lstrip().startswith("#"):
            self._before = line.rstrip()[-1:] or self._before
            return line
        if _MACRO.match(line):
            self._define(line)
            return ""
        pragma = _PRAGMA.match(line)
        return self._pragma(pragma[1].upper(), pragma[2].strip()) if pragma else line

    def _define(self, line: str) -> None:
        name, defined = _MACRO.match(line), _DEFINED.match(line)
        assert name
        self._macros.pop(name[1], None)
        if defined:
            self._macros[name[1]] = defined[2] or ""

    def _pragma(self, name: str, arguments: str) -> str:
        """Notes a pragma; returns the declaration that tells its numbers, if it needs one."""
        declared: list[str] = []

        def number(match: re.Match[str]) -> str:
            value = _expanded(match[2], self._macros)
            if value.isdecimal():
                return match[1] + value
            if self._before not in ("{", "}", ";"):
                message = f"'{match[2]}' cannot be evaluated before a statement without braces; set braces"
                raise CompileError(self._file, self._line - 1, message)
            self._probes += 1
            declared.append(f"static constexpr long long {PROBE}{self._probes} = ({value});")
            return f"{match[1]}{PROBE}{self._probes}"

        if name in _NUMBERS:
            arguments = re.sub(rf"(\b(?:{_NUMBERS[name]})\s*=\s*)(\S+)", number, arguments, flags=re.IGNORECASE)
        mark = self._mark(name)
        if mark:
            declared.append(f"::rtl::pragma_mark<{mark}>();")
        self._pragmas.append(Pragma(self._file, self._line - 1, name, arguments, mark=mark))
        return " ".join(declared)

    def _mark(self, name: str) -> int:
        """The number of the mark that stands for the pragma; 0 where none can stand."""
        if name not in _OF_LOOPS or self._before not in ("{", "}", ";") or self._unmarked is None:
            return 0
        return 0 if (self._file, self._line - 1) in self._unmarked else len(self._pragmas) + 1


def _expanded(text: str, macros: Mapping[str, str]) -> str:
    """With macros replaced; those with parameters are not."""
    for _ in range(16):
        again = re.sub(r"[A-Za-z_]\w*", lambda name: macros.get(name[0], name[0]), text)
        if again == text:
            break
        text = again
    return text.strip()


def evaluated(pragmas: Sequence[Pragma], lines: Sequence[str]) -> list[Pragma]:
    """The pragmas with their constants' values.

    Those in templates that nobody instantiates are left out; an UNROLL whose factor differs between instances becomes
    one for each.

    Args:
        pragmas: of `read_preprocessed`.
        lines: of clang's IR.

    Raises:
        CompileError: instances of a template disagree about another pragma.
    """
    values: dict[str, dict[str, str]] = {}
    for probed in filter(None, map(_PROBED.match, lines)):
        values.setdefault(PROBE + probed[2], {})[f"_Z{probed[1]}"] = probed[3]
    result = []
    for pragma in pragmas:
        names = re.findall(rf"\b{PROBE}\d+", pragma.arguments)
        functions = values.get(names[0], {}) if names else {"": ""}
        found = {}
        for function in functions:
            given = {name: values[name][function] for name in names}
            found[function] = _replaced(pragma.arguments, given)
        if len(set(found.values())) == 1:
            result.append(replace(pragma, arguments=next(iter(found.values()))))
        elif found and pragma.name != "UNROLL":
            message = f"{pragma.name} has different numbers in different instances of the template"
            raise CompileError(pragma.file, pragma.line, message)
        else:
            result += [replace(pragma, arguments=each, function=function) for function, each in found.items()]
    return result


def placed(pragmas: Sequence[Pragma], lines: Sequence[str]) -> list[Pragma]:
    """The pragmas with the functions that their marks stand in; those whose code clang left out are not among them.

    Args:
        pragmas: of `read_preprocessed`.
        lines: of clang's IR.
    """
    found: dict[int, set[str]] = {}
    symbol = ""
    for line in lines:
        if defined := _DEFINED_SYMBOL.match(line):
            symbol = defined[1]
        elif call := _MARK_CALL.match(line):
            found.setdefault(int(call[1]), set()).add(symbol)
    known = [replace(pragma, inside=frozenset(found.get(pragma.mark, ()))) for pragma in pragmas]
    return [pragma for pragma in known if pragma.inside or not pragma.mark]


def without_marks(lines: Sequence[str]) -> list[str]:
    """clang's IR without the calls and the functions that they call."""
    kept: list[str] = []
    inside = False
    for line in lines:
        inside = inside or _MARK_DEFINED.match(line) is not None
        if not inside and not _MARK_CALL.match(line):
            kept.append(line)
        inside = inside and line != "}"
    return kept


def _replaced(arguments: str, given: Mapping[str, str]) -> str:
    return re.sub(rf"\b{PROBE}\d+", lambda name: given[name[0]], arguments)
