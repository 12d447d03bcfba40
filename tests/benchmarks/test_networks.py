"""The papers' networks on one accelerator in a ZCU104: the kept figures are the present code's, all bars are met."""

import json
from pathlib import Path

import pytest

from benchmarks.networks import ARCHITECTURE, CASES, CLOCK_MHZ, EXPECTED, Figures, latency, stages
from benchmarks.zcu104 import BOARD, compiled, fits
from generator.boards import load_board
from generator.resources import placed
from rtl.resources import Resources

[KEPT] = (Figures(**entry) for entry in json.loads(EXPECTED.read_text()))


@pytest.mark.parametrize("name", ["vgg16bn 1%", "resnet56 3%", "mobilenetv2 3%"])
def test_figures_are_as_expected(name: str) -> None:
    [case] = [each for each in CASES if each.name == name]
    assert latency(case, stages()) in KEPT.networks


def test_the_accelerator_is_the_one_that_was_synthesised(tmp_path: Path) -> None:
    """By what the compiler estimates of it, whose clock it meets; Yosys itself takes minutes."""
    arrays = placed(ARCHITECTURE, load_board(BOARD))
    memories = {"bram": arrays.bram36, "uram": arrays.uram}
    _, report = compiled(ARCHITECTURE, CLOCK_MHZ, tmp_path)
    assert report.resources.model_copy(update=memories) == KEPT.estimate
    assert (KEPT.takes.bram, KEPT.takes.uram) == (arrays.bram36, arrays.uram)


def test_each_network_is_there_and_judged_by_its_milliseconds() -> None:
    assert [each.network for each in KEPT.networks] == [each.name for each in CASES]
    for case, each in zip(CASES, KEPT.networks, strict=True):
        assert each.milliseconds >= round(each.cycles / CLOCK_MHZ / 1000, 4)
        assert each.met == (each.milliseconds <= case.milliseconds)


def test_every_network_meets_its_bar_in_one_board() -> None:
    assert KEPT.fits
    assert all(each.met for each in KEPT.networks)


@pytest.mark.parametrize("resource", ["lut", "ff", "dsp", "bram", "uram"])
def test_one_more_than_the_board_has_does_not_fit(resource: str) -> None:
    board = load_board(BOARD)
    whole = Resources(
        lut=board.luts, ff=board.flip_flops, dsp=board.dsps, bram=float(board.bram36), uram=board.uram
    )  # fmt: skip
    assert fits(whole)
    assert not fits(whole.model_copy(update={resource: getattr(whole, resource) + 1}))
