"""Which configurations of the engines to look at, and which of them none beats: what `zeroskip explore` shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from generator.boards import Board
from generator.estimates import Estimate
from generator.resources import Resources
from generator.search import Candidate, Sizes, Workload, lacks, possible, seconds

__all__ = ["FC_PES", "TILES", "PES", "Exploration", "Outcome", "Point", "pareto", "points"]

PES = (1, 2, 4, 8, 16, 32, 64)
TILES = (8, 16, 32, 57, 64, 121)
FC_PES = (1, 2, 4, 8, 16, 32)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Point(_Frozen):
    """A configuration; an engine that the network does not need has no PEs."""

    pes: int = Field(ge=0)
    tile: int = Field(ge=1)
    fc_pes: int = Field(ge=0)
    clock_mhz: float = Field(gt=0)

    @property
    def name(self) -> str:
        """As in "8x16+4@200": PEs x multipliers + FC PEs @ MHz."""
        return f"{self.pes}x{self.tile}+{self.fc_pes}@{self.clock_mhz:g}"


class Outcome(_Frozen):
    """What became of a point."""

    point: Point
    status: Literal["fits", "does not fit", "cannot run"]
    reason: str = Field(default="", description="why it does not fit or cannot run")
    fps: float = 0.0
    cycles: int = 0
    utilisation: float = 0.0
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
            resources=found.resources,
        )  # fmt: skip


class Exploration(_Frozen):
    """A finished or interrupted exploration."""

    network: str
    board: str
    outcomes: tuple[Outcome, ...] = Field(description="of every point that has one, the fastest first")
    pareto: tuple[Point, ...] = Field(description="those that none beats; the fastest first")
    missing: int = Field(description="points without an outcome")


def points(
    work: Workload,
    board: Board,
    clocks_mhz: Sequence[float],
    pes: Sequence[int] = PES,
    tile: Sequence[int] = TILES,
    fc_pes: Sequence[int] = FC_PES,
) -> tuple[list[Point], list[Outcome]]:
    """The points to look at, the fastest by the search's bound first, and those that cannot fit, with the reason."""
    ranked: list[tuple[float, Point]] = []
    unfit: list[Outcome] = []
    for number in pes if work.convolver else [0]:
        for width in tile:
            for fc in fc_pes if work.fc else [0]:
                if not possible(work, width, fc):
                    continue
                short = lacks(work, Candidate(number, width, fc, 0.0), board)
                for clock in clocks_mhz:
                    point = Point(pes=number, tile=width, fc_pes=fc, clock_mhz=clock)
                    if short:
                        unfit.append(Outcome(point=point, status="does not fit", reason=", ".join(map(str, short))))
                    else:
                        ranked.append((seconds(work, board, clock, Sizes(number, width, fc)), point))
    return [point for _, point in sorted(ranked, key=lambda pair: pair[0])], unfit


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
