"""Layer names: which are legal, and the C++ identifier that each one becomes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from golden.errors import DescriptionError

__all__ = ["INPUT_NAME", "check_name", "identifiers"]

INPUT_NAME = "input"
"""The name under which layers refer to the network's input."""

_LEGAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:\-]{0,127}")

# Every word that C++17 reserves, with those of C++20, so that emitted code survives a newer compiler.
_RESERVED = frozenset(
    [
        "alignas",
        "alignof",
        "and",
        "and_eq",
        "asm",
        "auto",
        "bitand",
        "bitor",
        "bool",
        "break",
        "case",
        "catch",
        "char",
        "char8_t",
        "char16_t",
        "char32_t",
        "class",
        "compl",
        "concept",
        "const",
        "consteval",
        "constexpr",
        "constinit",
        "const_cast",
        "continue",
        "co_await",
        "co_return",
        "co_yield",
        "decltype",
        "default",
        "delete",
        "do",
        "double",
        "dynamic_cast",
        "else",
        "enum",
        "explicit",
        "export",
        "extern",
        "false",
        "final",
        "float",
        "for",
        "friend",
        "goto",
        "if",
        "import",
        "inline",
        "int",
        "long",
        "main",
        "module",
        "mutable",
        "namespace",
        "new",
        "noexcept",
        "not",
        "not_eq",
        "nullptr",
        "operator",
        "or",
        "or_eq",
        "override",
        "private",
        "protected",
        "public",
        "register",
        "reinterpret_cast",
        "requires",
        "return",
        "short",
        "signed",
        "sizeof",
        "static",
        "static_assert",
        "static_cast",
        "struct",
        "switch",
        "template",
        "this",
        "thread_local",
        "throw",
        "true",
        "try",
        "typedef",
        "typeid",
        "typename",
        "union",
        "unsigned",
        "using",
        "virtual",
        "void",
        "volatile",
        "wchar_t",
        "while",
        "xor",
        "xor_eq",
    ]
)


def check_name(name: str, field: str = "name") -> None:
    """Refuse a name that is empty, too long, looks like a path, or holds anything but letters, digits and ``_ . : -``.

    Raises:
        DescriptionError: naming ``field``.
    """
    if not name:
        raise DescriptionError("is empty; give a name of 1 to 128 characters", field=field)
    if "/" in name or "\\" in name or ".." in name:
        raise DescriptionError(f"{name!r} looks like a path; use letters, digits and _ . : -", field=field)
    if _LEGAL.fullmatch(name) is None:
        raise DescriptionError(
            f"{name[:140]!r} is not a legal name; use 1 to 128 letters, digits and _ . : -, none of . : - first",
            field=field,
        )


def _identifier(name: str) -> str:
    # A double underscore anywhere, or one before a capital letter, is reserved to the C++ implementation.
    stem = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9]", "_", name)).strip("_") or "layer"
    if stem[0].isdigit():
        stem = f"layer_{stem}"
    return f"{stem}_layer" if stem in _RESERVED else stem


def identifiers(names: Iterable[str]) -> dict[str, str]:
    """The C++ identifier of every name, in order; unique even without regard to case, so they can also name files.

    Args:
        names: distinct legal names. The result depends on their order alone.
    """
    result: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        stem = _identifier(name)
        identifier, number = stem, 2
        while identifier.lower() in taken:
            identifier, number = f"{stem}_{number}", number + 1
        taken.add(identifier.lower())
        result[name] = identifier
    return result
