"""A float graph as a module that trains: in floating point, or through the integers that golden computes.

Quantisation-aware training with straight-through gradients: Jacob et al., "Quantization and Training of Neural Networks
for Efficient Integer-Arithmetic-Only Inference" (CVPR 2018), section 3; here with power-of-two scales that stay fixed.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional

from compression.codebook import share_weights
from compression.fixed_point import ChannelFixedPoint, FixedPoint
from compression.float_graph import (
    INPUT,
    Activation,
    Add,
    AveragePool,
    Concat,
    Convolution,
    Dense,
    FloatGraph,
    GlobalAveragePool,
    Node,
)
from compression.quantise import Formats, bounds
from golden.builder import divisor

__all__ = ["TrainableGraph"]


class TrainableGraph(nn.Module):
    """Executes a float graph; weights and biases are parameters.

    With ``formats``, each tensor is what golden computes, times its scale: weights, biases and features are rounded
    half to even and clamped, and gradients pass through the rounding where nothing is clamped. In evaluation it
    computes in float64, which holds every accumulator of 32 bits exactly, so that outputs are golden's to the last bit.
    In training it computes in float32, whose sums are exact below 2**24 units of the accumulator.

    Args:
        graph: without ``Affine`` nodes; not changed.
        formats: of all tensors; None computes in floating point.
        codebook: entries, of which one is zero, that the weights of each linear layer share; None leaves them free.
    """

    def __init__(self, graph: FloatGraph, formats: Formats | None = None, codebook: int | None = None) -> None:
        super().__init__()
        self._graph, self._formats = graph, formats
        weighted = {n.name: n.operation for n in graph.nodes.values() if isinstance(n.operation, Convolution | Dense)}
        # By number, as names of nodes contain dots, which names of modules must not.
        self._places = {name: place for place, name in enumerate(weighted)}
        self.layers = nn.ModuleList(_layer(operation) for operation in weighted.values())
        if codebook is not None:
            for layer in self.layers:
                if isinstance(layer, nn.Linear):
                    share_weights(layer, codebook)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Pixels 0..255 (N, channels, rows, columns) to the network's output, or outputs."""
        exact = self._formats is not None and not self.training
        scaled = pixels.to(torch.float64 if exact else torch.float32) * 2.0**-self._graph.fractional_length
        features = {INPUT: scaled}
        last = {source: node.name for node in self._graph.nodes.values() for source in node.sources}
        for node in self._graph.nodes.values():
            features[node.name] = self._run(self._with_parameters(node, scaled), [features[n] for n in node.sources])
            for name in set(node.sources) - set(self._graph.outputs):
                if last[name] == node.name:
                    del features[name]
        results = tuple(features[name] for name in self._graph.outputs)
        return results[0] if len(results) == 1 else results

    def graph(self) -> FloatGraph:
        """The graph with the parameters as they are now (not rounded)."""
        nodes = (self._with_parameters(node) for node in self._graph.nodes.values())
        return self._graph.replace(*nodes)

    def _with_parameters(self, node: Node, like: torch.Tensor | None = None) -> Node:
        """A weighted node with our weights: rounded and of the type of ``like``, or by themselves on the CPU."""
        operation = node.operation
        if not isinstance(operation, Convolution | Dense):
            return node
        layer = self.layers[self._places[node.name]]
        weight, bias = layer.weight, layer.bias
        assert isinstance(weight, torch.Tensor) and isinstance(bias, torch.Tensor)
        if like is None:
            weight, bias = (each.detach().cpu().clone() for each in (weight, bias))
        elif self._formats is not None:
            weight = _rounded(weight.double(), self._formats.weights[node.name]).to(like.dtype)
            bias = _rounded(bias.double(), self._formats.bias(node)).to(like.dtype)
        return replace(node, operation=replace(operation, weight=weight, bias=bias))

    def _run(self, node: Node, sources: Sequence[torch.Tensor]) -> torch.Tensor:
        if self._formats is None:
            return node.apply(sources)
        target = self._formats.features[node.name]
        match node.operation:
            case Convolution() | Dense() | Add() as operation:
                return _rounded(operation.apply(*sources), target, node.activation)
            case AveragePool() | GlobalAveragePool() as mean:
                return _rounded(_mean(mean, sources[0]), target, node.activation)
            case Activation() as activation:
                return _rounded(sources[0], target, activation)
            case Concat() as concat:
                return concat.apply(*(_rounded(source, target) for source in sources))
            case operation:
                return operation.apply(*sources)


def _layer(operation: Convolution | Dense) -> nn.Module:
    """A module to hold parameters, of the kind that pruning's masks know."""
    outputs, inputs, *kernel = operation.weight.shape
    layer: nn.Module  # without PyTorch's random start, which would move its generator
    if isinstance(operation, Convolution):
        inputs *= operation.groups
        size = (kernel[0], kernel[1])
        layer = nn.Conv2d(inputs, outputs, size, groups=operation.groups, device="meta").to_empty(device="cpu")
    else:
        layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
    with torch.no_grad():
        layer.get_parameter("weight").copy_(operation.weight)
        layer.get_parameter("bias").copy_(operation.bias)
    return layer


def _rounded(
    values: torch.Tensor, number: FixedPoint | ChannelFixedPoint, activation: Activation | None = None
) -> torch.Tensor:
    """The nearest values of a format, with the gradient of the clamp alone."""
    minimum, maximum = bounds(number, activation)
    factor = number.factor(values)
    clamped = (values * factor).clamp(minimum, maximum)
    # Exact: the difference of a number and its nearest integer has no more bits than the number.
    nearest = clamped + (clamped.round() - clamped).detach()
    return nearest / factor


def _mean(mean: AveragePool | GlobalAveragePool, source: torch.Tensor) -> torch.Tensor:
    """A sum times golden's reciprocal of the number of positions."""
    if isinstance(mean, GlobalAveragePool):
        positions, total = source.shape[2] * source.shape[3], source.sum((2, 3), keepdim=True)
    else:
        positions = mean.kernel[0] * mean.kernel[1]
        total = functional.avg_pool2d(source, mean.kernel, mean.stride, mean.padding, divisor_override=1)
    multiplier, places = divisor(positions)
    return total * (multiplier * 2.0**-places)
