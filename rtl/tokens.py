"""Tokens, types and constants of LLVM's textual IR."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ArrayType", "Cursor", "IntType", "OtherType", "StructType", "Type", "constant_bytes", "field_offsets"]

_TOKEN = re.compile(
    r'c"(?:[^"\\]|\\[0-9A-Fa-f]{2})*"|[%@!](?:"[^"]*"|[\w.$-]+)|"[^"]*"|-?\d+\.\d+e[+-]\d+|-?\d+|[\w.]+|<\{|\}>|[^\s]'
)


@dataclass(frozen=True)
class IntType:
    """iN."""

    width: int

    @property
    def size(self) -> int:
        """Bytes in memory, alignment included."""
        plain = (self.width + 7) // 8
        return plain if plain > 8 else 1 << (plain - 1).bit_length()

    @property
    def alignment(self) -> int:
        """Alignment in bytes (AArch64)."""
        return min(self.size, 16)


@dataclass(frozen=True)
class OtherType:
    """ptr, void, float and what else is no integer; 8 bytes where a size is asked for."""

    name: str
    size: int = 8
    alignment: int = 8


@dataclass(frozen=True)
class ArrayType:
    """[count x element]."""

    count: int
    element: Type

    @property
    def size(self) -> int:
        """Bytes."""
        return self.count * self.element.size

    @property
    def alignment(self) -> int:
        """Alignment in bytes."""
        return self.element.alignment


@dataclass(frozen=True)
class StructType:
    """{fields}, or <{fields}> when packed."""

    fields: tuple[Type, ...]
    packed: bool = False

    @property
    def size(self) -> int:
        """Bytes, padding included."""
        return field_offsets(self)[-1]

    @property
    def alignment(self) -> int:
        """Alignment in bytes."""
        return 1 if self.packed else max((field.alignment for field in self.fields), default=1)


Type = IntType | OtherType | ArrayType | StructType


def field_offsets(struct: StructType) -> list[int]:
    """Byte offset of every field, and last the struct's size."""
    offsets, at = [], 0
    for item in struct.fields:
        align = 1 if struct.packed else item.alignment
        at = -(-at // align) * align
        offsets.append(at)
        at += item.size
    return [*offsets, -(-at // struct.alignment) * struct.alignment]


class Cursor:
    """Reads tokens of one line, one after another."""

    def __init__(self, text: str, structs: Mapping[str, str]) -> None:
        self.tokens: list[str] = _TOKEN.findall(text)
        self.at = 0
        self._structs = structs

    def peek(self, ahead: int = 0) -> str:
        """The token `ahead` tokens on; empty past the end."""
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else ""

    def next(self) -> str:
        """Takes a token."""
        token = self.peek()
        self.at += 1
        return token

    def take(self, *wanted: str) -> bool:
        """Takes the next token when it is one of `wanted`."""
        if self.peek() in wanted and self.peek():
            self.at += 1
            return True
        return False

    def skip_flags(self, *flags: str) -> None:
        """Takes any of `flags`, in any number."""
        while self.take(*flags):
            pass

    def skip_brackets(self) -> None:
        """Takes a balanced ( ... ) group, when one comes next."""
        if not self.take("("):
            return
        depth = 1
        while depth and self.peek():
            token = self.next()
            depth += (token == "(") - (token == ")")

    def type(self) -> Type:
        """Takes a type."""
        token = self.next()
        if re.fullmatch(r"i\d+", token):
            return IntType(int(token[1:]))
        if token == "[":
            count = int(self.next())
            self.next()  # x
            element = self.type()
            self.next()
            return ArrayType(count, element)
        if token in ("{", "<{"):
            return self._struct(packed=token == "<{")
        if token.startswith("%"):
            return Cursor(self._structs[token], self._structs).type()
        if token == "<":
            while self.next() != ">":
                pass
            return OtherType("vector")
        return OtherType(token)

    def _struct(self, packed: bool) -> StructType:
        fields: list[Type] = []
        while not self.take("}", "}>"):
            fields.append(self.type())
            self.take(",")
        return StructType(tuple(fields), packed)


def constant_bytes(cursor: Cursor, of: Type) -> bytes:
    """Takes a constant of type `of`: its bytes in memory, undefined ones as 0.

    Raises:
        ValueError: a constant that is no plain data (an address, a float).
    """
    token = cursor.next()
    if token in ("zeroinitializer", "undef", "poison", "null", "none"):
        return bytes(of.size)
    if isinstance(of, IntType):
        number = {"true": 1, "false": 0}.get(token)
        number = int(token) if number is None else number
        return (number % (1 << of.width)).to_bytes(of.size, "little")
    if token.startswith('c"'):
        return re.sub(rb"\\([0-9A-Fa-f]{2})", lambda m: bytes([int(m[1], 16)]), token[2:-1].encode())
    if isinstance(of, ArrayType) and token == "[":
        return b"".join(_elements(cursor, "]"))
    if isinstance(of, StructType) and token in ("{", "<{"):
        parts = _elements(cursor, "}", "}>")
        offsets = field_offsets(of)
        data = bytearray(offsets[-1])
        for part, offset in zip(parts, offsets, strict=False):
            data[offset : offset + len(part)] = part
        return bytes(data)
    raise ValueError(token)


def _elements(cursor: Cursor, *closing: str) -> list[bytes]:
    parts = []
    while not cursor.take(*closing):
        parts.append(constant_bytes(cursor, cursor.type()))
        cursor.take(",")
    return parts
