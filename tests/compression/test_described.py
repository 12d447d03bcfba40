"""Descriptions as networks to train: the module computes what golden does, and training goes on from there."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import golden
from compression.compress import compress
from compression.described import load_described
from compression.errors import CompressionError
from compression.networks import find_network
from compression.prune import prunable
from compression.quantise import QuantisationOptions, quantise_module
from compression.settings import Settings
from compression.train import LabelledImages, Schedule, count_correct, train
from tests.compression.modules import ResNetLike, depthwise_separable, randomise, vgg_like
from tests.compression.synthetic import data_set, trained

DESCRIPTIONS = Path(__file__).parents[2] / "zoo" / "descriptions"


def pixels(count: int, size: int = 12, channels: int = 3) -> torch.Tensor:
    """Random images; neighbouring pixels are alike, as otherwise all images are."""
    generator = torch.Generator().manual_seed(5)
    coarse = torch.randint(0, 256, (count, channels, 4, 4), generator=generator).float()
    return nn.functional.interpolate(coarse, (size, size), mode="bilinear").to(torch.uint8)


@torch.no_grad()
def apart(model: nn.Module, network: golden.Network, images: torch.Tensor) -> float:
    """Root mean square difference of the scores, as a share of their own."""
    (output,) = network.outputs
    scale = network.scale(output)
    assert scale is not None
    wanted = golden.run(network, images.numpy())[output] * float(scale.fraction())
    found = model.eval()(images.float()).numpy()
    return float(np.sqrt(np.square(found - wanted).mean() / np.square(wanted).mean()))


@pytest.mark.parametrize("build", [ResNetLike, depthwise_separable])
def test_the_module_computes_what_the_description_says(build: type[nn.Module]) -> None:
    model, images = randomise(build(), 1), pixels(60)
    network = quantise_module(model, images, "net", QuantisationOptions(per_channel="all"))
    again = build()
    load_described(again, network, images)
    assert apart(again, network, images) < 0.1
    assert apart(randomise(build(), 2), network, images) > 0.5, "the measure tells networks apart"
    for name, weights in prunable(again).items():
        assert torch.equal(weights == 0, torch.from_numpy(network.weights(name) == 0)), name


def test_normalisation_has_the_statistics_of_the_images() -> None:
    model, images = randomise(ResNetLike(), 1), pixels(60)
    network = quantise_module(model, images, "net", QuantisationOptions())
    load_described(model, network, images)
    evaluated = model(images.float()).detach()
    # Training normalises by the batch; all images are one batch here, so that only float32 rounding is between them.
    trained_on = model.train()(images.float()).detach()
    assert float((trained_on - evaluated).abs().max()) < 1e-4 * float(evaluated.std())
    norms = model.layer1.conv1.weight.flatten(1).norm(dim=1)
    assert torch.allclose(norms, torch.ones_like(norms))


@pytest.mark.parametrize(
    ("name", "definition"),
    [("vgg_small_feature_map_3", "vgg-small"), ("resnet20_layerwise", "resnet20"), ("lenet5_reversed", "lenet5")],
)
def test_descriptions_of_the_zoo_come_back_with_the_channels_that_they_have(name: str, definition: str) -> None:
    network, module = golden.load(DESCRIPTIONS / f"{name}.json"), find_network(definition)
    model = module.build()
    images = pixels(40, module.input_shape[1], module.input_shape[0])
    load_described(model, network, images)
    assert apart(model, network, images) < 0.25
    shapes = {name: tuple(each.shape) for name, each in prunable(model).items()}
    assert all(shapes[each.name] == each.weights.shape for each in network.weighted_layers if each.name in shapes)


def test_a_description_is_trained_further_and_its_zeros_stay(tmp_path: Path) -> None:
    settings = Settings(("magnitude",), max_loss=10, share=0.5, factor=2, epochs=2, batch=25, calibration=150)
    compress(trained(), data_set(), replace(settings, learning_rate=0.003), tmp_path / "net.json")
    network, model = golden.load(tmp_path / "net.json"), trained()
    load_described(model, network, data_set().training.pixels)
    again = replace(settings, factor=2.2, share=0.05, max_loss=100)
    compress(model, data_set(), again, tmp_path / "more.json")
    before, after = (
        np.concatenate([each.weights(layer.name).ravel() for layer in network.weighted_layers])
        for each in (network, golden.load(tmp_path / "more.json"))
    )
    assert (before == 0).any() and not after[before == 0].any()
    assert ((after != before) & (after != 0)).any(), "something is trained"


def test_other_networks_and_normalisation_elsewhere_are_refused() -> None:
    images = pixels(20)
    network = quantise_module(randomise(ResNetLike(), 1), images, "net", QuantisationOptions())
    for model, reason in (
        (ResNetLike(classes=4), r"fc.weight is \(5, 8\), not \(4, 8\)"),
        (depthwise_separable(), "has no weighted layer features.1.0"),
        (vgg_like(), "14: is not behind a convolution"),
    ):
        with pytest.raises(CompressionError, match=reason):
            load_described(model, network, images)


def test_a_network_of_equal_layers_that_computes_otherwise_is_refused() -> None:
    class Doubled(ResNetLike):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) * 2

    network = quantise_module(randomise(ResNetLike(), 1), pixels(20), "net", QuantisationOptions())
    with pytest.raises(CompressionError, match="its scores are others"):
        load_described(Doubled(), network, pixels(20))


def test_a_description_without_scales_is_refused() -> None:
    builder = golden.DescriptionBuilder("net", (1, 4, 4)).flatten("flatten")
    network = builder.linear("0", np.ones((3, 16), np.int8), [0, 0, 0], shift=4).build()
    with pytest.raises(CompressionError, match="does not say what the integers of 0 mean"):
        load_described(nn.Sequential(nn.Linear(16, 3)), network, pixels(4, 4, 1))


def test_another_teacher_is_followed_and_noted(tmp_path: Path) -> None:
    """A teacher that has learnt other labels leads a student away from its own."""
    data, teacher = data_set(), trained()
    swapped = LabelledImages(data.training.pixels, 3 - data.training.labels)
    train(teacher, swapped, Schedule(epochs=20, learning_rate=0.01, batch=25))
    settings = Settings(batch=25, learning_rate=3e-4, calibration=150, distillation=1.0, final_epochs=20)
    right = {}
    for name, other in (("own", None), ("other", teacher)):
        compress(trained(), data, settings, tmp_path / f"{name}.json", teacher=other)
        records = [json.loads(line) for line in (tmp_path / f"{name}.history.jsonl").read_text().splitlines()]
        right[name] = next(each["correct"] for each in records if each["event"] == "step")
        assert records[0]["teacher_correct"] == (None if other is None else count_correct(teacher, data.test))
    assert right["own"] > 80 and right["other"] < 50, "of 100 test images, by their own labels"
