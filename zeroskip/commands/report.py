"""`zeroskip report`: the figures of a build."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from testbench.build import load_build
from testbench.report import report_of
from zeroskip.console import JsonOption, print_json, print_table, write_report

__all__ = ["report"]


def report(
    folder: Annotated[Path, typer.Argument(metavar="BUILD", help="Build folder.")],
    as_json: JsonOption = False,
) -> None:
    """Show a build's cycles, utilisation and throughput, layer by layer; BUILD/reports/report.json keeps them."""
    figures = report_of(load_build(folder))
    write_report(folder, "report", asdict(figures))
    if as_json:
        print_json(asdict(figures))
        return
    columns = ["layer", "engine", "cycles", "non-zero MACs", "utilisation %", "dense-equivalent MACs a cycle"]
    rows = [
        [layer.name, layer.engine, layer.cycles, layer.macs, 100 * layer.utilisation, layer.dense_macs / layer.cycles]
        for layer in figures.layers
    ]
    if figures.behind_ddr:
        columns += ["from DDR KB", "clocks for DDR"]
        rows = [
            [*row, each.fetched_bytes / 1000, each.ddr_clocks] for row, each in zip(rows, figures.layers, strict=True)
        ]
    if any(layer.strips > 1 for layer in figures.layers):
        columns.insert(2, "strips")
        for row, layer in zip(rows, figures.layers, strict=True):
            row.insert(2, layer.strips)
    print_table(f"{figures.network} on {figures.board}", columns, rows)
    for engine in figures.engines:
        useful = (
            "no weights" if engine.engine == "map" else f"{engine.utilisation:.1%} of its multipliers' cycles useful"
        )
        typer.echo(f"{engine.engine}: {engine.cycles:,} cycles, {useful}")
    typer.echo(
        f"{figures.cycles:,} cycles an image, {figures.utilisation:.1%} of the multipliers' cycles useful; "
        f"{figures.frames_per_second:,.1f} images a second at {figures.clock_mhz:g} MHz (assumed, not synthesised)."
    )
    if ddr := figures.behind_ddr:
        typer.echo(
            f"Behind a DDR of {ddr.bytes_per_clock:g} bytes a clock after {ddr.latency} clocks: {ddr.cycles:,} cycles, "
            f"{ddr.frames_per_second:,.1f} images a second, {ddr.fetched_bytes / 1000:,.1f} KB of columns an image."
        )
