"""The front door: a traced and folded graph computes what its module does, and what it cannot take is refused."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional

from compression.float_graph import Convolution, FloatGraph, GlobalAveragePool, QuantisationError
from compression.fold import lowered
from compression.frontend import trace
from tests.compression.modules import (
    Residual,
    ResNetLike,
    depthwise_separable,
    normalised_behind_relu,
    randomise,
    vgg_like,
)

SHAPE = (3, 10, 8)


def pixels(count: int = 6, shape: tuple[int, int, int] = SHAPE) -> torch.Tensor:
    return torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))


def assert_equal_in_float(model: nn.Module, graph: FloatGraph, images: torch.Tensor) -> None:
    """Equal but for float32's rounding, against the greatest output."""
    with torch.no_grad():
        expected = model.eval()(images.float())
    (result,) = graph.run(images).values()
    assert result.shape == expected.shape
    assert float((result - expected).abs().max()) <= 1e-5 * float(expected.abs().max())


@pytest.mark.parametrize("build", [ResNetLike, depthwise_separable, vgg_like, normalised_behind_relu])
@pytest.mark.parametrize("seed", range(3))
def test_the_folded_graph_is_the_module(build: Callable[[], nn.Module], seed: int) -> None:
    model = randomise(build(), seed)
    graph = trace(model, SHAPE)
    assert_equal_in_float(model, graph, pixels())
    assert not {node.kind for node in graph.nodes.values()} & {"BatchNorm2d", "BatchNorm1d", "ReLU", "ReLU6", "Dropout"}


def test_nodes_have_the_names_of_modules() -> None:
    graph = trace(randomise(ResNetLike(), 0), SHAPE)
    assert list(graph.nodes) == [
        "conv1",
        "layer1.conv1",
        "layer1.conv2",
        "layer1.add",
        "layer2.conv1",
        "layer2.conv2",
        "layer2.shortcut.0",
        "layer2.add",
        "globalaveragepool",
        "flatten",
        "fc",
    ]


def test_the_module_is_left_as_it_was() -> None:
    model = randomise(ResNetLike(), 0).train()
    model.bn1.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trace(model, SHAPE)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert model.training and model.layer1.training and not model.bn1.training


class Spellings(nn.Module):
    """The same operators as functions and methods, with arguments by place and by name."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 1)
        self.fc = nn.Linear(8 * 20 + 8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.first(x))
        y = torch.add(input=self.second(x), other=x).relu_()
        z = torch.cat([y, functional.relu6(self.second(x))], dim=1).contiguous()
        pooled = functional.max_pool2d(z, kernel_size=2)
        a = functional.avg_pool2d(pooled, (1, 1)).view(x.shape[0], -1)
        b = torch.mean(z, dim=(-1, -2), keepdim=True).reshape(x.size(0), 8)
        return self.fc(functional.dropout(torch.cat((a, b), 1), training=self.training))


def test_functions_and_methods_are_read_as_modules_are() -> None:
    model = randomise(Spellings(), 3)
    assert_equal_in_float(model, trace(model, SHAPE), pixels())


class InPlace(nn.Module):
    """The shortcut reads what the ReLU overwrote."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        self.relu = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(4, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        return self.second(self.relu(x)) + x


def test_an_operator_in_place_changes_what_later_ones_read() -> None:
    model = randomise(InPlace(), 1)
    assert_equal_in_float(model, trace(model, SHAPE), pixels())


class Forward(nn.Module):
    """One child named ``block``, and a forward given as a function of it and the input."""

    def __init__(self, block: nn.Module, forward: Callable[[nn.Module, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.block = block
        self.function = forward

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self.block, x)


class Inner(nn.Module):
    """An operator of a module's own."""

    def __init__(self, operator: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.operator = operator

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.operator(self.conv(x))


def behind_relu(following: nn.Module) -> nn.Module:
    return randomise(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4), following), 0)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (nn.Sequential(nn.Sequential(nn.SiLU())), "0.0: layers of the kind SiLU cannot be quantised here."),
        (Forward(Inner(torch.sigmoid), lambda block, x: block(x)), "block: operators of the kind sigmoid cannot"),
        (
            Forward(Inner(lambda x: x.permute(0, 2, 3, 1)), lambda block, x: block(x)),
            "block: operators of the kind perm",
        ),
        (
            Forward(Inner(lambda x: x + 1), lambda block, x: block(x)),
            "block: add takes something that is not a feature",
        ),
        (Forward(Inner(lambda x: x.flatten(2)), lambda block, x: block(x)), r"block: flatten from \(4, 8, 6\) to"),
        (Forward(Inner(lambda x: x.mean(1)), lambda block, x: block(x)), "block: mean is supported over rows and colu"),
        (Forward(Inner(functional.dropout), lambda block, x: block(x)), "block: dropout drops in evaluation too"),
        (Forward(nn.Conv2d(3, 3, 1), lambda block, x: block(x) * x), "Forward: operators of the kind mul cannot"),
        (Forward(nn.Conv2d(3, 3, 1), lambda block, x: block(x) + block.bias.sum()), "Forward: the tensor 'block.bias'"),
        (Forward(nn.Identity(), lambda block, x: block(x)), "Forward: must put out one or several feature maps"),
        (
            Forward(nn.ReLU(), lambda block, x: block(x) if x.sum() > 0 else x),
            "Forward: torch.fx cannot trace the netw",
        ),
        (nn.Sequential(nn.Conv2d(4, 3, 1)), r"0: Conv2d does not fit an input of shape \(3, 10, 8\): Given"),
        (nn.Sequential(nn.MaxPool2d(3, ceil_mode=True)), "0: MaxPool2d with ceil_mode is not supported"),
        (nn.Sequential(nn.AvgPool2d(3, padding=1, count_include_pad=False)), "0: AvgPool2d with padding needs count_"),
        (nn.Sequential(nn.AdaptiveAvgPool2d((3, 8))), "0: AdaptiveAvgPool2d to 3x8 does not divide the map of 10x8"),
        (nn.Sequential(nn.Linear(8, 2)), "0: Linear takes vectors only"),
        (nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False)), "0: BatchNorm2d keeps no running statistics"),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(240, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.ReLU()),
            "3: BatchNorm1d cannot be folded exactly: the ReLU '4' that reads it has no weights",
        ),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(240, 4), nn.ReLU(), nn.BatchNorm1d(4)),
            "3: BatchNorm1d cannot be folded exactly: its result is the network's output",
        ),
    ],
)
def test_what_cannot_be_taken_is_refused_with_operator_and_path(model: nn.Module, sentence: str) -> None:
    with pytest.raises(QuantisationError, match=sentence) as refusal:
        trace(model, SHAPE)
    assert str(refusal.value).endswith(".") and "\n" not in str(refusal.value)


def test_an_average_over_the_whole_map_is_global_whatever_its_stride() -> None:
    model = randomise(nn.Sequential(nn.Conv2d(3, 2, 1), nn.AvgPool2d(SHAPE[1:], 1)), 0)
    graph = trace(model, SHAPE)
    assert graph.nodes["1"].operation == GlobalAveragePool()
    assert_equal_in_float(model, graph, pixels())


def raising(block: nn.Module, x: torch.Tensor) -> torch.Tensor:
    raise KeyError("a table")


def test_what_the_network_itself_raises_is_a_refusal() -> None:
    with pytest.raises(QuantisationError, match="Forward: torch.fx cannot trace the network: 'a table'"):
        trace(Forward(nn.Identity(), raising), SHAPE)


def test_a_negative_factor_does_not_pass_a_maximum() -> None:
    model = behind_relu(nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(4, 2, 3)))
    assert lowered(trace(model, SHAPE)) == []
    model[2].weight.data[1] = -0.5
    graph = trace(model, SHAPE)
    assert lowered(graph) == [("2", "BatchNorm2d")]
    assert_equal_in_float(model, graph, pixels())


@pytest.mark.parametrize("following", [nn.Conv2d(4, 4, 3, padding=1), nn.Identity(), nn.ReLU(), nn.ReLU6()])
def test_a_normalisation_that_nothing_takes_is_a_depthwise_convolution(following: nn.Module) -> None:
    model = behind_relu(following)
    graph = trace(model, SHAPE)
    assert lowered(graph) == [("2", "BatchNorm2d")]
    assert isinstance(graph.nodes["2"].operation, Convolution) and graph.nodes["2"].operation.groups == 4
    assert len(graph.nodes) == 2 + isinstance(following, nn.Conv2d), "activations are fused"
    assert_equal_in_float(model, graph, pixels())


class PreActivation(nn.Module):
    """Normalisation and ReLU in front of padded convolutions, and a shortcut around them (He et al. 2016b)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.bn1, self.bn2 = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        self.conv1 = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        y = self.conv1(torch.relu(self.bn1(x)))
        return self.conv2(torch.relu(self.bn2(y))) + x


def test_pre_activation_keeps_only_the_normalisation_behind_the_sum() -> None:
    model = randomise(PreActivation(), 2)
    graph = trace(model, SHAPE)
    assert list(graph.nodes) == ["stem", "bn1", "conv1", "conv2", "add"]
    assert lowered(graph) == [("bn1", "BatchNorm2d")] and graph.nodes["bn1"].activation is not None
    assert_equal_in_float(model, graph, pixels())


def test_a_padded_convolution_takes_a_factor_without_shift() -> None:
    model = behind_relu(nn.Conv2d(4, 4, 3, padding=1))
    model[2].running_mean.zero_()
    model[2].bias.data.zero_()
    assert_equal_in_float(model, trace(model, SHAPE), pixels())


def test_memory_that_tracing_does_not_see_is_refused() -> None:
    def forward(block: nn.Module, x: torch.Tensor) -> torch.Tensor:
        made = block(x)
        functional.relu_(made.view(made.shape[0], -1))
        return made

    with pytest.raises(QuantisationError, match="block: the traced network does not compute what the module does"):
        trace(randomise(Forward(nn.Conv2d(3, 4, 3), forward), 0), SHAPE)


def test_a_shared_module_is_two_layers() -> None:
    block = Residual(3, 3, 1)
    model = randomise(nn.Sequential(block, block), 4)
    graph = trace(model, SHAPE)
    assert_equal_in_float(model, graph, pixels())
    assert {"0.conv1", "0.conv1_2"} <= set(graph.nodes)
