"""What the project aims at, and where it stands: every aim beside the figure that is kept, and the command behind it.

    python -m benchmarks.bars    prints them, in a second; exit code 1 when one is missed

Nothing is measured here: figures are those that the other benchmarks keep, and compare when they run. Clocks of whole
networks are the RTL's (`benchmarks.whole_rtl`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter
from rich.console import Console
from rich.table import Table

from benchmarks import alexnet_convolver, alexnet_storage, alexnet_zcu104, fc_engine, ikr_lanes, networks

__all__ = ["Bar", "bars"]

_Kept = TypeVar("_Kept", bound=BaseModel)


@dataclass(frozen=True)
class Bar:
    """An aim.

    Attributes:
        figure: what is measured.
        value: what it comes to.
        aim: at least so much, or where `below`, at most.
        unit: of both.
        others: what there was before.
        command: module of the benchmark that keeps it.
    """

    figure: str
    value: float
    aim: float
    unit: str
    others: str
    command: str
    below: bool = False

    @property
    def met(self) -> bool:
        """Whether the aim is reached."""
        return self.value <= self.aim if self.below else self.value >= self.aim


def _kept(kind: type[_Kept], file: Path) -> list[_Kept]:
    return TypeAdapter(list[kind]).validate_json(file.read_bytes())  # type: ignore[valid-type]


def _alexnet() -> Iterator[Bar]:
    [board] = _kept(alexnet_zcu104.Figures, alexnet_zcu104.EXPECTED)
    yield Bar(
        "AlexNet whole, batch 1, in one ZCU104", board.frames_per_second if board.fits else 0.0, 1000, "fps",
        "9.73 (Zhang et al.)", "alexnet_zcu104",
    )  # fmt: skip
    kept = _kept(alexnet_convolver.Figures, alexnet_convolver.EXPECTED)
    useful = {each.variant: each.conv2_to_conv5_percent for each in kept}
    yield Bar("multipliers busy, AlexNet conv2 to conv5", useful["han"], 96, "%", "", "alexnet_convolver")
    yield Bar("the same, no weight zero", useful["dense"], 93, "%", "79 (SCNN)", "alexnet_convolver")
    stored = _kept(alexnet_storage.Storage, alexnet_storage.EXPECTED)[0]
    yield Bar(
        "AlexNet stored, a 14th of its weights", round(stored.bytes / 1e6, 3), 5.6, "MB", "8.7 (Zhang et al.)",
        "alexnet_storage", below=True,
    )  # fmt: skip


def _engines() -> Iterator[Bar]:
    first, *others = _kept(ikr_lanes.Figures, ikr_lanes.EXPECTED)
    fed = max(
        each.useful_lanes
        for each in others
        if each.kernels != first.kernels and each.array_bram36 <= first.array_bram36
    )
    lanes = round(fed / first.useful_lanes, 2)
    yield Bar("lanes that patterned kernels feed from the same memory", lanes, 1.5, "x", "", "ikr_lanes")
    worst = min(_kept(fc_engine.FcFigures, fc_engine.EXPECTED), key=lambda each: each.percent)
    eie = f"ideal / actual clocks, EIE's nine FC layers ({worst.layer})"
    yield Bar(eie, worst.percent, 96, "%", "89.9 to 95.9 (EIE, Alex-6 to 8)", "fc_engine")


def _networks() -> Iterator[Bar]:
    [accelerator] = _kept(networks.Figures, networks.EXPECTED)
    for each in accelerator.networks:
        figure = f"{each.network}, one accelerator in a ZCU104 for all"
        value = each.milliseconds if accelerator.fits else float("inf")
        yield Bar(figure, value, each.bar_milliseconds, "ms", "", "networks", below=True)


def bars() -> list[Bar]:
    """All of them."""
    parts: tuple[Callable[[], Iterator[Bar]], ...] = (_alexnet, _engines, _networks)
    return [bar for part in parts for bar in part()]


def main() -> int:
    """Prints all; returns 1 when one is missed."""
    table = Table("figure", "reached", "aim", "", "before", "python -m benchmarks.")
    found = bars()
    for bar in found:
        aim = f"{'<=' if bar.below else '>='} {bar.aim:,.4g} {bar.unit}"
        table.add_row(bar.figure, f"{bar.value:,.4g}", aim, "met" if bar.met else "missed", bar.others, bar.command)
    Console(width=150).print(table)
    return 0 if all(bar.met for bar in found) else 1


if __name__ == "__main__":
    sys.exit(main())
