"""A network in floating point as a graph of few kinds of operations: what lies between PyTorch and golden."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from compression.errors import CompressionError

__all__ = [
    "INPUT",
    "Activation",
    "Add",
    "Affine",
    "AveragePool",
    "Concat",
    "Convolution",
    "Dense",
    "Flatten",
    "FloatGraph",
    "GlobalAveragePool",
    "MaxPool",
    "Node",
    "Operation",
    "QuantisationError",
]

INPUT = "input"
"""Name under which nodes read the network's input, as in golden."""

Pair = tuple[int, int]


class QuantisationError(CompressionError):
    """A network that cannot be turned into a description; the message says which layer and why."""


@dataclass(frozen=True, eq=False)
class Convolution:
    """Weights (outputs, inputs / groups, rows, columns), bias (outputs,), zero padding (rows, columns)."""

    weight: torch.Tensor
    bias: torch.Tensor
    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int

    def apply(self, source: torch.Tensor) -> torch.Tensor:
        """(N, inputs, rows, columns) to (N, outputs, rows, columns)."""
        return functional.conv2d(source, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


@dataclass(frozen=True, eq=False)
class Dense:
    """A linear layer: weights (outputs, inputs), bias (outputs,)."""

    weight: torch.Tensor
    bias: torch.Tensor

    def apply(self, source: torch.Tensor) -> torch.Tensor:
        """(N, inputs) to (N, outputs)."""
        return functional.linear(source, self.weight, self.bias)


@dataclass(frozen=True, eq=False)
class Affine:
    """Batch normalisation in evaluation: y = x * scale + shift, channel by channel; float64 (channels,) each."""

    scale: torch.Tensor
    shift: torch.Tensor

    def apply(self, source: torch.Tensor) -> torch.Tensor:
        """(N, channels, ...), shape kept."""
        shape = (1, -1, *(1,) * (source.ndim - 2))
        return (source * self.scale.reshape(shape) + self.shift.reshape(shape)).to(source.dtype)


@dataclass(frozen=True)
class Activation:
    """ReLU, or ReLU6 with ``maximum`` 6."""

    maximum: float | None = None

    def apply(self, source: torch.Tensor) -> torch.Tensor:
        """Any shape, kept."""
        return torch.relu(source) if self.maximum is None else source.clamp(0.0, self.maximum)


@dataclass(frozen=True)
class MaxPool:
    """Largest value of each window; padding never wins."""

    kernel: Pair
    stride: Pair
    padding: Pair

    def apply(self, source: torch.Tensor) -> torch.Tensor:
        """(N, channels, rows, columns)."""
        return functional.max_pool2d(source, self.kernel, self.stride, self.padding)


@dataclass(frozen=True)
class AveragePool:
    """Mean of each window; padding counts as zeros."""

    kernel: Pair
    stride: Pair
    padding: Pair

    def apply(self, source: torch.Tensor) -> torch.Tensor:
        """(N, channels, rows, columns)."""
        return functional.avg_pool2d(source, self.kernel, self.stride, self.padding)


@dataclass(frozen=True)
class GlobalAveragePool:
    """Mean over the map."""

    def apply(self, source: torch.Tensor) -> torch.Tensor:
        """(N, channels, rows, columns) to (N, channels, 1, 1)."""
        return source.mean((2, 3), keepdim=True)


@dataclass(frozen=True)
class Flatten:
    """Map to vector, in the order channel, row, column."""

    def apply(self, source: torch.Tensor) -> torch.Tensor:
        """(N, channels, rows, columns) to (N, features)."""
        return source.flatten(1)


@dataclass(frozen=True)
class Add:
    """Sum of two maps or vectors."""

    def apply(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Shapes are equal, and kept."""
        return first + second


@dataclass(frozen=True)
class Concat:
    """Channels (or features) of all sources, one after another."""

    def apply(self, *sources: torch.Tensor) -> torch.Tensor:
        """(N, channels, ...) each."""
        return torch.cat(sources, dim=1)


Operation = (
    Convolution | Dense | Affine | Activation | MaxPool | AveragePool | GlobalAveragePool | Flatten | Add | Concat
)


@dataclass(frozen=True, eq=False)
class Node:
    """One operation, with the activation fused behind it.

    Attributes:
        name: becomes the layer's name; the module's path, or the path of the module that calls the operator.
        operation: what it computes.
        sources: nodes (or ``input``) that it reads.
        shape: of its output for one image.
        kind: PyTorch's name of the operator, for messages.
        activation: applied to the result, or None.
    """

    name: str
    operation: Operation
    sources: tuple[str, ...]
    shape: tuple[int, ...]
    kind: str
    activation: Activation | None = None

    def apply(self, sources: Sequence[torch.Tensor]) -> torch.Tensor:
        """The node's output: float (N, *shape)."""
        result = self.operation.apply(*sources)
        return result if self.activation is None else self.activation.apply(result)


@dataclass(frozen=True, eq=False)
class FloatGraph:
    """A network of floating-point nodes, each behind its sources.

    Attributes:
        input_shape: (channels, rows, columns).
        fractional_length: pixels 0..255 stand for ``pixel * 2**-fractional_length``.
        nodes: by name, in order.
        outputs: nodes whose outputs are the network's results.
    """

    input_shape: tuple[int, int, int]
    fractional_length: int
    nodes: Mapping[str, Node]
    outputs: tuple[str, ...]

    def readers(self, name: str) -> list[Node]:
        """Nodes that read ``name``, in order; a node that reads it twice stands there once."""
        return [node for node in self.nodes.values() if name in node.sources]

    def only_reader(self, name: str) -> Node | None:
        """The one node that reads ``name``; None if there are more, or if it is an output."""
        readers = self.readers(name)
        return readers[0] if len(readers) == 1 and name not in self.outputs else None

    def replace(self, *nodes: Node, without: str | None = None) -> FloatGraph:
        """The graph with some nodes exchanged for others of the same names.

        Args:
            nodes: the new ones.
            without: a node to leave out; what read it then reads its first source.
        """
        known = {**self.nodes, **{node.name: node for node in nodes}}
        if without is None:
            return FloatGraph(self.input_shape, self.fractional_length, known, self.outputs)
        instead = known.pop(without).sources[0]
        rewired = {name: _rewire(node, without, instead) for name, node in known.items()}
        outputs = tuple(instead if name == without else name for name in self.outputs)
        return FloatGraph(self.input_shape, self.fractional_length, rewired, outputs)

    @torch.no_grad()
    def walk(self, pixels: torch.Tensor) -> Iterator[tuple[Node, list[torch.Tensor], torch.Tensor]]:
        """Run the graph node by node, holding no map longer than it is read.

        Args:
            pixels: (N, channels, rows, columns), 0..255, any type.

        Yields:
            (node, what it reads, what it puts out), in order.
        """
        last = {source: node.name for node in self.nodes.values() for source in node.sources}
        features = {INPUT: pixels.float() * 2.0**-self.fractional_length}
        for node in self.nodes.values():
            sources = [features[name] for name in node.sources]
            features[node.name] = node.apply(sources)
            yield node, sources, features[node.name]
            for name in {*node.sources, node.name}:
                if last.get(name, node.name) == node.name:
                    del features[name]

    def run(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        """The outputs by name, float (N, ...)."""
        return {node.name: made for node, _, made in self.walk(pixels) if node.name in self.outputs}


def _rewire(node: Node, old: str, new: str) -> Node:
    sources = tuple(new if name == old else name for name in node.sources)
    return Node(node.name, node.operation, sources, node.shape, node.kind, node.activation)
