"""The FC engine on EIE's nine layers: ideal / actual cycles with 64 PEs, by the generator's schedule and cycle model.

    python -m benchmarks.fc_engine            prints the figures; exit code 1 when one differs from the kept ones
    python -m benchmarks.fc_engine --update   writes them to fc_engine.json

Layers, densities of weights and of activations are EIE's (Han et al., ISCA 2016, table III); weights and activations
are random (synthetic) at exactly these densities. *Ideal* is EIE's theoretical time: multiplications of a non-zero
weight with a non-zero activation / PEs, all PEs always busy. *Actual* begins when the first activations are on offer,
the layer's weights and biases lying in the PEs, as they do in EIE's, and ends when the last PE has done its last entry;
this is what EIE compares. *With draining* ends with the last word of the output: handing over, adding up, requantising
and sending the sums, which EIE's register files hide, are included.

*Loading* is stated by itself: here weights come over one 256-bit stream and each is used once at batch 1, so that
loading, or on a board the DDR's bandwidth, is what bounds a layer: skipped activations then save no time. 64 PEs with
the weights of the larger layers do not fit a ZCU104; EIE is an ASIC that holds them in SRAM. The figures here say how
well the engine uses its multipliers once weights are there, not what a board reaches.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

import golden
from benchmarks.kept import asks_to_update, keep_or_compare
from generator.architecture import Architecture
from generator.boards import load_board
from generator.emit import TOP, emit_project
from generator.layers import FcLayer, FeatureLayout
from generator.schedule import FcSchedule, schedule_fc
from generator.timing import predict
from golden import DescriptionBuilder, Scale
from zeroskip.pipeliner import Pipeliner
from zoo.synthetic.weights import sparse_weights

__all__ = [
    "ARCHITECTURE",
    "BAR",
    "CLOCK_MHZ",
    "EXPECTED",
    "LAYERS",
    "EieLayer",
    "FcFigures",
    "image_of",
    "measure",
    "network_of",
    "stages",
]

EXPECTED = Path(__file__).parent / "fc_engine.json"
BAR = 96.0
"""Least ideal / actual in %, of every layer. EIE: 92.7, 95.9 and 89.9 on Alex-6, 7 and 8."""
PES = 64
LANES = 64
CLOCK_MHZ = 200.0

ARCHITECTURE = Architecture(
    lanes=LANES, pes=0, fc_pes=PES, map_words=2, max_entries=1, max_columns=1, pointer_words=2048, entry_words=4352,
    fc_rows=512,
)  # fmt: skip
"""One accelerator for all nine layers."""


@dataclass(frozen=True)
class EieLayer:
    """A layer of EIE's table III.

    Attributes:
        inputs, outputs: sizes.
        weight_percent, activation_percent: share that is not zero.
    """

    name: str
    inputs: int
    outputs: int
    weight_percent: float
    activation_percent: float

    @property
    def signed(self) -> bool:
        """Whether activations are signed: all are there, so that no ReLU has made them."""
        return self.activation_percent == 100


LAYERS = (
    EieLayer("Alex-6", 9216, 4096, 9, 35.1),
    EieLayer("Alex-7", 4096, 4096, 9, 35.3),
    EieLayer("Alex-8", 4096, 1000, 25, 37.5),
    EieLayer("VGG-6", 25088, 4096, 4, 18.3),
    EieLayer("VGG-7", 4096, 4096, 4, 37.5),
    EieLayer("VGG-8", 4096, 1000, 23, 41.1),
    EieLayer("NT-We", 4096, 600, 10, 100),
    EieLayer("NT-Wd", 600, 8791, 11, 100),
    EieLayer("NT-LSTM", 1201, 2400, 10, 100),
)


class FcFigures(BaseModel):
    """One layer on the engine.

    Attributes:
        row_sets: the schedule's choice; as many as PEs is EIE's own assignment of rows.
        macs: multiplications of a non-zero weight with a non-zero activation.
        ideal, actual, with_draining, loading: cycles; see the module's text.
        percent, percent_with_draining: ideal / actual, ideal / with_draining.
        bits_a_weight: of the weight stream, pointers, padding and filling included, for each non-zero weight.
    """

    layer: str
    row_sets: int
    nonzeros: int
    macs: int
    ideal: float
    actual: int
    with_draining: int
    loading: int
    percent: float
    percent_with_draining: float
    bits_a_weight: float


def weights_of(layer: EieLayer) -> NDArray[np.int8]:
    """Random weights: int8 [outputs, inputs]."""
    random = np.random.default_rng([LAYERS.index(layer), 0])
    count = round(layer.inputs * layer.outputs * layer.weight_percent / 100)
    flat = sparse_weights((1, layer.inputs * layer.outputs), count, 0.0, None, random)
    return flat.reshape(layer.outputs, layer.inputs)


def schedule_of(layer: EieLayer) -> FcSchedule:
    """The layer with random weights, scheduled."""
    fc = FcLayer(
        layer.name, "input", layer.name, FeatureLayout((0,), 1, layer.inputs, layer.signed),
        weights_of(layer), np.zeros(layer.outputs, dtype=np.int32), 1, 10, -128, 127, True,
    )  # fmt: skip
    return schedule_fc(fc, PES, LANES)


def network_of(layer: EieLayer) -> golden.Network:
    """The layer alone as a network."""
    builder = DescriptionBuilder(
        layer.name.lower(), (1, 1, layer.inputs), "int8" if layer.signed else "uint8", Scale(multiplier=1, shift=0)
    ).flatten("vector")
    bias = np.zeros(layer.outputs, dtype=np.int32)
    builder.linear("fc", weights_of(layer), bias, shift=10, minimum=-128, maximum=127, output_dtype="int8")
    return builder.build()


def image_of(layer: EieLayer) -> NDArray[np.generic]:
    """The network's image: the layer's activations, uint8 or int8 [1, 1, 1, inputs]."""
    values = activations_of(layer)[: layer.inputs].astype(np.int8 if layer.signed else np.uint8)
    return values.reshape(1, 1, 1, -1)


def activations_of(layer: EieLayer, image: int = 0) -> NDArray[np.int64]:
    """An image's random activations as they come on the stream, filled up with zeros: int64 [words * LANES]."""
    random = np.random.default_rng([LAYERS.index(layer), 1, image] if image else [LAYERS.index(layer), 1])
    stream = np.zeros(-(-layer.inputs // LANES) * LANES, dtype=np.int64)
    active = random.choice(layer.inputs, round(layer.inputs * layer.activation_percent / 100), replace=False)
    stream[active] = random.integers(1, 128, active.size)
    return stream


def stages() -> dict[str, tuple[int, int]]:
    """In which pipeline stages the emitted C++ of `ARCHITECTURE` touches its streams, at 200 MHz."""
    with tempfile.TemporaryDirectory() as folder:
        emit_project(Path(folder), ARCHITECTURE, load_board("zcu104"), CLOCK_MHZ)
        return dict(Pipeliner()(Path(folder) / "hls", TOP, CLOCK_MHZ))


def measure(layer: EieLayer, pipeline: dict[str, tuple[int, int]]) -> FcFigures:
    """The figures of one layer; `pipeline` is what :func:`stages` gives."""
    schedule, activations = schedule_of(layer), activations_of(layer)
    words = len(schedule.rounds.words)
    wait = words + 4 * ARCHITECTURE.fc_rows  # more than loading takes
    result = predict(ARCHITECTURE, [schedule], {layer.name: activations}, pipeline, wait)
    macs = int(np.count_nonzero(schedule.layer.weights[:, activations[: layer.inputs] != 0]))
    nonzeros = int(np.count_nonzero(schedule.layer.weights))
    actual, with_draining = result.accumulated[layer.name] - wait, result.cycles - wait
    return FcFigures(
        layer=layer.name,
        row_sets=schedule.row_sets,
        nonzeros=nonzeros,
        macs=macs,
        ideal=macs / PES,
        actual=actual,
        with_draining=with_draining,
        loading=words,
        percent=round(100 * macs / PES / actual, 2),
        percent_with_draining=round(100 * macs / PES / with_draining, 2),
        bits_a_weight=round(256 * words / nonzeros, 2),
    )


def _print(figures: list[FcFigures]) -> None:
    table = Table(title=f"EIE's layers on {PES} PEs, random weights and activations of EIE's densities")
    heads = ("layer", "row sets", "multiplications", "ideal", "actual", "ideal / actual %", "with draining")
    for head in (*heads, "ideal / that %", "loading", "bits a weight"):
        table.add_column(head, justify="left" if head == "layer" else "right")
    for each in figures:
        table.add_row(
            each.layer, str(each.row_sets), f"{each.macs:,}", f"{each.ideal:,.1f}", f"{each.actual:,}",
            f"{each.percent:.1f}", f"{each.with_draining:,}", f"{each.percent_with_draining:.1f}", f"{each.loading:,}",
            f"{each.bits_a_weight:.2f}",
        )  # fmt: skip
    console = Console(width=150)
    console.print(table)
    least = min(figures, key=lambda each: each.percent)
    console.print(f"least ideal / actual: {least.percent:.1f} % on {least.layer}; the bar is {BAR:g} % on each")


def main(arguments: list[str] | None = None) -> int:
    """Prints all layers; returns 1 when a figure is not as expected."""
    update = asks_to_update(__doc__, EXPECTED, arguments)
    pipeline = stages()
    measured = [measure(layer, pipeline) for layer in LAYERS]
    _print(measured)
    return keep_or_compare(measured, EXPECTED, update)


if __name__ == "__main__":
    sys.exit(main())
