"""Sequential networks known by name, as PyTorch modules."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from compression.errors import CompressionError
from compression.quantise import InputScale

__all__ = ["NETWORKS", "NetworkDefinition", "find_network", "lenet5"]


@dataclass(frozen=True)
class NetworkDefinition:
    """A network that checkpoints can be loaded into.

    Attributes:
        build: makes it, untrained; takes float pixels 0..255 (N, C, H, W), gives scores (N, classes).
        input_shape: (C, H, W).
        classes: how many scores.
    """

    build: Callable[[], nn.Sequential]
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


NETWORKS = {"lenet5": NetworkDefinition(lenet5, (1, 28, 28), 10)}


def find_network(name: str) -> NetworkDefinition:
    """The network of that name.

    Raises:
        CompressionError: there is none.
    """
    if name not in NETWORKS:
        raise CompressionError(f"there is no network {name!r}; choose from {', '.join(NETWORKS)}.")
    return NETWORKS[name]
