"""AlexNet's three FC layers on the streamed FC engine, weights in DDR: clocks, bits a non-zero, bandwidth, batches.

    python -m benchmarks.fc_stream            prints the figures; exit code 1 when one differs from the kept ones
    python -m benchmarks.fc_stream --update   writes them to fc_stream.json

Densities of weights are Han's (9, 9 and 25 %), weights and activations are random (synthetic), weights of a codebook of
15. Two cases: every activation is not zero, so that every column is fetched; and EIE's shares of activations that are
not zero (Han et al., ISCA 2016, table III), so that the other columns stay in DDR. The latter in batches of 2 and 4
images, too, whose activations are independent: a column comes once where any of them needs it.

The engine takes a column word of 72 bytes a clock at most; the board's DDR delivers 80 % of its peak (our assumption),
76.8 bytes a clock at 200 MHz on the ZCU104, and answers after 100 clocks (ours, too). Nothing here was measured on a
board. Clocks are the cycle model's: the three layers one after another, loading of pointers, biases and codebooks,
adding up and sending the sums included.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from benchmarks.fc_engine import LAYERS as EIE_LAYERS
from benchmarks.fc_engine import EieLayer, activations_of
from benchmarks.kept import asks_to_update, keep_or_compare
from generator.architecture import Architecture
from generator.boards import load_board
from generator.build import useful_macs
from generator.emit import TOP, emit_project
from generator.layers import FcLayer, FeatureLayout
from generator.schedule import ColumnFormat, FcStreamSchedule, schedule_fc_stream
from generator.timing import Ddr, predict
from zeroskip.pipeliner import Pipeliner
from zoo.synthetic.weights import codebook, sparse_weights

__all__ = ["ARCHITECTURE", "BAR", "EXPECTED", "LAYERS", "FcStreamFigures", "measure", "schedules", "stages"]

EXPECTED = Path(__file__).parent / "fc_stream.json"
BAR = 110_000
"""Most clocks for the three layers with every activation there."""
LAYERS = EIE_LAYERS[:3]
Case = Literal["all activations", "EIE's activations"]
_CLOCK_MHZ = 200.0
_LATENCY = 100
_DDR_SHARE = 0.8

ARCHITECTURE = Architecture(
    lanes=64, pes=0, fc_pes=1, map_words=2, max_entries=1, max_columns=1, pointer_words=576, entry_words=1,
    fc_rows=4096, fc_slots=64, fc_value_bits=4, fc_gap_bits=5,
)  # fmt: skip
BATCHES = (1, 2, 4)
"""Images together, with EIE's activations."""


class FcStreamFigures(BaseModel):
    """One layer in one case.

    Attributes:
        nonzeros: weights of the layer.
        macs: multiplications of a non-zero weight with a non-zero activation.
        batch: images together; what follows is all of theirs.
        words: column words that are fetched.
        cycles: see the module's text.
        bits_a_nonzero: of all column words, for each non-zero weight: gaps bridged and words filled up included.
        bandwidth_percent: of the DDR's peak, over all the layer's cycles.
    """

    case: Case
    layer: str
    nonzeros: int
    macs: int
    batch: int = 1
    words: int
    cycles: int
    bits_a_nonzero: float
    bandwidth_percent: float


def schedules(batch: int = 1) -> list[FcStreamSchedule]:
    """The layers with random weights, packed."""
    form = ColumnFormat(ARCHITECTURE.fc_slots, ARCHITECTURE.fc_value_bits, ARCHITECTURE.fc_gap_bits)
    return [schedule_fc_stream(_layer(layer), form, ARCHITECTURE.lanes, batch) for layer in LAYERS]


def _layer(layer: EieLayer) -> FcLayer:
    random = np.random.default_rng([LAYERS.index(layer), 2])
    count = round(layer.inputs * layer.outputs * layer.weight_percent / 100)
    flat = sparse_weights((1, layer.inputs * layer.outputs), count, 0.0, codebook(4), random)
    bias = np.zeros(layer.outputs, dtype=np.int32)
    return FcLayer(
        layer.name, "input", layer.name, FeatureLayout((0,), 1, layer.inputs, False),
        flat.reshape(layer.outputs, layer.inputs), bias, 1, 10, 0, 255, False,
    )  # fmt: skip


def architecture(batch: int) -> Architecture:
    """`ARCHITECTURE` for so many images together."""
    return ARCHITECTURE.model_copy(update={"fc_batch": batch})


def stages(batch: int = 1) -> dict[str, tuple[int, int]]:
    """In which pipeline stages the emitted C++ of `ARCHITECTURE` touches its streams, at 200 MHz."""
    with tempfile.TemporaryDirectory() as folder:
        emit_project(Path(folder), architecture(batch), load_board("zcu104"), _CLOCK_MHZ)
        return dict(Pipeliner()(Path(folder) / "hls", TOP, _CLOCK_MHZ))


def _activations(case: Case, layer: EieLayer, batch: int) -> NDArray[np.int64]:
    """As they come on the stream, of each place the images' words in turn."""
    if case == "all activations":
        return np.ones(layer.inputs * batch, dtype=np.int64)
    images = [activations_of(layer, image).reshape(-1, ARCHITECTURE.lanes) for image in range(batch)]
    return np.stack(images, axis=1).reshape(-1)


def measure(case: Case, packed: list[FcStreamSchedule], pipeline: dict[str, tuple[int, int]]) -> list[FcStreamFigures]:
    """The figures of all layers; `packed` and `pipeline` are what :func:`schedules` and :func:`stages` give."""
    peak = load_board("zcu104").ddr_gb_per_s * 1e3 / _CLOCK_MHZ  # bytes a clock
    word_bytes = ARCHITECTURE.column_bits // 8
    ddr = Ddr(_LATENCY, _DDR_SHARE * peak)
    batch = packed[0].batch
    activations = {layer.name: _activations(case, layer, batch) for layer in LAYERS}
    result = predict(architecture(batch), packed, activations, pipeline, ddr=ddr)
    figures = []
    for schedule, cycles, words in zip(packed, result.layer_cycles, result.fetched_words, strict=True):
        weights = schedule.layer.weights
        nonzeros = int(np.count_nonzero(weights))
        on_port = activations[schedule.layer.name]
        figures.append(
            FcStreamFigures(
                case=case,
                layer=schedule.layer.name,
                nonzeros=nonzeros,
                macs=useful_macs(schedule, on_port, ARCHITECTURE.lanes),
                batch=batch,
                words=words,
                cycles=cycles,
                bits_a_nonzero=round(8 * schedule.columns.size / nonzeros, 2),
                bandwidth_percent=round(100 * words * word_bytes / cycles / peak, 1),
            )
        )
    return figures


def _print(figures: list[FcStreamFigures]) -> None:
    table = Table(title="AlexNet's FC layers, columns fetched from a ZCU104's DDR")
    for head in (
        "case",
        "images",
        "layer",
        "non-zeros",
        "multiplications",
        "words",
        "cycles",
        "bits a non-zero",
        "of peak DDR %",
    ):
        table.add_column(head, justify="left" if head in ("case", "layer") else "right")
    for each in figures:
        table.add_row(
            each.case, str(each.batch), each.layer, f"{each.nonzeros:,}", f"{each.macs:,}", f"{each.words:,}",
            f"{each.cycles:,}", f"{each.bits_a_nonzero:.2f}", f"{each.bandwidth_percent:.1f}",
        )  # fmt: skip
    console = Console(width=130)
    console.print(table)
    for case, batch in dict.fromkeys((each.case, each.batch) for each in figures):
        cycles = sum(each.cycles for each in figures if (each.case, each.batch) == (case, batch))
        console.print(f"{case}, {batch} together: {cycles:,} cycles, {cycles // batch:,} an image")


def main(arguments: list[str] | None = None) -> int:
    """Prints all layers; returns 1 when a figure is not as expected."""
    update = asks_to_update(__doc__, EXPECTED, arguments)
    measured = measure("all activations", schedules(), stages())
    for batch in BATCHES:
        measured += measure("EIE's activations", schedules(batch), stages(batch))
    _print(measured)
    return keep_or_compare(measured, EXPECTED, update)


if __name__ == "__main__":
    sys.exit(main())
