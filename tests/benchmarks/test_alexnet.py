"""AlexNet whole: the kept figures are the present code's, and add up."""

import json

from benchmarks.alexnet import EXPECTED, WholeFigures, measure

[FIGURES] = [WholeFigures(**entry) for entry in json.loads(EXPECTED.read_text())]


def test_figures_are_as_expected() -> None:
    assert measure() == FIGURES


def test_figures_add_up() -> None:
    assert FIGURES.cycles == sum(each.cycles for each in FIGURES.layers)
    assert FIGURES.ddr_clocks == sum(each.ddr_clocks for each in FIGURES.layers)
    assert FIGURES.bytes_moved == sum(each.bytes_moved for each in FIGURES.layers)
    if not FIGURES.ddr_bound:
        assert FIGURES.frames_per_second == round(200e6 / (FIGURES.cycles + FIGURES.ddr_clocks), 1)
    fetched = [each for each in FIGURES.layers if each.engine == "fc"]
    # 64 multipliers, and no more bytes than the DDR gives.
    assert all(each.macs <= 64 * each.cycles for each in fetched)
    assert all(each.bytes_moved <= 76.8 * (each.cycles + each.ddr_clocks) for each in fetched)
