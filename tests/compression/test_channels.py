"""Channels really go: the smaller network computes what the whole one does with those channels at zero."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

import golden
from compression.channels import channel_groups, load_resized, positions, remove_channels
from compression.checkpoint import load_checkpoint
from compression.errors import CompressionError
from compression.networks import lenet5, resnet20, vgg_small
from compression.prune import prunable
from compression.quantise import InputScale, quantise_module
from tests.compression.modules import depthwise_separable, normalised_behind_relu, randomise, vgg_like

Shape = tuple[int, int, int]


class Inverted(nn.Module):
    """MobileNetV2's inverted residual: 1x1 up, depthwise, 1x1 down without an activation, added to its input."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        inner = 3 * inputs
        self.up, self.up_bn = nn.Conv2d(inputs, inner, 1, bias=False), nn.BatchNorm2d(inner)
        self.deep, self.deep_bn = nn.Conv2d(inner, inner, 3, stride, 1, groups=inner), nn.BatchNorm2d(inner)
        self.down, self.down_bn = nn.Conv2d(inner, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu6(self.up_bn(self.up(x)))
        y = self.down_bn(self.down(functional.relu6(self.deep_bn(self.deep(y)))))
        return x + y if self.residual else y


def mobile() -> nn.Module:
    return nn.Sequential(
        InputScale(8), nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU6(), Inverted(4, 4, 1),
        Inverted(4, 6, 2), Inverted(6, 6, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5),
    )  # fmt: skip


class Joined(nn.Module):
    """Concatenations: added to a third map, read by a convolution, and flattened."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 2, 3), nn.Conv2d(3, 6, 3)
        self.d, self.e = nn.Conv2d(6, 4, 1), nn.Conv2d(6, 3, 1)
        self.f, self.g = nn.Conv2d(7, 5, 1), nn.Conv2d(7, 2, 1)
        self.fc = nn.Linear(7 * 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.cat([self.a(x), self.b(x)], 1) + self.c(x)
        z = torch.cat([self.d(y).relu(), self.e(y).relu()], 1)
        return self.fc(torch.cat([self.f(z), self.g(z)], 1).flatten(1))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Shape, list[str]]] = {
    # builder, input shape, the first convolution of each group
    "lenet5": (lenet5, (1, 28, 28), ["conv1", "conv2"]),
    "vgg-small": (vgg_small, (3, 32, 32), [f"conv{number}" for number in range(1, 7)]),
    "resnet20": (
        resnet20,
        (3, 32, 32),
        ["conv", *(f"stage1_block{n}.conv1" for n in (1, 2, 3))]
        + [f"stage{s}_block{n}.{c}" for s in (2, 3) for n in (1, 2, 3) for c in ("conv1", "conv2")[: 3 - min(n, 2)]],
    ),
    "mobile": (mobile, (3, 8, 8), ["1", "4.up", "5.up", "5.down", "6.up"]),
    "grouped": (vgg_like, (3, 10, 8), ["9"]),
    "separable": (depthwise_separable, (3, 8, 8), ["features.1.3", "features.2.3"]),
    "concatenated": (Joined, (3, 4, 4), ["d", "e"]),
}


def build(name: str) -> tuple[nn.Module, Shape]:
    maker, shape, _ = NETWORKS[name]
    torch.manual_seed(1)
    return randomise(maker(), 5), shape


def zeroed(model: nn.Module, group_layers: tuple[str, ...], channels: list[int]) -> nn.Module:
    """A copy in which the maps themselves are wiped, behind normalisation where a layer is normalised."""
    wiped = deepcopy(model)
    modules = dict(wiped.named_modules())
    order = list(modules)
    for name in group_layers:
        behind = [modules[each] for each in order[order.index(name) + 1 :]]
        final = next((m for m in behind if not isinstance(m, nn.Sequential)), None)
        target = final if isinstance(final, nn.BatchNorm2d) else modules[name]
        if name.endswith(("up", "down", "deep")):
            target = modules[f"{name}_bn"]
        if name.endswith(("conv1", "conv2")) and f"{name[:-5]}bn{name[-1]}" in modules:
            target = modules[f"{name[:-5]}bn{name[-1]}"]

        def wipe(_: nn.Module, __: object, output: torch.Tensor) -> torch.Tensor:
            output = output.clone()
            output[:, channels] = 0
            return output

        target.register_forward_hook(wipe)
    return wiped


@pytest.mark.parametrize("name", NETWORKS)
def test_the_smaller_network_computes_what_the_whole_one_does_with_the_channels_at_zero(name: str) -> None:
    model, shape = build(name)
    groups = channel_groups(model, shape)
    assert [group.name for group in groups] == NETWORKS[name][2]
    pixels = torch.randint(0, 256, (3, *shape), generator=torch.Generator().manual_seed(2)).float()
    for group in groups:
        gone = list(range(0, group.channels, 2))
        expected = zeroed(model, group.layers, gone)(pixels).detach()
        remove_channels(model, {group.name: gone}, shape)
        # float32 sums of fewer terms: some 4e-7 apart.
        assert torch.allclose(model(pixels), expected, atol=2e-6 * float(expected.abs().max()))
        for layer in group.layers:
            module = model.get_submodule(layer)
            assert module.out_channels == len(module.weight) == group.channels - len(gone)
            assert module.groups in (1, module.out_channels)


def test_all_groups_at_once_and_loaded_into_a_fresh_network() -> None:
    for name in ("resnet20", "mobile"):
        model, shape = build(name)
        dense = deepcopy(model.state_dict())
        remove_channels(model, {group.name: [1] for group in channel_groups(model, shape)}, shape)
        pixels = torch.randint(0, 256, (2, *shape), generator=torch.Generator().manual_seed(2)).float()
        fresh, _ = build(name)
        load_resized(fresh, model.state_dict())
        assert torch.equal(fresh(pixels), model(pixels)) and str(fresh) == str(model)
        load_resized(fresh, dense)
        assert torch.equal(fresh(pixels), build(name)[0](pixels)) and str(fresh) == str(build(name)[0]), "and back"


def test_a_checkpoint_of_a_smaller_network_loads_and_a_larger_one_is_refused(tmp_path: Path) -> None:
    model, shape = build("lenet5")
    torch.save(model.state_dict(), tmp_path / "large.pt")
    remove_channels(model, {"conv2": [1, 2]}, shape)
    torch.save(model.state_dict(), tmp_path / "small.pt")
    fresh = lenet5()
    load_checkpoint(fresh, tmp_path / "small.pt")
    assert fresh.conv2.out_channels == 14 and torch.equal(fresh.fc1.weight, model.fc1.weight)
    with pytest.raises(CompressionError, match=r"large.pt: is a checkpoint of another network: conv2.weight is \(16, "):
        load_checkpoint(fresh, tmp_path / "large.pt")
    torch.save({**model.state_dict(), "fc3.weight": torch.zeros(9, 84)}, tmp_path / "nine.pt")
    with pytest.raises(CompressionError, match=r"nine.pt: is a checkpoint of another network: fc3.weight is \(9, 84\)"):
        load_checkpoint(lenet5(), tmp_path / "nine.pt")


def test_masks_are_cut_down_with_the_weights() -> None:
    model, shape = build("lenet5")
    generator = torch.Generator().manual_seed(3)
    masks = {name: torch.rand(each.shape, generator=generator) < 0.5 for name, each in prunable(model).items()}
    del masks["fc2"]
    cut = remove_channels(model, {"conv2": [0, 5], "conv1": [3]}, shape, masks)
    inputs = [channel for channel in range(6) if channel != 3]
    outputs = [channel for channel in range(16) if channel not in (0, 5)]
    assert torch.equal(cut["conv2"], masks["conv2"][outputs][:, inputs])
    assert torch.equal(cut["fc1"], masks["fc1"].reshape(120, 16, 25)[:, outputs].flatten(1))
    assert torch.equal(cut["fc3"], masks["fc3"]) and cut.keys() == masks.keys()


def test_normalisation_behind_an_activation_follows() -> None:
    model, shape = randomise(normalised_behind_relu(), 5), (3, 10, 8)
    assert channel_groups(model, shape) == [], "a grouped convolution reads the one, and is the other"


@pytest.mark.parametrize(
    ("channels", "reason"),
    [
        ({"fc1": [0]}, "fc1: its output channels cannot be removed"),
        ({"conv1": [6]}, "conv1: has channels 0 to 5; 6 is not there"),
        ({"conv1": list(range(6))}, "conv1: at least 1 of its 6 channels must stay"),
    ],
)
def test_channels_that_cannot_go_are_refused_and_nothing_changes(channels: dict[str, list[int]], reason: str) -> None:
    model, shape = build("lenet5")
    before = deepcopy(model.state_dict())
    with pytest.raises(CompressionError, match=reason):
        remove_channels(model, channels, shape)
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())


@pytest.mark.parametrize(
    ("name", "shape"),
    [("conv1.weight", (6, 1, 3, 3)), ("fc3.weight", (9, 84)), ("conv1.bias", (6, 1)), ("fc3.bias", (9,))],
)
def test_a_state_that_is_no_smaller_version_is_refused(name: str, shape: tuple[int, ...]) -> None:
    model, _ = build("lenet5")
    state = {**model.state_dict(), name: torch.zeros(shape)}
    with pytest.raises(CompressionError, match=rf"{name} is \({shape[0]}, "[:-2]):
        load_resized(model, state)


def test_positions_times_weights_are_the_multiplications_that_are_known() -> None:
    for name, expected in (("resnet20", 40_813_184), ("vgg-small", 38_653_952)):
        model, shape = build(name)
        used = positions(model.train(), shape)
        total = sum(used[layer] * each.numel() for layer, each in prunable(model).items())
        assert total == expected and all(module.training for module in model.modules())


def test_a_smaller_resnet_is_quantised_and_runs_in_golden() -> None:
    model, shape = build("resnet20")
    remove_channels(model, {group.name: range(0, group.channels, 2) for group in channel_groups(model, shape)}, shape)
    pixels = torch.randint(0, 256, (8, *shape), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)
    network = quantise_module(model, pixels, "small")
    assert network.weights("stage2_block1.shortcut.conv").shape == (16, 8, 1, 1)
    integers = torch.from_numpy(golden.run(network, pixels.numpy(), keep="outputs")[network.outputs[0]]).double()
    scores = model(pixels.float()).detach().double()
    assert torch.corrcoef(torch.stack([integers.flatten(), scores.flatten()]))[0, 1] > 0.97
