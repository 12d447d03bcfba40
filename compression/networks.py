"""Networks known by name, as PyTorch modules."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from compression.errors import CompressionError
from compression.quantise import InputScale

__all__ = ["NETWORKS", "NetworkDefinition", "cifar10_cnn", "find_network", "lenet5", "resnet20", "vgg_small"]


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
    layers: list[tuple[str, nn.Module]] = [("pixels", InputScale(fractional_length=8))]
    channels = 3
    for number, width in enumerate((32, 32, 64, 64, 128, 128), start=1):
        layers += [
            (f"conv{number}", nn.Conv2d(channels, width, 3, padding=1, bias=False)),
            (f"bn{number}", nn.BatchNorm2d(width)),
            (f"conv{number}_relu", nn.ReLU()),
        ]
        if number % 2 == 0:
            layers.append((f"pool{number // 2}", nn.MaxPool2d(2)))
        channels = width
    layers += [("flatten", nn.Flatten()), ("fc", nn.Linear(channels * 4 * 4, 10))]
    return nn.Sequential(OrderedDict(layers))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, which is a 1x1 convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            convolution = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(OrderedDict(conv=convolution, bn=nn.BatchNorm2d(outputs)))
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        inner = self.relu1(self.bn1(self.conv1(features)))
        outer: torch.Tensor = self.relu2(self.bn2(self.conv2(inner)) + self.shortcut(features))
        return outer


def resnet20() -> nn.Sequential:
    """He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition" (CVPR 2016), section 4.2, n = 3: 41 M
    multiplications, 270,896 weights; shortcuts that change the shape are 1x1 convolutions (option B)."""
    layers: list[tuple[str, nn.Module]] = [
        ("pixels", InputScale(fractional_length=8)),
        ("conv", nn.Conv2d(3, 16, 3, padding=1, bias=False)),
        ("bn", nn.BatchNorm2d(16)),
        ("relu", nn.ReLU()),
    ]
    channels = 16
    for stage, width in enumerate((16, 32, 64), start=1):
        for number in range(1, 4):
            stride = 2 if width != channels else 1
            layers.append((f"stage{stage}_block{number}", ResidualBlock(channels, width, stride)))
            channels = width
    layers += [("pool", nn.AdaptiveAvgPool2d(1)), ("flatten", nn.Flatten()), ("fc", nn.Linear(channels, 10))]
    return nn.Sequential(OrderedDict(layers))


NETWORKS = {
    "cifar10-cnn": NetworkDefinition(cifar10_cnn, (3, 32, 32), 10),
    "lenet5": NetworkDefinition(lenet5, (1, 28, 28), 10),
    "resnet20": NetworkDefinition(resnet20, (3, 32, 32), 10),
    "vgg-small": NetworkDefinition(vgg_small, (3, 32, 32), 10),
}


def find_network(name: str) -> NetworkDefinition:
    """The network of that name.

    Raises:
        CompressionError: there is none.
    """
    if name not in NETWORKS:
        raise CompressionError(f"there is no network {name!r}; choose from {', '.join(NETWORKS)}.")
    return NETWORKS[name]
