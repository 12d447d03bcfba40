"""From control flow to steps: each cut's acyclic region becomes logic with guarded side effects.

docs/rtl.md is the specification of where the cuts are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rtl.cuts import cut_at_loops, cut_before, step_region
from rtl.errors import CompileError
from rtl.expressions import Graph, Node, upper_bound
from rtl.ir import Address, Block, Constant, Function, Instruction, StreamParameter, Value
from rtl.memories import Memory, MemoryMap
from rtl.operations import evaluate
from rtl.parser import CallInstruction
from rtl.process import Access, Exit, Port, Process, Read, Register, Step, Update, Write
from rtl.regions import Region

__all__ = ["build_process"]

_STREAM_OPS = ("read", "write")


class _SecondAccess(Exception):
    """An access of a stream that the same step may have touched before."""

    def __init__(self, instruction: Instruction) -> None:
        super().__init__()
        self.instruction = instruction


def build_process(function: Function) -> Process:
    """Cuts a function into steps.

    Raises:
        CompileError: a stream that is chosen at run time, or both read and written; arrays accessed in pieces.
    """
    cut_at_loops(function)
    ports = _ports(function)
    memories = MemoryMap(function)
    while True:
        try:
            process = _Builder(function, ports, memories).process()
        except _SecondAccess as second:
            cut_before(function, second.instruction)
            continue
        unwritten = _unwritten(process)
        empty = {memory for memory in unwritten if not any(memory.initial or [])}
        if not empty:
            break
        memories.forget(empty)
    for memory in unwritten:
        memory.constant = memory.depth > 1
    return process


def _unwritten(process: Process) -> list[Memory]:
    """Memories that are read and keep what they begin with: the padding of structures that LLVM copies with their
    fields, and what only steps would write that no path leads to."""
    reads = [read for step in process.steps for read in step.reads]
    read = {item.word.key for item in reads if item.condition.op != "const" or item.condition.number}
    written = {write.memory for step in process.steps for write in step.writes}
    return [memory for memory in process.memories if memory in read - written]


def _ports(function: Function) -> dict[tuple[int, int], Port]:
    """One port for every stream, or element of an array of streams, that the function touches."""
    uses = [item for block in function.blocks for item in block.instructions if item.op in _STREAM_OPS]
    offsets: dict[int, set[int]] = {}
    for item in uses:
        parameter, offset = stream_key(item)
        offsets.setdefault(parameter, set()).add(offset)
    ports: dict[tuple[int, int], Port] = {}
    for item in uses:
        parameter, offset = stream_key(item)
        bits = item.width if item.op == "read" else item.operands[0].width
        stream = function.parameters[parameter]
        assert isinstance(stream, StreamParameter)
        name = stream.name
        element = f"{name}_{offset // math.gcd(*offsets[parameter])}" if len(offsets[parameter]) > 1 else name
        asks = function.parameters[stream.answers].name if stream.answers >= 0 else ""
        added = (stream.role, stream.of, asks, stream.latency)
        port = Port(element, parameter, offset, bits, item.op == "read", item.sides, *added)
        if ports.setdefault((parameter, offset), port).reads != port.reads:
            raise CompileError(item.place.file, item.place.line, f"'{name}' is both read and written here")
    return dict(sorted(ports.items()))


def stream_key(item: Instruction) -> tuple[int, int]:
    """Parameter and byte offset of the stream that a read or write touches."""
    address = item.pointer.only if item.pointer else None
    if address is None or address.terms or not isinstance(address.base, StreamParameter):
        message = "the stream is chosen at run time; index arrays of streams by constants (#pragma HLS UNROLL)"
        if address is not None and not isinstance(address.base, StreamParameter):
            message = "a stream inside a process; declare it in the top function"
        raise CompileError(item.place.file, item.place.line, message)
    return address.base.index, address.offset


@dataclass
class _State:
    """What a step knows while it is being built."""

    step: Step
    region: Region
    values: dict[int, Node]  # of instructions in this step, by id
    uses: dict[tuple[int, int], Node]  # what an instruction's value is where a block uses it
    touched: list[tuple[Port, Block]]
    stored: list[tuple[Write, Block]]


class _Builder:
    """Builds all steps of a function."""

    def __init__(self, function: Function, ports: dict[tuple[int, int], Port], memories: MemoryMap) -> None:
        self._function = function
        self._ports = ports
        self._memories = memories
        self._graph = Graph()
        self._registers: dict[int, Register] = {}
        self._homes = {id(item): block for block in function.blocks for item in block.instructions}
        self._cuts = [block for block in function.blocks if block.is_cut]
        self._state: _State

    def process(self) -> Process:
        """Builds it, without the steps that no path from the entry leads to."""
        computed: dict[int, _State] = {}
        waiting = [0]
        while waiting:
            waiting.sort(reverse=True)
            number = waiting.pop()
            if number not in computed:
                computed[number] = self._step(number, self._cuts[number])
                waiting += [way.target for way in computed[number].step.exits]
        numbers = {old: new for new, old in enumerate(sorted(computed))}
        steps = [computed[number].step for number in numbers]
        for number, step in zip(numbers, steps, strict=True):
            self._update_registers(computed[number])
            step.exits[:] = [replace(way, target=numbers[way.target]) for way in step.exits]
        function = self._function
        return Process(
            function.name,
            function.symbol,
            function.place,
            self._graph,
            list(self._ports.values()),
            self._memories.memories,
            list(self._registers.values()),
            steps,
        )

    def _step(self, number: int, cut: Block) -> _State:
        name = "ENTRY" if number == 0 else f"LINE_{cut.place.line}"
        step = Step(name, cut.place, loop=cut.loop)
        self._state = _State(step, Region(self._graph, step_region(cut)), {}, {}, [], [])
        self._run()
        step.ready = self._ready(step)
        return self._state

    # One step ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        region = self._state.region
        for block in region.blocks:
            if not region.enter(block):
                continue
            for instruction in block.instructions:
                self._execute(instruction, block)
            self._leave(block)

    def _execute(self, instruction: Instruction, block: Block) -> None:
        match instruction.op:
            case "phi":
                node: Node | None = self._phi(instruction, block)
            case "read" | "write":
                node = self._access(instruction, block)
            case "load":
                node = self._load(instruction, block)
            case "store":
                self._store(instruction, block)
                return
            case _ if isinstance(instruction, CallInstruction):
                message = "a process calls another process; only the top function and #pragma HLS DATAFLOW functions do"
                raise CompileError(instruction.place.file, instruction.place.line, message)
            case _:
                node = evaluate(self._graph, instruction, [self._value(item, block) for item in instruction.operands])
        if node is not None:
            _name(node, instruction)
            self._state.values[id(instruction)] = node

    def _value(self, value: Value, block: Block) -> Node:
        """The newest value of `value` where `block` uses it."""
        if isinstance(value, Constant):
            return self._graph.const(value.width, value.number)
        assert isinstance(value, Instruction)
        known = self._state.uses.get((id(value), id(block)))
        if known is None:
            known = self._find(value, block)
            self._state.uses[id(value), id(block)] = known
        return known

    def _find(self, value: Instruction, block: Block) -> Node:
        region = self._state.region
        if value.derived:
            return evaluate(self._graph, value, [self._value(operand, block) for operand in value.operands])
        home = self._homes[id(value)]
        if not region.reached(home):
            return self._from_before(value)
        if region.dominates(home, block):
            return self._state.values[id(value)]
        # A loop's next iteration may define the value again on some of the paths that lead here.
        if block is region.blocks[0]:
            return self._from_before(value)
        return self._merged([(self._value(value, source), condition) for source, condition in region.choices(block)])

    def _from_before(self, value: Value) -> Node:
        """The value that the step begins with: a register, or made again from a narrower register."""
        if isinstance(value, Constant):
            return self._graph.const(value.width, value.number)
        assert isinstance(value, Instruction)
        if value.op in ("zext", "sext", "freeze"):
            return evaluate(self._graph, value, [self._from_before(value.operands[0])])
        if id(value) not in self._registers:
            self._registers[id(value)] = Register(value.name, value.width, value.place)
        return self._graph.leaf(value.width, self._registers[id(value)], value.name)

    def _phi(self, phi: Instruction, block: Block) -> Node:
        given = {id(source): value for source, value in zip(phi.incoming, phi.operands, strict=True)}
        choices = self._state.region.choices(block)
        return self._merged([(self._value(given[id(source)], source), condition) for source, condition in choices])

    def _merged(self, options: Sequence[tuple[Node, Node]]) -> Node:
        """The value whose condition holds; the conditions cover all cases."""
        merged: dict[int, tuple[Node, Node]] = {}
        for value, condition in options:
            known = merged.get(value.serial)
            merged[value.serial] = (value, self._graph.bitwise("or", known[1], condition) if known else condition)
        return self._chosen([(value, _literals(condition)) for value, condition in merged.values()])

    def _chosen(self, options: Sequence[tuple[Node, Sequence[Node]]]) -> Node:
        """The value whose literals are all true, chosen by a tree where literals tell all values apart.

        Branches within branches that lead to one place are one list of values; as a chain it would be a multiplexer
        for each of them, and as deep as it is long.
        """
        value, literals = options[0]
        if len(options) == 1:
            return value
        for literal in literals:
            opposite = self._graph.inverted(literal)
            yes = [(other, _without(literal, known)) for other, known in options if literal in known]
            no = [(other, _without(opposite, known)) for other, known in options if opposite in known]
            if len(yes) + len(no) == len(options):
                return self._graph.select(literal, self._chosen(yes), self._chosen(no)) if no else self._chosen(yes)
        return self._graph.select(self._graph.conjunction(literals), value, self._chosen(options[1:]))

    def _leave(self, block: Block) -> None:
        graph, region, branch = self._graph, self._state.region, block.branch
        here = region.condition(block)
        if not branch.targets and not branch.unreachable:
            self._state.step.exits.append(Exit(here, 0))
        otherwise = graph.const(1, 1)
        subject = self._value(branch.condition, block) if branch.condition is not None else None
        taken: dict[int, tuple[Block, Node]] = {}
        for number, target in enumerate(branch.targets):
            condition = otherwise
            if number < len(branch.cases):
                assert subject is not None
                hit = graph.compare("eq", subject, graph.const(subject.width, branch.cases[number]))
                condition = graph.bitwise("and", otherwise, hit)
                otherwise = graph.bitwise("and", otherwise, graph.inverted(hit))
            known = taken.get(id(target))
            taken[id(target)] = (target, graph.bitwise("or", known[1], condition) if known else condition)
        for target, condition in taken.values():
            if not target.is_cut:
                region.leave(block, target, condition)
            elif not (condition.op == "const" and not condition.number):
                self._state.step.exits.append(Exit(graph.bitwise("and", here, condition), self._cuts.index(target)))

    # Streams ----------------------------------------------------------------------------------------------------

    def _access(self, instruction: Instruction, block: Block) -> Node | None:
        state = self._state
        port = self._ports[stream_key(instruction)]
        if any(other is port and state.region.path(where, block) for other, where in state.touched):
            raise _SecondAccess(instruction)
        state.touched.append((port, block))
        condition = state.region.condition(block)
        data = self._value(instruction.operands[0], block) if instruction.op == "write" else None
        state.step.accesses.append(Access(port, condition, data, instruction.place))
        return self._graph.leaf(port.bits, ("data", port), port.name) if instruction.op == "read" else None

    def _ready(self, step: Step) -> Node:
        graph = self._graph
        parts = []
        for port in self._ports.values():
            used = graph.disjunction([access.condition for access in step.accesses if access.port is port])
            ready = graph.leaf(1, ("ready", port), f"{port.name}_ready")
            parts.append(graph.bitwise("or", graph.inverted(used), ready))
        return graph.conjunction(parts)

    # Memories ---------------------------------------------------------------------------------------------------

    def _load(self, load: Instruction, block: Block) -> Node:
        assert load.pointer
        graph, remaining = self._graph, self._state.region.condition(block)
        words: list[tuple[Node | None, Node]] = []
        for guard, address in load.pointer.choices:
            chosen = None if guard is None else self._value(guard, block)
            condition = remaining if chosen is None else graph.bitwise("and", remaining, chosen)
            words.append((chosen, self._load_from(address, load, block, condition)))
            if chosen is not None:
                remaining = graph.bitwise("and", remaining, graph.inverted(chosen))
        result = words[-1][1]
        for chosen, word in words[-2::-1]:
            result = word if chosen is None else graph.select(chosen, word, result)
        return result

    def _load_from(self, address: Address, load: Instruction, block: Block, condition: Node) -> Node:
        """The word, which the C++ reads when `condition` holds."""
        graph = self._graph
        memory, _, _ = self._memories.locate(address)
        if memory is None:
            return graph.const(load.width, self._memories.constant(address))
        if memory not in self._memories.memories:
            return graph.const(load.width, 0)
        index, inside = self._index(address, block)
        word = read = graph.memory_read(memory.width, memory, index, memory.name)
        condition = graph.bitwise("and", condition, inside)
        for write, where in self._state.stored:
            if write.memory is memory and self._state.region.path(where, block):
                hit = graph.bitwise("and", write.condition, graph.compare("eq", write.address, index))
                word = graph.select(hit, write.data, word)
                condition = graph.bitwise("and", condition, graph.inverted(hit))
        if not memory.constant:
            self._state.step.reads.append(Read(read, condition, load.place, self._is_repeated(block)))
        word = graph.select(inside, word, graph.const(memory.width, 0))
        return graph.zext(word, load.width) if load.width >= memory.width else graph.slice(word, 0, load.width)

    def _is_repeated(self, block: Block) -> bool:
        """The step may begin again, at once, after this block: it is part of the loop's iteration."""
        first, stack, seen = self._state.region.blocks[0], [block], set[int]()
        while stack:
            for target in stack.pop().branch.targets:
                if target is first:
                    return True
                if not target.is_cut and id(target) not in seen:
                    seen.add(id(target))
                    stack.append(target)
        return False

    def _store(self, store: Instruction, block: Block) -> None:
        assert store.pointer
        graph, state = self._graph, self._state
        data = self._value(store.operands[0], block)
        remaining = state.region.condition(block)
        for guard, address in store.pointer.choices:
            memory, _, _ = self._memories.locate(address)
            if memory is None or memory.constant:
                raise CompileError(store.place.file, store.place.line, "a constant array is written")
            index, inside = self._index(address, block)
            condition = remaining
            if guard is not None:
                condition = graph.bitwise("and", remaining, self._value(guard, block))
                remaining = graph.bitwise("and", remaining, graph.inverted(self._value(guard, block)))
            word = graph.slice(data, 0, memory.width) if data.width > memory.width else graph.zext(data, memory.width)
            write = Write(memory, graph.bitwise("and", condition, inside), index, word, store.place)
            if write.condition.op != "const" or write.condition.number:
                state.step.writes.append(write)
            state.stored.append((write, block))

    def _index(self, address: Address, block: Block) -> tuple[Node, Node]:
        """Index of a word, as wide as the memory needs, and whether it is inside."""
        graph = self._graph
        memory, constant, terms = self._memories.locate(address)
        assert isinstance(memory, Memory)
        bits = max((memory.depth - 1).bit_length(), 1)
        if not terms:
            return graph.const(bits, constant), graph.const(1, 0 <= constant < memory.depth)
        values = [(factor, self._value(value, block)) for factor, value in terms]
        if len(values) == 1 and values[0][0] == 1 and constant == 0:
            total = _unextended(graph, values[0][1])
        else:
            total = graph.const(64, constant)
            for factor, value in values:
                total = graph.arithmetic("add", total, graph.arithmetic("mul", value, graph.const(64, factor)))
        if upper_bound(total) < memory.depth:
            inside = graph.const(1, 1)
        else:
            width = max(total.width, bits + 1)
            inside = graph.compare("ult", graph.zext(total, width), graph.const(width, memory.depth))
        index = graph.slice(total, 0, bits) if total.width >= bits else graph.zext(total, bits)
        return index, inside

    # Registers --------------------------------------------------------------------------------------------------

    def _update_registers(self, state: _State) -> None:
        for block in state.region.blocks:
            if not state.region.reached(block):
                continue
            for instruction in block.instructions:
                register = self._registers.get(id(instruction))
                if register is not None:
                    condition = state.region.condition(block)
                    if condition.op != "const" or condition.number:
                        state.step.updates.append(Update(register, condition, state.values[id(instruction)]))


def _literals(condition: Node) -> list[Node]:
    """Of a conjunction: what must be true each."""
    if condition.op != "and":
        return [condition]
    return [literal for part in condition.args for literal in _literals(part)]


def _without(literal: Node, literals: Sequence[Node]) -> list[Node]:
    return [other for other in literals if other is not literal]


def _unextended(graph: Graph, value: Node) -> Node:
    """An index without the bits that its extension to 64 bits added: a negative one is out of range either way."""
    if value.op == "sext":
        return value.args[0]
    if value.op == "cat" and value.args[-1].op == "const" and value.args[-1].number == 0:
        return graph.slice(value, 0, value.width - value.args[-1].width)
    return value


def _name(node: Node, instruction: Instruction) -> None:
    if not node.name and node.op not in ("const", "leaf"):
        node.name = instruction.name
    if not node.place.line:
        node.place = instruction.place
