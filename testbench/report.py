"""The figures of a build, from its manifest.

Utilisation is non-zero MACs / (multipliers x cycles), loading and draining included. Cycles are the schedule's for the
first image, which the RTL rung of the ladder measures to be equal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from testbench.build import BehindDdr, Build, BuildLayer

__all__ = ["BuildReport", "DdrReport", "EngineReport", "LayerReport", "report_of"]


@dataclass(frozen=True)
class LayerReport:
    """One layer: `macs` are the multiplications done, zero weights (FC engine: and activations) skipped.

    `fetched_bytes` come from DDR on request; `ddr_clocks` are what the stated DDR adds to `cycles`. All figures are
    those of all its strips.
    """

    name: str
    engine: str
    cycles: int
    macs: int
    dense_macs: int
    multipliers: int
    utilisation: float
    fetched_bytes: int = 0
    ddr_clocks: int = 0
    strips: int = 1


@dataclass(frozen=True)
class DdrReport:
    """The memory that answers requests for columns, and the build's figures with it: one that is never late apart."""

    bytes_per_clock: float
    latency: int
    cycles: int
    frames_per_second: float
    fetched_bytes: int


@dataclass(frozen=True)
class EngineReport:
    """One engine over all its layers."""

    engine: str
    cycles: int
    utilisation: float


@dataclass(frozen=True)
class BuildReport:
    """A build: the clock is an assumption unless a tool proved it."""

    network: str
    board: str
    clock_mhz: float
    cycles: int
    utilisation: float
    frames_per_second: float
    engines: tuple[EngineReport, ...]
    layers: tuple[LayerReport, ...]
    behind_ddr: DdrReport | None = None


def report_of(build: Build) -> BuildReport:
    """The report on a build."""
    manifest = build.manifest
    stated = manifest.predictions
    nothing = (0,) * len(build.layers)
    fetched = stated.fetched_words[0] if stated.fetched_words else nothing
    late = stated.behind_ddr.layer_cycles[0] if stated.behind_ddr else stated.layer_cycles[0]
    runs = zip(build.layers, stated.layer_cycles[0], stated.macs[0], fetched, late, strict=True)
    layers = tuple(
        _layer(list(strips), build.column_bytes)
        for _, strips in groupby(runs, lambda run: (run[0].name, run[0].engine))
    )
    cycles = sum(layer.cycles for layer in layers)
    names = dict.fromkeys(layer.engine for layer in layers)
    return BuildReport(
        network=manifest.network,
        board=manifest.board,
        clock_mhz=manifest.clock_mhz,
        cycles=cycles,
        utilisation=_utilisation(layers),
        frames_per_second=manifest.clock_mhz * 1e6 / cycles,
        engines=tuple(_engine(name, [layer for layer in layers if layer.engine == name]) for name in names),
        layers=layers,
        behind_ddr=_behind_ddr(manifest.predictions.behind_ddr, layers, manifest.clock_mhz),
    )


def _layer(strips: Sequence[tuple[BuildLayer, int, int, int, int]], column_bytes: int) -> LayerReport:
    """Of the runs of one layer: each with cycles, multiplications, column words and cycles behind the DDR."""
    layer = strips[0][0]
    cycles, macs, words, late = (sum(numbers) for numbers in list(zip(*strips, strict=True))[1:])
    return LayerReport(
        name=layer.name,
        engine=layer.engine,
        cycles=cycles,
        macs=macs,
        dense_macs=sum(strip.dense_macs for strip, *_ in strips),
        multipliers=layer.multipliers,
        utilisation=_share(macs, layer.multipliers * cycles),
        fetched_bytes=words * column_bytes,
        ddr_clocks=late - cycles,
        strips=len(strips),
    )


def _behind_ddr(ddr: BehindDdr | None, layers: Sequence[LayerReport], clock_mhz: float) -> DdrReport | None:
    if ddr is None:
        return None
    cycles = sum(layer.cycles + layer.ddr_clocks for layer in layers)
    fetched = sum(layer.fetched_bytes for layer in layers)
    return DdrReport(ddr.bytes_per_clock, ddr.latency, cycles, clock_mhz * 1e6 / cycles, fetched)


def _engine(name: str, layers: Sequence[LayerReport]) -> EngineReport:
    return EngineReport(name, sum(layer.cycles for layer in layers), _utilisation(layers))


def _utilisation(layers: Sequence[LayerReport]) -> float:
    return _share(sum(layer.macs for layer in layers), sum(layer.multipliers * layer.cycles for layer in layers))


def _share(macs: int, most: int) -> float:
    """The map engine multiplies with no weights: of nothing, nothing is useful."""
    return macs / most if most else 0.0
