"""Small objects that accesses of different sizes meet at places that vary: each is one register of all its bits.

A structure that holds an array, or an array that travels through a stream, is written as a whole and read element by
element. Memories have words of one size, so such an object becomes one word; an element is taken out of it, or put into
it, by shifts. As outside of any array, a place beyond the object reads 0, and a write there is ignored. Arrays by
themselves that are set or copied at once are not meant: a loop keeps them in memory.
"""

import math
from collections.abc import Iterator

from rtl.ir import Address, Constant, Function, Instruction, MemoryObject, Pointer, Value
from rtl.memories import linear_terms

__all__ = ["MOST_BYTES", "join_small_objects"]

MOST_BYTES = 128
"""Of an object that is put into one register; shifting a larger one would cost more than it is worth."""


def join_small_objects(function: Function) -> None:
    """Changes a process so that every access of such an object is of its one word."""
    joined = _to_join(function)
    for block in function.blocks:
        block.instructions[:] = [
            each
            for item in block.instructions
            for each in (_rewritten(item, _object(item)) if _object(item) in joined else [item])
        ]


def _object(item: Instruction) -> MemoryObject | None:
    """The one object that a load or store can mean."""
    address = item.pointer.only if item.op in ("load", "store") and item.pointer else None
    return address.base if address is not None and isinstance(address.base, MemoryObject) else None


def _bytes(item: Instruction) -> int:
    return -(-(item.width if item.op == "load" else item.operands[0].width) // 8)


def _to_join(function: Function) -> set[MemoryObject]:
    strides: dict[MemoryObject, list[int]] = {}
    longest: dict[MemoryObject, int] = {}
    others: set[object] = set()
    for item in (each for block in function.blocks for each in block.instructions if each.pointer is not None):
        found = _object(item)
        if found is None or (item.at_once and found.dimensions):  # an array that is set at once stays a memory
            assert item.pointer
            others |= {address.base for _, address in item.pointer.choices}
            continue
        assert item.pointer and item.pointer.only
        strides.setdefault(found, []).extend(abs(factor) for factor, _ in linear_terms(item.pointer.only)[1])
        longest[found] = max(longest.get(found, 0), _bytes(item))
    return {
        item
        for item, factors in strides.items()
        if longest[item] > (math.gcd(*factors) or item.size)
        and item.size <= MOST_BYTES
        and not item.constant
        and item not in others
    }


def _rewritten(item: Instruction, whole: MemoryObject | None) -> Iterator[Instruction]:
    assert whole is not None and item.pointer and item.pointer.only
    offset, terms = linear_terms(item.pointer.only)
    rewriting = _Rewriting(item, whole.size)
    yield from rewriting.place(offset, terms)
    yield from rewriting.load() if item.op == "load" else rewriting.store()


class _Rewriting:
    """Puts instructions on the whole word in the place of one access."""

    def __init__(self, item: Instruction, size: int) -> None:
        assert item.pointer and item.pointer.only
        self._item, self._bits = item, 8 * size
        self._pointer = Pointer(0, ((None, Address(item.pointer.only.base, 0)),))
        self._amount: Value = Constant(self._bits, 0)
        self._inside: Value | None = None

    def place(self, offset: int, terms: tuple[tuple[int, Value], ...]) -> Iterator[Instruction]:
        """How far the word is to be shifted, and whether the place is inside."""
        if not terms:
            self._amount = Constant(self._bits, 8 * offset)
            return
        total: Value = Constant(64, 8 * offset % (1 << 64))
        for factor, value in terms:
            part = self._made("mul", 64, value, Constant(64, 8 * factor % (1 << 64)))
            total = self._made("add", 64, total, part)
            yield from (part, total)
        last = self._bits - 8 * _bytes(self._item)
        self._inside = self._made("icmp", 1, total, Constant(64, last))
        self._inside.predicate = "ule"
        self._amount = self._made("trunc" if self._bits < 64 else "zext", self._bits, total)
        yield from (self._inside, self._amount)

    def load(self) -> Iterator[Instruction]:
        """The load's own instruction comes last, since others refer to it."""
        item, word = self._item, self._made("load", self._bits)
        word.pointer = self._pointer
        shifted = self._made("lshr", self._bits, word, self._amount)
        yield from (word, shifted)
        item.pointer, item.at_once = None, False
        if self._inside is None:
            item.op, item.operands = "trunc", [shifted]
        else:
            value = self._made("trunc", item.width, shifted)
            yield value
            item.op, item.operands = "select", [self._inside, value, Constant(item.width, 0)]
        yield item

    def store(self) -> Iterator[Instruction]:
        """Only the bytes that are meant change."""
        item, bits = self._item, self._bits
        size = 8 * _bytes(item)
        value = item.operands[0]
        if size == bits:
            item.pointer = self._pointer
            yield item
            return
        word = self._made("load", bits)
        word.pointer = self._pointer
        mask = self._made("shl", bits, Constant(bits, (1 << size) - 1), self._amount)
        holes = self._made("xor", bits, mask, Constant(bits, (1 << bits) - 1))
        kept = self._made("and", bits, word, holes)
        wide = self._made("zext", bits, value)
        moved = self._made("shl", bits, wide, self._amount)
        changed = self._made("or", bits, kept, moved)
        yield from (word, mask, holes, kept, wide, moved, changed)
        if self._inside is not None:
            changed = self._made("select", bits, self._inside, changed, word)
            yield changed
        item.operands, item.pointer, item.at_once = [changed], self._pointer, False
        yield item

    def _made(self, op: str, width: int, *operands: Value) -> Instruction:
        return Instruction(width, op, list(operands), self._item.name, self._item.place)
