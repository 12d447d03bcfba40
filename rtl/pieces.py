"""Accesses of the same bytes in words of different sizes, cut into pieces that no other access cuts.

LLVM copies a structure in words that hold several of its fields, or halves of them, or as a whole. Every such load
becomes one load for each piece, and their concatenation; a store becomes a store for each piece. Words that are longer
than the stride of an index, as where arrays of different elements share a structure, are left to be refused: pieces of
them would all be in one memory, which would need as many ports.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from rtl.errors import CompileError
from rtl.ir import Address, Block, Constant, Function, Instruction, MemoryObject, Pointer, Value
from rtl.memories import linear_terms

__all__ = ["WHOLE_ARRAY", "bits_of", "cut_words"]

WHOLE_ARRAY = "a whole array is copied or set at once; write a loop (#pragma HLS UNROLL makes it take no time)"


def cut_words(function: Function) -> None:
    """Changes a process so that accesses of an object meet in whole words or not at all.

    Raises:
        CompileError: an array with an index that varies is copied as a whole.
    """
    accesses = list(_accesses(function))
    borders = _borders(accesses)
    accesses = [access for access in accesses if all(item in borders for item, _ in access.starts)]
    new = True
    while new:
        new = sum(access.spread(borders) for access in accesses) > 0
    cuts = {id(access.instruction): access.cuts(borders) for access in accesses}
    if any(cuts.values()):
        for block in function.blocks:
            block.instructions[:] = _rewritten(block, cuts)


@dataclass(frozen=True)
class _Access:
    """A load or store: the byte in each of the objects at which it begins, and its bytes."""

    instruction: Instruction
    starts: tuple[tuple[MemoryObject, int], ...]
    size: int

    def cuts(self, borders: dict[MemoryObject, _Borders]) -> list[int]:
        """Bytes of the word before which a piece begins, without the first one."""
        inside = range(1, self.size)
        return [place for place in inside if any(borders[item].cut(start + place) for item, start in self.starts)]

    def spread(self, borders: dict[MemoryObject, _Borders]) -> int:
        """Makes the cuts borders of all objects that are meant; how many are new."""
        cuts = self.cuts(borders) if len(self.starts) > 1 else []
        return sum(borders[item].add(start + place) for item, start in self.starts for place in cuts)


class _Borders:
    """Between which bytes of an object words begin or end; the same in each `step` bytes, which indices count in."""

    def __init__(self, step: int) -> None:
        self._step = step
        self._places: set[int] = set()

    def add(self, place: int) -> bool:
        """A border before the byte; whether it is new."""
        new = place % self._step not in self._places
        self._places.add(place % self._step)
        return new

    def cut(self, place: int) -> bool:
        """There is a border before the byte."""
        return place % self._step in self._places


def _accesses(function: Function) -> Iterator[_Access]:
    for block in function.blocks:
        for item in block.instructions:
            if item.op not in ("load", "store") or item.pointer is None:
                continue
            starts = []
            for _, address in item.pointer.choices:
                offset, _terms = linear_terms(address)
                if isinstance(address.base, MemoryObject):
                    starts.append((address.base, offset))
            if len(starts) == len(item.pointer.choices):
                yield _Access(item, tuple(starts), -(-bits_of(item) // 8))


def bits_of(instruction: Instruction) -> int:
    """Of the word that a load or store moves."""
    return instruction.width if instruction.op == "load" else instruction.operands[0].width


def _borders(accesses: list[_Access]) -> dict[MemoryObject, _Borders]:
    """Of the objects whose words fit between two of an index' places."""
    strides: dict[MemoryObject, list[int]] = {}
    for access in accesses:
        assert access.instruction.pointer
        for _, address in access.instruction.pointer.choices:
            assert isinstance(address.base, MemoryObject)
            strides.setdefault(address.base, []).extend(abs(factor) for factor, _ in linear_terms(address)[1])
    steps = {item: math.gcd(*factors) or max(item.size, 1) for item, factors in strides.items()}
    longer = {item for access in accesses for item, _ in access.starts if access.size > steps[item]}
    for access in accesses:
        if access.instruction.at_once and any(item in longer for item, _ in access.starts):
            raise CompileError(access.instruction.place.file, access.instruction.place.line, WHOLE_ARRAY)
    found = {item: _Borders(step) for item, step in steps.items() if item not in longer}
    for access in accesses:
        for item, start in access.starts:
            if item in found:
                found[item].add(start)
                found[item].add(start + access.size)
    return found


def _rewritten(block: Block, cuts: dict[int, list[int]]) -> Iterator[Instruction]:
    for item in list(block.instructions):
        places = cuts.get(id(item))
        if not places:
            yield item
        elif item.op == "load":
            yield from _load(item, places)
        else:
            yield from _store(item, places)


def _pieces(item: Instruction, cuts: list[int]) -> Iterator[tuple[int, int, Pointer]]:
    """Of each piece the first byte in the word, its bits, and its address."""
    assert item.pointer
    for first, end in zip([0, *cuts], [*cuts, -(-bits_of(item) // 8)], strict=True):
        choices = tuple(
            (guard, Address(address.base, address.offset + first, address.terms))
            for guard, address in item.pointer.choices
        )
        yield first, min(8 * end, bits_of(item)) - 8 * first, Pointer(0, choices)


def _made(like: Instruction, op: str, width: int, operands: list[Value], pointer: Pointer | None = None) -> Instruction:
    return Instruction(width, op, operands, like.name, like.place, pointer=pointer)


def _load(item: Instruction, cuts: list[int]) -> Iterator[Instruction]:
    """The pieces, and the load itself as their concatenation: others refer to it."""
    width, whole = item.width, list[Instruction]()
    for first, bits, pointer in _pieces(item, cuts):
        part = _made(item, "load", bits, [], pointer)
        wide = _made(item, "zext", width, [part])
        yield from (part, wide)
        if first:
            wide = _made(item, "shl", width, [wide, Constant(width, 8 * first)])
            yield wide
        whole.append(wide)
    while len(whole) > 2:
        both = _made(item, "or", width, [whole[0], whole[1]])
        yield both
        whole[:2] = [both]
    item.op, item.operands, item.pointer = "or", list(whole), None
    yield item


def _store(item: Instruction, cuts: list[int]) -> Iterator[Instruction]:
    value = item.operands[0]
    for first, bits, pointer in _pieces(item, cuts):
        shifted = _made(item, "lshr", value.width, [value, Constant(value.width, 8 * first)])
        part = _made(item, "trunc", bits, [shifted])
        yield from (shifted, part, _made(item, "store", 0, [part], pointer))
