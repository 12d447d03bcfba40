"""VGG-16 and ResNet-50 at 224 x 224 on a ZCU104, in the configuration that the search chooses: maps in strips.

    python -m benchmarks.imagenet            prints the figures; exit code 1 when one is not as expected
    python -m benchmarks.imagenet --update   writes them to imagenet.json

What `zeroskip estimate` says at batch 1 and 200 MHz: exact shapes, weights synthetic (80 and 90 % of every layer's are
zero, at random places, output channels 25 % apart), both networks whole. Clocks are the schedule's and cycle model's
for hardware pipelined for the clock; `benchmarks.whole_rtl` finds them in the RTL. Images a second count the DDR's
share where a layer's bytes take longer than its clocks.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

import golden
from benchmarks.kept import asks_to_update, keep_or_compare
from generator import BuildOptions, Estimate, EstimateOptions, estimate
from generator.resources import word_pixels
from zeroskip.pipeliner import KeptStages
from zoo.synthetic import describe

__all__ = ["CASES", "EXPECTED", "Case", "Figures", "build_options", "describe_case", "measure"]

EXPECTED = Path(__file__).parent / "imagenet.json"
_BOARD, _CLOCK_MHZ = "zcu104", 200.0


@dataclass(frozen=True)
class Case:
    """A network of `zoo.synthetic`: per cent of the weights that are zero, and how far its channels are apart."""

    network: str
    zeros_percent: int
    spread_percent: int = 25

    @property
    def name(self) -> str:
        """For people."""
        apart = f", channels {self.spread_percent} % apart" if self.spread_percent else ""
        return f"{self.network}, {self.zeros_percent} % zeros{apart}"


CASES = tuple(Case(network, zeros) for network in ("vgg16", "resnet50") for zeros in (80, 90))


class Figures(BaseModel):
    """An estimate.

    Attributes:
        map_words: feature words of maps that a PE has room for.
        taken: options in place of defaults that the board has no room for, as `generator.BuildOptions` names them.
        ddr_clocks: that the DDR adds to the cycles where columns are fetched.
        strip_megabytes: of those moved what strips add: rows that two of them read, and weights sent again.
        strips: of each layer that has several.
        ddr_bound: layers that take as long as their bytes.
    """

    network: str
    pes: int
    tile: int
    fc_pes: int
    fc_slots: int
    map_lanes: int
    map_words: int
    taken: dict[str, int | str]
    cycles: int
    ddr_clocks: int
    frames_per_second: float
    utilisation_percent: float
    megabytes_moved: float
    strip_megabytes: float
    strips: dict[str, int]
    ddr_bound: list[str]


def measure(case: Case) -> Figures:
    """The figures of a network."""
    options = EstimateOptions(clock_mhz=_CLOCK_MHZ, pipeliner=KeptStages())
    return _figures(case, estimate(describe_case(case), _BOARD, options))


def describe_case(case: Case) -> golden.Network:
    """The network."""
    return describe(case.network, str(case.zeros_percent), case.spread_percent / 100)


def build_options(case: Case) -> BuildOptions:
    """Of the accelerator of the kept figures."""
    kept = {each["network"]: Figures.model_validate(each) for each in json.loads(EXPECTED.read_text())}[case.name]
    sizes = BuildOptions(
        pes=kept.pes, lanes=word_pixels(kept.tile), tile=kept.tile, fc_slots=kept.fc_slots,
        map_lanes=max(kept.map_lanes, 1), map_words=kept.map_words, clock_mhz=_CLOCK_MHZ,
    )  # fmt: skip
    return replace(sizes, **kept.taken)  # type: ignore[arg-type]


def _figures(case: Case, found: Estimate) -> Figures:
    a = found.architecture
    return Figures(
        network=case.name,
        pes=a.pes,
        tile=a.tile,
        fc_pes=a.fc_pes,
        fc_slots=a.fc_slots,
        map_lanes=a.map_lanes if a.map_columns else 0,
        map_words=a.map_words,
        taken=found.taken,
        cycles=found.cycles,
        ddr_clocks=found.ddr_clocks,
        frames_per_second=round(found.fps, 2),
        utilisation_percent=round(100 * found.utilisation, 1),
        megabytes_moved=round(found.bytes_moved / 1e6, 2),
        strip_megabytes=round(sum(layer.strip_bytes for layer in found.layers) / 1e6, 2),
        strips={layer.name: layer.strips for layer in found.layers if layer.strips > 1},
        ddr_bound=[layer.name for layer in found.layers if layer.ddr_bound],
    )


def _print(measured: list[Figures]) -> None:
    title = f"{_BOARD}, {_CLOCK_MHZ:g} MHz, batch 1, synthetic weights"
    columns = ("network", "PEs x multipliers", "slots", "clocks", "for DDR", "fps", "utilisation %")
    table = Table(*columns, "MB moved", "for strips", "DDR bound", title=title)
    for each in measured:
        table.add_row(
            each.network, f"{each.pes} x {each.tile}", f"{each.fc_slots}", f"{each.cycles:,}", f"{each.ddr_clocks:,}",
            f"{each.frames_per_second:.1f}", f"{each.utilisation_percent:.1f}", f"{each.megabytes_moved:.1f}",
            f"{each.strip_megabytes:.1f}", f"{len(each.ddr_bound)} layers",
        )  # fmt: skip
    console = Console(width=150)
    console.print(table)
    for each in measured:
        strips = ", ".join(f"{layer} {count}" for layer, count in each.strips.items())
        console.print(f"{each.network}: strips {strips or 'none'}")


def main(arguments: list[str] | None = None) -> int:
    """Prints the figures of all networks; returns 1 when one is not as expected."""
    update = asks_to_update(__doc__, EXPECTED, arguments)
    measured = [measure(case) for case in CASES]
    _print(measured)
    return keep_or_compare(measured, EXPECTED, update)


if __name__ == "__main__":
    sys.exit(main())
