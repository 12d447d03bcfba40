"""The figures of a build, from its manifest.

Utilisation is non-zero MACs / (multipliers x cycles), loading and draining included. Cycles are the schedule's for the
first image, which the RTL rung of the ladder measures to be equal.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from testbench.build import Build

__all__ = ["BuildReport", "EngineReport", "LayerReport", "report_of"]


@dataclass(frozen=True)
class LayerReport:
    """One layer: `macs` are the multiplications done, zero weights (FC engine: and activations) skipped."""

    name: str
    engine: str
    cycles: int
    macs: int
    dense_macs: int
    multipliers: int
    utilisation: float


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


def report_of(build: Build) -> BuildReport:
    """The report on a build."""
    manifest = build.manifest
    layers = tuple(
        LayerReport(
            name=layer.name,
            engine=layer.engine,
            cycles=cycles,
            macs=macs,
            dense_macs=layer.dense_macs,
            multipliers=layer.multipliers,
            utilisation=_share(macs, layer.multipliers * cycles),
        )
        for layer, cycles, macs in zip(
            build.layers, manifest.predictions.layer_cycles[0], manifest.predictions.macs[0], strict=True
        )
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
    )


def _engine(name: str, layers: Sequence[LayerReport]) -> EngineReport:
    return EngineReport(name, sum(layer.cycles for layer in layers), _utilisation(layers))


def _utilisation(layers: Sequence[LayerReport]) -> float:
    return _share(sum(layer.macs for layer in layers), sum(layer.multipliers * layer.cycles for layer in layers))


def _share(macs: int, most: int) -> float:
    """The map engine multiplies with no weights: of nothing, nothing is useful."""
    return macs / most if most else 0.0
