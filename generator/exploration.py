"""Which configurations of the engines to look at, and which of them none beats: what `zeroskip explore` shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from generator.boards import Board
from generator.estimates import Estimate
from generator.layers import EngineError
from generator.resources import Resources
from generator.search import Sizes, lacks, ranked
from generator.workload import Workload

__all__ = ["FC_PES", "FC_SLOTS", "PES", "TILES", "Exploration", "Outcome", "Point", "Sweep", "pareto", "points"]

PES = (1, 2, 4, 8, 16, 32, 64)
TILES = (8, 16, 32, 57, 64, 121)
FC_PES = (1, 2, 4, 8, 16, 32)
FC_SLOTS = (16, 64)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Point(_Frozen):
    """A configuration; an engine that the network does not need has no PEs."""

    pes: int = Field(ge=0)
    tile: int = Field(ge=1)
    fc_pes: int = Field(default=0, ge=0)
    fc_slots: int = Field(default=0, ge=0, description="of the streamed FC engine, which stands in place of FC PEs")
    map_lanes: int | None = Field(default=None, ge=1, description="of the map engine; None: the search chooses")
    clock_mhz: float = Field(gt=0)

    @property
    def name(self) -> str:
        """As in "8x16+4@200": PEs x multipliers + FC PEs @ MHz; "+64s": slots of the streamed FC engine, "+8m": lanes
        of the map engine."""
        fc = f"{self.fc_slots}s" if self.fc_slots else f"{self.fc_pes}"
        maps = f"+{self.map_lanes}m" if self.map_lanes else ""
        return f"{self.pes}x{self.tile}+{fc}{maps}@{self.clock_mhz:g}"

    @property
    def sizes(self) -> Sizes:
        """As the search takes them; an engine that is not there is free."""
        return Sizes(self.pes or None, self.tile, self.fc_pes or None, self.map_lanes, self.fc_slots or None)


class Outcome(_Frozen):
    """What became of a point."""

    point: Point
    status: Literal["fits", "does not fit", "cannot run"]
    reason: str = Field(default="", description="why it does not fit or cannot run")
    fps: float = 0.0
    cycles: int = 0
    utilisation: float = 0.0
    map_lanes: int = Field(default=0, description="of the map engine, given or chosen; 0: there is none")
    resources: Resources | None = None

    @property
    def memory_kbit(self) -> float:
        """Block RAM and UltraRAM together."""
        return 0.0 if self.resources is None else 36 * self.resources.bram36 + 288 * self.resources.uram

    @staticmethod
    def of(point: Point, found: Estimate) -> Outcome:
        """A point that fits."""
        return Outcome(
            point=point, status="fits", fps=found.fps, cycles=found.cycles, utilisation=found.utilisation,
            map_lanes=found.architecture.map_lanes if found.architecture.map_columns else 0, resources=found.resources,
        )  # fmt: skip


class Exploration(_Frozen):
    """A finished or interrupted exploration."""

    network: str
    board: str
    outcomes: tuple[Outcome, ...] = Field(description="of every point that has one, the fastest first")
    pareto: tuple[Point, ...] = Field(description="those that none beats; the fastest first")
    missing: int = Field(description="points without an outcome")


@dataclass(frozen=True)
class Sweep:
    """Sizes to look at in all combinations; FC layers run on FC PEs or in slots, never on both."""

    pes: Sequence[int] = PES
    tile: Sequence[int] = TILES
    fc_pes: Sequence[int] = FC_PES
    fc_slots: Sequence[int] = FC_SLOTS
    map_lanes: Sequence[int | None] = (None,)

    def points(self, work: Workload, clock_mhz: float) -> Iterator[Point]:
        """All combinations of the engines that the network needs."""
        fc = [*({"fc_pes": each} for each in self.fc_pes), *({"fc_slots": each} for each in self.fc_slots)]
        engines = product(
            self.pes if work.convolver else [0],
            self.tile,
            fc if work.fc else [{}],
            self.map_lanes if work.maps else [None],
        )
        for pes, tile, of_fc, lanes in engines:
            yield Point(pes=pes, tile=tile, map_lanes=lanes, clock_mhz=clock_mhz, **of_fc)


def points(
    work: Workload, board: Board, clocks_mhz: Sequence[float], sweep: Sweep | None = None
) -> tuple[list[Point], list[Outcome]]:
    """The points to look at, the fastest by the search's bound first, and those that cannot fit, with the reason."""
    fitting: list[tuple[float, Point]] = []
    unfit: list[Outcome] = []
    for point in (each for clock in clocks_mhz for each in (sweep or Sweep()).points(work, clock)):
        try:
            sized = ranked(work, board, point.clock_mhz, point.sizes)
        except EngineError as error:
            unfit.append(Outcome(point=point, status="cannot run", reason=str(error)))
            continue
        choices = [each for of in sized for each in point.sizes.variants(work, of, point.clock_mhz)]
        short = [lacks(work, each, board) for each in choices]
        if best := next((each for each, lacking in zip(choices, short, strict=True) if not lacking), None):
            fitting.append((best.seconds, point))
        elif short:
            reason = ", ".join(map(str, short[-1]))  # of the slowest, which lacks least
            unfit.append(Outcome(point=point, status="does not fit", reason=reason))
    return [point for _, point in sorted(fitting, key=lambda pair: pair[0])], unfit


def _figures(outcome: Outcome) -> tuple[float, ...]:
    """What is compared; less is better."""
    assert outcome.resources is not None
    return -outcome.fps, outcome.resources.dsps, outcome.memory_kbit, outcome.resources.luts


def pareto(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Outcomes that none beats in images a second, DSP slices, memory and LUTs at once; the fastest first."""
    fitting = [outcome for outcome in outcomes if outcome.status == "fits"]
    figures = [_figures(outcome) for outcome in fitting]
    return sorted(
        (
            outcome
            for outcome, own in zip(fitting, figures, strict=True)
            if not any(
                other != own and all(left <= right for left, right in zip(other, own, strict=True)) for other in figures
            )
        ),
        key=_figures,
    )
