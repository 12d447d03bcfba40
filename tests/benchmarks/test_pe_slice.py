"""PE slices of AlexNet's size by Yosys: what is kept, how it adds up, and how near the compiler's estimate is."""

import json
from pathlib import Path

import pytest

from benchmarks.estimate import convolutions
from benchmarks.pe_slice import BOARD, EXPECTED, Figures, Part, chosen, measure
from generator.boards import load_board
from rtl.resources import Resources
from zoo.synthetic import describe

MANY, BEST = (Figures(**entry) for entry in json.loads(EXPECTED.read_text()))
PROCESSES = [part for each in (MANY, BEST) for part in each.parts if not part.module.startswith("rtl_fifo")]


def test_figures_are_as_expected(tmp_path: Path) -> None:
    network = convolutions(describe("alexnet-without-lrn", "han", 0.25))
    assert measure(network, MANY.pes, MANY.tile, kept=tmp_path) == MANY
    assert chosen(network) == (BEST.pes, BEST.tile, BEST.map_words)


def test_the_best_accelerator_fits() -> None:
    """By Yosys, with all its memories."""
    assert BEST.fits and not MANY.fits
    assert BEST.frames_per_second > 850


@pytest.mark.parametrize("kept", [MANY, BEST], ids=["many", "best"])
def test_parts_add_up(kept: Figures) -> None:
    of_slice, shared = Resources(), Resources()
    for part in kept.parts:
        of_slice += part.each.times(part.of_slice)
        shared += part.each.times(part.shared)
    assert (kept.slice, kept.shared, kept.total) == (of_slice, shared, of_slice.times(kept.pes) + shared)
    luts = load_board(BOARD).luts - shared.lut
    assert of_slice.times(kept.fitting).lut <= luts < of_slice.times(kept.fitting + 1).lut


@pytest.mark.parametrize("part", PROCESSES, ids=lambda part: part.module)
def test_the_estimate_of_a_process_is_near_what_yosys_finds(part: Part) -> None:
    """LUTs and registers within 30 %, or 60 % of the one `scatter`; DSP slices exactly."""
    assert part.estimate.lut == pytest.approx(part.each.lut, rel=0.3 if part.of_slice else 0.6)
    assert part.estimate.ff == pytest.approx(part.each.ff, rel=0.3)
    assert part.estimate.dsp == part.each.dsp
