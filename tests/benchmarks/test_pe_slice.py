"""A PE slice of AlexNet's size by Yosys: what is kept, how it adds up, and how near the compiler's estimate is."""

import json
from pathlib import Path

import pytest

from benchmarks.pe_slice import BOARD, EXPECTED, Figures, Part, measure
from generator.boards import load_board
from rtl.resources import Resources

KEPT = Figures(**json.loads(EXPECTED.read_text())[0])
PROCESSES = [part for part in KEPT.parts if not part.module.startswith("rtl_fifo")]


def test_figures_are_as_expected(tmp_path: Path) -> None:
    assert measure(tmp_path) == KEPT


def test_parts_add_up() -> None:
    of_slice, shared = Resources(), Resources()
    for part in KEPT.parts:
        of_slice += part.each.times(part.of_slice)
        shared += part.each.times(part.shared)
    assert (KEPT.slice, KEPT.shared, KEPT.total) == (of_slice, shared, of_slice.times(KEPT.pes) + shared)
    luts = load_board(BOARD).luts - shared.lut
    assert of_slice.times(KEPT.fitting).lut <= luts < of_slice.times(KEPT.fitting + 1).lut


@pytest.mark.parametrize("part", PROCESSES, ids=lambda part: part.module.split("<")[0])
def test_the_estimate_of_a_process_is_near_what_yosys_finds(part: Part) -> None:
    """LUTs and registers within 30 %, or 60 % of the one `scatter`; DSP slices exactly."""
    assert part.estimate.lut == pytest.approx(part.each.lut, rel=0.3 if part.of_slice else 0.6)
    assert part.estimate.ff == pytest.approx(part.each.ff, rel=0.3)
    assert part.estimate.dsp == part.each.dsp
