"""Quantised networks with branches: golden against another integer simulation, exact grids, engines."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import golden
from compression.quantise import InputScale, QuantisationError, QuantisationOptions, quantise_module
from generator.plan import plan_network
from golden.description import AddLayer
from tests.compression.integers import simulate
from tests.compression.modules import (
    ResNetLike,
    depthwise_separable,
    normalised_behind_relu,
    randomise,
    vgg_like,
)

SHAPE = (3, 10, 8)


class Branches(nn.Module):
    """Concatenation of maps on different scales, ReLUs by themselves, an addition of maps that others read too."""

    def __init__(self) -> None:
        super().__init__()
        self.pixels = InputScale(8)
        self.wide = nn.Conv2d(3, 4, 3, padding=1)
        self.small = nn.Conv2d(3, 4, 1)
        self.last = nn.Conv2d(11, 6, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pixels(x)
        wide, small = self.wide(x), self.small(x)
        total = wide + small
        mixed = torch.cat([torch.relu(wide), total, x], 1)
        return self.last(mixed).mean((2, 3)) + torch.relu(self.last(mixed)).mean((2, 3))


def pixels(count: int, seed: int, shape: tuple[int, int, int] = SHAPE) -> torch.Tensor:
    return torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


BUILDS = [ResNetLike, depthwise_separable, vgg_like, normalised_behind_relu, Branches]


@pytest.mark.parametrize("correction", [False, True])
@pytest.mark.parametrize("build", BUILDS)
def test_golden_computes_what_integers_of_torch_do(build: Callable[[], nn.Module], correction: bool) -> None:
    options = QuantisationOptions(bias_correction=correction, per_channel="all" if correction else "depthwise")
    network = quantise_module(randomise(build(), 5), pixels(16, 6), "random", options)
    images = pixels(9, 7)
    expected = simulate(network, images)
    results = golden.run(network, images.numpy(), keep="all")
    assert results.keys() == expected.keys() - {"input"}
    for name, result in results.items():
        assert np.array_equal(result, expected[name].numpy()), name


@pytest.mark.parametrize("build", BUILDS)
def test_eight_bits_stay_near_the_float_network(build: Callable[[], nn.Module]) -> None:
    model = randomise(build(), 5)
    network = quantise_module(model, pixels(16, 6), "random")
    images = pixels(9, 7)
    with torch.no_grad():
        expected = model(images.float()).numpy()
    (name,) = network.outputs
    scale = network.scale(name)
    assert scale is not None
    result = golden.run(network, images.numpy())[name] * float(scale.fraction())
    assert np.abs(result - expected).mean() <= 0.05 * np.abs(expected).max()


class OnGrid(nn.Module):
    """A residual network of small multiples of powers of two, its addends on different scales, all within 8 bits."""

    def __init__(self) -> None:
        super().__init__()
        self.pixels = InputScale(2)
        self.conv = nn.Conv2d(3, 2, 1)
        self.bn = nn.BatchNorm2d(2, eps=0.0)
        self.shortcut = nn.Conv2d(3, 2, 1, bias=False)
        self.pool = nn.AvgPool2d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pixels(x)
        total = torch.relu(self.bn(self.conv(x)) + self.shortcut(x))
        return torch.cat([self.pool(total), self.pool(x)], 1)


def test_a_network_on_the_grid_is_quantised_without_loss() -> None:
    model = OnGrid().eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        model.conv.weight.copy_(torch.randint(-2, 3, model.conv.weight.shape, generator=generator) / 2)
        model.conv.bias.copy_(torch.tensor([0.5, -0.25]))
        model.bn.weight.copy_(torch.tensor([2.0, -1.0]))
        model.bn.running_var.fill_(4.0)
        model.bn.running_mean.copy_(torch.tensor([0.5, -1.0]))
        model.shortcut.weight.copy_(torch.randint(-1, 2, model.shortcut.weight.shape, generator=generator).float())
    images = torch.randint(0, 4, (40, *SHAPE), dtype=torch.uint8, generator=generator)
    network = quantise_module(model, images, "grid")
    (add,) = (layer for layer in network.layers if isinstance(layer, AddLayer))
    assert len(set(add.multipliers)) == 2, "the addends should lie on different scales"
    (name,) = network.outputs
    scale = network.scale(name)
    assert scale is not None
    result = golden.run(network, images.numpy())[name] * float(scale.fraction())
    with torch.no_grad():
        assert np.array_equal(result, model(images.float()).numpy())


@pytest.mark.parametrize("build", [ResNetLike, depthwise_separable])
def test_the_engines_take_the_network(build: Callable[[], nn.Module]) -> None:
    network = quantise_module(randomise(build(), 2), pixels(8, 3, (3, 10, 10)), "engines")
    schedules = plan_network(network, pes=2, lanes=8, fc_pes=2)
    assert schedules[-1].layer.target == network.outputs[0]
    assert all(set(network.requantise(layer.name).multiplier) == {1} for layer in network.weighted_layers)


def test_what_is_put_in_for_the_engines_changes_no_bit() -> None:
    model, images = randomise(ResNetLike(), 2), pixels(8, 3, (3, 10, 10))
    plain = quantise_module(model, images, "plain", QuantisationOptions(for_engines=False))
    ready = quantise_module(model, images, "ready")
    assert len(ready.layers) == len(plain.layers) + 1
    results = golden.run(ready, images.numpy(), keep="all")
    assert all(np.array_equal(results[name], made) for name, made in golden.run(plain, images.numpy(), "all").items())


def test_bias_correction_removes_the_mean_error() -> None:
    """Of the last layer's accumulators on the calibration images, to half a unit of the bias and float32's rounding."""
    model = randomise(nn.Sequential(InputScale(8), nn.Conv2d(3, 6, 3), nn.Flatten(), nn.Linear(6 * 8 * 6, 4)), 8)
    images = pixels(32, 9)
    with torch.no_grad():
        expected = model[1](model[0](images.float())).double().mean((0, 2, 3)).numpy()
    errors = []
    for correction in (False, True):
        network = quantise_module(model, images, "corrected", QuantisationOptions(bias_correction=correction))
        layer = network.layer("1")
        weights, bias = torch.from_numpy(network.weights("1")).double(), torch.tensor(network.bias("1")).double()
        unit = 2.0 ** -(8 + layer.weight_scale.shift)
        sums = torch.nn.functional.conv2d(images.double(), weights, bias).mean((0, 2, 3)).numpy()
        errors.append(np.abs(sums * unit - expected) / unit)
    assert errors[0].max() > 10
    assert errors[1].max() <= 0.5 + 1e-2


def unequal_channels() -> nn.Module:
    """A depthwise convolution whose channels' weights lie 64 times apart; the fourth channel has none."""
    model = randomise(nn.Sequential(InputScale(8), nn.Conv2d(3, 6, 1), nn.Conv2d(6, 6, 3, groups=6, bias=False)), 4)
    with torch.no_grad():
        model[2].weight.mul_(2.0 ** torch.tensor([0, -6, -3, 0, -6, -1]).reshape(6, 1, 1, 1))
        model[2].weight[3] = 0
    return model


def test_channels_of_a_depthwise_convolution_have_scales_of_their_own() -> None:
    """Each channel's weights are as near as its own peak allows; with one scale the small ones nearly vanish."""
    model, images = unequal_channels(), pixels(8, 3)
    wanted = model[2].weight.detach().double().flatten(1)
    worst = []
    for choice in ("depthwise", "none"):
        network = quantise_module(model, images, "unequal", QuantisationOptions(per_channel=choice))
        scales = network.layer("2").weight_scale
        scales = scales if isinstance(scales, tuple) else (scales,) * 6
        units = torch.tensor([float(each.fraction()) for each in scales]).double()
        error = (torch.from_numpy(network.weights("2")).double().flatten(1) * units[:, None] - wanted).abs().amax(1)
        kept = wanted.abs().amax(1) > 0
        worst.append(float((error[kept] / wanted.abs().amax(1)[kept]).max()))
        # A channel's accumulator is brought to the output's scale by its own shift.
        shifts = network.requantise("2").shift - network.requantise("2").shift.min()
        assert (2.0**-shifts == (units / units.max()).numpy()).all() and (len(set(shifts)) > 3) == (choice != "none")
    assert worst[0] < 0.04 < 0.2 < worst[1]


def test_only_depthwise_convolutions_have_several_scales_unless_asked() -> None:
    model, images = randomise(depthwise_separable(), 5), pixels(8, 3)
    for choice, wanted in (("none", []), ("depthwise", ["depth"]), ("all", ["depth", "conv"])):
        network = quantise_module(model, images, "scales", QuantisationOptions(per_channel=choice))
        kinds = {
            "linear" if each.type == "linear" else "depth" if each.groups > 1 else "conv"
            for each in network.weighted_layers
            if isinstance(each.weight_scale, tuple)
        }
        assert kinds == set(wanted)


def test_relu6_is_the_integer_bound_of_six() -> None:
    model = nn.Sequential(InputScale(0), nn.Conv2d(3, 2, 1), nn.ReLU6())
    nn.init.constant_(model[1].weight, 1.0)
    nn.init.zeros_(model[1].bias)
    network = quantise_module(model, pixels(4, 1), "six")
    results = golden.run(network, pixels(4, 1).numpy())["1"]
    scale = network.scale("1")
    assert scale is not None and float(results.max() * scale.fraction()) == 6.0


def test_a_large_bias_next_to_small_weights_is_held() -> None:
    model = nn.Sequential(InputScale(8), nn.Conv2d(3, 2, 1))
    nn.init.constant_(model[1].weight, 2.0**-28)
    nn.init.constant_(model[1].bias, 96.0)
    network = quantise_module(model, pixels(2, 1), "large")
    scale = network.scale("1")
    assert scale is not None
    assert {float(value * scale.fraction()) for value in golden.run(network, pixels(2, 1).numpy())["1"].flat} == {96.0}


@pytest.mark.parametrize("images", [torch.zeros(0, *SHAPE, dtype=torch.uint8), torch.zeros(2, *SHAPE)])
def test_calibration_images_must_be_pixels(images: torch.Tensor) -> None:
    with pytest.raises(QuantisationError, match="calibration images must be uint8 and at least one"):
        quantise_module(ResNetLike(), images, "none")


def test_numbers_beyond_any_scale_are_refused() -> None:
    model = nn.Sequential(nn.Conv2d(3, 2, 1, bias=False), nn.Conv2d(2, 2, 1, bias=False))
    nn.init.constant_(model[0].weight, 2.0**20)
    nn.init.constant_(model[1].weight, 2.0**20)
    with pytest.raises(QuantisationError, match="1: Conv2d puts out numbers of up to .*e.*, beyond any scale"):
        quantise_module(model, pixels(2, 1), "large")


def test_addends_whose_scales_are_far_apart_are_refused() -> None:
    class Apart(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.small = nn.Conv2d(3, 3, 1, bias=False)
            self.large = nn.Conv2d(3, 3, 1, bias=False)
            nn.init.constant_(self.small.weight, 2.0**-16)
            nn.init.constant_(self.large.weight, 2.0**8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.small(x) + self.large(x)

    with pytest.raises(QuantisationError, match=r"add: the addends' scales are 2\*\*\d+ apart"):
        quantise_module(Apart(), pixels(2, 1), "apart")
