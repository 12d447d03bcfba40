"""Numbers and memory that a process is called with, as streams: what follows knows streams alone.

A process of a design with a start reads one word of the stream `ap_start` at its entry: its numbers, side by side. It
writes one word to `ap_done` in the step that returns: the numbers that it gives back, each with a bit that says whether
it was assigned. A read of memory behind a pointer `a` is a write of its index to the stream `a_request` and a read of
the word from `a_data`; a write is a write of index, byte enables and word to `a_store`.

Between request and data the process goes on: `a_data` is read a number of stages later. That needs data that nothing in
the way of later requests hangs on, and a pointer that is not written too. Otherwise the step ends with the request, the
word is read in the next one, and (a pointer that is written too) no access begins before the one before it is done:
the variable `order` carries that from one to the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rtl.cuts import cut_before
from rtl.errors import CompileError
from rtl.interfaces import Argument
from rtl.ir import (
    Address,
    Block,
    Constant,
    Function,
    Instruction,
    MemoryObject,
    Place,
    Pointer,
    ScalarParameter,
    StreamParameter,
    Value,
)
from rtl.memories import linear_terms

__all__ = ["Arguments", "Field", "add_arguments", "read_in_next_step"]

_DEPTH = 6  # of the search for an index' width


@dataclass(frozen=True)
class Field:
    """Bits of a start or done word, from bit 0 upwards.

    Attributes:
        parameter: index of the process' parameter.
        bits: how many.
        valid: it says whether the parameter was assigned.
    """

    parameter: int
    bits: int
    valid: bool = False


@dataclass
class Arguments:
    """Layout of a process' start and done words; pointers (by index) whose accesses wait for each other."""

    start: list[Field] = field(default_factory=list)
    done: list[Field] = field(default_factory=list)
    ordered: set[int] = field(default_factory=set)


def add_arguments(function: Function, kinds: Mapping[int, Argument]) -> Arguments:
    """Turns the numbers and memory of a process into streams.

    Args:
        function: of a process; changed.
        kinds: what each parameter stands for, by index.

    Raises:
        CompileError: memory or a number that is accessed in a way that has no hardware.
    """
    return _Adder(function, kinds).added


def read_in_next_step(function: Function, data: str) -> None:
    """Ends the step of each request whose answer comes in the stream `data`: the next step reads it."""
    stream = next(item for item in function.parameters if isinstance(item, StreamParameter) and item.name == data)
    stream.answers = -1
    reads = [
        item
        for block in function.blocks
        for item in block.instructions
        if item.op == "read" and item.pointer and item.pointer.only and item.pointer.only.base is stream
    ]
    for item in reads:
        cut_before(function, item)


def _pointer(base: MemoryObject | StreamParameter) -> Pointer:
    return Pointer(0, ((None, Address(base, 0)),))


class _Block:
    """Appends instructions to a list.

    Args:
        place: line of the C++ that they are for.
    """

    def __init__(self, place: Place) -> None:
        self.items: list[Instruction] = []
        self._place = place

    def op(self, name: str, width: int, *operands: Value, label: str = "") -> Instruction:
        """A further operation."""
        self.items.append(Instruction(width, name, list(operands), label, self._place))
        return self.items[-1]

    def access(
        self, name: str, width: int, base: MemoryObject | StreamParameter, *data: Value, label: str = ""
    ) -> Instruction:
        """A further operation, on a memory or a stream."""
        item = self.op(name, width, *data, label=label)
        item.pointer = _pointer(base)
        return item

    def field(self, word: Value, low: int, width: int, label: str = "") -> Value:
        """Bits of a word."""
        shifted = self.op("lshr", word.width, word, Constant(word.width, low)) if low else word
        return self.op("trunc", width, shifted, label=label) if shifted.width > width else shifted

    def joined(self, parts: Sequence[Value]) -> Value:
        """A word of several values, the first in the lowest bits."""
        width = sum(part.width for part in parts)
        word: Value = Constant(width, 0)
        low = 0
        for part in parts:
            wide = self.op("zext", width, part) if part.width < width else part
            moved = self.op("shl", width, wide, Constant(width, low)) if low else wide
            word = self.op("or", width, word, moved)
            low += part.width
        return word


class _Adder:
    """Does it for one process.

    Attributes:
        added: what came of it.
    """

    def __init__(self, function: Function, kinds: Mapping[int, Argument]) -> None:
        self._function = function
        self._kinds = kinds
        self.added = Arguments()
        self._locals: dict[int, MemoryObject] = {}
        self._valid: dict[int, MemoryObject] = {}
        self._streams: dict[tuple[int, str], StreamParameter] = {}
        self._orders: dict[int, MemoryObject] = {}
        loaded, stored = self._uses("load"), self._uses("store")
        self.added.ordered = {index for index in loaded & stored if kinds[index].kind == "memory"}
        self._numbers(loaded, stored)
        self._memory()
        self._begin()
        self._end()

    def _accesses(self) -> Iterator[tuple[Block, Instruction, StreamParameter]]:
        """Loads and stores through parameters."""
        for block in self._function.blocks:
            for item in list(block.instructions):
                if item.op not in ("load", "store") or item.pointer is None:
                    continue
                bases = {id(base): base for _, address in item.pointer.choices for base in [address.base]}
                parameters = [base for base in bases.values() if isinstance(base, StreamParameter)]
                if parameters and len(item.pointer.choices) > 1:
                    raise self._error(
                        item.place, "which pointer is meant is chosen at run time; choose an index instead"
                    )
                if parameters:
                    if self._kinds[parameters[0].index].kind == "stream":
                        raise self._error(item.place, "the inside of a stream is not accessible")
                    yield block, item, parameters[0]

    def _uses(self, op: str) -> set[int]:
        return {parameter.index for _, item, parameter in self._accesses() if item.op == op}

    def _error(self, place: Place, message: str) -> CompileError:
        return CompileError(place.file, place.line, message)

    def _stream(self, of: int, role: str, name: str) -> StreamParameter:
        if (of, role) not in self._streams:
            stream = StreamParameter(0, name, len(self._function.parameters), role, of)  # type: ignore[arg-type]
            self._function.parameters.append(stream)
            self._streams[of, role] = stream
        return self._streams[of, role]

    def _local(self, name: str, size: int) -> MemoryObject:
        item = MemoryObject(0, name, size, None, False, size)
        self._function.objects.append(item)
        return item

    # Numbers --------------------------------------------------------------------------------------------------------

    def _numbers(self, loaded: set[int], stored: set[int]) -> None:
        """Numbers behind pointers become local variables; a bit says whether a result was assigned."""
        for parameter in self._function.parameters:
            argument = self._kinds.get(parameter.index)
            if not isinstance(parameter, StreamParameter) or argument is None:
                continue
            used = parameter.index in loaded | stored
            if argument.kind in ("scalar", "result") and used:
                self._locals[parameter.index] = self._local(parameter.name, argument.bytes)
            if argument.kind == "result" and parameter.index in stored:
                self._valid[parameter.index] = self._local(f"{parameter.name}_assigned", 1)
        for block, item, parameter in list(self._accesses()):
            if parameter.index not in self._locals:
                continue
            assert item.pointer and item.pointer.only
            item.pointer.only.base = self._locals[parameter.index]
            if item.pointer.only.terms:
                message = f"'{parameter.name}' is an array; give it #pragma HLS INTERFACE m_axi"
                raise self._error(item.place, message)
            if item.op == "store" and parameter.index in self._valid:
                more = _Block(item.place)
                more.access("store", 0, self._valid[parameter.index], Constant(1, 1))
                at = block.instructions.index(item)
                block.instructions[at:at] = more.items

    def _begin(self) -> None:
        """The entry reads the start word and sets what it has in it."""
        fields = []
        scalars: list[ScalarParameter] = []
        for parameter in self._function.parameters:
            argument = self._kinds.get(parameter.index)
            if isinstance(parameter, ScalarParameter):
                scalars.append(parameter)
                fields.append(Field(parameter.index, parameter.width))
            elif argument is not None and parameter.index in self._given():
                fields.append(Field(parameter.index, argument.bits))
        start = self._stream(-1, "start", "ap_start")
        word = Instruction(sum(item.bits for item in fields) or 1, "read", [], "ap_start", self._function.place)
        word.pointer = _pointer(start)
        setup, low = _Block(self._function.place), 0
        for item in fields:
            scalar = next((scalar for scalar in scalars if scalar.index == item.parameter), None)
            value = setup.field(word, low, item.bits)
            if scalar is not None:
                scalar.op, scalar.operands = "freeze", [value]
                setup.items.append(scalar)
            else:
                target = self._locals[item.parameter]
                bits = 8 * target.size
                wide = setup.op("zext", bits, value) if bits > item.bits else value
                setup.access("store", 0, target, wide)
            low += item.bits
        for flag in (*self._valid.values(), *self._orders.values()):
            setup.access("store", 0, flag, Constant(1, 0))
        self._function.blocks[0].instructions[0:0] = [word, *setup.items]
        self.added.start = fields

    def _given(self) -> set[int]:
        """Numbers behind pointers that the process may look at before it assigns them."""
        loads = {
            id(item.pointer.only.base)
            for block in self._function.blocks
            for item in block.instructions
            if item.op == "load" and item.pointer and item.pointer.only
        }
        return {index for index, item in self._locals.items() if id(item) in loads}

    def _end(self) -> None:
        """Where the process returns it writes the done word."""
        done = self._stream(-1, "done", "ap_done")
        for index in self._valid:
            self.added.done += [Field(index, self._kinds[index].bits), Field(index, 1, valid=True)]
        for block in self._function.blocks:
            if block.branch.targets or block.branch.unreachable:
                continue
            last = _Block(self._function.place)
            parts: list[Value] = []
            for index, flag in self._valid.items():
                word = last.access("load", 8 * self._locals[index].size, self._locals[index])
                parts.append(last.field(word, 0, self._kinds[index].bits))
                parts.append(last.access("load", 1, flag))
            last.access("write", 0, done, last.joined(parts) if parts else Constant(1, 1))
            block.instructions += last.items

    # Memory ---------------------------------------------------------------------------------------------------------

    def _memory(self) -> None:
        found = [use for use in self._accesses() if self._kinds[use[2].index].kind == "memory"]
        widths: dict[int, int] = {}
        for _, item, parameter in found:
            constant, terms = self._index(item, parameter)
            bits = [_signed_bits(value) + factor.bit_length() for factor, value in terms] + [constant.bit_length() + 1]
            most = max(bits) + len(bits).bit_length()
            widths[parameter.index] = min(max(widths.get(parameter.index, 0), most), 64)
        cuts = []
        for block, item, parameter in found:
            if parameter.index in self.added.ordered and parameter.index not in self._orders:
                self._orders[parameter.index] = self._local(f"{parameter.name}_order", 1)
            lines = _Block(item.place)
            access = self._read if item.op == "load" else self._write
            cuts += access(lines, item, parameter, widths[parameter.index])
            at = block.instructions.index(item)
            last = [] if item.op == "store" else [item]
            block.instructions[at : at + 1] = [*lines.items, *last]
        for place in cuts:
            cut_before(self._function, place)

    def _index(self, item: Instruction, parameter: StreamParameter) -> tuple[int, list[tuple[int, Value]]]:
        """Index of the word as a constant and terms (factor, value)."""
        assert item.pointer and item.pointer.only
        offset, terms = linear_terms(item.pointer.only)
        size = self._kinds[parameter.index].bytes
        if any(factor % size for factor, _ in terms):
            message = f"'{parameter.name}' is accessed at places that are no multiples of its element's {size} bytes"
            raise self._error(item.place, message)
        return offset // size, [(factor // size, value) for factor, value in terms]

    def _inside(self, item: Instruction, parameter: StreamParameter, bits: int) -> int:
        """Byte of the element that an access begins at."""
        assert item.pointer and item.pointer.only
        offset, _ = linear_terms(item.pointer.only)
        size = self._kinds[parameter.index].bytes
        inside = offset % size
        if inside + -(-bits // 8) > size:
            raise self._error(item.place, f"an access of '{parameter.name}' is wider than its element")
        return inside

    def _address(self, lines: _Block, item: Instruction, parameter: StreamParameter, width: int) -> list[Value]:
        """The index in `width` bits, and what orders the access."""
        constant, terms = self._index(item, parameter)
        total: Value = Constant(64, constant % (1 << 64))
        for factor, value in terms:
            scaled = lines.op("mul", 64, value, Constant(64, factor % (1 << 64))) if factor != 1 else value
            total = lines.op("add", 64, total, scaled)
        parts: list[Value] = [lines.op("trunc", width, total) if width < 64 else total]
        if parameter.index in self._orders:
            parts.append(lines.access("load", 1, self._orders[parameter.index]))
        return parts

    def _read(self, lines: _Block, item: Instruction, parameter: StreamParameter, width: int) -> list[Instruction]:
        argument = self._kinds[parameter.index]
        assert argument.master
        request = self._stream(parameter.index, "request", f"{parameter.name}_request")
        data = self._stream(parameter.index, "data", f"{parameter.name}_data")
        ordered = parameter.index in self.added.ordered
        data.answers, data.latency = (-1, 0) if ordered else (request.index, argument.master.latency)
        inside = self._inside(item, parameter, item.width)
        lines.access("write", 0, request, lines.joined(self._address(lines, item, parameter, width)))
        word = lines.access("read", 8 * argument.bytes, data, label=f"{parameter.name}_word")
        if ordered:
            lines.access("store", 0, self._orders[parameter.index], lines.field(word, 0, 1))
        item.op, item.pointer = "freeze", None
        item.operands = [lines.field(word, 8 * inside, item.width)]
        return [word] if ordered else []

    def _write(self, lines: _Block, item: Instruction, parameter: StreamParameter, width: int) -> list[Instruction]:
        argument = self._kinds[parameter.index]
        if argument.constant:
            raise self._error(item.place, f"'{parameter.name}' points at constant elements and is written")
        value = item.operands[0]
        inside = self._inside(item, parameter, value.width)
        size = -(-value.width // 8)
        word = [Constant(8 * inside, 0)] if inside else []
        above = 8 * (argument.bytes - inside) - value.width
        parts = [*word, value, *([Constant(above, 0)] if above else [])]
        enables = Constant(argument.bytes, ((1 << size) - 1) << inside)
        store = self._stream(parameter.index, "store", f"{parameter.name}_store")
        address = self._address(lines, item, parameter, width)
        lines.access("write", 0, store, lines.joined([lines.joined(parts), enables, *address]))
        if parameter.index not in self.added.ordered:
            return []
        stored = self._stream(parameter.index, "stored", f"{parameter.name}_stored")
        answer = lines.access("read", 1, stored, label=f"{parameter.name}_stored")
        lines.access("store", 0, self._orders[parameter.index], answer)
        return [answer]


def _signed_bits(value: Value, depth: int = _DEPTH) -> int:
    """Bits that hold a value as a signed number, as far as its definition shows."""
    if isinstance(value, Constant):
        half = 1 << (value.width - 1)
        return ((value.number ^ half) - half).bit_length() + 1
    if isinstance(value, Instruction) and depth:
        match value.op:
            case "sext" | "freeze":
                return _signed_bits(value.operands[0], depth - 1)
            case "zext":
                return min(value.operands[0].width + 1, value.width)
            case "and" if isinstance(value.operands[1], Constant):
                return min(value.operands[1].number.bit_length() + 1, value.width)
    return value.width
