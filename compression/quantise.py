"""Linear quantisation with power-of-two scales (dynamic fixed point) of a trained network.

Zhang et al., "Optimized Compression for Implementing Convolutional Neural Networks on FPGA" (Electronics 2019, 8(3),
295): 8 bits, and for each tensor the fractional length of least total error |x - Q(x)|. That weights, biases and
features are treated so, each tensor with a length of its own, is our reconstruction; so is all that concerns branches.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import nn

import golden
from compression.fixed_point import ChannelFixedPoint, FixedPoint, best_fixed_point
from compression.float_graph import (
    INPUT,
    Activation,
    Add,
    AveragePool,
    Concat,
    Convolution,
    Dense,
    Flatten,
    FloatGraph,
    GlobalAveragePool,
    MaxPool,
    Node,
    QuantisationError,
)
from compression.frontend import trace
from compression.operators import InputScale
from compression.settings import PerChannel
from golden.builder import divisor

__all__ = [
    "FixedPoint",
    "Formats",
    "InputScale",
    "QuantisationError",
    "QuantisationOptions",
    "best_fixed_point",
    "bounds",
    "fit_formats",
    "quantise_graph",
    "quantise_module",
]

_FINEST = 30  # fractional length of weights, so that accumulators keep within 32 bits
_BIAS_BITS = 30  # of the 32 of an accumulator: the rest is for the sum
_IMAGES = 100  # whose error is taken at once
_COARSEST = -30  # fractional length of features: a scale's multiplier has 31 bits
_FURTHEST = 15  # binary places between two addends: the engines' multipliers have 16 bits


WeightFormat = FixedPoint | ChannelFixedPoint


@dataclass(frozen=True)
class QuantisationOptions:
    """Choices of a quantisation.

    Attributes:
        bits: width of weights and features, at most 8.
        bias_correction: take the mean error of each output channel, over the calibration images, off its bias.
        for_engines: where a pool (windows side by side) or an addition does not follow a convolution of its own, put a
            1x1 depthwise convolution with weights 1 in front, as the engines pool and add only behind a convolution; it
            changes no bit.
        per_channel: which convolutions have a scale of their own for each output channel's weights: none, depthwise
            ones (few weights a channel, of very different sizes where normalisation is folded), or all. It is a shift
            of each channel's accumulator, which the engines do for convolutions only.
    """

    bits: int = 8
    bias_correction: bool = False
    for_engines: bool = True
    per_channel: PerChannel = "depthwise"


@dataclass(frozen=True)
class Formats:
    """Number formats of a quantised graph.

    Attributes:
        features: of the input and of each node's output, by name.
        weights: of each convolution and linear layer, by name; its bias has the product of weight and source.
    """

    features: Mapping[str, FixedPoint]
    weights: Mapping[str, WeightFormat]

    def bias(self, node: Node) -> ChannelFixedPoint:
        """Of a weighted node's bias and accumulator."""
        return _accumulator(self.features[node.sources[0]], self.weights[node.name], node)


def quantise_module(
    model: nn.Module, calibration: torch.Tensor, name: str, options: QuantisationOptions | None = None
) -> golden.Network:
    """Quantise a trained network, with or without branches, into a compressed model description.

    Args:
        model: see :func:`compression.frontend.trace`; takes float pixels 0..255 (N, C, H, W).
        calibration: uint8 images (N, C, H, W) that stand for the inputs to come; training images, not test images.
        name: the description's name.
        options: choices; by default 8 bits and no bias correction.

    Returns:
        The description, with power-of-two scales only; but the divisor of a mean over a number of pixels that is no
        power of two is golden's (:func:`golden.builder.divisor`).

    Raises:
        QuantisationError: a layer that is not supported; names operator and module path.
        golden.DescriptionError: the description would be wrong, such as an accumulator of more than 32 bits.
    """
    channels, rows, columns = calibration.shape[1:]
    return quantise_graph(trace(model, (channels, rows, columns)), calibration, name, options)


def quantise_graph(
    graph: FloatGraph,
    calibration: torch.Tensor,
    name: str,
    options: QuantisationOptions | None = None,
    formats: Formats | None = None,
) -> golden.Network:
    """Quantise a graph without ``Affine`` nodes; arguments and errors as in :func:`quantise_module`.

    Weights become int8 with one fractional length a layer, biases int32; features are uint8 behind a ReLU and where all
    sources of a sum or mean are, int8 elsewhere. Both operands of an addition are brought to the finer one's scale
    by powers of two, summed exactly and rounded once. Concatenated maps are brought to one scale by clip layers.
    Where ``formats`` are given, nothing is fitted: the calibration images do not matter, and no bias is corrected.
    """
    return _quantised(graph, calibration if formats is None else calibration[:1], name, options, formats).network()


def fit_formats(
    graph: FloatGraph, calibration: torch.Tensor, options: QuantisationOptions | None = None
) -> tuple[FloatGraph, Formats]:
    """The formats that :func:`quantise_graph` would choose, and the graph with its biases corrected (if they are).

    Quantising that graph in these formats gives the same description; arguments and errors as there.
    """
    quantiser = _quantised(graph, calibration, "formats", options)
    return graph.replace(*quantiser.corrected), Formats(quantiser.formats, quantiser.weights)


def _quantised(
    graph: FloatGraph,
    calibration: torch.Tensor,
    name: str,
    options: QuantisationOptions | None,
    formats: Formats | None = None,
) -> "_Quantiser":
    if calibration.dtype != torch.uint8 or not len(calibration):
        raise QuantisationError(f"calibration images must be uint8 and at least one, not {calibration.dtype}.")
    quantiser = _Quantiser(graph, name, options or QuantisationOptions(), formats)
    for node, sources, features in graph.walk(calibration):
        quantiser.add(node, sources, features)
    return quantiser


class _Quantiser:
    """Adds a float graph's nodes to a description, one after another; knows every tensor's format."""

    def __init__(
        self, graph: FloatGraph, name: str, options: QuantisationOptions, given: Formats | None = None
    ) -> None:
        self.graph = graph
        self.options = options
        self.given = given
        pixels = FixedPoint(graph.fractional_length, signed=False)
        self.formats = {INPUT: pixels}
        self.weights: dict[str, WeightFormat] = {}
        self.corrected: list[Node] = []
        self.builder = golden.DescriptionBuilder(
            name, input_shape=graph.input_shape, input_dtype="uint8", input_scale=_scale(pixels)
        )

    def network(self) -> golden.Network:
        """What was built."""
        return self.builder.build(self.graph.outputs)

    def add(self, node: Node, sources: Sequence[torch.Tensor], features: torch.Tensor) -> None:
        """Add one node; ``sources`` and ``features`` are what it reads and puts out in floating point."""
        match node.operation:
            case Convolution() | Dense() as operation:
                target = self._weighted(node, operation, sources[0], features)
            case MaxPool() as pool:
                source = self._behind_convolution(node, node.sources[0])
                self.builder.max_pool(node.name, pool.kernel, pool.stride, pool.padding, source=source)
                target = self.formats[node.sources[0]]
            case AveragePool() | GlobalAveragePool() as mean:
                target = self._mean(node, mean, features)
            case Add():
                target = self._sum(node, features)
            case Concat():
                target = self._concat(node, features)
            case Activation() as activation:
                target = self._activation(node, activation, features)
            case Flatten():
                self.builder.flatten(node.name, source=node.sources[0])
                target = self.formats[node.sources[0]]
            case _:
                raise QuantisationError(f"{node.name}: {node.kind} must be folded before quantisation.")
        self.formats[node.name] = target

    def _target(self, node: Node, features: torch.Tensor, signed: bool, longest: int) -> FixedPoint:
        """The format of a node's output."""
        if self.given is not None:
            return self.given.features[node.name]
        target = best_fixed_point(features, signed, self.options.bits, longest)
        if target.fractional_length < _COARSEST:
            peak = float(features.abs().max())
            raise QuantisationError(
                f"{node.name}: {node.kind} puts out numbers of up to {peak:.1e}, beyond any scale; train the network."
            )
        return target

    def _weighted(
        self, node: Node, operation: Convolution | Dense, source: torch.Tensor, features: torch.Tensor
    ) -> FixedPoint:
        entry = self.formats[node.sources[0]]
        if self.given is None:
            weights = _weight_format(operation, entry, self.options)
        else:
            weights = self.given.weights[node.name]
        self.weights[node.name] = weights
        if self.options.bias_correction and self.given is None:
            operation = _correct(operation, weights, entry, source)
            self.corrected.append(replace(node, operation=operation))
        accumulator = _accumulator(entry, weights, node)
        # A right shift only: the output cannot be finer than the accumulator.
        target = self._target(node, features, node.activation is None, min(accumulator.lengths))
        minimum, maximum = bounds(target, node.activation)
        integers = weights.quantise(operation.weight).numpy().astype(np.int8)
        bias = accumulator.quantise(operation.bias).numpy().astype(np.int32)
        shifts = np.array(accumulator.lengths) - target.fractional_length
        shift = shifts if isinstance(weights, ChannelFixedPoint) else int(shifts[0])
        if isinstance(operation, Dense):
            self.builder.linear(
                node.name,
                integers,
                bias,
                source=node.sources[0],
                shift=shift,
                minimum=minimum,
                maximum=maximum,
                output_dtype=_dtype(target),
                output_scale=_scale(target),
                weight_scale=_weight_scale(weights),
            )
            return target
        self.builder.conv(
            node.name,
            integers,
            bias,
            source=node.sources[0],
            stride=operation.stride,
            padding=operation.padding,
            dilation=operation.dilation,
            groups=operation.groups,
            shift=shift,
            minimum=minimum,
            maximum=maximum,
            output_dtype=_dtype(target),
            output_scale=_scale(target),
            weight_scale=_weight_scale(weights),
        )
        return target

    def _mean(self, node: Node, mean: AveragePool | GlobalAveragePool, features: torch.Tensor) -> FixedPoint:
        entry = self.formats[node.sources[0]]
        source = self._behind_convolution(node, node.sources[0])
        shape = self._shape(node.sources[0])
        rows, columns = mean.kernel if isinstance(mean, AveragePool) else shape[1:]
        multiplier, places = divisor(rows * columns)
        # Means are smaller than what they are made of, so that a finer grid may suit them.
        signed = entry.signed and node.activation is None
        target = self._target(node, features, signed, entry.fractional_length + places)
        shift = places - (target.fractional_length - entry.fractional_length)
        minimum, maximum = bounds(target, node.activation)
        if isinstance(mean, GlobalAveragePool):
            self.builder.global_average_pool(
                node.name,
                source=source,
                multiplier=multiplier,
                shift=shift,
                minimum=minimum,
                maximum=maximum,
                output_dtype=_dtype(target),
                output_scale=_scale(target),
            )
            return target
        self.builder.average_pool(
            node.name,
            mean.kernel,
            mean.stride,
            mean.padding,
            source=source,
            multiplier=multiplier,
            shift=shift,
            minimum=minimum,
            maximum=maximum,
            output_dtype=_dtype(target),
            output_scale=_scale(target),
        )
        return target

    def _sum(self, node: Node, features: torch.Tensor) -> FixedPoint:
        first, second = (self.formats[name] for name in node.sources)
        common = max(first.fractional_length, second.fractional_length)
        places = (common - first.fractional_length, common - second.fractional_length)
        if max(places) > _FURTHEST:
            raise QuantisationError(
                f"{node.name}: the addends' scales are 2**{max(places)} apart; one of them vanishes."
            )
        signed = node.activation is None and (first.signed or second.signed)
        target = self._target(node, features, signed, common)
        minimum, maximum = bounds(target, node.activation)
        addend = node.sources[0]
        if not any(self._own_convolution(name) for name in node.sources):
            addend = self._through_convolution(node, addend)
        self.builder.add(
            node.name,
            addend,
            node.sources[1],
            multipliers=(1 << places[0], 1 << places[1]),
            shift=common - target.fractional_length,
            minimum=minimum,
            maximum=maximum,
            output_dtype=_dtype(target),
            output_scale=_scale(target),
        )
        return target

    def _concat(self, node: Node, features: torch.Tensor) -> FixedPoint:
        entries = [self.formats[name] for name in node.sources]
        finest = max(entry.fractional_length for entry in entries)
        signed = any(entry.signed for entry in entries)
        target = self._target(node, features, signed, finest)
        names = []
        for number, (name, entry) in enumerate(zip(node.sources, entries, strict=True)):
            if entry != target:
                self._clip(f"{node.name}.source{number}", name, target, None)
                name = f"{node.name}.source{number}"
            names.append(name)
        self.builder.concat(node.name, names)
        return target

    def _activation(self, node: Node, activation: Activation, features: torch.Tensor) -> FixedPoint:
        """An activation by itself, since what it follows is read by others too."""
        entry = self.formats[node.sources[0]]
        target = self._target(node, features, False, entry.fractional_length)
        self._clip(node.name, node.sources[0], target, activation)
        return target

    def _clip(self, name: str, source: str, target: FixedPoint, activation: Activation | None) -> None:
        """Another format for a tensor."""
        finer = target.fractional_length - self.formats[source].fractional_length
        minimum, maximum = bounds(target, activation)
        self.builder.clip(
            name,
            minimum,
            maximum,
            source=source,
            multiplier=1 << max(finer, 0),
            shift=max(-finer, 0),
            output_dtype=_dtype(target),
            output_scale=_scale(target),
        )

    def _shape(self, name: str) -> tuple[int, ...]:
        return self.graph.input_shape if name == INPUT else self.graph.nodes[name].shape

    def _own_convolution(self, name: str) -> bool:
        """Whether ``name`` is a convolution that one node reads, so that the engines run that node right behind it."""
        node = self.graph.nodes.get(name)
        return node is not None and isinstance(node.operation, Convolution) and self.graph.only_reader(name) is not None

    def _behind_convolution(self, pool: Node, source: str) -> str:
        """What a pool reads: ``source``, or its copy behind a convolution of its own."""
        operation = pool.operation
        overlapping = isinstance(operation, MaxPool | AveragePool) and (
            operation.kernel != operation.stride or any(operation.padding)
        )
        return source if overlapping or self._own_convolution(source) else self._through_convolution(pool, source)

    def _through_convolution(self, reader: Node, source: str) -> str:
        """The same integers from a 1x1 depthwise convolution, if the description is for engines and they are a map."""
        shape, entry = self._shape(source), self.formats[source]
        if not self.options.for_engines or len(shape) != 3:
            return source
        name = f"{reader.name}.source"
        self.builder.conv(
            name,
            np.ones((shape[0], 1, 1, 1), np.int8),
            np.zeros(shape[0], np.int32),
            source=source,
            groups=shape[0],
            shift=0,
            minimum=entry.minimum,
            maximum=entry.maximum,
            output_dtype=_dtype(entry),
            output_scale=_scale(entry),
            weight_scale=golden.Scale(shift=0),
        )
        return name


def _accumulator(source: FixedPoint, weights: WeightFormat, node: Node) -> ChannelFixedPoint:
    """The format of each channel's accumulator and bias."""
    lengths = [source.fractional_length + length for length in weights.lengths]
    outputs = node.shape[0]
    return ChannelFixedPoint(tuple(lengths * outputs if len(lengths) < outputs else lengths), signed=True, bits=32)


def _weight_format(operation: Convolution | Dense, source: FixedPoint, options: QuantisationOptions) -> WeightFormat:
    """The format of least error: of all weights, or of each channel's; one that the bias fits."""
    whole = best_fixed_point(operation.weight, True, options.bits, _longest_weights(operation.bias, source))
    if not (isinstance(operation, Convolution) and _by_channel(operation, options)):
        return whole
    lengths = []
    for weight, bias in zip(operation.weight, operation.bias, strict=True):
        longest = min(_longest_weights(bias, source), whole.fractional_length + _FURTHEST)
        best = best_fixed_point(weight, True, options.bits, longest)
        # A channel without weights must not keep the layer's output from a finer scale.
        lengths.append(best.fractional_length if bool(weight.any()) else longest)
    if len(set(lengths)) == 1:
        return replace(whole, fractional_length=lengths[0])
    return ChannelFixedPoint(tuple(lengths), True, options.bits)


def _by_channel(operation: Convolution, options: QuantisationOptions) -> bool:
    depthwise = operation.weight.shape[1] == 1 and operation.groups > 1
    return options.per_channel == "all" or (options.per_channel == "depthwise" and depthwise)


def _weight_scale(weights: WeightFormat) -> golden.Scale | list[golden.Scale]:
    scales = [_scale(FixedPoint(length, signed=True)) for length in weights.lengths]
    return scales if isinstance(weights, ChannelFixedPoint) else scales[0]


def _longest_weights(bias: torch.Tensor, source: FixedPoint) -> int:
    """Greatest fractional length of the weights with which the accumulator holds the bias."""
    peak = float(bias.abs().max()) if bias.numel() else 0.0
    if peak == 0.0:
        return _FINEST
    return min(_FINEST, _BIAS_BITS - int(np.ceil(np.log2(peak))) - source.fractional_length)


def _correct(
    operation: Convolution | Dense, weights: WeightFormat, entry: FixedPoint, source: torch.Tensor
) -> Convolution | Dense:
    """Move each channel's bias by the mean error that rounding the weights and the source causes there.

    Nagel et al., "Data-Free Quantization through Weight Equalization and Bias Correction" (ICCV 2019), section 4.2,
    with the expectation taken over calibration images.
    """
    rounded = replace(operation, weight=weights.real(operation.weight).float())
    total, count = torch.zeros(len(operation.bias), dtype=torch.float64), 0
    for images in torch.split(source, _IMAGES):
        error = rounded.apply(entry.real(images).float()).double() - operation.apply(images).double()
        total += error.transpose(0, 1).flatten(1).sum(1)
        count += error.numel() // len(total)
    return replace(operation, bias=(operation.bias.double() - total / count).float())


def bounds(number: WeightFormat, activation: Activation | None) -> tuple[int, int]:
    """Clamp (least, greatest integer) of a result in that format, behind that activation."""
    if activation is None or isinstance(number, ChannelFixedPoint):  # which weights have, never features
        return number.minimum, number.maximum
    if activation.maximum is None:
        return 0, number.maximum
    return 0, min(number.maximum, round(activation.maximum * 2.0**number.fractional_length))


def _dtype(number: FixedPoint) -> Literal["int8", "uint8"]:
    return "int8" if number.signed else "uint8"


def _scale(number: FixedPoint) -> golden.Scale:
    """The real value is q * multiplier / 2**shift; a negative fractional length goes into the multiplier."""
    length = number.fractional_length
    return golden.Scale(multiplier=1 << max(-length, 0), shift=max(length, 0))
