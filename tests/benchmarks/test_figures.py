"""The kept figures are what the present code gives: a regression is a diff of expected.json."""

import json

import pytest

from benchmarks.figures import EXPECTED, Figures, measure, networks


@pytest.mark.parametrize("name", networks())
def test_figures_are_as_expected(name: str) -> None:
    expected = {entry["network"]: Figures(**entry) for entry in json.loads(EXPECTED.read_text())}
    assert measure(name) == expected[name]


def test_every_network_of_the_zoo_has_figures() -> None:
    assert [entry["network"] for entry in json.loads(EXPECTED.read_text())] == networks()
