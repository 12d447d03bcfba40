"""Graphs that train: the same function in floating point, golden's integers to the last bit with formats."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import golden
from compression.accuracy import count_correct_integers
from compression.codebook import cluster, share_weights
from compression.frontend import trace
from compression.networks import lenet5
from compression.prune import apply_masks, magnitude_mask, prunable
from compression.quantise import (
    FixedPoint,
    Formats,
    InputScale,
    QuantisationOptions,
    fit_formats,
    quantise_graph,
    quantise_module,
)
from compression.train import LabelledImages, Schedule, count_correct, train
from compression.trainable import TrainableGraph
from golden.formats import CscOptions, encode
from tests.compression.modules import (
    ResNetLike,
    depthwise_separable,
    normalised_behind_relu,
    randomise,
    vgg_like,
)
from tests.compression.synthetic import data_set, trained
from tests.compression.test_frontend_quantise import Branches, pixels

BUILDS = [lenet5, ResNetLike, depthwise_separable, vgg_like, normalised_behind_relu, Branches]


def shape(build: Callable[[], nn.Module]) -> tuple[int, int, int]:
    return (1, 28, 28) if build is lenet5 else (3, 10, 8)


def scores(network: golden.Network, images: torch.Tensor) -> torch.Tensor:
    """Golden's output times its scale."""
    (name,) = network.outputs
    scale = network.scale(name)
    assert scale is not None
    return torch.from_numpy(golden.run(network, images.numpy())[name] * float(scale.fraction()))


@pytest.mark.parametrize("build", BUILDS)
def test_without_formats_it_is_the_float_network(build: Callable[[], nn.Module]) -> None:
    model, images = randomise(build(), 3), pixels(6, 4, shape(build))
    module = TrainableGraph(trace(model, shape(build))).eval()
    with torch.no_grad():
        assert torch.allclose(module(images), model(images.float()), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("correction", [False, True])
@pytest.mark.parametrize("build", BUILDS)
def test_in_evaluation_it_is_golden_to_the_last_bit(build: Callable[[], nn.Module], correction: bool) -> None:
    """Before training, in the formats that quantisation chooses; and after a few steps, which change every layer."""
    model, images = randomise(build(), 5), pixels(24, 6, shape(build))
    graph, options = trace(model, shape(build)), QuantisationOptions(bias_correction=correction)
    corrected, formats = fit_formats(graph, images, options)
    module = TrainableGraph(corrected, formats).eval()
    before = quantise_module(model, images, "before", options)
    with torch.no_grad():
        assert torch.equal(module(images).double(), scores(before, images))
    labels = torch.arange(len(images)) % 4
    train(module, LabelledImages(images, labels), Schedule(epochs=2, learning_rate=0.01, batch=6))
    after = quantise_graph(module.graph(), images, "after", options, formats)
    with torch.no_grad():
        assert torch.equal(module.eval()(images).double(), scores(after, images))
    assert all(
        not np.array_equal(before.weights(layer.name), after.weights(layer.name)) or layer.name.endswith(".source")
        for layer in after.weighted_layers
    )
    assert [after.scale(layer.name) for layer in after.layers] == [before.scale(layer.name) for layer in before.layers]


def test_accumulators_that_float32_cannot_hold_are_exact() -> None:
    """Sums of 26 bits, one unit above and below 32.5 units of the output."""
    model = nn.Sequential(InputScale(0), nn.Flatten(), nn.Linear(1024, 2))
    nn.init.constant_(model[2].weight, 127.0)
    model[2].bias.data = torch.tensor([32.5 * 2**20 - 255 * 127 * 1024]) + torch.tensor([1.0, -1.0])
    images = torch.full((1, 1, 32, 32), 255, dtype=torch.uint8)
    pixels, coarse = FixedPoint(0, signed=False), FixedPoint(-20, signed=True)
    formats = Formats({"input": pixels, "1": pixels, "2": coarse}, {"2": FixedPoint(0, signed=True)})
    graph = trace(model, (1, 32, 32))
    network = quantise_graph(graph, images, "wide", formats=formats)
    assert golden.run(network, images.numpy())["2"].tolist() == [[33, 32]]
    with torch.no_grad():
        assert torch.equal(TrainableGraph(graph, formats).eval()(images), scores(network, images))


def test_training_through_the_integers_regains_accuracy() -> None:
    """In three bits, where rounding hurts: golden gets more right afterwards, exactly what the module in evaluation
    does, and pruned weights stay zero."""
    model, data = trained(), data_set()
    masks = {name: magnitude_mask(weights, 0.6) for name, weights in prunable(model).items()}
    apply_masks(model, masks)
    options = QuantisationOptions(bits=3)
    graph, formats = fit_formats(trace(model, (1, 8, 8)), data.training.pixels, options)
    module = TrainableGraph(graph, formats)
    fixed = {name: weights != 0 for name, weights in prunable(module).items()}
    before = count_correct(module, data.test)
    train(module, data.training, Schedule(epochs=10, learning_rate=0.01, batch=25), fixed)
    after = count_correct(module, data.test)
    network = quantise_graph(module.graph(), data.training.pixels, "three", options, formats)
    pixels, labels = data.test.pixels.numpy(), data.test.labels.numpy()
    assert count_correct_integers(network, pixels, labels) == after > before + 5
    for layer, mask in zip(network.weighted_layers, masks.values(), strict=True):
        assert not network.weights(layer.name)[~mask.numpy()].any()
        assert np.abs(network.weights(layer.name)).max() <= 4


@pytest.mark.parametrize(("entries", "bits"), [(16, 4), (32, 5)])
def test_linear_layers_share_values_that_the_codebook_format_holds(entries: int, bits: Literal[4, 5]) -> None:
    """Through training, with formats and without, whatever the masks; convolutions stay free."""
    model, images = randomise(vgg_like(), 4), pixels(40, 5)
    apply_masks(model, {name: magnitude_mask(each, 0.7) for name, each in prunable(model).items()})
    labels = torch.arange(len(images)) % 5
    module = TrainableGraph(trace(model, (3, 10, 8)), codebook=entries)
    start = [each.detach().clone() for each in prunable(module).values()]
    schedule = Schedule(epochs=2, learning_rate=0.003, batch=10)
    train(module, LabelledImages(images, labels), schedule)
    graph, formats = fit_formats(module.graph(), images)
    module = TrainableGraph(graph, formats, entries)
    train(module, LabelledImages(images, labels), schedule)
    network = quantise_graph(module.graph(), images, "shared", formats=formats)
    for layer, first in zip(network.weighted_layers, start, strict=True):
        weights = network.weights(layer.name)
        if weights.ndim == 2:
            assert 2 < np.unique(weights[weights != 0]).size <= entries - 1
            assert not weights[first.numpy() == 0].any(), "pruned weights stay zero"
            assert encode("csc", weights, CscOptions(value_bits=bits)).storage.nonzeros == np.count_nonzero(weights)
    assert torch.equal(module.eval()(images).double(), scores(network, images))


def test_a_shared_value_gets_the_sum_of_its_weights_gradients() -> None:
    layer = nn.Linear(6, 1, bias=False)
    layer.weight.data = torch.tensor([[1.0, 1.1, 0.0, -2.0, -2.1, 1.05]])
    share_weights(layer, 3)
    assert layer.weight.tolist() == [pytest.approx([1.05, 1.05, 0.0, -2.05, -2.05, 1.05])]
    layer(torch.tensor([[1.0, 2.0, 4.0, 8.0, 16.0, 32.0]])).sum().backward()
    (values,) = layer.parameters()
    assert values.tolist() == pytest.approx([-2.05, 1.05]) and values.grad is not None
    assert values.grad.tolist() == [24.0, 35.0]


@settings(deadline=None)
@given(st.lists(st.floats(-8, 8, width=32), min_size=1, max_size=60), st.integers(1, 9))
def test_clusters_are_means_of_what_is_nearest_to_them(weights: list[float], values: int) -> None:
    tensor = torch.tensor(weights)
    centres, codes = cluster(tensor, values)
    assert len(centres) <= values and bool((centres[1:] > centres[:-1]).all())
    assert torch.equal(codes == 0, tensor == 0)
    if len(tensor[tensor != 0].unique()) <= values:
        assert torch.equal(torch.cat((torch.zeros(1), centres))[codes], tensor)
    for number, centre in enumerate(centres, start=1):
        assert centre.item() == pytest.approx(tensor[codes == number].double().mean().item(), rel=1e-5, abs=1e-6)
    own = torch.cat((torch.zeros(1), centres))[codes][tensor != 0]
    for other in centres:
        assert bool(((tensor[tensor != 0] - own).abs() <= (tensor[tensor != 0] - other).abs() + 1e-5).all())
