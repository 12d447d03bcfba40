"""Networks known by name, as PyTorch modules."""

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from inspect import Parameter, signature
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn

from compression.errors import CompressionError
from compression.quantise import InputScale

__all__ = [
    "NETWORKS",
    "NetworkDefinition",
    "cifar10_cnn",
    "find_network",
    "lenet5",
    "mobilenetv2",
    "resnet110",
    "resnet20",
    "resnet50",
    "resnet56",
    "vgg13bn",
    "vgg16bn",
    "vgg_small",
    "vgg_small_grey",
]


@dataclass(frozen=True)
class NetworkDefinition:
    """A network that checkpoints can be loaded into.

    Attributes:
        build: makes it, untrained; takes float pixels 0..255 (N, C, H, W), gives scores (N, classes).
        input_shape: (C, H, W).
        classes: how many scores.
    """

    build: Callable[[], nn.Module]
    input_shape: tuple[int, int, int]
    classes: int


def lenet5() -> nn.Sequential:
    """LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document Recognition" (1998), in its usual
    modern form: ReLU for tanh, 2x2 max pooling for subsampling, every map of conv2 connected to every map of pool1."""
    return nn.Sequential(
        OrderedDict(
            pixels=InputScale(fractional_length=8),
            conv1=nn.Conv2d(1, 6, 5, padding=2),
            conv1_relu=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(6, 16, 5),
            conv2_relu=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            fc1=nn.Linear(400, 120),
            fc1_relu=nn.ReLU(),
            fc2=nn.Linear(120, 84),
            fc2_relu=nn.ReLU(),
            fc3=nn.Linear(84, 10),
        )
    )


def cifar10_cnn() -> nn.Sequential:
    """A published Keras network (PyPI cifar-10-model 7.4.0) with its batch normalisation folded: six 3x3 convolutions
    without padding, each with a ReLU, a 2x2 maximum behind the second and the fourth, three linear layers, a ReLU
    behind each, the last one too. ``zoo/cifar10_cnn.py`` fills it."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(pixels=InputScale(fractional_length=8))
    channels = (3, 64, 64, 128, 128, 64, 64)
    for number, (inputs, outputs) in enumerate(pairwise(channels), start=1):
        layers[f"conv{number}"] = nn.Conv2d(inputs, outputs, 3)
        layers[f"conv{number}_relu"] = nn.ReLU()
        if number in (2, 4):
            layers[f"pool{number}"] = nn.MaxPool2d(2)
    layers["flatten"] = nn.Flatten()
    for number, (inputs, outputs) in enumerate(pairwise((64, 1024, 512, 10)), start=1):
        layers[f"fc{number}"] = nn.Linear(inputs, outputs)
        layers[f"fc{number}_relu"] = nn.ReLU()
    return nn.Sequential(layers)


def vgg_small() -> nn.Sequential:
    """Six 3x3 convolutions in three pairs, a 2x2 maximum behind each pair, one linear layer; the pattern of Simonyan,
    Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (ICLR 2015), with batch
    normalisation, for 32x32 pixels: 38.6 M multiplications, 307,040 weights."""
    return _six_convolutions(3, 4 * 4)


def vgg_small_grey() -> nn.Sequential:
    """:func:`vgg_small` for 28x28 grey pixels: 29.1 M multiplications, 297,504 weights."""
    return _six_convolutions(1, 3 * 3)


def _six_convolutions(channels: int, places: int) -> nn.Sequential:
    """The layers of :func:`vgg_small` for so many input channels; behind them there are so many places."""
    layers: list[tuple[str, nn.Module]] = [("pixels", InputScale(fractional_length=8))]
    for number, width in enumerate((32, 32, 64, 64, 128, 128), start=1):
        layers += [
            (f"conv{number}", nn.Conv2d(channels, width, 3, padding=1, bias=False)),
            (f"bn{number}", nn.BatchNorm2d(width)),
            (f"conv{number}_relu", nn.ReLU()),
        ]
        if number % 2 == 0:
            layers.append((f"pool{number // 2}", nn.MaxPool2d(2)))
        channels = width
    layers += [("flatten", nn.Flatten()), ("fc", nn.Linear(channels * places, 10))]
    return nn.Sequential(OrderedDict(layers))


def _vgg(*stages: int) -> nn.Sequential:
    """So many 3x3 convolutions in each of five stages (64 to 512 channels), each with bias and normalisation, a 2x2
    maximum behind each stage, one linear layer."""
    layers: list[tuple[str, nn.Module]] = [("pixels", InputScale(fractional_length=8))]
    channels, number = 3, 0
    for stage, (count, width) in enumerate(zip(stages, (64, 128, 256, 512, 512), strict=True), start=1):
        for _ in range(count):
            number += 1
            layers += [
                (f"conv{number}", nn.Conv2d(channels, width, 3, padding=1)),
                (f"bn{number}", nn.BatchNorm2d(width)),
                (f"conv{number}_relu", nn.ReLU()),
            ]
            channels = width
        layers.append((f"pool{stage}", nn.MaxPool2d(2)))
    return nn.Sequential(OrderedDict([*layers, ("flatten", nn.Flatten()), ("fc", nn.Linear(channels, 10))]))


def vgg13bn() -> nn.Sequential:
    """Configuration B of Simonyan and Zisserman (ICLR 2015) with batch normalisation, for 32x32 pixels: 10
    convolutions, one linear layer."""
    return _vgg(2, 2, 2, 2, 2)


def vgg16bn() -> nn.Sequential:
    """Configuration D of Simonyan and Zisserman (ICLR 2015) with batch normalisation, for 32x32 pixels: 13
    convolutions, one linear layer; the 14.73 M parameters of Li, Li, Meng (Electronics 2022, 11(18), 2887), whose
    314.03 MFLOPs are 313.20 M multiplications and three operations for each convolution's output."""
    return _vgg(2, 2, 3, 3, 3)


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """Without bias, which normalisation gives; the map keeps its size but for the stride."""
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)


def _projection(inputs: int, outputs: int, stride: int) -> nn.Module:
    """A shortcut: a 1x1 convolution where the shape changes (option B of He et al.)."""
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(OrderedDict(conv=_convolution(inputs, outputs, 1, stride), bn=nn.BatchNorm2d(outputs)))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, which is a 1x1 convolution where the shape changes."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _convolution(inputs, width, 3, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _convolution(width, width, 3)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = _projection(inputs, width, stride)
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(N, inputs, H, W) -> (N, width, H / stride, W / stride)."""
        inner = self.relu1(self.bn1(self.conv1(features)))
        outer: torch.Tensor = self.relu2(self.bn2(self.conv2(inner)) + self.shortcut(features))
        return outer


class BottleneckBlock(nn.Module):
    """1x1, 3x3 and 1x1 convolutions, the last one four times as wide, and a shortcut."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = self.expansion * width
        self.conv1 = _convolution(inputs, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _convolution(width, width, 3, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = _convolution(width, outputs, 1)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.shortcut = _projection(inputs, outputs, stride)
        self.relu1, self.relu2, self.relu3 = nn.ReLU(), nn.ReLU(), nn.ReLU()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(N, inputs, H, W) -> (N, 4 * width, H / stride, W / stride)."""
        inner = self.relu1(self.bn1(self.conv1(features)))
        inner = self.relu2(self.bn2(self.conv2(inner)))
        outer: torch.Tensor = self.relu3(self.bn3(self.conv3(inner)) + self.shortcut(features))
        return outer


def _resnet(
    block: type[ResidualBlock] | type[BottleneckBlock], counts: tuple[int, ...], widths: tuple[int, ...]
) -> nn.Sequential:
    """A 3x3 convolution, stages of so many blocks, each but the first halving the map, a mean and a linear layer."""
    layers: list[tuple[str, nn.Module]] = [
        ("pixels", InputScale(fractional_length=8)),
        ("conv", _convolution(3, widths[0], 3)),
        ("bn", nn.BatchNorm2d(widths[0])),
        ("relu", nn.ReLU()),
    ]
    channels = widths[0]
    for stage, (count, width) in enumerate(zip(counts, widths, strict=True), start=1):
        for number in range(1, count + 1):
            stride = 2 if stage > 1 and number == 1 else 1
            layers.append((f"stage{stage}_block{number}", block(channels, width, stride)))
            channels = block.expansion * width
    layers += [("pool", nn.AdaptiveAvgPool2d(1)), ("flatten", nn.Flatten()), ("fc", nn.Linear(channels, 10))]
    return nn.Sequential(OrderedDict(layers))


def resnet20() -> nn.Sequential:
    """He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition" (CVPR 2016), section 4.2, n = 3: 41 M
    multiplications, 270,896 weights; shortcuts that change the shape are 1x1 convolutions (option B)."""
    return _resnet(ResidualBlock, (3, 3, 3), (16, 32, 64))


def resnet56() -> nn.Sequential:
    """As :func:`resnet20` with n = 9. Li, Li, Meng (2022) count 126.56 MFLOPs and 0.85 M parameters, which is option A
    (shortcuts without weights); ours has 2,560 weights more."""
    return _resnet(ResidualBlock, (9, 9, 9), (16, 32, 64))


def resnet110() -> nn.Sequential:
    """As :func:`resnet20` with n = 18."""
    return _resnet(ResidualBlock, (18, 18, 18), (16, 32, 64))


def resnet50() -> nn.Sequential:
    """He et al. (CVPR 2016), table 1, for 32x32 pixels: a 3x3 convolution with stride 1 for the 7x7 one and its
    pooling, as is usual; strides in the 3x3 convolutions of the blocks."""
    return _resnet(BottleneckBlock, (3, 4, 6, 3), (64, 128, 256, 512))


class InvertedResidual(nn.Module):
    """A 1x1 convolution that widens, a 3x3 depthwise one, a 1x1 one that narrows; a shortcut where shapes agree."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inputs * expansion
        layers: list[tuple[str, nn.Module]] = []
        if expansion != 1:
            layers += [("expand", _convolution(inputs, width, 1)), ("expand_bn", nn.BatchNorm2d(width))]
            layers += [("expand_relu", nn.ReLU6())]
        layers += [
            ("depthwise", _convolution(width, width, 3, stride, width)),
            ("depthwise_bn", nn.BatchNorm2d(width)),
            ("depthwise_relu", nn.ReLU6()),
            ("project", _convolution(width, outputs, 1)),
            ("project_bn", nn.BatchNorm2d(outputs)),
        ]
        self.layers = nn.Sequential(OrderedDict(layers))
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        result: torch.Tensor = self.layers(features)
        return result + features if self.shortcut else result


def mobilenetv2() -> nn.Sequential:
    """Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (CVPR 2018), table 2, for 32x32 pixels:
    the first convolution has stride 1, all others the paper's; so it has the 2.24 M parameters of Li, Li, Meng
    (2022), whose 25.55 MFLOPs are 24.46 M multiplications and two operations for each convolution's output."""
    layers: list[tuple[str, nn.Module]] = [
        ("pixels", InputScale(fractional_length=8)),
        ("conv", _convolution(3, 32, 3)),
        ("bn", nn.BatchNorm2d(32)),
        ("relu", nn.ReLU6()),
    ]
    channels = 32
    table = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for stage, (expansion, width, count, stride) in enumerate(table, start=1):
        for number in range(1, count + 1):
            block = InvertedResidual(channels, width, stride if number == 1 else 1, expansion)
            layers.append((f"stage{stage}_block{number}", block))
            channels = width
    layers += [("head", _convolution(channels, 1280, 1)), ("head_bn", nn.BatchNorm2d(1280)), ("head_relu", nn.ReLU6())]
    layers += [("pool", nn.AdaptiveAvgPool2d(1)), ("flatten", nn.Flatten()), ("dropout", nn.Dropout(0.2))]
    return nn.Sequential(OrderedDict([*layers, ("fc", nn.Linear(1280, 10))]))


_FASHION, _CIFAR = (1, 28, 28), (3, 32, 32)

NETWORKS = {
    "cifar10-cnn": NetworkDefinition(cifar10_cnn, _CIFAR, 10),
    "lenet5": NetworkDefinition(lenet5, _FASHION, 10),
    "mobilenetv2": NetworkDefinition(mobilenetv2, _CIFAR, 10),
    "resnet20": NetworkDefinition(resnet20, _CIFAR, 10),
    "resnet50": NetworkDefinition(resnet50, _CIFAR, 10),
    "resnet56": NetworkDefinition(resnet56, _CIFAR, 10),
    "resnet110": NetworkDefinition(resnet110, _CIFAR, 10),
    "vgg-small": NetworkDefinition(vgg_small, _CIFAR, 10),
    "vgg-small-grey": NetworkDefinition(vgg_small_grey, (1, 28, 28), 10),
    "vgg13bn": NetworkDefinition(vgg13bn, _CIFAR, 10),
    "vgg16bn": NetworkDefinition(vgg16bn, _CIFAR, 10),
}
"""By the name that ``zeroskip compress --network`` takes."""

PYTORCHCV = "pytorchcv:"
"""What stands before a name of pytorchcv's."""


def find_network(name: str) -> NetworkDefinition:
    """The network of that name, one of ``NETWORKS`` or ``pytorchcv:NAME``.

    Raises:
        CompressionError: there is none.
    """
    if name.startswith(PYTORCHCV):
        return _from_pytorchcv(name.removeprefix(PYTORCHCV))
    if name not in NETWORKS:
        raise CompressionError(
            f"there is no network {name!r}; choose from {', '.join(NETWORKS)}, or {PYTORCHCV}NAME, "
            f"such as {PYTORCHCV}resnet20_cifar10."
        )
    return NETWORKS[name]


def _from_pytorchcv(name: str) -> NetworkDefinition:
    """One of pytorchcv's definitions, untrained, with pixels / 256 in front of its ``features``.

    Its parameters keep their names, so that checkpoints of pytorchcv's own module fit.
    """
    make = _pytorchcv_builder(name)

    def build() -> nn.Module:
        model: nn.Module = make(pretrained=False)
        features = getattr(model, "features", None)
        if type(features) is not nn.Sequential:
            raise CompressionError(f"{PYTORCHCV}{name}: has no plain sequence 'features', so it takes no images here.")
        model.features = nn.Sequential(OrderedDict([("pixels", InputScale(8)), *features.named_children()]))
        return model

    model = build()
    first = next(each for each in model.modules() if isinstance(each, nn.Conv2d))
    rows, columns = (getattr(model, "in_size", None) or (0, 0))[:2]
    classes = getattr(model, "num_classes", 0)
    if not (rows and columns and classes):
        raise CompressionError(f"{PYTORCHCV}{name}: is no classifier of images of a fixed size.")
    return NetworkDefinition(build, (first.in_channels, rows, columns), classes)


def _pytorchcv_builder(name: str) -> Callable[..., nn.Module]:
    """The function of that name; only the module that holds it is imported, since others need torchvision."""
    package = find_spec("pytorchcv")
    if package is None or not package.submodule_search_locations:
        raise CompressionError(
            f"{PYTORCHCV}{name}: pytorchcv is not installed; install it with: pip install 'zeroskip[compression]'."
        )
    definition = re.compile(rf"^def {re.escape(name)}\(", re.MULTILINE)
    for file in sorted(Path(package.submodule_search_locations[0], "models").glob("*.py")):
        if definition.search(file.read_text(encoding="utf-8")):
            module = import_module(f"pytorchcv.models.{file.stem}")
            make: Callable[..., nn.Module] = getattr(module, name)
            if not _must_be_told(make):
                return make
    raise CompressionError(f"pytorchcv has no network {name!r}; its names are those of pytorchcv/model_provider.py.")


def _must_be_told(make: Callable[..., nn.Module]) -> bool:
    """Whether a function is no network but a helper of several, as get_resnet, which wants the number of blocks."""
    optional = (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL)
    parameters = signature(make).parameters.values()
    return any(each.default is Parameter.empty and each.kind not in optional for each in parameters)
