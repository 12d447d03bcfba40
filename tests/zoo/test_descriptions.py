"""The committed descriptions are the ones whose figures are recorded, and the figures keep the promises."""

import numpy as np
import pytest

import golden
from compression.accuracy import count_correct_integers
from zoo import data
from zoo.accuracy import TEST_IMAGES, main
from zoo.history import DESCRIPTIONS, History

NAMES = ("lenet5_fashion", "cifar10_cnn")
FLOAT_LIMITS = {"lenet5_fashion": (90.5, 1.0), "cifar10_cnn": (80.14, 1.5)}
"""Network -> (least accuracy of the float network, points that the integer network may be below it)."""


def sample(name: str) -> data.Images:
    return data.fashion_mnist_sample() if name == "lenet5_fashion" else TEST_IMAGES[name]().first(200)


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_golden_repeats_the_recorded_count_exactly(name: str) -> None:
    history = History.load(name)
    assert history.sample_images == 200
    network = golden.load(DESCRIPTIONS / f"{name}.json")
    images = sample(name)
    assert count_correct_integers(network, images.pixels, images.labels) == history.sample_correct


def test_recorded_weights_are_the_description_s(name: str) -> None:
    network, last = golden.load(DESCRIPTIONS / f"{name}.json"), History.load(name).stages[-1]
    weights = [network.weights(layer.name) for layer in network.weighted_layers]
    assert sum(each.size for each in weights) == last.weights
    assert sum(int(np.count_nonzero(each)) for each in weights) == last.nonzero


def test_accuracies_and_factors_are_what_the_project_promises(name: str) -> None:
    stages = History.load(name).stages
    least, allowed = FLOAT_LIMITS[name]
    assert stages[0].accuracy >= least
    assert stages[-1].accuracy >= stages[0].accuracy - allowed
    assert (stages[-1].evaluated_by, stages[-1].images) == ("golden", 10000)
    assert stages[-1].factor >= {"lenet5_fashion": 10.0, "cifar10_cnn": 5.0}[name]


def test_layers_are_what_the_hardware_takes(name: str) -> None:
    network = golden.load(DESCRIPTIONS / f"{name}.json")
    for layer in network.weighted_layers:
        requantise = network.requantise(layer.name)
        assert set(requantise.multiplier) == {1} and len(set(requantise.shift)) == 1
    assert all(layer.type in ("conv", "max_pool", "flatten", "linear") for layer in network.layers)


def test_the_command_refuses_an_unknown_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lenet6"]) == 2
    assert "usage: python -m zoo.accuracy {lenet5_fashion,cifar10_cnn" in capsys.readouterr().err
