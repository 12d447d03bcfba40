"""Reads the optimised LLVM IR into `rtl.ir`; what has no hardware is refused here, with its source line."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from rtl.errors import CompileError
from rtl.ir import (
    Address,
    Block,
    Branch,
    Constant,
    Function,
    Instruction,
    MemoryObject,
    Module,
    Place,
    Pointer,
    ScalarParameter,
    StreamParameter,
    StreamShape,
    Value,
)
from rtl.locations import Locations
from rtl.pieces import WHOLE_ARRAY
from rtl.tokens import ArrayType, Cursor, IntType, StructType, Type, constant_bytes, field_offsets

__all__ = ["CallInstruction", "parse_module"]

_DEFINE = re.compile(r"^define .*?@([\w$.]+)\((.*)\) .*?!dbg !(\d+)")
_LABEL = re.compile(r'^("[^"]*"|[\w.$-]+):')
_GLOBAL = re.compile(r'^(@(?:"[^"]*"|[\w.$-]+)) = (.*)$')
_STRUCT = re.compile(r'^(%(?:"[^"]*"|[\w.$-]+)) = type (.*)$')
_DBG = re.compile(r"!dbg !(\d+)")
_LOOP = re.compile(r"!rtl\.loop !(\d+)")
_METADATA_TAIL = re.compile(r", ![\w.]+ !.*$")
_LONGEST_COPY = 1 << 16  # bytes
_BINARY = "add sub mul udiv sdiv urem srem shl lshr ashr and or xor"
_CASTS = frozenset(["trunc", "zext", "sext"])
_FLAGS = ("nuw", "nsw", "exact", "disjoint", "nneg", "samesign", "inbounds", "nusw", "inrange")
_INTRINSICS = """
    umin umax smin smax abs ctpop ctlz cttz bswap bitreverse fshl fshr ucmp scmp usub.sat uadd.sat sadd.sat ssub.sat
"""
_IGNORED = ("llvm.lifetime.", "llvm.assume", "llvm.experimental.noalias", "llvm.dbg.", "llvm.invariant.")


class CallInstruction(Instruction):
    """A call that is left: in a dataflow region, of a process or of another region."""


def parse_module(text: str, own_headers: Path, wanted: Collection[str]) -> Module:
    """Reads the definitions of the dataflow regions and the processes.

    Args:
        text: LLVM IR as printed by LLVM.
        wanted: their symbols; all other functions should have been inlined.
        own_headers: folder whose lines are never shown to the user.

    Raises:
        CompileError: code that has no hardware.
    """
    lines = text.splitlines()
    locations = Locations(lines, own_headers)
    structs = {match[1]: match[2] for match in map(_STRUCT.match, lines) if match}
    initial = {match[1]: match[2] for match in map(_GLOBAL.match, lines) if match}
    globals_: dict[str, MemoryObject] = {}
    functions = {}
    start = 0
    for number, line in enumerate(lines):
        if line.startswith("define "):
            start = number
        elif line == "}" and _wanted(lines[start], wanted):
            reader = _FunctionReader(lines[start:number], locations, structs, initial, globals_, wanted)
            function = reader.read()
            functions[function.symbol] = function
    return Module(functions)


def _wanted(header: str, wanted: Collection[str]) -> bool:
    match = _DEFINE.match(header)
    return match is None or match[1] in wanted


class _FunctionReader:
    """Reads one function definition."""

    def __init__(
        self,
        lines: Sequence[str],
        locations: Locations,
        structs: dict[str, str],
        initial: dict[str, str],
        globals_: dict[str, MemoryObject],
        processes: Collection[str],
    ) -> None:
        self._lines = lines
        self._locations = locations
        self._structs = structs
        self._initial = initial
        self._globals = globals_
        self._processes = processes
        self._values: dict[str, Value] = {}
        self._blocks: dict[str, Block] = {}
        self._objects: list[MemoryObject] = []
        self._place = Place()
        self._here = Block("")
        self._late: list[Callable[[], None]] = []

    def read(self) -> Function:
        """Reads it."""
        match = _DEFINE.match(self._lines[0])
        if not match:
            raise CompileError("", 0, f"LLVM's function header was not understood: {self._lines[0][:200]}")
        name, place = self._locations.subprogram(int(match[3]))
        self._place = place
        parameters = self._parameters(match[2])
        chunks = _chunks(_joined(self._lines[1:]))
        for label in _reverse_postorder(chunks):  # so that values are known before they are used, loops apart
            for line in chunks[label]:
                self._statement(line, self._block(label))
        for finish in self._late:
            finish()
        blocks = list(self._blocks.values())
        return Function(match[1], name, place, parameters, blocks, self._objects)

    def _block(self, name: str) -> Block:
        return self._blocks.setdefault(name, Block(name))

    def _parameters(self, text: str) -> list[StreamParameter | ScalarParameter]:
        parameters: list[StreamParameter | ScalarParameter] = []
        cursor = Cursor(text, self._structs)
        while cursor.peek():
            kind = cursor.type()
            if not isinstance(kind, IntType) and getattr(kind, "name", "") != "ptr":
                raise self._error("a process takes streams, pointers and integers of up to 64 bits only")
            while cursor.peek() not in (",", ""):
                token = cursor.next()
                if token == "(":
                    cursor.at -= 1
                    cursor.skip_brackets()
                elif token.startswith("%"):
                    parameters.append(self._parameter(token, kind, len(parameters)))
            cursor.take(",")
        return parameters

    def _parameter(self, token: str, kind: Type, index: int) -> StreamParameter | ScalarParameter:
        name = token[1:].strip('"')
        if isinstance(kind, IntType):
            number = ScalarParameter(
                kind.width, "parameter", [], name.removesuffix(".coerce"), self._place, index=index
            )
            self._values[token] = number
            return number
        stream = StreamParameter(0, name, index)
        self._values[token] = Pointer(0, ((None, Address(stream, 0)),))
        return stream

    def _error(self, message: str) -> CompileError:
        return CompileError(self._place.file, self._place.line, message)

    # Statements -------------------------------------------------------------------------------------------------

    def _statement(self, line: str, block: Block) -> None:
        debug = _DBG.search(line)
        if debug:
            self._place = self._locations.place(int(debug[1]))
        cursor = Cursor(_METADATA_TAIL.sub("", line), self._structs)
        result = ""
        if cursor.peek(1) == "=":
            result = cursor.next()
            cursor.next()
        opcode = cursor.next()
        if opcode in ("tail", "musttail", "notail"):
            opcode = cursor.next()
        if opcode in ("br", "switch", "ret", "unreachable"):
            block.branch = self._branch(opcode, cursor)
            return
        self._here = block
        value = self._phi(result, cursor, block) if opcode == "phi" else self._operation(opcode, result, cursor)
        if isinstance(value, Instruction):
            mark = _LOOP.search(line)
            value.loop = self._locations.loop(int(mark[1])) if mark else None
            block.instructions.append(value)
            if not block.place.line:
                block.place = value.place
        if result and value is not None:
            self._values[result] = value

    def _branch(self, opcode: str, cursor: Cursor) -> Branch:
        if opcode == "ret":
            if cursor.next() != "void":
                raise self._error("a process returns nothing; write results to a stream")
            return Branch(None, [])
        if opcode == "unreachable":
            return Branch(None, [], unreachable=True)
        if cursor.take("label"):
            return Branch(None, [self._block(cursor.next())])
        kind = cursor.type()
        branch = Branch(None, [])
        self._resolve_later(cursor, kind, lambda value: setattr(branch, "condition", value))
        cursor.take(",")
        cursor.next()  # label
        first = self._block(cursor.next())
        if opcode == "br":
            cursor.take(",")
            cursor.next()
            branch.targets, branch.cases = [first, self._block(cursor.next())], [1]
            return branch
        cursor.take("[")
        while not cursor.take("]"):
            case = cursor.type()
            assert isinstance(case, IntType)
            branch.cases.append(self._constant(cursor.next(), case).number)
            cursor.take(",")
            cursor.next()
            branch.targets.append(self._block(cursor.next()))
        branch.targets.append(first)
        return branch

    def _operation(self, opcode: str, result: str, cursor: Cursor) -> Value | None:
        if opcode in _BINARY.split():
            return self._binary(opcode, result, cursor)
        if opcode in _CASTS:
            return self._cast(opcode, result, cursor)
        handler = {
            "icmp": self._compare,
            "select": self._select,
            "load": self._load,
            "store": self._store,
            "getelementptr": self._element_pointer,
            "alloca": self._alloca,
            "call": self._call,
            "freeze": self._freeze,
        }.get(opcode)
        if handler is None:
            floating = opcode.startswith("f") or opcode in ("uitofp", "sitofp")
            what = "floating point arithmetic" if floating else f"LLVM's '{opcode}'"
            raise self._error(f"{what} has no hardware here")
        return handler(result, cursor)

    def _int_type(self, cursor: Cursor) -> IntType:
        kind = cursor.type()
        if not isinstance(kind, IntType):
            name = getattr(kind, "name", "an aggregate")
            raise self._error(f"values of type {name} have no hardware here")
        return kind

    def _new(self, op: str, width: int, result: str) -> Instruction:
        return Instruction(width, op, [], result[1:].strip('"'), self._place)

    def _binary(self, opcode: str, result: str, cursor: Cursor) -> Instruction:
        cursor.skip_flags(*_FLAGS)
        kind = self._int_type(cursor)
        instruction = self._new(opcode, kind.width, result)
        self._operands(instruction, cursor, kind, kind)
        return instruction

    def _cast(self, opcode: str, result: str, cursor: Cursor) -> Instruction:
        cursor.skip_flags(*_FLAGS)
        source = self._int_type(cursor)
        at = cursor.at
        cursor.next()
        cursor.next()  # to
        instruction = self._new(opcode, self._int_type(cursor).width, result)
        cursor.at = at
        self._operands(instruction, cursor, source)
        return instruction

    def _compare(self, result: str, cursor: Cursor) -> Instruction:
        cursor.skip_flags(*_FLAGS)
        predicate = cursor.next()
        kind = self._int_type(cursor)
        instruction = self._new("icmp", 1, result)
        instruction.predicate = predicate
        self._operands(instruction, cursor, kind, kind)
        return instruction

    def _freeze(self, result: str, cursor: Cursor) -> Instruction:
        kind = self._int_type(cursor)
        instruction = self._new("freeze", kind.width, result)
        self._operands(instruction, cursor, kind)
        return instruction

    def _select(self, result: str, cursor: Cursor) -> Value:
        instruction = self._new("select", 0, result)
        condition = self._int_type(cursor)
        self._operands(instruction, cursor, condition)
        cursor.take(",")
        kind = cursor.type()
        if getattr(kind, "name", "") == "ptr":
            first = self._pointer(cursor)
            cursor.take(",")
            cursor.type()
            second = self._pointer(cursor)
            if first.only is None:
                raise self._error("the choice of an array element is too involved; choose an index instead")
            return Pointer(0, ((instruction.operands[0], first.only), *second.choices))
        if not isinstance(kind, IntType):
            raise self._error("values of this type have no hardware here")
        instruction.width = kind.width
        self._operands(instruction, cursor, kind)
        cursor.take(",")
        self._operands(instruction, cursor, self._int_type(cursor))
        return instruction

    def _phi(self, result: str, cursor: Cursor, block: Block) -> Value:
        kind = cursor.type()
        if getattr(kind, "name", "") == "ptr":
            return self._pointer_phi(result, cursor, block)
        if not isinstance(kind, IntType):
            raise self._error("values of this type have no hardware here")
        instruction = self._new("phi", kind.width, result)
        while cursor.take("[", ","):
            if cursor.peek() == "[":
                continue
            self._operands(instruction, cursor, kind)
            cursor.take(",")
            instruction.incoming.append(self._block(cursor.next()))
            cursor.take("]")
        return instruction

    def _pointer_phi(self, result: str, cursor: Cursor, block: Block) -> Pointer:
        """Several addresses, of which a number that says where control came from chooses one.

        Only values from further up are taken: what goes round a loop would be overwritten before it is used.
        """
        places, addresses = [], []
        while cursor.take("[", ","):
            if cursor.peek() == "[":
                continue
            pointer = self._values.get(cursor.peek()) if cursor.peek().startswith("%") else self._pointer(cursor)
            if not isinstance(pointer, Pointer) or pointer.only is None:
                raise self._error("a pointer that moves; use an index into one array instead")
            if cursor.peek() != ",":
                cursor.next()
            cursor.take(",")
            addresses.append(pointer.only)
            places.append(self._block(cursor.next()))
            cursor.take("]")
        bits = max((len(places) - 1).bit_length(), 1)
        chooser = self._new("phi", bits, result)
        chooser.operands = [Constant(bits, number) for number in range(len(places))]
        chooser.incoming = places
        block.instructions.append(chooser)
        choices: list[tuple[Value | None, Address]] = []
        for number, address in enumerate(addresses[:-1]):
            guard = Instruction(1, "icmp", [chooser, Constant(bits, number)], "", self._place, "eq", derived=True)
            choices.append((guard, address))
        return Pointer(0, (*choices, (None, addresses[-1])))

    def _load(self, result: str, cursor: Cursor) -> Instruction:
        cursor.take("volatile")
        kind = self._int_type(cursor)
        instruction = self._new("load", kind.width, result)
        cursor.take(",")
        cursor.type()
        instruction.pointer = self._pointer(cursor)
        return instruction

    def _store(self, result: str, cursor: Cursor) -> Instruction:
        cursor.take("volatile")
        kind = self._int_type(cursor)
        instruction = self._new("store", 0, result)
        self._operands(instruction, cursor, kind)
        cursor.take(",")
        cursor.type()
        instruction.pointer = self._pointer(cursor)
        return instruction

    def _alloca(self, result: str, cursor: Cursor) -> Value:
        kind = cursor.type()
        name = result[1:].strip('"')
        item = MemoryObject(
            0, name, kind.size, None, False, _element_bytes(kind), _stream_shape(kind), _dimensions(kind)
        )
        self._objects.append(item)
        return Pointer(0, ((None, Address(item, 0)),))

    # Calls ------------------------------------------------------------------------------------------------------

    def _call(self, result: str, cursor: Cursor) -> Value | None:
        cursor.skip_flags("noundef", "nonnull", "signext", "zeroext", "range")
        cursor.skip_brackets()
        cursor.skip_flags("noundef", "nonnull", "signext", "zeroext")
        kind = cursor.type()
        callee = cursor.next()[1:]
        if callee.startswith(_IGNORED):
            return None
        width = kind.width if isinstance(kind, IntType) else 0
        if callee in ("rtl.cut", "rtl.iteration"):
            return self._new(callee.removeprefix("rtl."), 0, result)
        if callee.startswith(("rtl.read.", "rtl.write.")):
            return self._stream_call(callee, width, result, cursor)
        name = re.sub(r"^llvm\.|(\.i\d+)+$", "", callee)
        if callee.startswith("llvm.") and name in _INTRINSICS.split():
            return self._intrinsic(name, width, result, cursor)
        if callee.startswith(("llvm.memcpy", "llvm.memset", "llvm.memmove")):
            return self._copy(callee.startswith("llvm.memset"), cursor)
        if callee == "rtl_refuse_mixed_sign_division":
            raise self._error(
                "a number that may be negative is divided by or into an unsigned one; convert one of them"
            )
        if callee == "rtl_refuse_part_of_an_element":
            raise self._error("memcpy of a size that is not known to be a multiple of the elements'")
        if callee in ("memcpy", "memmove", "memset"):
            raise self._error(f"{callee} here; memcpy takes pointers to elements of one type, else write a loop")
        if callee.startswith("llvm."):
            raise self._error(f"LLVM's '{callee}' has no hardware here")
        return self._process_call(callee, cursor)

    def _copy(self, sets: bool, cursor: Cursor) -> Instruction:
        """A structure that is copied, or set to equal bytes, at once: one load and one store of all its bits.

        `rtl.pieces` cuts them, and refuses whole arrays.
        """
        cursor.take("(")
        target = self._pointer_argument(cursor)
        given = self._number_argument(cursor) if sets else self._pointer_argument(cursor)
        size = self._number_argument(cursor)
        if given is None or not isinstance(size, Constant) or size.number > _LONGEST_COPY:
            raise self._error(WHOLE_ARRAY)
        store = Instruction(0, "store", [], "", self._place, pointer=target, at_once=True)
        if isinstance(given, Pointer):
            load = Instruction(8 * size.number, "load", [], "", self._place, pointer=given, at_once=True)
            self._here.instructions.append(load)
            store.operands = [load]
        else:
            store.operands = [Constant(8 * size.number, int.from_bytes(bytes([given.number]) * size.number, "little"))]
        return store

    def _pointer_argument(self, cursor: Cursor) -> Pointer:
        cursor.type()
        while not cursor.peek().startswith(("%", "@", "getelementptr")):
            cursor.next()  # attributes
        pointer = self._pointer(cursor)
        cursor.take(",")
        return pointer

    def _number_argument(self, cursor: Cursor) -> Constant | None:
        kind = self._int_type(cursor)
        cursor.skip_flags("noundef")
        token = cursor.next()
        cursor.take(",")
        return None if token.startswith("%") else self._constant(token, kind)

    def _intrinsic(self, name: str, width: int, result: str, cursor: Cursor) -> Instruction:
        instruction = self._new(name, width, result)
        cursor.take("(")
        while not cursor.take(")"):
            kind = self._int_type(cursor)
            cursor.skip_flags("noundef", "immarg")
            self._operands(instruction, cursor, kind)
            cursor.take(",")
        return instruction

    def _stream_call(self, callee: str, width: int, result: str, cursor: Cursor) -> Instruction:
        _, op, _, *sides = callee.split(".")
        instruction = self._new(op, width, result)
        instruction.sides = _side_channels(*map(int, sides)) if sides else ()
        cursor.take("(")
        cursor.type()
        cursor.skip_flags("noundef", "nonnull")
        instruction.pointer = self._pointer(cursor)
        if cursor.take(","):
            kind = self._int_type(cursor)
            self._operands(instruction, cursor, kind)
        return instruction

    def _process_call(self, callee: str, cursor: Cursor) -> Instruction:
        if callee not in self._processes:
            raise self._error(f"the call of '{_source_name(callee)}' cannot be inlined: recursion, or no body here")
        call = CallInstruction(0, callee, [], "", self._place)
        cursor.take("(")
        while not cursor.take(")") and cursor.peek():
            kind = cursor.type()
            if isinstance(kind, IntType):
                cursor.skip_flags("noundef", "signext", "zeroext")
                self._operands(call, cursor, kind)
                continue
            if getattr(kind, "name", "") != "ptr":
                raise self._error(
                    f"'{_source_name(callee)}' is called with a value that is no integer of up to 64 bits"
                )
            while cursor.peek() and not cursor.peek().startswith(("%", "@")):
                cursor.next()  # attributes
            call.operands.append(self._pointer(cursor))
            cursor.take(",")
        return call

    # Operands ---------------------------------------------------------------------------------------------------

    def _operands(self, instruction: Instruction, cursor: Cursor, *kinds: IntType) -> None:
        """Appends operands; those that are defined further down (loops) are filled in at the end."""
        for kind in kinds:
            cursor.take(",")
            slot = len(instruction.operands)
            instruction.operands.append(Constant(0, 0))
            self._resolve_later(cursor, kind, _slot_setter(instruction, slot))

    def _resolve_later(self, cursor: Cursor, kind: Type, use: Callable[[Value], None]) -> None:
        token = cursor.next()
        if token.startswith("%"):
            known = self._values.get(token)
            if known is not None:
                use(known)
                return
            place = self._place
            self._late.append(lambda: use(self._named(token, place)))
        elif isinstance(kind, IntType):
            use(self._constant(token, kind))
        else:
            raise self._error(f"'{token}' has no hardware here")

    def _named(self, token: str, place: Place) -> Value:
        value = self._values.get(token)
        if value is None:
            raise CompileError(place.file, place.line, f"LLVM's value {token} was not found")
        return value

    def _constant(self, token: str, kind: IntType) -> Constant:
        words = {"true": 1, "false": 0, "undef": 0, "poison": 0, "zeroinitializer": 0}
        if token in words:
            return Constant(kind.width, words[token])
        if not _is_number(token):
            raise self._error(f"'{token}' has no hardware here")
        return Constant(kind.width, int(token) % (1 << kind.width))

    def _pointer(self, cursor: Cursor) -> Pointer:
        token = cursor.next()
        if token == "getelementptr":
            cursor.take("(")
            pointer = self._element_pointer("", cursor)
            cursor.take(")")
            return pointer
        if token.startswith("@"):
            return Pointer(0, ((None, Address(self._global(token), 0)),))
        value = self._values.get(token)
        if not isinstance(value, Pointer):
            raise self._error("a pointer that is no element of a known array; use arrays and indices")
        return value

    def _global(self, token: str) -> MemoryObject:
        if token not in self._globals:
            text = self._initial.get(token, "")
            constant = re.search(r"\bconstant\b", text) is not None
            body = re.split(r"\b(?:constant|global)\b", text, maxsplit=1)[-1]
            cursor = Cursor(body, self._structs)
            kind = cursor.type()
            try:
                data = constant_bytes(cursor, kind)
            except ValueError as error:
                raise self._error(f"the initial value of '{token[1:]}' is no plain data") from error
            name = _source_name(token[1:].strip('"'))
            element = _element_bytes(kind)
            item = MemoryObject(0, name, kind.size, data, constant, element, dimensions=_dimensions(kind))
            self._globals[token] = item
        if self._globals[token] not in self._objects:
            self._objects.append(self._globals[token])
        return self._globals[token]

    def _element_pointer(self, result: str, cursor: Cursor) -> Pointer:
        cursor.skip_flags(*_FLAGS)
        cursor.skip_brackets() if cursor.peek(1).isdigit() else None
        cursor.take("(")
        kind: Type = cursor.type()
        cursor.take(",")
        cursor.type()
        base = self._pointer(cursor)
        offset, terms, first = 0, [], True
        while cursor.take(","):
            index_type = self._int_type(cursor)
            index = self._index(cursor, index_type)
            if not first and isinstance(kind, StructType):
                assert isinstance(index, Constant)
                offset += field_offsets(kind)[index.number]
                kind = kind.fields[index.number]
                continue
            if not first:
                assert isinstance(kind, ArrayType)
                kind = kind.element
            first = False
            if isinstance(index, Constant):
                offset += _signed(index) * kind.size
            else:
                terms.append((kind.size, index))
        return Pointer(0, tuple((guard, _moved(address, offset, terms)) for guard, address in base.choices))

    def _index(self, cursor: Cursor, kind: IntType) -> Value:
        token = cursor.next()
        if not token.startswith("%"):
            return self._constant(token, kind)
        return self._named(token, self._place)


def _slot_setter(instruction: Instruction, slot: int) -> Callable[[Value], None]:
    def use(value: Value) -> None:
        instruction.operands[slot] = value

    return use


def _moved(address: Address, offset: int, terms: Sequence[tuple[int, Value]]) -> Address:
    return Address(address.base, address.offset + offset, (*address.terms, *terms))


def _signed(constant: Constant) -> int:
    half = 1 << (constant.width - 1)
    return (constant.number ^ half) - half


def _is_number(token: str) -> bool:
    return re.fullmatch(r"-?\d+|true|false|undef|poison", token) is not None


def _chunks(lines: Sequence[str]) -> dict[str, list[str]]:
    """The lines of every block, by label."""
    chunks: dict[str, list[str]] = {}
    label = "%entry"
    for line in lines:
        match = _LABEL.match(line)
        if match:
            label = "%" + match[1]
        elif line.strip():
            chunks.setdefault(label, []).append(line)
    return chunks


def _reverse_postorder(chunks: dict[str, list[str]]) -> list[str]:
    done: list[str] = []
    entry = next(iter(chunks))
    seen = {entry}
    stack = [(entry, iter(_targets(chunks[entry])))]
    while stack:
        label, targets = stack[-1]
        target = next(targets, None)
        if target is None:
            done.append(label)
            stack.pop()
        elif target not in seen:
            seen.add(target)
            stack.append((target, iter(_targets(chunks[target]))))
    return done[::-1]


def _targets(lines: Sequence[str]) -> list[str]:
    return re.findall(r'label (%(?:"[^"]*"|[\w.$-]+))', lines[-1])[::-1]


def _joined(lines: Sequence[str]) -> list[str]:
    """Lines, with a switch's cases on the switch's line."""
    result: list[str] = []
    inside = False
    for line in lines:
        text = line.split(" ; preds")[0] if _LABEL.match(line) else line
        if inside:
            result[-1] += " " + text.strip()
        else:
            result.append(text)
        if re.match(r"\s+switch ", line):
            inside = True
        if inside and "]" in line:
            inside = False
    return result


def _element_bytes(kind: Type) -> int:
    return kind.element.size if isinstance(kind, ArrayType) else kind.size


def _dimensions(kind: Type) -> tuple[int, ...]:
    """Of an array, the outermost first."""
    return (kind.count, *_dimensions(kind.element)) if isinstance(kind, ArrayType) else ()


def _stream_shape(kind: Type) -> StreamShape | None:
    """Bits and depth, when `kind` is an hls::stream or an array of them (see rtl/include/hls_stream.h)."""
    while isinstance(kind, ArrayType):
        kind = kind.element
    depth, size = 2, kind.size
    if isinstance(kind, StructType) and len(kind.fields) == 2 and isinstance(kind.fields[0], StructType):
        base, tag = kind.fields
        if not (isinstance(tag, ArrayType) and tag.element == IntType(8)):
            return None
        kind, depth = base, tag.count
    if isinstance(kind, StructType) and len(kind.fields) == 1 and isinstance(kind.fields[0], ArrayType):
        words = kind.fields[0]
        return StreamShape(words.count, depth, size) if words.element == IntType(8) else None
    return None


def _source_name(symbol: str) -> str:
    """The variable's name in a mangled symbol of a global or static variable."""
    match = re.search(r"E(\d+)([A-Za-z_]\w*)$", symbol) or re.match(r"^_Z[LN]*(\d+)([A-Za-z_]\w*)", symbol)
    if match and len(match[2]) >= int(match[1]):
        return match[2][: int(match[1])]
    return symbol


def _side_channels(data: int, user: int, number: int, destination: int) -> tuple[tuple[str, int], ...]:
    """The signals of an hls::axis beside TDATA, as rtl/include/ap_axi_sdata.h puts them above the data's bits."""
    octets = -(-data // 8)
    found = {"TKEEP": octets, "TSTRB": octets, "TUSER": user, "TLAST": 1, "TID": number, "TDEST": destination}
    return tuple((name, bits) for name, bits in found.items() if bits)
