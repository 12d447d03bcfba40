"""The papers' networks on one accelerator: the kept figures are the present code's, and say what they stand for."""

import json

import pytest

from benchmarks.networks import CASES, EXPECTED, Figures, measure

FIGURES = [Figures(**entry) for entry in json.loads(EXPECTED.read_text())]


@pytest.mark.parametrize("name", ["vgg16bn 2%", "mobilenetv2 3%"])
def test_figures_are_as_expected(name: str) -> None:
    [case] = [each for each in CASES if each.name == name]
    assert measure(case) in FIGURES


def test_each_network_is_there_and_judged_by_its_clocks() -> None:
    assert [each.network for each in FIGURES] == [each.name for each in CASES]
    for case, each in zip(CASES, FIGURES, strict=True):
        assert each.met == (each.cycles <= case.milliseconds * 200_000)


def test_what_was_met_stays_met() -> None:
    assert all(each.met and each.zcu104_met for each in FIGURES)
