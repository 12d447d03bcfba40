"""Arrays and variables that LLVM left in memory, as hardware memories.

An object is one memory, or several: the strides of all variable indices have a greatest common divisor G, and bytes at
different distances from a multiple of G never meet. So a structure's fields, and a dimension that is only ever indexed
by constants, become memories of their own. What no variable index reaches becomes registers (memories of depth 1).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from rtl.errors import CompileError
from rtl.ir import Address, Constant, Function, Instruction, MemoryObject, Place, Value
from rtl.storage import Storage

__all__ = ["Memory", "MemoryMap", "linear_terms"]


@dataclass(eq=False)
class Memory:
    """A memory: writes at the clock edge, reads without a clock unless it is block RAM or UltraRAM.

    Attributes:
        name: from the source.
        width: bits of a word.
        depth: words.
        initial: every word at power-on, or None when the contents are undefined then.
        constant: it is never written.
        flat: the array has one dimension.
        storage: what it is made of; `auto` until the process is pipelined, and where it is not.
    """

    name: str
    width: int
    depth: int
    initial: list[int] | None
    constant: bool
    flat: bool = True
    storage: Storage = "auto"

    @property
    def clocked(self) -> bool:
        """Its words are there a clock after their addresses."""
        return self.storage in ("block", "ultra")


@dataclass(frozen=True)
class _Use:
    instruction: Instruction
    address: Address
    offset: int
    terms: tuple[tuple[int, Value], ...]

    @property
    def size(self) -> int:
        """Bytes of the word."""
        return -(-_bits(self.instruction) // 8)


def _bits(instruction: Instruction) -> int:
    return instruction.width if instruction.op == "load" else instruction.operands[0].width


class MemoryMap:
    """Which memory, and which word of it, every load and store of a function means."""

    def __init__(self, function: Function) -> None:
        self.memories: list[Memory] = []
        self._places: dict[int, tuple[Memory | None, int, tuple[tuple[int, Value], ...]]] = {}
        self._constants: dict[int, int] = {}
        uses: dict[MemoryObject, list[_Use]] = {}
        for use in _uses(function):
            assert isinstance(use.address.base, MemoryObject)
            uses.setdefault(use.address.base, []).append(use)
        self._users = _users(function)
        self._whole = _wholly_used(function)
        for item in function.objects:
            if item in uses:
                self._split(item, uses[item])

    def locate(self, address: Address) -> tuple[Memory | None, int, tuple[tuple[int, Value], ...]]:
        """Memory, constant part of the index and the index' terms (factor, value). None for a known constant."""
        return self._places[id(address)]

    def constant(self, address: Address) -> int:
        """The number at a place that never changes."""
        return self._constants[id(address)]

    def forget(self, empty: Collection[Memory]) -> None:
        """Takes memories out of the list: nothing but 0 is ever there, so every word is read as 0."""
        self.memories = [memory for memory in self.memories if memory not in empty]

    def _split(self, item: MemoryObject, uses: Sequence[_Use]) -> None:
        if item.constant and not any(use.terms for use in uses):
            for use in uses:
                self._places[id(use.address)] = (None, 0, ())
                self._constants[id(use.address)] = _word(item, use.offset, use.size)
            return
        strides = [abs(factor) for use in uses for factor, _ in use.terms]
        step = math.gcd(*strides) if strides else item.size
        groups: dict[int, list[_Use]] = {}
        for use in uses:
            groups.setdefault(use.offset % step, []).append(use)
        self._check(item, groups, step)
        for start in sorted(groups):
            self._place(item, groups[start], start, step, alone=len(groups) == 1)

    def _check(self, item: MemoryObject, groups: dict[int, list[_Use]], step: int) -> None:
        end = 0
        for start in sorted(groups):
            sizes = {use.size for use in groups[start]}
            if len(sizes) > 1 or start < end or start + max(sizes) > step:
                place = groups[start][0].instruction.place
                message = f"'{item.name}' is accessed in words of different sizes; give each part an array of its own"
                raise CompileError(place.file, place.line, message)
            end = start + max(sizes)

    def _place(self, item: MemoryObject, uses: Sequence[_Use], start: int, step: int, alone: bool) -> None:
        depth = max((item.size - start + step - 1) // step, 1)
        size = uses[0].size
        initial = None
        if item.initial is not None:
            initial = [_word(item, start + step * index, size) for index in range(depth)]
        width = self._width(uses, initial)
        name = item.name if alone else f"{item.name}_{start // size if start % size == 0 else start}"
        words = [word % (1 << width) for word in initial] if initial else None
        memory = Memory(name, width, depth, words, item.constant, flat=item.element_bytes <= size)
        self.memories.append(memory)
        for use in uses:
            terms = tuple((factor // step, value) for factor, value in use.terms)
            self._places[id(use.address)] = (memory, (use.offset - start) // step, terms)

    def _width(self, uses: Sequence[_Use], initial: Sequence[int] | None) -> int:
        """Bits of a word that are ever both written and looked at."""
        stored = [_active_bits(use.instruction.operands[0]) for use in uses if use.instruction.op == "store"]
        stored += [word.bit_length() for word in initial or []]
        read = [self._demanded(use.instruction) for use in uses if use.instruction.op == "load"]
        return max(min(max(stored, default=1), max(read, default=1)), 1)

    def _demanded(self, load: Instruction) -> int:
        """Lowest bits of a load's result outside which nobody looks."""
        if id(load) in self._whole:
            return load.width
        bits = 0
        for user in self._users.get(id(load), ()):
            if user.op == "trunc":
                bits = max(bits, user.width)
            elif user.op == "and" and isinstance(user.operands[1], Constant):
                bits = max(bits, user.operands[1].number.bit_length())
            else:
                return load.width
        return bits


def _uses(function: Function) -> Iterator[_Use]:
    for block in function.blocks:
        for instruction in block.instructions:
            if instruction.op in ("load", "store") and instruction.pointer:
                for _, address in instruction.pointer.choices:
                    if not isinstance(address.base, MemoryObject):
                        message = (
                            "no access of a stream, and memory needs #pragma HLS INTERFACE m_axi in the top function"
                        )
                        raise CompileError(instruction.place.file, instruction.place.line, message)
                    offset, terms = linear_terms(address)
                    yield _Use(instruction, address, offset, terms)


def _users(function: Function) -> dict[int, list[Instruction]]:
    users: dict[int, list[Instruction]] = {}
    for block in function.blocks:
        for instruction in block.instructions:
            for operand in instruction.operands:
                users.setdefault(id(operand), []).append(instruction)
    return users


def _wholly_used(function: Function) -> set[int]:
    """Ids of the values that an index, the choice of a pointer or a branch hangs on."""
    found: set[int] = set()
    stack: list[Value | None] = []
    for block in function.blocks:
        stack.append(block.branch.condition)
        for instruction in block.instructions:
            for guard, address in instruction.pointer.choices if instruction.pointer else ():
                stack += [guard, *(value for _, value in address.terms)]
    while stack:
        value = stack.pop()
        if isinstance(value, Instruction) and id(value) not in found:
            found.add(id(value))
            stack += value.operands if value.derived else []
    return found


def linear_terms(address: Address) -> tuple[int, tuple[tuple[int, Value], ...]]:
    """Constant part and terms of an address in bytes, with sums and constant factors taken apart."""
    offset = address.offset
    terms: list[tuple[int, Value]] = []
    stack = list(address.terms)
    while stack:
        factor, value = stack.pop()
        match value:
            case Constant():
                offset += factor * _signed(value)
            case Instruction(width=64, op="add", operands=[a, b]):
                stack += [(factor, a), (factor, b)]
            case Instruction(width=64, op="sub", operands=[a, b]):
                stack += [(factor, a), (-factor, b)]
            case Instruction(width=64, op="mul", operands=[a, Constant() as constant]):
                stack.append((factor * _signed(constant), a))
            case Instruction(width=64, op="shl", operands=[a, Constant() as constant]):
                stack.append((factor << constant.number, a))
            case _:
                zeros = _trailing_zeros(value)
                if zeros and value.width == 64:
                    shift = Instruction(64, "ashr", [value, Constant(64, zeros)], "index", Place(), derived=True)
                    terms.append((factor << zeros, shift))
                else:
                    terms.append((factor, value))
    return offset, tuple(terms)


def _signed(constant: Constant) -> int:
    half = 1 << (constant.width - 1)
    return (constant.number ^ half) - half


def _trailing_zeros(value: Value, depth: int = 6) -> int:
    """Low bits that are always 0: LLVM folds the size of an element into masks and shifts of the index."""
    if isinstance(value, Constant):
        return (value.number & -value.number).bit_length() - 1 if value.number else value.width
    if not isinstance(value, Instruction) or not depth:
        return 0
    below = max(depth - (3 if value.op == "phi" else 1), 0)  # phis have many operands, and circles
    zeros = [_trailing_zeros(operand, below) for operand in value.operands]
    amount = value.operands[1].number if len(zeros) > 1 and isinstance(value.operands[1], Constant) else None
    match value.op:
        case "shl" if amount is not None:
            return zeros[0] + amount
        case "ashr" | "lshr" if amount is not None:
            return max(zeros[0] - amount, 0)
        case "and":
            return max(zeros)
        case "add" | "sub" | "or" | "xor" | "phi":
            return min(zeros)
        case "mul":
            return sum(zeros)
        case "select":
            return min(zeros[1:])
        case "zext" | "sext" | "freeze":
            return zeros[0]
    return 0


def _word(item: MemoryObject, offset: int, size: int) -> int:
    return int.from_bytes((item.initial or b"")[offset : offset + size], "little")


def _active_bits(value: Value, depth: int = 8) -> int:
    """Bits that hold the value as an unsigned number, as far as its definition shows."""
    if isinstance(value, Constant):
        return value.number.bit_length()
    if isinstance(value, Instruction) and depth:
        operands = value.operands
        if value.op in ("zext", "freeze"):
            return _active_bits(operands[0], depth - 1)
        if value.op == "and":
            return min(_active_bits(operand, depth - 1) for operand in operands)
        if value.op in ("or", "xor"):
            return max(_active_bits(operand, depth - 1) for operand in operands)
        if value.op == "select":
            return max(_active_bits(operand, depth - 1) for operand in operands[1:])
        if value.op == "lshr" and isinstance(operands[1], Constant):
            return max(_active_bits(operands[0], depth - 1) - operands[1].number, 0)
    return value.width
