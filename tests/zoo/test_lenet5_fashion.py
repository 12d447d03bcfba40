"""LeNet-5's script on a small part of its data: it trains, prunes to its densities and exports."""

import numpy as np
import pytest
import torch
from torch import nn

import golden
from compression.prune import count_weights, prunable
from compression.quantise import quantise_module
from compression.train import LabelledImages, Schedule, count_correct
from zoo.data import fashion_mnist_sample
from zoo.lenet5_fashion import DENSITIES, build, prune, train_float
from zoo.pipeline import as_tensors


@pytest.fixture(scope="module")
def images() -> LabelledImages:
    return as_tensors(fashion_mnist_sample())


@pytest.fixture(scope="module")
def pruned(images: LabelledImages) -> nn.Sequential:
    model = build()
    untrained = count_correct(model, images)
    train_float(model, images, Schedule(epochs=30, learning_rate=0.03, batch=10))
    assert count_correct(model, images) >= untrained + 60
    prune(model, images, rounds=((0.5, 5), (1.0, 20)))
    return model


def test_pruning_reaches_the_stated_densities(pruned: nn.Sequential, images: LabelledImages) -> None:
    for name, weights in prunable(pruned).items():
        assert int(torch.count_nonzero(weights)) == round(DENSITIES[name] * weights.numel())
    assert count_weights(pruned).factor > 10
    assert count_correct(pruned, images) >= 100


def test_the_exported_network_classifies_as_the_float_network(pruned: nn.Sequential, images: LabelledImages) -> None:
    network = quantise_module(pruned, images.pixels, "lenet5_trial")
    scores = golden.run(network, images.pixels.numpy(), keep="outputs")["fc3"]
    with torch.no_grad():
        expected = pruned(images.pixels.float()).argmax(1).numpy()
    assert np.count_nonzero(scores.argmax(axis=1) == expected) >= 180
    assert network.weight_count == 61470
    assert network.nonzero_count <= count_weights(pruned).nonzero
