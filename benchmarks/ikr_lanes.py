"""How many multipliers the block RAM of an accelerator feeds, with patterned kernels and without.

    python -m benchmarks.ikr_lanes            prints the figures; exit code 1 when one is not as expected
    python -m benchmarks.ikr_lanes --update   writes them to ikr_lanes.json

A PE that computes several output channels side by side reads its map and its list of entries once for all of them, so
that the same block RAM feeds more multipliers (*lanes*). They are of use where the channels' weights lie at the same
places: kernels pruned to patterns that neighbouring output channels share (`--method ikr --pattern-group`). The layers
are six 3x3 convolutions of 32 x 32, 16 x 16 and 8 x 8 pixels, with 4 of 9 weights in each kernel but the first layer's,
which keeps all of its three input channels; synthetic weights, in patterns drawn for each layer, or anywhere.

Each accelerator has as many PEs as the block RAM of the unstructured one's arrays is enough for, but the last one: it
shows how busy as many lanes are with twice the PEs and twice the memory. Clocks are those of the schedule for hardware
pipelined for 200 MHz, loading and draining included; utilisation counts weights that are not zero. Resources are
estimates (`generator.resources`).
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, Field
from rich.console import Console
from rich.table import Table

import golden
from benchmarks.kept import asks_to_update, keep_or_compare
from generator.architecture import Architecture
from generator.boards import load_board
from generator.build import BuildOptions, fit_architecture
from generator.emit import TOP, emit_project
from generator.plan import plan_network
from generator.resources import placed, used
from generator.schedule import Schedule
from generator.timing import predict
from golden import DescriptionBuilder, Scale
from zeroskip.pipeliner import KeptStages

__all__ = ["CASES", "EXPECTED", "SAME_LANES", "Case", "Figures", "describe", "fitted", "measure"]

EXPECTED = Path(__file__).parent / "ikr_lanes.json"
_BOARD, _CLOCK_MHZ = "zcu104", 200.0
_PES, _LANES, _TILE = 16, 32, 16
_LAYERS = ((32, 128), (32, 128), (16, 256), (16, 256), (8, 512), (8, 512))  # pixels in a row, output channels
_VALUES, _PATTERNS = 4, 8


@dataclass(frozen=True)
class Case:
    """Kernels and the PEs that run them.

    Attributes:
        pes: at most; fewer where the block RAM of the first case's arrays is not enough for them.
        group: neighbouring output channels that share their kernels' patterns; 0: weights lie anywhere.
        pe_outputs: output channels that a PE computes side by side.
    """

    group: int
    pe_outputs: int
    pes: int = _PES

    @property
    def name(self) -> str:
        """For people."""
        return f"patterns of {self.group} channels" if self.group else "unstructured"


CASES = (Case(0, 1), Case(2, 2), Case(4, 4), Case(0, 2))
SAME_LANES = Case(0, 1, 2 * _PES)
"""Twice the PEs, and so twice the memory, for as many lanes as two output channels a PE give."""


class Figures(BaseModel):
    """An accelerator and the layers on it."""

    kernels: str
    pe_outputs: int
    pes: int
    lanes: int = Field(description="multipliers of the convolver")
    array_bram36: float = Field(description="RAMB36E2 of all arrays, were they all in block RAM")
    placed_bram36: float = Field(description="RAMB36E2 on the board, where the rest lies in UltraRAM")
    placed_uram: int
    luts: int
    dsps: int
    luts_a_lane: float
    cycles: int
    utilisation_percent: float
    useful_lanes: float = Field(description="lanes x utilisation")


def describe(group: int) -> golden.Network:
    """The layers, with patterns that `group` neighbouring output channels share; 0: without any."""
    random = np.random.default_rng(0)
    channels = 3
    builder = DescriptionBuilder("convolutions", (3, 32, 32), "uint8", Scale(multiplier=1, shift=8))
    for number, (pixels, outputs) in enumerate(_LAYERS, start=1):
        if number > 1 and pixels != _LAYERS[number - 2][0]:
            builder.max_pool(f"pool{number}", 2, 2)
        weights = random.integers(1, 128, (outputs, channels, 3, 3)) * random.choice([-1, 1], (outputs, channels, 3, 3))
        mask = np.ones_like(weights) if number == 1 else _mask(random, outputs, channels, group)
        bias = random.integers(-1000, 1000, outputs, np.int32)
        builder.conv(f"conv{number}", (weights * mask).astype(np.int8), bias, padding=(1, 1), shift=12)
        channels = outputs
    return builder.build()


def _mask(random: np.random.Generator, outputs: int, inputs: int, group: int) -> np.ndarray:
    """1 where there is a weight: int64 [outputs, inputs, 3, 3], of the same number in every layer."""
    if group == 0:
        flat = np.zeros(outputs * inputs * 9, dtype=np.int64)
        flat[: outputs * inputs * _VALUES] = 1
        return random.permutation(flat).reshape(outputs, inputs, 3, 3)
    patterns = random.permuted(np.tile(np.arange(9) < _VALUES, (_PATTERNS, 1)), axis=1).astype(np.int64)
    chosen = np.repeat(random.integers(0, _PATTERNS, (outputs // group, inputs)), group, axis=0)
    return patterns[chosen].reshape(outputs, inputs, 3, 3)


def fitted(case: Case, bram36: float | None = None) -> tuple[list[Schedule], Architecture]:
    """The layers' schedules and the smallest accelerator that holds them, within so many block RAMs of arrays."""
    network, pes = describe(case.group), case.pes
    while True:
        schedules = plan_network(network, pes, _LANES, 1, tile=_TILE, pe_outputs=case.pe_outputs)
        options = BuildOptions(pes=pes, lanes=_LANES, tile=_TILE, pe_outputs=case.pe_outputs)
        architecture = fit_architecture(schedules, options)
        if bram36 is None or used(architecture).bram36 <= bram36:
            return schedules, architecture
        pes -= 1


def measure(case: Case, bram36: float | None) -> Figures:
    """The figures of a case within so many block RAMs of arrays."""
    schedules, architecture = fitted(case, bram36)
    with tempfile.TemporaryDirectory() as folder:
        emit_project(Path(folder), architecture, load_board(_BOARD), _CLOCK_MHZ)
        stages = KeptStages()(Path(folder) / "hls", TOP, _CLOCK_MHZ)
    cycles = sum(predict(architecture, schedules, {}, stages).layer_cycles)
    lanes, macs = architecture.convolver_multipliers, sum(schedule.layer.macs for schedule in schedules)
    on_board = placed(architecture, load_board(_BOARD))
    return Figures(
        kernels=case.name,
        pe_outputs=case.pe_outputs,
        pes=architecture.pes,
        lanes=lanes,
        array_bram36=used(architecture).bram36,
        placed_bram36=on_board.bram36,
        placed_uram=on_board.uram,
        luts=on_board.luts,
        dsps=on_board.dsps,
        luts_a_lane=round(on_board.luts / lanes, 1),
        cycles=cycles,
        utilisation_percent=round(100 * macs / (lanes * cycles), 2),
        useful_lanes=round(macs / cycles, 1),
    )


def _print(measured: list[Figures]) -> None:
    table = Table("kernels", "channels a PE", "PEs", "lanes", "x", "block RAM", "placed", "LUT", "DSP", "LUT a lane",
                  "clocks", "utilisation %", "useful lanes", "x")  # fmt: skip
    first = measured[0]
    for each in measured:
        table.add_row(
            each.kernels, f"{each.pe_outputs}", f"{each.pes}", f"{each.lanes}", f"{each.lanes / first.lanes:.2f}",
            f"{each.array_bram36:g}", f"{each.placed_bram36:g} + {each.placed_uram} URAM", f"{each.luts:,}",
            f"{each.dsps:,}", f"{each.luts_a_lane:g}", f"{each.cycles:,}", f"{each.utilisation_percent:.1f}",
            f"{each.useful_lanes:g}", f"{each.useful_lanes / first.useful_lanes:.2f}",
        )  # fmt: skip
    Console(width=160).print(table)


def main(arguments: list[str] | None = None) -> int:
    """Prints the figures of all cases; returns 1 when one is not as expected."""
    update = asks_to_update(__doc__, EXPECTED, arguments)
    first = measure(CASES[0], None)
    measured = [first, *(measure(case, first.array_bram36) for case in CASES[1:]), measure(SAME_LANES, None)]
    _print(measured)
    return keep_or_compare(measured, EXPECTED, update)


if __name__ == "__main__":
    sys.exit(main())
