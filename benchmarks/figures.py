"""Cycles, utilisation, bits and fps of the zoo's networks on their standard accelerator, against expected.json.

    python -m benchmarks.figures            prints the figures; exit code 1 when one differs from expected.json
    python -m benchmarks.figures --update   writes them there, so that a change shows up as a diff
    python -m benchmarks.figures NAME ..    measures only these networks

Cycles are those of the schedule, for hardware pipelined for the board's clock; `zeroskip verify` proves them equal to
the compiled hardware's.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

import golden
from benchmarks.kept import keep_or_compare
from generator import BuildOptions, generate
from testbench.build import load_build
from testbench.report import report_of
from zeroskip.pipeliner import Pipeliner

__all__ = ["EXPECTED", "Figures", "LayerFigures", "measure", "networks"]

EXPECTED = Path(__file__).parent / "expected.json"
_ZOO = Path(__file__).parents[1] / "zoo" / "descriptions"
_BOARD = "zcu104"


class LayerFigures(BaseModel):
    """One engine layer: clocks, multiplications for the stimulus, share of multiplier cycles that were useful."""

    name: str
    engine: str
    cycles: int
    macs: int
    dense_macs: int
    utilisation_percent: float


class Figures(BaseModel):
    """A network on the standard accelerator (8 PEs x 16 lanes, 8 FC PEs), random stimulus of seed 0."""

    network: str
    stored_bits: int
    float32_bits: int
    nonzero_weights: int
    weights: int
    cycles: int
    utilisation_percent: float
    frames_per_second: float
    clock_mhz: float
    layers: list[LayerFigures]


def networks() -> list[str]:
    """Names of the zoo's networks."""
    return sorted(path.stem for path in _ZOO.glob("*.safetensors"))


def _storage(network: golden.Network) -> dict[str, int]:
    names = [layer.name for layer in network.layers if layer.type in ("conv", "linear")]
    weights = sum(network.weights(name).size for name in names)
    biases = sum(network.bias(name).size for name in names)
    return {
        "stored_bits": sum(network.size(name).total for name in names),
        "float32_bits": 32 * (weights + biases),
        "nonzero_weights": sum(int((network.weights(name) != 0).sum()) for name in names),
        "weights": weights,
    }


def measure(name: str) -> Figures:
    """The figures of the zoo's network `name`."""
    network = golden.load(_ZOO / f"{name}.json")
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder) / name
        generate(network, _BOARD, build, BuildOptions(random_images=1, pipeliner=Pipeliner()))
        report = report_of(load_build(build))
    layers = [
        LayerFigures(
            name=layer.name,
            engine=layer.engine,
            cycles=layer.cycles,
            macs=layer.macs,
            dense_macs=layer.dense_macs,
            utilisation_percent=round(100 * layer.utilisation, 2),
        )
        for layer in report.layers
    ]
    return Figures(
        network=name,
        **_storage(network),
        cycles=report.cycles,
        utilisation_percent=round(100 * report.utilisation, 2),
        frames_per_second=round(report.frames_per_second, 1),
        clock_mhz=report.clock_mhz,
        layers=layers,
    )


def _print(figures: Figures) -> None:
    table = Table(title=f"{figures.network} on {_BOARD}, {figures.clock_mhz:g} MHz")
    for column in ("layer", "engine", "cycles", "MACs done", "of dense", "utilisation %"):
        table.add_column(column, justify="left" if column in ("layer", "engine") else "right")
    for layer in figures.layers:
        done = f"{100 * layer.macs / layer.dense_macs:.1f} %"
        table.add_row(
            layer.name, layer.engine, f"{layer.cycles:,}", f"{layer.macs:,}", done, f"{layer.utilisation_percent:.1f}"
        )
    console = Console()
    console.print(table)
    console.print(
        f"{figures.cycles:,} cycles, {figures.frames_per_second:,.1f} fps, utilisation "
        f"{figures.utilisation_percent:.1f} %; {figures.stored_bits // 8:,} bytes stored, "
        f"{figures.float32_bits / figures.stored_bits:.1f}x smaller than float32, "
        f"{figures.weights / figures.nonzero_weights:.1f}x fewer weights"
    )


def main() -> int:
    """Prints figures; returns 1 when one is not as expected."""
    parser = argparse.ArgumentParser(description="Figures of the zoo's networks against expected.json.")
    parser.add_argument("--update", action="store_true", help="write the figures to expected.json")
    parser.add_argument("names", nargs="*", metavar="NAME", help="by default all of the zoo")
    options = parser.parse_args()
    if unknown := sorted({*options.names} - {*networks()}):
        parser.error(f"the zoo has no network {unknown[0]!r}; it has {', '.join(networks())}")
    known = (Figures(**entry) for entry in json.loads(EXPECTED.read_text()))
    found = {figures.network: figures for figures in known if figures.network in networks()}
    for name in options.names or networks():
        found[name] = measure(name)
        _print(found[name])
    return keep_or_compare([found[name] for name in sorted(found)], EXPECTED, options.update)


if __name__ == "__main__":
    sys.exit(main())
