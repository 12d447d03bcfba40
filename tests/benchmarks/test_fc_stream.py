"""AlexNet's FC layers, streamed: the kept figures are the present code's, meet the bar, and are counted as they say."""

import json

import pytest

from benchmarks.fc_stream import BAR, EXPECTED, LAYERS, FcStreamFigures, measure, schedules, stages

FIGURES = [FcStreamFigures(**entry) for entry in json.loads(EXPECTED.read_text())]


def test_figures_are_as_expected() -> None:
    assert measure("EIE's activations", schedules(), stages()) == FIGURES[len(LAYERS) :]


def test_the_bar_is_met() -> None:
    assert sum(each.cycles for each in FIGURES[: len(LAYERS)]) <= BAR


@pytest.mark.parametrize("each", FIGURES, ids=lambda each: f"{each.layer}, {each.case}")
def test_figures_are_counted_as_they_say(each: FcStreamFigures) -> None:
    assert 0 < each.macs <= each.nonzeros
    assert each.macs <= 64 * each.words <= 64 * each.cycles
    assert each.bandwidth_percent == pytest.approx(100 * 72 * each.words / each.cycles / 96, abs=0.06)
    if each.case == "all activations":
        assert each.macs == each.nonzeros
        assert each.bits_a_nonzero == pytest.approx(576 * each.words / each.nonzeros, abs=0.006)
