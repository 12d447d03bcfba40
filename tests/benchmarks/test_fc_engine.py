"""EIE's nine layers: the kept figures are the present code's, meet the bar, and are counted as they say."""

import json

import numpy as np
import pytest

from benchmarks.fc_engine import BAR, EXPECTED, LAYERS, PES, FcFigures, activations_of, measure, schedule_of, stages


def _expected() -> dict[str, FcFigures]:
    return {entry["layer"]: FcFigures(**entry) for entry in json.loads(EXPECTED.read_text())}


def test_a_layer_is_as_expected() -> None:
    layer = LAYERS[-1]
    assert measure(layer, stages()) == _expected()[layer.name]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_every_layer_meets_the_bar(layer: object) -> None:
    figures = _expected()[layer.name]  # type: ignore[attr-defined]
    assert figures.percent == round(100 * figures.macs / PES / figures.actual, 2) >= BAR
    assert figures.ideal <= figures.actual < figures.with_draining < figures.loading
    rows = -(-layer.outputs // figures.row_sets)  # type: ignore[attr-defined]
    assert rows <= figures.with_draining - figures.actual <= rows + 32, "draining is one clock a row, and the pipeline"


@pytest.mark.parametrize("layer", LAYERS[6:], ids=lambda layer: layer.name)
def test_densities_are_eie_s(layer: object) -> None:
    schedule, activations = schedule_of(layer), activations_of(layer)  # type: ignore[arg-type]
    weights = schedule.layer.weights
    assert np.count_nonzero(weights) == round(weights.size * layer.weight_percent / 100)  # type: ignore[attr-defined]
    active = np.count_nonzero(activations)
    assert active == round(layer.inputs * layer.activation_percent / 100)  # type: ignore[attr-defined]
    assert sum(int(packet.counts.sum()) for packet in schedule.packets) == np.count_nonzero(weights), "no padding"
