"""PE slices of AlexNet's size by Yosys: what is kept, how it adds up, and how near the compiler's estimate is."""

import json
from pathlib import Path

import pytest

from benchmarks.estimate import convolutions
from benchmarks.pe_slice import EXPECTED, Figures, Part, chosen, estimates, synthesised
from benchmarks.zcu104 import BOARD
from generator.boards import load_board
from golden import Network
from rtl.resources import Resources
from rtl.synthesis import find_yosys
from zoo.synthetic import describe

MANY, BEST, SMALL = (Figures(**entry) for entry in json.loads(EXPECTED.read_text()))
PROCESSES = [part for each in (MANY, BEST) for part in each.parts if not part.module.startswith("rtl_fifo")]


@pytest.fixture(scope="module")
def network() -> Network:
    return convolutions(describe("alexnet-without-lrn", "han", 0.25))


def test_the_small_accelerators_pe_is_as_expected(network: Network, tmp_path: Path) -> None:
    """By Yosys, with the tool's version."""
    (kept,) = (part for part in SMALL.parts if part.module.startswith("convolver_pe"))
    assert synthesised(network, SMALL.pes, SMALL.tile, kept.module, tmp_path) == kept
    assert {MANY.tool, BEST.tool, SMALL.tool} == {find_yosys().version}


def test_the_best_accelerator_is_as_expected(network: Network) -> None:
    assert chosen(network) == (BEST.pes, BEST.tile, BEST.map_words)


def test_estimates_are_as_expected(network: Network) -> None:
    """Yosys itself takes minutes for an accelerator of this size."""
    kept = {part.module: part.estimate for part in MANY.parts if not part.module.startswith("rtl_fifo")}
    assert estimates(network, MANY.pes, MANY.tile) == kept


def test_the_best_accelerator_fits() -> None:
    """By Yosys, with all its memories."""
    assert BEST.fits and not MANY.fits
    assert BEST.frames_per_second >= 1000


@pytest.mark.parametrize("kept", [MANY, BEST, SMALL], ids=["many", "best", "small"])
def test_parts_add_up(kept: Figures) -> None:
    of_slice, shared = Resources(), Resources()
    for part in kept.parts:
        of_slice += part.each.times(part.of_slice)
        shared += part.each.times(part.shared)
    assert (kept.slice, kept.shared, kept.total) == (of_slice, shared, of_slice.times(kept.pes) + shared)

    def fits(slices: int) -> bool:
        board, takes = load_board(BOARD), of_slice.times(slices) + shared
        return takes.lut <= board.luts and takes.ff <= board.flip_flops and takes.dsp <= board.dsps

    assert fits(kept.fitting) and not fits(kept.fitting + 1)


FAR_OFF = {"scatter": 0.6, "convolver_pe<64, 57, 2560,": 0.28, "convolver_post<128,": 0.21}
"""How far the estimate of LUTs may be off where it is known to be wrong: what routes to many PEs shares more than it
knows of, rows that are no power of two are read as zero by more than it counts, a wide word's pixels by less."""


@pytest.mark.parametrize("part", PROCESSES, ids=lambda part: part.module)
def test_the_estimate_of_a_process_is_near_what_yosys_finds(part: Part) -> None:
    """LUTs within 18 %, but for those named above; registers within 15 %; DSP slices exactly."""
    off = next((limit for name, limit in FAR_OFF.items() if part.module.startswith(name)), 0.18)
    assert part.estimate.lut == pytest.approx(part.each.lut, rel=off)
    assert part.estimate.ff == pytest.approx(part.each.ff, rel=0.15)
    assert part.estimate.dsp == part.each.dsp
