"""The timing report of a compiled design: loops and processes against a clock, as data."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Literal

from pydantic import BaseModel, Field

from rtl.control import AccessUnit
from rtl.dataflow import Network
from rtl.delays import DEVICE, block_ram_read, ultra_ram_count
from rtl.errors import OptionError
from rtl.frontend import SourceLoop, SourceModule
from rtl.ir import Place
from rtl.kept import Kept
from rtl.loops import Loop, clocks_per_call, find_loops
from rtl.memories import Memory
from rtl.memory_ports import read_ports, write_ports
from rtl.pragmas import Pragma
from rtl.process import Process
from rtl.resources import Resources, estimate_fifo, estimate_process
from rtl.timing_analysis import Chain, longest_chains

_STATE = "state"  # as rtl.pipeline names the number of the step

__all__ = [
    "AccessUnitReport",
    "ArrayReport",
    "ChainReport",
    "LinkReport",
    "LoopReport",
    "ProcessReport",
    "Report",
    "SiteReport",
    "build_report",
    "check_clock",
    "check_options",
]


class LinkReport(BaseModel):
    """One operator of a chain."""

    operator: str
    width: int = Field(description="bits of the result")
    name: str = Field(description="name of the result in the C++, empty where LLVM kept none")
    file: str = Field(description="source file, empty where no place is known")
    line: int = Field(description="line counted from 1, 0 where no place is known")
    delay_ns: float
    arrival_ns: float = Field(description="when the result is there, from the clock edge")


class ChainReport(BaseModel):
    """Operators that depend on each other within one clock, from register to register."""

    step: str = Field(description="name of the step in the SystemVerilog")
    delay_ns: float = Field(description="sum of the links' delays: the least clock period")
    clock_mhz: float = Field(description="the fastest clock that the chain allows")
    links: list[LinkReport]


class LoopReport(BaseModel):
    """A loop that is not unrolled, in one process."""

    process: str = Field(description="the C++ function with its template arguments")
    file: str
    line: int = Field(description="first line of the loop")
    last_line: int
    ii_asked: int | None = Field(description="clocks from one iteration to the next that PIPELINE asks for")
    ii_reached: int | None = Field(description="clocks of an iteration when nothing stalls; None: not constant")
    depth: int | None = Field(description="clocks from an iteration's start to its end, all stages; None: not constant")
    trip_count: int | None = Field(description="iterations; None: not constant, or too many to be counted")
    unrolled_by: int = Field(
        default=1, description="UNROLL's factor: iterations of the C++ that are one iteration here"
    )
    limits: list[str] = Field(description="what stands against a smaller II or a faster clock; empty: nothing does")
    meets_clock: bool
    chain: ChainReport = Field(description="the longest chain of its steps, those of loops inside it included")


class ProcessReport(BaseModel):
    """A process: one module of the design."""

    process: str = Field(description="the C++ function with its template arguments")
    module: str
    instances: list[str]
    file: str
    line: int
    steps: int
    stages: int = Field(description="clocks that a step takes from its start to its end")
    ii_asked: int | None = Field(description="of a PIPELINE pragma outside loops")
    clocks_per_call: int | None = Field(description="of the longest call, when nothing stalls; None: not constant")
    limits: list[str]
    meets_clock: bool
    chain: ChainReport
    resources: Resources = Field(description="of one instance, estimated")


class ArrayReport(BaseModel):
    """An array that is more than single registers, in one process."""

    process: str = Field(description="the C++ function with its template arguments")
    name: str
    words: int
    bits: int = Field(description="of a word")
    storage: str = Field(description="block RAM, Ultra RAM, LUT RAM or registers; of constants, ROM")
    read_ports: int = Field(description="words that are read in a clock at most; each port is a copy of the memory")
    write_ports: int = Field(description="words that are written in a clock at most; 0 of constants")
    block_rams: float = Field(description="RAMB36E2 of one instance by geometry; a RAMB18E2 is half of one")
    ultra_rams: int = Field(description="URAM288 of one instance by geometry")


class SiteReport(BaseModel):
    """A place in the C++."""

    file: str
    line: int


class AccessUnitReport(BaseModel):
    """The unit that makes bursts of what one process reads, or writes, by one pointer to m_axi memory."""

    port: str = Field(description="the AXI4 master port, which units of its bundle share; m_axi_BUNDLE")
    bits: int = Field(description="of a word, and of the port's data")
    process: str = Field(description="the C++ function with its template arguments")
    instance: str = Field(description="of the process; each has units of its own")
    pointer: str = Field(description="parameter of the top function")
    way: Literal["read", "write"]
    burst_words: int = Field(description="words of the longest burst; 1 where each access waits for the one before")
    outstanding: int = Field(description="bursts that may be without an answer")
    hidden_clocks: int = Field(description="of a read, from its request to its use, the process asking on; 0: it waits")
    in_order: bool = Field(description="the process reads and writes by the pointer, one access after the other")
    sites: list[SiteReport] = Field(description="lines that access memory; several in one iteration take a clock each")


class Report(BaseModel):
    """Every process begins a step a clock, so the longest chain of any stage is the clock's least period."""

    top: str
    device: str = Field(description="what the delays are of")
    clock_mhz: float
    period_ns: float
    reached_mhz: float = Field(description="the fastest clock of the whole design")
    slowest_process: str
    misses: list[str] = Field(
        description="PIPELINE loops and functions that miss the clock or their II, a sentence each"
    )
    loops: list[LoopReport]
    processes: list[ProcessReport]
    arrays: list[ArrayReport]
    memory: list[AccessUnitReport] = Field(default=[], description="m_axi ports and their units")
    resources: Resources = Field(description="of the whole design, its FIFOs included, estimated")

    def summary(self) -> str:
        """One line: whether every loop reaches its II at the clock, and what is slowest."""
        kept = (
            f"{len(self.misses)} misses"
            if self.misses
            else f"every PIPELINE loop reaches its II at {self.clock_mhz:g} MHz"
        )
        slowest = max(process.chain.delay_ns for process in self.processes)
        return f"{kept}; the longest chain takes {slowest:.2f} ns, in {self.slowest_process}"


def check_clock(clock_mhz: float) -> None:
    """Refuses what is no clock frequency.

    Raises:
        OptionError: `clock_mhz` is not a positive number.
    """
    if not (math.isfinite(clock_mhz) and clock_mhz > 0):
        raise OptionError(f"--clock: {clock_mhz:g} MHz is no clock; give a positive number")


def check_options(output: Path | None, clock_mhz: float | None, report: bool, relaxed: bool) -> None:
    """Refuses options of a command line that do not go together.

    Args:
        output: the output folder, if one is named.
        clock_mhz: the clock, if one is asked for, in MHz.
        report: the report is to be printed.
        relaxed: a miss is to be no error.

    Raises:
        OptionError: the report without a clock, a clock that is none, or nothing to do.
    """
    if clock_mhz is not None:
        check_clock(clock_mhz)
    elif report or relaxed:
        raise OptionError(f"--{'report' if report else 'relaxed'} needs --clock MHZ")
    if output is None and not report:
        raise OptionError("give an output folder with -o, or --clock MHZ --report for the report alone")


def build_report(
    source: SourceModule,
    processes: Mapping[str, Process],
    modules: Mapping[str, str],
    network: Network,
    clock_mhz: float,
    units: Sequence[AccessUnit],
) -> Report:
    """The report of a design whose processes are emitted already.

    Args:
        source: loops and pragmas of the C++.
        processes: by symbol.
        modules: module name of each process, by symbol.
        network: instances and FIFOs.
        clock_mhz: the clock asked for, in MHz.
        units: what accesses memory.

    Raises:
        OptionError: a clock that is not a positive number.
    """
    check_clock(clock_mhz)
    period = 1000.0 / clock_mhz
    loops: list[LoopReport] = []
    rows: list[ProcessReport] = []
    for symbol, process in processes.items():
        instances = [item.name for item in network.instances if item.module == modules[symbol]]
        chains = longest_chains(process, network.depths(process, modules[symbol]))
        found = find_loops(process)
        own = [_loop_row(process, loop, chains, source.loops, period) for loop in found]
        loops += sorted(own, key=lambda row: (row.file, row.line))
        asked = _asked(source.pipelined.get((process.place.file, process.place.line)))
        resources = estimate_process(process, network.depths(process, modules[symbol]))
        rows.append(_process_row(process, modules[symbol], instances, chains, found, asked, period, resources))
    both: list[LoopReport | ProcessReport] = [*loops, *rows]
    slowest = max(rows, key=lambda row: row.chain.delay_ns)
    return Report(
        top=network.top,
        device=DEVICE,
        clock_mhz=clock_mhz,
        period_ns=round(period, 3),
        reached_mhz=slowest.chain.clock_mhz,
        slowest_process=slowest.process,
        misses=[miss for row in both for miss in _misses(row, clock_mhz)],
        loops=loops,
        processes=rows,
        arrays=[row for process in processes.values() for row in _arrays(process)],
        memory=[_unit_row(processes[unit.symbol], unit) for unit in units],
        resources=sum(
            [estimate_fifo(fifo.depth, fifo.bits) for fifo in network.fifos],
            sum((row.resources.times(len(row.instances)) for row in rows), Resources()),
        ),
    )


def _arrays(process: Process) -> list[ArrayReport]:
    spans = Kept(process).spans
    return [_array_row(process, memory) for memory in process.memories if memory.depth > 1 and id(memory) in spans]


def _array_row(process: Process, memory: Memory) -> ArrayReport:
    ports = read_ports(process, memory)
    block_rams = block_ram_read(memory.depth, memory.width).block_rams if memory.storage == "block" else 0.0
    ultra_rams = ultra_ram_count(memory.depth, memory.width) if memory.storage == "ultra" else 0
    kind = {"block": "block", "ultra": "Ultra", "distributed": "LUT"}.get(memory.storage)
    ram = "ROM" if memory.constant else "RAM"
    return ArrayReport(
        process=process.name,
        name=memory.name,
        words=memory.depth,
        bits=memory.width,
        storage=f"{kind} {ram}" if kind else "registers",
        read_ports=ports,
        write_ports=0 if memory.constant else write_ports(process, memory),
        block_rams=block_rams * ports,
        ultra_rams=ultra_rams * ports,
    )


def _unit_row(process: Process, unit: AccessUnit) -> AccessUnitReport:
    accesses = [access for step in process.steps for access in step.accesses if access.port is unit.port]
    places = sorted({(access.place.file, access.place.line) for access in accesses})
    return AccessUnitReport(
        port=f"m_axi_{unit.bundle}",
        bits=unit.bits,
        process=process.name,
        instance=unit.instance,
        pointer=unit.pointer,
        way="read" if unit.port.role == "request" else "write",
        burst_words=unit.burst,
        outstanding=unit.outstanding,
        hidden_clocks=unit.latency,
        in_order=unit.ordered,
        sites=[SiteReport(file=file, line=line) for file, line in places],
    )


def _chain_row(process: Process, chains: Sequence[Chain], steps: Sequence[int]) -> ChainReport:
    number = max(steps, key=lambda step: chains[step].delay_ns)
    links = [
        LinkReport(
            operator=link.operator,
            width=link.width,
            name=link.name,
            file=link.place.file,
            line=link.place.line,
            delay_ns=round(link.delay_ns, 3),
            arrival_ns=round(link.arrival_ns, 3),
        )
        for link in chains[number].links
    ]
    delay = chains[number].delay_ns
    megahertz = round(1000.0 / delay, 1) if delay else 0.0
    return ChainReport(step=process.steps[number].name, delay_ns=round(delay, 3), clock_mhz=megahertz, links=links)


def _loop_row(
    process: Process, loop: Loop, chains: Sequence[Chain], sources: Sequence[SourceLoop], period: float
) -> LoopReport:
    head = process.steps[loop.head]
    known = sources[head.loop] if head.loop is not None else SourceLoop(head.place.file, head.place.line, 0, None)
    chain = _chain_row(process, chains, sorted(loop.steps))
    limits = _loop_limits(process, loop)
    if chain.delay_ns > period:
        limits.append(_too_long(process, chains, sorted(loop.steps), chain))
    return LoopReport(
        process=process.name,
        file=known.file,
        line=known.line,
        last_line=known.last_line,
        ii_asked=_asked(known.pipeline),
        ii_reached=loop.iteration_clocks,
        depth=None if loop.iteration_clocks is None else loop.iteration_clocks + _last_stage(process, loop.steps),
        trip_count=loop.trip_count,
        unrolled_by=known.factor,
        limits=limits,
        meets_clock=chain.delay_ns <= period,
        chain=chain,
    )


def _last_stage(process: Process, steps: Collection[int]) -> int:
    """The last stage in which any of these steps does something."""
    busy = [
        number
        for number, stage in enumerate(process.stages)
        if any(stage.steps[step].accesses or stage.steps[step].writes or stage.steps[step].updates for step in steps)
    ]
    return max(busy, default=0)


def _process_row(
    process: Process,
    module: str,
    instances: list[str],
    chains: Sequence[Chain],
    loops: Sequence[Loop],
    asked: int | None,
    period: float,
    resources: Resources,
) -> ProcessReport:
    chain = _chain_row(process, chains, range(len(process.steps)))
    limits = _accesses(process, range(len(process.steps))) if asked is not None else []
    if asked is not None and loops:
        limits.append(f"the loop at {_where(process.steps[loops[0].head].place)} is not unrolled")
    if chain.delay_ns > period:
        limits.append(_too_long(process, chains, range(len(process.steps)), chain))
    return ProcessReport(
        process=process.name,
        module=module,
        instances=instances,
        file=process.place.file,
        line=process.place.line,
        steps=len(process.steps),
        stages=len(process.stages),
        ii_asked=asked,
        clocks_per_call=clocks_per_call(process, loops),
        limits=limits,
        meets_clock=chain.delay_ns <= period,
        chain=chain,
        resources=resources,
    )


def _asked(pragma: Pragma | None) -> int | None:
    """II that a PIPELINE pragma asks for; 1 when it names none, None when it switches pipelining off."""
    if pragma is None or re.search(r"\boff\b", pragma.arguments, re.IGNORECASE):
        return None
    written = re.search(r"\bII\s*=\s*(\w+)", pragma.arguments, re.IGNORECASE)
    if written is None:
        return 1
    return int(written[1]) if written[1].isdecimal() else None


def _loop_limits(process: Process, loop: Loop) -> list[str]:
    """Why an iteration takes more than one clock."""
    limits = []
    for inner in loop.inner:
        where = _where(process.steps[inner.head].place)
        often = "" if inner.trip_count is not None else " and its number of iterations is not constant"
        limits.append(f"the loop at {where} is not unrolled{often}")
    inside = {number for inner in loop.inner for number in inner.steps}
    own = [process.steps[number] for number in loop.steps - inside]
    clocks = {step.name: step.repeat if len(loop.steps) == 1 else step.interval for step in own}
    slowest = max(own, key=lambda step: clocks[step.name])
    if clocks[slowest.name] > 1:
        limits.append(f"recurrence through {slowest.recurrence}: {clocks[slowest.name]} clocks")
    return limits + _accesses(process, sorted(loop.steps - inside - {loop.head}))


def _accesses(process: Process, numbers: Sequence[int]) -> list[str]:
    """The steps that begin with a second access of a stream."""
    limits = []
    for number in numbers:
        step = process.steps[number]
        if number and step.loop is None and step.accesses:
            access = step.accesses[0]
            verb = "read" if access.port.reads else "write"
            limits.append(f"stream: a second {verb} of '{access.port.name}' at {_where(access.place)}")
    return limits


def _too_long(process: Process, chains: Sequence[Chain], steps: Sequence[int], chain: ChainReport) -> str:
    """Why a chain could not be spread over more stages."""
    end = max((chains[step] for step in steps), key=lambda item: item.delay_ns).end
    circle = process.circles.get(_STATE if end is None else end)
    return f"recurrence through {circle}: {_logic(chain)}" if circle else f"logic: {_logic(chain)}"


def _logic(chain: ChainReport) -> str:
    longest = max(chain.links, key=lambda link: link.delay_ns)
    place = _where(Place(longest.file, longest.line))
    at = f" at {place}" if place else ""
    return f"{chain.delay_ns:.2f} ns, of which {longest.operator}{at} {longest.delay_ns:.2f} ns"


def _where(place: Place) -> str:
    return f"{PurePath(place.file).name}:{place.line}" if place.line else ""


def _misses(row: LoopReport | ProcessReport, clock_mhz: float) -> list[str]:
    """What a PIPELINE pragma asked for and did not get."""
    if row.ii_asked is None:
        return []
    reached = row.ii_reached if isinstance(row, LoopReport) else row.clocks_per_call
    what = "the PIPELINE loop" if isinstance(row, LoopReport) else "the PIPELINE function"
    start = f"{row.file}:{row.line}: {what} of '{row.process}'"
    found = []
    if reached is None or reached > row.ii_asked:
        why = "; ".join(limit for limit in row.limits if not limit.startswith("logic") and not limit.endswith(" ns"))
        found.append(f"{start} asks for II = {row.ii_asked} and reaches {reached or 'none that is constant'} ({why})")
    if not row.meets_clock:
        chain = f"{row.chain.delay_ns:.2f} ns ({row.chain.clock_mhz:.0f} MHz)"
        found.append(f"{start} misses {clock_mhz:g} MHz ({1000 / clock_mhz:.2f} ns): its logic takes {chain}")
    return found
