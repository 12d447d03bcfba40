"""VGG-16 and ResNet-50 in strips: the kept figures are the present code's, and say what they stand for."""

import json

import pytest

from benchmarks.imagenet import CASES, EXPECTED, Figures, measure

FIGURES = [Figures(**entry) for entry in json.loads(EXPECTED.read_text())]


def test_figures_are_as_expected() -> None:
    """Of the network that takes the least time."""
    [case] = [each for each in CASES if (each.network, each.zeros_percent) == ("resnet50", 90)]
    assert measure(case) in FIGURES


def test_each_network_is_there() -> None:
    assert [each.network for each in FIGURES] == [each.name for each in CASES]


@pytest.mark.parametrize("kept", FIGURES, ids=lambda each: each.network)
def test_first_layers_come_in_strips_which_add_some_of_the_bytes(kept: Figures) -> None:
    assert kept.strips and min(kept.strips.values()) > 1
    assert 0 < kept.strip_megabytes < kept.megabytes_moved
    assert 0 < kept.utilisation_percent < 100
    assert kept.fc_slots and kept.ddr_clocks
    assert kept.frames_per_second <= 200e6 / kept.cycles * 1.001
