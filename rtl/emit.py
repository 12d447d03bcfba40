"""A scheduled process as a SystemVerilog module."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath

from rtl.expressions import Node
from rtl.kept import Kept
from rtl.memories import Memory
from rtl.names import Namespace, identifier
from rtl.printer import Printer, dimension, source_comment
from rtl.process import Access, Check, Fetch, Port, Process, Register, Stage, Step, Write

__all__ = ["emit_process", "port_signals"]


def port_signals(port: Port) -> tuple[str, str, str]:
    """Names of a port's data, ready and strobe signals, after Vitis HLS' ap_fifo."""
    name = identifier(port.name)
    return (
        (f"{name}_dout", f"{name}_empty_n", f"{name}_read")
        if port.reads
        else (
            f"{name}_din",
            f"{name}_full_n",
            f"{name}_write",
        )
    )


def emit_process(process: Process, module: str) -> str:
    """Text of the module `module` for `process`."""
    return _Emitter(process, module).text()


class _Emitter:
    def __init__(self, process: Process, module: str) -> None:
        self._process = process
        self._module = module
        self._names = Namespace()
        for port in process.ports:
            for signal in port_signals(port):
                self._names.unique(signal)
        self._numbered = len(process.steps) > 1  # otherwise there is no state
        self._step_names = [self._names.unique(step.name) for step in process.steps]
        stages = range(len(process.stages))
        self._states = ["state" if stage == 0 else self._names.unique(f"state_{stage}") for stage in stages]
        self._fire_names = [[self._fire_name(name, stage) for name in self._step_names] for stage in stages]
        self._go_names = [self._names.unique(f"go_{stage}") for stage in stages]
        self._valid_names = [self._names.unique(f"valid_{stage}") for stage in stages]
        self._kept = Kept(process)
        self._spans = self._kept.spans
        self._registers = [item for item in process.registers if id(item) in self._spans]
        self._memories = [item for item in process.memories if id(item) in self._spans]
        self._memory_names = {id(memory): self._names.unique(memory.name) for memory in self._memories}
        self._register_names = {id(item): self._names.unique(item.name or "value") for item in self._registers}
        self._printer = Printer(self._names, self._leaf_name, self._memory_name)
        self._state_bits = max((len(process.steps) - 1).bit_length(), 1)
        self._pause_bits = (max(max(step.interval, step.repeat) for step in process.steps) - 1).bit_length()
        self._pause = self._names.unique("pause") if self._pause_bits else ""

    def _fire_name(self, step: str, stage: int) -> str:
        return self._names.unique(f"fire_{step.lower()}" if stage == 0 else f"fire_{step.lower()}_{stage}")

    def text(self) -> str:
        """The whole module."""
        self._printer.prepare([node for stage in self._process.stages for node in self._kept.roots(stage)])
        sections = [
            self._header(),
            self._declarations(),
            "\n".join(self._printer.lines),
            self._control(),
            self._stream_outputs(),
            self._clocked(),
            *self._memory_blocks(),
            *self._checks(),
            self._unused(),
        ]
        body = "\n\n".join(section for section in sections if section)
        return f"{body}\nendmodule\n`default_nettype wire\n"

    def _leaf_name(self, node: Node) -> tuple[str, int, int]:
        if isinstance(node.key, Register):
            span = self._spans[id(node.key)]
            return self._register_names[id(node.key)], span.low, span.width
        assert isinstance(node.key, tuple)
        kind, port = node.key
        data, ready, _ = port_signals(port)
        return (data if kind == "data" else ready), 0, node.width

    def _memory_name(self, node: Node) -> tuple[str, bool]:
        assert isinstance(node.key, Memory)
        return self._memory_names[id(node.key)], node.key.depth == 1

    # Declarations ---------------------------------------------------------------------------------------------------

    def _header(self) -> str:
        process = self._process
        lines = [f"// {process.name}{source_comment(process.place).replace('  // ', ', ')}", "`default_nettype none"]
        ports = ["input  wire ap_clk", "input  wire ap_rst_n"]
        for port in process.ports:
            data, ready, strobe = port_signals(port)
            toward = "input  wire" if port.reads else "output wire"
            ports += [f"{toward} {dimension(port.bits)}{data}", f"input  wire {ready}", f"output wire {strobe}"]
        lines.append(f"module {self._module} (")
        lines.append(",\n".join(f"    {port}" for port in ports))
        return "\n".join([*lines, ");"])

    def _declarations(self) -> str:
        lines = []
        if self._numbered:
            for number, name in enumerate(self._step_names):
                place = source_comment(self._process.steps[number].place)
                lines.append(
                    f"  localparam logic {dimension(self._state_bits)}{name} = {self._state_bits}'d{number};{place}"
                )
            lines += [f"  logic {dimension(self._state_bits)}{state};" for state in self._states]
        lines += [f"  logic {valid};" for valid in self._valid_names[1:]]
        if self._pause:
            lines.append(f"  logic {dimension(self._pause_bits)}{self._pause};  // clocks until the next step begins")
        for register in self._registers:
            width = dimension(self._spans[id(register)].width)
            lines.append(f"  logic {width}{self._register_names[id(register)]};{source_comment(register.place)}")
        for memory in self._memories:
            lines.append(self._memory_declaration(memory))
        return "\n".join(lines)

    def _memory_declaration(self, memory: Memory) -> str:
        name = self._memory_names[id(memory)]
        if memory.depth == 1:
            return f"  logic {dimension(memory.width)}{name};"
        # A table in LUTs is logic, and no style asks for that: Yosys would look for LUT RAM without a write port.
        styles = ("block", "ultra") if memory.constant else ("block", "ultra", "distributed")
        style = f'(* ram_style = "{memory.storage}" *) ' if memory.storage in styles else ""
        return f"  {style}logic {dimension(memory.width)}{name}[0:{memory.depth - 1}];"

    # Control --------------------------------------------------------------------------------------------------------

    def _control(self) -> str:
        """When each step fires in each stage; which stages move."""
        last = len(self._process.stages) - 1
        if last == 0:
            return "\n".join(self._fire(0, number, "ap_rst_n", wait=True) for number in range(len(self._step_names)))
        lines = ["  // A stage moves when all its streams, and those of the stages behind it, are ready."]
        for stage in range(last, -1, -1):
            behind = "ap_rst_n" if stage == last else self._go_names[stage + 1]
            pause = f" & ({self._pause} == '0)" if self._pause and stage == 0 else ""
            lines.append(f"  wire {self._go_names[stage]} = {behind}{pause}{self._not_waiting(stage)};")
        for stage in range(last + 1):
            here = self._go_names[stage] if stage == 0 else f"{self._go_names[stage]} & {self._valid_names[stage]}"
            numbers = [
                number
                for number, step in enumerate(self._process.stages[stage].steps)
                if self._acts(step) or stage == 0 and self._process.steps[number].interval > 1
            ]
            lines += [self._fire(stage, number, here, wait=False) for number in numbers]
        return "\n".join(lines)

    def _acts(self, step: Step) -> bool:
        """Whether a step does anything in a stage."""
        return next(self._kept.ends(step), None) is not None or bool(step.checks)

    def _fire(self, stage: int, number: int, when: str, wait: bool) -> str:
        terms = [when]
        if self._numbered:
            terms.append(f"({self._states[stage]} == {self._step_names[number]})")
        ready = self._process.stages[stage].steps[number].ready
        if wait and ready is not None and ready.op != "const":
            text = self._printer.text(ready)
            terms.append(f"({text})" if " " in text else text)
        return f"  wire {self._fire_names[stage][number]} = {' & '.join(terms)};"

    def _not_waiting(self, stage: int) -> str:
        """The condition under which a stage's streams are ready for the step that is in it, as a further term."""
        steps = self._process.stages[stage].steps
        waiting = [
            (number, step.ready)
            for number, step in enumerate(steps)
            if step.ready is not None and step.ready.op != "const"
        ]
        terms = []
        for number, ready in waiting:
            text = self._printer.text(ready)
            here = [f"{self._states[stage]} == {self._step_names[number]}"] if self._numbered else []
            here += [self._valid_names[stage]] if stage else []
            terms.append(f"~({' & '.join(f'({item})' if ' ' in item else item for item in [*here, f'~({text})'])})")
        return "".join(f"\n      & {term}" for term in terms)

    def _stream_outputs(self) -> str:
        lines, zero = [], "'0"  # of a stream that no step touches
        for port in self._process.ports:
            uses = [
                (self._fire_names[stage][number], access)
                for stage, part in enumerate(self._process.stages)
                for number, step in enumerate(part.steps)
                for access in step.accesses
                if access.port is port
            ]
            data, _, strobe = port_signals(port)
            lines.append(f"  assign {strobe} = {' | '.join(self._strobe(*use) for use in uses) or zero};")
            if not port.reads:
                lines.append(f"  assign {data} = {self._output_data(uses) if uses else zero};")
        return "\n".join(lines)

    def _strobe(self, fire: str, access: Access | Write) -> str:
        if access.condition.op == "const":
            return fire if access.condition.number else "1'b0"
        return f"({fire} & ({self._printer.text(access.condition)}))"

    def _output_data(self, uses: list[tuple[str, Access]]) -> str:
        last = uses[-1][1].data
        assert last is not None
        text = self._printer.text(last)
        for fire, access in uses[-2::-1]:
            assert access.data is not None
            if access.data is last:
                continue
            text = f"{self._strobe(fire, access)} ? {self._printer.text(access.data)} :\n      {text}"
        return text

    # Registers and memories -----------------------------------------------------------------------------------------

    def _clocked(self) -> str:
        lines: list[str] = []
        resets = [f"      {self._states[0]} <= {self._step_names[0]};"] if self._numbered else []
        resets += [f"      {valid} <= 1'b0;" for valid in self._valid_names[1:]]
        if self._pause:
            resets.append(f"      {self._pause} <= '0;")
            lines += [f"    if ({self._go_names[1]} & ({self._pause} != '0)) {self._pause} <= {self._pause} - 1'b1;"]
        for memory in self._memories:
            if memory.depth == 1 and memory.initial is not None and not memory.constant:
                resets.append(f"      {self._memory_names[id(memory)]} <= {memory.width}'h{memory.initial[0]:x};")
        for number, stage in enumerate(self._process.stages):
            # One step fires at most. The entry's stands last, where the numbers that it sets come before an enable, as
            # in the resets of flip-flops and of DSP slices.
            for position in (*range(1, len(stage.steps)), 0):
                inner = self._step_updates(stage.steps[position])
                inner += self._pauses(number, position)
                lines += [f"    if ({self._fire_names[number][position]}) begin", *inner, "    end"] if inner else []
            if number + 1 < len(self._process.stages):
                lines += [f"    if ({self._go_names[number + 1]}) begin", *self._shifts(number, stage), "    end"]
        if not lines and not resets:
            return ""
        if resets:
            lines += ["    if (!ap_rst_n) begin", *resets, "    end"]
        return "\n".join(["  always_ff @(posedge ap_clk) begin", *lines, "  end"])

    def _pauses(self, stage: int, number: int) -> Iterator[str]:
        """How long the next step waits: what a repetition of this one takes, more once another is known to come."""
        step, here = self._process.steps[number], self._process.stages[stage].steps[number]
        if stage == 0 and step.repeat > 1:
            yield f"      {self._pause} <= {self._pause_bits}'d{step.repeat - 1};"
        if here.exits and step.interval > step.repeat:
            following = self._kept.next_state(here)
            longer = f"{self._pause} <= {self._pause_bits}'d{step.interval - 1 - stage};"
            if following.op != "const":
                longer = f"if (({self._printer.text(following)}) != {self._step_names[number]}) {longer}"
            yield f"      {longer}"

    def _shifts(self, number: int, stage: Stage) -> list[str]:
        """What the stage behind a stage takes over."""
        moved = self._go_names[number]
        lines = [
            f"      {self._valid_names[number + 1]} <= {f'{self._valid_names[number]} & ' if number else ''}{moved};"
        ]
        if self._numbered:
            lines.append(f"      {self._states[number + 1]} <= {self._states[number]};")
        for shift in stage.shifts:
            value = self._kept.new_value(shift)
            if value is not None:
                lines.append(f"      {self._register_names[id(shift.register)]} <= {self._printer.text(value)};")
        return lines

    def _step_updates(self, step: Step) -> list[str]:
        lines = []
        if self._numbered and step.exits:
            following = self._kept.next_state(step)
            if following.op == "const":
                lines.append(f"      {self._states[0]} <= {self._step_names[following.number]};")
            else:
                lines.append(f"      {self._states[0]} <= {self._printer.text(following)};")
        for update in step.updates:
            value = self._kept.new_value(update)
            if value is not None:
                name = self._register_names[id(update.register)]
                lines.append(self._guarded(update.condition, f"{name} <= {self._printer.text(value)};"))
        for write in step.writes:
            if write.memory.depth == 1 and id(write.memory) in self._spans:
                name = self._memory_names[id(write.memory)]
                lines.append(self._guarded(write.condition, f"{name} <= {self._printer.text(write.data)};"))
        return [line for line in lines if line]

    def _guarded(self, condition: Node, action: str) -> str:
        if condition.op == "const":
            return f"      {action}" if condition.number else ""
        return f"      if ({self._printer.text(condition)}) {action}"

    def _memory_blocks(self) -> Iterator[str]:
        for memory in self._memories:
            if memory.depth == 1:
                continue
            name = self._memory_names[id(memory)]
            if memory.initial is not None:
                yield self._initial(memory, name)
            if memory.clocked:
                yield self._block_ram(memory, name)
                continue
            lines = []
            for number, stage in enumerate(self._process.stages):
                for fire, step in zip(self._fire_names[number], stage.steps, strict=True):
                    inner = list(self._memory_writes(memory, name, step))
                    lines += [f"    if ({fire}) begin", *inner, "    end"] if inner else []
            if lines:
                yield "\n".join(["  always_ff @(posedge ap_clk) begin", *lines, "  end"])

    def _block_ram(self, memory: Memory, name: str) -> str:
        """Its ports: one that writes, and as many that read as a clock has reads."""
        ports, lines = [], []
        writes = [
            (self._strobe(fire, write), write)
            for number, stage in enumerate(self._process.stages)
            for fire, step in zip(self._fire_names[number], stage.steps, strict=True)
            for write in step.writes
            if write.memory is memory
        ]
        if writes:
            enable, address, data = (self._names.unique(f"{name}_{signal}") for signal in ("we", "wa", "wd"))
            where = self._chosen([(strobe, write.address) for strobe, write in writes])
            what = self._chosen([(strobe, write.data) for strobe, write in writes])
            ports += [
                f"  wire {enable} = {' | '.join(strobe for strobe, _ in writes)};{source_comment(writes[0][1].place)}",
                f"  wire {dimension(_address_bits(memory))}{address} = {where};",
                f"  wire {dimension(memory.width)}{data} = {what};",
            ]
            lines.append(f"    if ({enable}) {name}[{address}] <= {data};")
        for number, stage in enumerate(self._process.stages):
            for fetch in stage.fetches:
                if fetch.memory is memory and id(fetch.register) in self._spans:
                    address = self._names.unique(f"{name}_ra")
                    ways = [(self._is_in(number, steps), node) for steps, node in fetch.addresses]
                    ports.append(
                        f"  wire {dimension(_address_bits(memory))}{address} = {self._chosen(ways)};"
                        f"{source_comment(fetch.place)}"
                    )
                    lines.append(f"    if ({self._go_names[number + 1]}) {self._fetched(fetch, name, address)}")
        return "\n".join([*ports, "  always_ff @(posedge ap_clk) begin", *lines, "  end"])

    def _fetched(self, fetch: Fetch, name: str, address: str) -> str:
        span, width = self._spans[id(fetch.register)], fetch.memory.width
        part = (
            ""
            if span.width == width
            else f"[{span.low}]"
            if span.width == 1
            else f"[{span.low + span.width - 1}:{span.low}]"
        )
        return f"{self._register_names[id(fetch.register)]} <= {name}[{address}]{part};"

    def _chosen(self, ways: Sequence[tuple[str, Node]]) -> str:
        """The value whose condition holds; the last one when none does."""
        text = self._printer.text(ways[-1][1])
        for condition, node in ways[-2::-1]:
            text = f"{condition} ? {self._printer.text(node)} :\n      {text}"
        return text

    def _is_in(self, stage: int, steps: frozenset[int]) -> str:
        """One of these steps is in a stage, if any is."""
        names = [f"({self._states[stage]} == {self._step_names[number]})" for number in sorted(steps)]
        return names[0] if len(names) == 1 else f"({' | '.join(names)})"

    def _memory_writes(self, memory: Memory, name: str, step: Step) -> Iterator[str]:
        for write in step.writes:
            if write.memory is memory:
                target = f"{name}[{self._printer.text(write.address)}]"
                line = self._guarded(write.condition, f"{target} <= {self._printer.text(write.data)};")
                if line:
                    yield f"{line}{source_comment(write.place)}"

    def _checks(self) -> Iterator[str]:
        """Assertions for simulation: what DEPENDENCE pragmas promise is kept."""
        for stage, part in enumerate(self._process.stages):
            for number, step in enumerate(part.steps):
                for check in step.checks:
                    lines = self._check(stage, number, check)
                    yield "\n".join(["`ifndef SYNTHESIS", *lines, "`endif"])

    def _check(self, stage: int, number: int, check: Check) -> list[str]:
        """Keeps the addresses that the last iterations wrote, the newest first, and compares those that are read."""
        memory, text = check.promise.memory, self._printer.text
        kept, count = self._names.unique(f"{memory.name}_kept"), check.iterations * len(check.writes)
        where = self._names.unique(f"{memory.name}_kept_at")
        here = [self._go_names[stage], *([self._valid_names[stage]] if stage else [])]
        other = " & ".join([*here, f"({self._states[stage]} != {self._step_names[number]})"])
        hits = [
            f"(({text(condition)}) & {kept}[{entry}] & ({where}[{entry}] == {text(address)}))"
            for condition, address in check.reads
            for entry in range(count)
        ]
        new = ", ".join(text(condition) for condition, _ in reversed(check.writes))
        older = f"{kept}[{count - len(check.writes) - 1}:0], " if count > len(check.writes) else ""
        place = f"{PurePath(check.promise.place.file).name}:{check.promise.place.line}"
        message = (
            f"{place}: DEPENDENCE is not kept: an iteration reads what one of the {check.iterations} before it wrote"
        )
        return [
            f"  logic [{count - 1}:0] {kept};",
            f"  logic {dimension(_address_bits(memory))}{where}[0:{count - 1}];",
            "  always_ff @(posedge ap_clk) begin",
            f"    if (!ap_rst_n | ({other})) {kept} <= '0;",
            f"    else if ({self._fire_names[stage][number]}) begin",
            f"      if ({' | '.join(hits)})",
            f'        $error("{message}");',
            f"      {kept} <= {{{older}{new}}};",
            f"      for (int entry = {len(check.writes)}; entry < {count}; entry++)",
            f"        {where}[entry] <= {where}[entry - {len(check.writes)}];",
            *(f"      {where}[{entry}] <= {text(address)};" for entry, (_, address) in enumerate(check.writes)),
            "    end",
            "  end",
        ]

    def _initial(self, memory: Memory, name: str) -> str:
        assert memory.initial is not None
        zeros = f"    for (int word_number = 0; word_number < {memory.depth}; word_number++) {name}[word_number] = '0;"
        lines = [zeros] if 0 in memory.initial else []
        lines += [f"    {name}[{i}] = {memory.width}'h{word:x};" for i, word in enumerate(memory.initial) if word]
        return "\n".join(["  initial begin", *lines, "  end"])

    def _unused(self) -> str:
        """Names the bits that the C++ computes but never looks at, so that lint tools can tell them from mistakes."""
        signals = dict(self._printer.widths)
        for register in self._registers:
            signals[self._register_names[id(register)]] = self._spans[id(register)].width
        for memory in self._memories:
            if memory.depth == 1:
                signals[self._memory_names[id(memory)]] = memory.width
        for port in self._process.ports:
            if port.reads:
                signals[port_signals(port)[0]] = port.bits
        parts = []
        for name, width in signals.items():
            for high, low in self._printer.unseen(name, width):
                whole = high == width - 1 and low == 0
                parts.append(name if whole else f"{name}[{high}]" if high == low else f"{name}[{high}:{low}]")
        if not self._clocked() and not any(memory.depth > 1 and not memory.constant for memory in self._memories):
            parts.append("ap_clk")
        if not parts:
            return ""
        text = ",\n      ".join(parts)
        return f"  // Bits that nothing looks at.\n  wire unused = &{{1'b0,\n      {text}}};"


def _address_bits(memory: Memory) -> int:
    return max((memory.depth - 1).bit_length(), 1)
