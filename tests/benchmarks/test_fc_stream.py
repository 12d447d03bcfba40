"""AlexNet's FC layers, streamed: the kept figures are the present code's, meet the bar, and are counted as they say."""

import json

import pytest

from benchmarks.fc_stream import BAR, BATCHES, EXPECTED, LAYERS, FcStreamFigures, measure, schedules, stages

FIGURES = [FcStreamFigures(**entry) for entry in json.loads(EXPECTED.read_text())]


@pytest.mark.parametrize("batch", BATCHES[:2])
def test_figures_are_as_expected(batch: int) -> None:
    kept = [each for each in FIGURES if each.case == "EIE's activations" and each.batch == batch]
    assert measure("EIE's activations", schedules(batch), stages(batch)) == kept


def test_a_batch_takes_fewer_clocks_and_words_an_image() -> None:
    for layer in LAYERS:
        batches = [each for each in FIGURES if each.case == "EIE's activations" and each.layer == layer.name]
        assert tuple(each.batch for each in batches) == BATCHES
        for fewer, more in zip(batches, batches[1:], strict=False):
            assert more.cycles / more.batch < fewer.cycles / fewer.batch
            assert fewer.words < more.words < more.batch / fewer.batch * fewer.words


def test_the_bar_is_met() -> None:
    assert sum(each.cycles for each in FIGURES[: len(LAYERS)]) <= BAR


@pytest.mark.parametrize("each", FIGURES, ids=lambda each: f"{each.layer}, {each.case}, {each.batch}")
def test_figures_are_counted_as_they_say(each: FcStreamFigures) -> None:
    assert 0 < each.macs <= each.batch * each.nonzeros
    assert each.macs <= 64 * each.batch * each.words <= 64 * each.batch * each.cycles
    assert each.bandwidth_percent == round(100 * 72 * each.words / each.cycles / 96, 1)
    if each.case == "all activations":
        assert each.macs == each.nonzeros
        assert each.bits_a_nonzero == round(576 * each.words / each.nonzeros, 2)
