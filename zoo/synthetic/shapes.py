"""A network as nothing but shapes: what reads what, how many channels, which kernels.

Nodes know no weights. `Graph` infers the shape of every tensor when a node is added and counts weights and
multiplications exactly, so that a budget can be met before a single weight is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Literal

__all__ = ["Activation", "Add", "Conv", "Flatten", "Graph", "Linear", "Lrn", "Node", "Pool", "Weighted"]

Activation = Literal["none", "relu", "relu6"]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Conv:
    """A convolution with square kernels; batch normalisation is folded into it, as a description holds it."""

    name: str
    source: str
    channels: int
    kernel: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    activation: Activation = "relu"


@dataclass(frozen=True)
class Linear:
    """A fully-connected layer."""

    name: str
    source: str
    features: int
    activation: Activation = "relu"


@dataclass(frozen=True)
class Pool:
    """Pooling by square windows, or by an average over the whole map."""

    name: str
    source: str
    kind: Literal["max", "average", "global"]
    kernel: int = 0
    stride: int = 0
    padding: int = 0


@dataclass(frozen=True)
class Add:
    """A residual sum of two maps."""

    name: str
    source: str
    other: str
    activation: Activation = "relu"


@dataclass(frozen=True)
class Lrn:
    """Local response normalisation over `size` channels, with AlexNet's constants."""

    name: str
    source: str
    size: int = 5


@dataclass(frozen=True)
class Flatten:
    """Map to vector."""

    name: str
    source: str


Node = Conv | Linear | Pool | Add | Lrn | Flatten


@dataclass(frozen=True)
class Weighted:
    """A layer with weights.

    Attributes:
        name: the layer's.
        shape: (output, input per group, kernel, kernel) or (output, input).
        positions: rows x columns of the output; 1 of a linear layer.
    """

    name: str
    shape: Shape
    positions: int

    @property
    def weights(self) -> int:
        """Weights, zeros included, biases not."""
        return prod(self.shape)

    @property
    def macs(self) -> int:
        """Multiplications of one image with every weight counted, positions in the padding included."""
        return self.weights * self.positions


@dataclass
class Graph:
    """Nodes in order, and the shape of every tensor: (channels, rows, columns) or (features,)."""

    name: str
    input_shape: tuple[int, int, int]
    nodes: list[Node] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)
    weighted: list[Weighted] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shapes["input"] = self.input_shape

    @property
    def last(self) -> str:
        """Name of the tensor added last."""
        return self.nodes[-1].name if self.nodes else "input"

    @property
    def weights(self) -> int:
        """Weights of all layers."""
        return sum(each.weights for each in self.weighted)

    @property
    def macs(self) -> int:
        """Multiplications of all layers, for one image."""
        return sum(each.macs for each in self.weighted)

    def conv(
        self,
        name: str,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int | None = None,
        groups: int = 1,
        activation: Activation = "relu",
        source: str | None = None,
    ) -> str:
        """Adds a convolution; `padding` defaults to what keeps the map's size. Returns its name, as all methods do."""
        pad = kernel // 2 if padding is None else padding
        node = Conv(name, source or self.last, channels, kernel, stride, pad, groups, activation)
        inputs, *sides = self.shapes[node.source]
        rows, columns = ((side + 2 * pad - kernel) // stride + 1 for side in sides)
        self.weighted.append(Weighted(name, (channels, inputs // groups, kernel, kernel), rows * columns))
        return self._append(node, (channels, rows, columns))

    def linear(self, name: str, features: int, activation: Activation = "relu") -> str:
        """Adds a fully-connected layer."""
        node = Linear(name, self.last, features, activation)
        self.weighted.append(Weighted(name, (features, self.shapes[node.source][0]), 1))
        return self._append(node, (features,))

    def pool(self, name: str, kind: Literal["max", "average"], kernel: int, stride: int, padding: int = 0) -> str:
        """Adds pooling by windows."""
        node = Pool(name, self.last, kind, kernel, stride, padding)
        channels, *sides = self.shapes[node.source]
        return self._append(node, (channels, *((side + 2 * padding - kernel) // stride + 1 for side in sides)))

    def global_pool(self, name: str) -> str:
        """Adds an average over the whole map."""
        return self._append(Pool(name, self.last, "global"), (self.shapes[self.last][0], 1, 1))

    def add(self, name: str, first: str, second: str, activation: Activation = "relu") -> str:
        """Adds a residual sum."""
        return self._append(Add(name, first, second, activation), self.shapes[first])

    def lrn(self, name: str) -> str:
        """Adds a local response normalisation."""
        return self._append(Lrn(name, self.last), self.shapes[self.last])

    def flatten(self, name: str) -> str:
        """Adds map to vector."""
        return self._append(Flatten(name, self.last), (prod(self.shapes[self.last]),))

    def _append(self, node: Node, shape: Shape) -> str:
        self.nodes.append(node)
        self.shapes[node.name] = shape
        return node.name
