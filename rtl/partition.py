"""`ARRAY_PARTITION complete` along a dimension: an array of several dimensions becomes one array for each index of it.

An access whose index in that dimension is constant means one of them. Another one becomes a choice between all, which
reads choose from and writes enable one of. It is done before the memories are found, on the addresses.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from rtl.errors import CompileError
from rtl.ir import Address, Constant, Function, Instruction, MemoryObject, Place, Pointer, Value
from rtl.memories import linear_terms
from rtl.pieces import WHOLE_ARRAY, bits_of
from rtl.pragmas import Pragma
from rtl.storage import Line, function_at, is_called, partition, variable_of

__all__ = ["partition_arrays"]

Terms = tuple[tuple[int, Value], ...]


def partition_arrays(
    function: Function, pragmas: Sequence[Pragma], functions: Sequence[Line], lines: Collection[Line]
) -> None:
    """Takes apart the arrays of a process that pragmas name.

    Args:
        function: of the process; changed.
        pragmas: of all source files.
        functions: file and first line of every function, in order.
        lines: file and line of everything that the process does.

    Raises:
        CompileError: a dimension that the array does not have; what is taken apart is copied as a whole.
    """
    inside = {function_at(functions, line) for line in lines}
    for pragma in pragmas:
        if pragma.name != "ARRAY_PARTITION" or function_at(functions, (pragma.file, pragma.line)) not in inside:
            continue
        kind, dimension = partition(pragma)
        if kind != "complete" or not dimension or not variable_of(pragma):
            continue
        for item in [item for item in function.objects if is_called(item, variable_of(pragma))]:
            if dimension > len(item.dimensions) > 0:
                message = f"'{item.name}' has {len(item.dimensions)} dimensions, and no dimension {dimension}"
                raise CompileError(pragma.file, pragma.line, message)
            if len(item.dimensions) > 1 and item.dimensions[dimension - 1] > 1:
                _replace(function, _Split(item, dimension - 1))


class _Split:
    """An array and what it is taken apart into.

    Attributes:
        item: the array.
        parts: one array for each index; the dimension stays, with one index.
        stride: bytes from one index to the next.
        outside: stands for indices that do not exist; it is never inside this.
    """

    def __init__(self, item: MemoryObject, dimension: int) -> None:
        self.item = item
        self._count = item.dimensions[dimension]
        self._outer = item.size // math.prod(item.dimensions[:dimension])  # bytes of all indices
        self.stride = self._outer // self._count
        sizes = [1 if number == dimension else size for number, size in enumerate(item.dimensions)]
        self.parts = [
            MemoryObject(
                0,
                f"{item.name}_{index}",
                item.size // self._count,
                self._bytes(index),
                item.constant,
                item.element_bytes,
                dimensions=tuple(sizes),
            )
            for index in range(self._count)
        ]
        self.outside = MemoryObject(0, f"{item.name}_outside", item.size, None, False, item.element_bytes)

    def _bytes(self, index: int) -> bytes | None:
        data, start = self.item.initial, index * self.stride
        if data is None:
            return None
        return b"".join(data[at : at + self.stride] for at in range(start, len(data), self._outer))

    def choices(self, address: Address) -> list[tuple[Value | None, Address]]:
        """What an address of the array is, as those of a `Pointer`: the last one is outside, or the only one."""
        offset, terms = linear_terms(address)
        outside: tuple[None, Address] = (None, Address(self.outside, self.item.size + offset % self.stride))
        if not terms and not 0 <= offset < self.item.size:
            return [outside]
        outer = tuple((factor // self._count, value) for factor, value in terms if factor % self._outer == 0)
        own = tuple((factor, value) for factor, value in terms if factor % self._outer and factor % self.stride == 0)
        inner = tuple((factor, value) for factor, value in terms if factor % self.stride)
        found: list[tuple[Value | None, Address]] = []
        for constant in self._constants(offset, bool(own), bool(inner)):
            for index in range(self._count) if own else [constant.own]:
                guards = _in_range(inner, constant.inner, self.stride) if constant.inner_is_open else []
                guards += [_compared("eq", _sum(own, self.stride), index - constant.own)] if own else []
                place = constant.outer * self.stride + constant.inner
                found.append((_all(guards), Address(self.parts[index], place, (*outer, *inner))))
        return found if found[-1][0] is None else [*found, outside]

    def _constants(self, offset: int, own: bool, inner: bool) -> Iterator[_Constants]:
        """A constant offset as indices. `a[i][j - 1]` and `a[i - 1][j + n - 1]` have the same: each is tried."""
        rest = offset % self.stride
        for carry in (0, 1) if inner and rest else (0,):
            outer, index = divmod(offset // self.stride + carry, self._count)
            for over in (0, 1) if own and index else (0,):
                yield _Constants(
                    outer + over, index - over * self._count, rest - carry * self.stride, bool(inner and rest)
                )


@dataclass(frozen=True)
class _Constants:
    """Constant parts of an address: of the outer indices, the dimension's own (as indices), the inner ones (bytes).

    `inner_is_open`: whether they are right shows when the inner indices are known.
    """

    outer: int
    own: int
    inner: int
    inner_is_open: bool


def _replace(function: Function, split: _Split) -> None:
    """Puts the parts in the array's place."""
    at = function.objects.index(split.item)
    function.objects[at : at + 1] = [*split.parts, split.outside]
    for block in function.blocks:
        for instruction in block.instructions:
            if instruction.pointer is not None:
                _check(instruction, split)
                instruction.pointer = Pointer(0, tuple(_chosen(instruction.pointer, split)))


def _check(instruction: Instruction, split: _Split) -> None:
    """An access is of no more than a part."""
    assert instruction.pointer
    meant = any(address.base is split.item for _, address in instruction.pointer.choices)
    if meant and instruction.at_once and bits_of(instruction) > 8 * split.stride:
        raise CompileError(instruction.place.file, instruction.place.line, WHOLE_ARRAY)


def _chosen(pointer: Pointer, split: _Split) -> Iterator[tuple[Value | None, Address]]:
    for guard, address in pointer.choices:
        if address.base is not split.item:
            yield guard, address
            continue
        for own, part in split.choices(address):
            yield _all([item for item in (guard, own) if item is not None]), part


def _derived(op: str, width: int, operands: Sequence[Value], predicate: str = "") -> Instruction:
    return Instruction(width, op, list(operands), "", Place(), predicate, derived=True)


def _all(guards: Sequence[Value]) -> Value | None:
    """All hold; None where there is nothing to hold."""
    if not guards:
        return None
    return guards[0] if len(guards) == 1 else _derived("and", 1, guards)


def _sum(terms: Terms, unit: int) -> Value:
    parts = [
        value if factor == unit else _derived("mul", 64, [value, Constant(64, factor // unit % (1 << 64))])
        for factor, value in terms
    ]
    total = parts[0]
    for part in parts[1:]:
        total = _derived("add", 64, [total, part])
    return total


def _compared(predicate: str, value: Value, number: int) -> Value:
    return _derived("icmp", 1, [value, Constant(64, number % (1 << 64))], predicate)


def _in_range(terms: Terms, constant: int, size: int) -> list[Value]:
    """0 <= constant + terms < size."""
    total = _derived("add", 64, [_sum(terms, 1), Constant(64, constant % (1 << 64))])
    return [_compared("ult", total, size)]
