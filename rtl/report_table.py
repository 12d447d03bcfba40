"""The timing report as tables for people."""

from __future__ import annotations

from pathlib import PurePath

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rtl.report import ChainReport, LoopReport, ProcessReport, Report

__all__ = ["print_report"]

_WIDTH_WITHOUT_TERMINAL = 160


def print_report(report: Report) -> None:
    """Prints loops, processes, arrays, memory, the slowest chain operator by operator, and what missed, to stdout."""
    console = Console(width=None if Console().is_terminal else _WIDTH_WITHOUT_TERMINAL, highlight=False)
    console.print(_loops(report))
    console.print(_processes(report))
    if report.arrays:
        console.print(_arrays(report))
    if report.memory:
        console.print(_memory(report))
    slowest = max(report.processes, key=lambda row: row.chain.delay_ns)
    console.print(_chain(slowest.process, slowest.chain))
    for miss in report.misses:
        console.print(f"MISSED  {escape(miss)}", soft_wrap=True)
    if not report.misses:
        console.print(f"Every PIPELINE loop reaches its II at {report.clock_mhz:g} MHz.")
    console.print("Delays leave out placement and long wires; docs/rtl.md says what else.")


def _table(title: str, columns: str) -> Table:
    table = Table(title=escape(title), title_justify="left")
    for column in columns.split("|"):
        table.add_column(column.strip("<"), justify="left" if column.startswith("<") else "right")
    return table


def _loops(report: Report) -> Table:
    title = f"{report.top}: loops at {report.clock_mhz:g} MHz ({report.period_ns:.2f} ns), {report.device}"
    table = _table(title, "<loop|<process|II asked|II|depth|trips|unrolled|ns|MHz|<limited by")
    for row in report.loops:
        numbers = (row.ii_asked, row.ii_reached, row.depth, row.trip_count)
        factor = f"by {row.unrolled_by}" if row.unrolled_by > 1 else ""
        table.add_row(_place(row), escape(row.process), *map(_number, numbers), factor, *_end(row))
    return table


def _processes(report: Report) -> Table:
    table = _table(
        f"{report.top}: processes", "<process|<source|<instances|steps|stages|II asked|clocks a call|ns|MHz|<limited by"
    )
    for row in report.processes:
        count = row.instances[0] if len(row.instances) == 1 else f"{row.instances[0]} and {len(row.instances) - 1} more"
        numbers = (row.steps, row.stages, row.ii_asked, row.clocks_per_call)
        table.add_row(escape(row.process), _place(row), escape(count), *map(_number, numbers), *_end(row))
    return table


def _arrays(report: Report) -> Table:
    table = _table(f"{report.top}: arrays", "<process|<array|words|bits|<storage|read ports|write ports|RAMB36|URAM")
    for row in report.arrays:
        blocks = (f"{count:g}" if count else "" for count in (row.block_rams, row.ultra_rams))
        numbers = map(_number, (row.words, row.bits))
        ports = map(_number, (row.read_ports, row.write_ports))
        table.add_row(escape(row.process), escape(row.name), *numbers, row.storage, *ports, *blocks)
    return table


def _memory(report: Report) -> Table:
    table = _table(
        f"{report.top}: memory",
        "<port|bits|<process|<pointer|<way|longest burst|outstanding|clocks hidden|<accesses at",
    )
    for row in report.memory:
        numbers = map(_number, (row.burst_words, row.outstanding, row.hidden_clocks if row.way == "read" else None))
        sites = ", ".join(f"{PurePath(site.file).name}:{site.line}" for site in row.sites)
        way = f"{row.way}, in order" if row.in_order else row.way
        names = (escape(row.instance), escape(row.pointer), way)
        table.add_row(row.port, _number(row.bits), *names, *numbers, escape(sites))
    return table


def _chain(process: str, chain: ChainReport) -> Table:
    title = f"slowest chain: {process}, step {chain.step}, {chain.delay_ns:.2f} ns, {chain.clock_mhz:.0f} MHz"
    table = _table(title, "<operator|bits|<name|<source|ns|at ns")
    for link in chain.links:
        place = f"{PurePath(link.file).name}:{link.line}" if link.line else ""
        delays = (f"{link.delay_ns:.2f}", f"{link.arrival_ns:.2f}")
        table.add_row(escape(link.operator), str(link.width), escape(link.name), escape(place), *delays)
    return table


def _end(row: LoopReport | ProcessReport) -> tuple[str, str, str]:
    return f"{row.chain.delay_ns:.2f}", f"{row.chain.clock_mhz:.0f}", escape("; ".join(row.limits))


def _place(row: LoopReport | ProcessReport) -> str:
    return escape(f"{PurePath(row.file).name}:{row.line}") if row.line else ""


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
