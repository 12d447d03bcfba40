"""The same network as an ONNX model, so that independent software can run it.

Weighted layers become QLinearConv or QLinearMatMul where those operators are provably exact, and ConvInteger or
MatMulInteger with integer requantisation elsewhere. The proof: ONNX requantises with float32, and float32 holds
accumulator * multiplier exactly when its worst case is below 2**24.

All activations travel as uint8, int8 ones with the zero point 128, and weights as uint8 with the zero point 128: where
the processor lacks VNNI, onnxruntime's kernels of mixed signs may saturate their intermediate sums, those of U8U8 do
not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from golden.checks import accumulator_bounds
from golden.description import (
    AddLayer,
    AveragePoolLayer,
    ClipLayer,
    ConcatLayer,
    ConvLayer,
    FlattenLayer,
    GlobalAveragePoolLayer,
    Layer,
    LinearLayer,
    LrnLayer,
    MaxPoolLayer,
)
from golden.names import INPUT_NAME
from golden.network import Network, Requantise

__all__ = ["to_onnx", "uses_float_requantisation"]

OPSET, IR_VERSION = 17, 8
ONNX_TYPE = {"uint8": TensorProto.UINT8, "int8": TensorProto.INT8}
EXACT_FLOAT32 = 1 << 24  # every integer up to here is a float32


def _zero_point(dtype: str) -> int:
    return 128 if dtype == "int8" else 0


def _limits(network: Network, name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    source = network.layer(name).source_names[0]
    return accumulator_bounds(network.weights(name), network.bias(name), network.dtypes[source])


def uses_float_requantisation(network: Network, name: str) -> bool:
    """Whether ONNX' own float32 requantisation is provably exact for a weighted layer, so that it becomes QLinear*."""
    least, greatest = _limits(network, name)
    reach = np.maximum(-least, greatest) * network.requantise(name).multiplier.astype(np.int64)
    return bool(np.all(reach < EXACT_FLOAT32))


class _Graph:
    """Nodes and constants under construction; every method returns the name of its result."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: NDArray[Any] | np.generic) -> str:
        """Name of a new initialiser."""
        name = f"constant:{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, operator: str, inputs: Sequence[str], result: str | None = None, **attributes: Any) -> str:
        """Name of a new node's result."""
        name = result or f"value:{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def cast(self, value: str, to: int, result: str | None = None) -> str:
        """A tensor as another ONNX type."""
        return self.node("Cast", [value], result, to=to)

    def int64(self, operator: str, left: str, right: int | NDArray[np.int64]) -> str:
        """An operator on a tensor of int64 and a constant."""
        return self.node(operator, [left, self.constant(np.asarray(right, np.int64))])

    def integers(self, value: str, dtype: str) -> str:
        """A tensor's values as int64, zero point removed."""
        return self.int64("Sub", self.cast(value, TensorProto.INT64), _zero_point(dtype))

    def activations(self, value: str, dtype: str, result: str) -> str:
        """int64 values within ``dtype``'s range as uint8 with its zero point."""
        return self.cast(self.int64("Add", value, _zero_point(dtype)), TensorProto.UINT8, result)

    def rounded(self, value: str, shift: NDArray[np.int64]) -> str:
        """round_half_even(value / 2**shift), by floored division and the remainder."""
        divisor = np.int64(1) << shift
        remainder = self.int64("Mod", value, divisor)
        quotient = self.int64("Div", self.node("Sub", [value, remainder]), divisor)
        twice = self.int64("Mul", remainder, 2)
        odd = self.int64("Equal", self.int64("Mod", quotient, 2), 1)
        tie_up = self.node("And", [self.int64("Equal", twice, divisor), odd])
        up = self.node("Or", [self.int64("Greater", twice, divisor), tie_up])
        return self.node("Add", [quotient, self.cast(up, TensorProto.INT64)])

    def clamped(self, value: str, minimum: int, maximum: int) -> str:
        """int64 values brought within the bounds, both included."""
        return self.int64("Min", self.int64("Max", value, minimum), maximum)

    def requantised(self, value: str, how: Requantise, dimensions: int, dtype: str, result: str) -> str:
        """int64 accumulators, channels in axis 1 of ``dimensions``, to activations."""
        spread = (-1, *(1,) * (dimensions - 2))
        product = self.int64("Mul", value, how.multiplier.astype(np.int64).reshape(spread))
        rounded = self.rounded(product, how.shift.astype(np.int64).reshape(spread))
        return self.activations(self.clamped(rounded, how.minimum, how.maximum), dtype, result)


def _travelling(name: str) -> str:
    return f"uint8:{name}"


def to_onnx(network: Network, keep: Sequence[str] | None = None) -> onnx.ModelProto:
    """Express a network in ONNX operators, every layer exactly.

    Args:
        network: a checked network.
        keep: layers to put out; None for the network's outputs.

    Returns:
        A model with the input ``input`` (N, channels, rows, columns) and one output for each name in ``keep``, of the
        network's own types.
    """
    graph = _Graph()
    entry = network.description.input
    graph.activations(graph.cast(INPUT_NAME, TensorProto.INT64), entry.dtype, _travelling(INPUT_NAME))
    for layer in network.layers:
        _layer(graph, network, layer)
    outputs = []
    for name in network.outputs if keep is None else keep:
        dtype = network.dtypes[name]
        graph.cast(graph.integers(_travelling(name), dtype), ONNX_TYPE[dtype], name)
        outputs.append(helper.make_tensor_value_info(name, ONNX_TYPE[dtype], ["N", *network.shapes[name]]))
    inputs = [helper.make_tensor_value_info(INPUT_NAME, ONNX_TYPE[entry.dtype], ["N", *entry.shape])]
    made = helper.make_graph(graph.nodes, network.name, inputs, outputs, graph.constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def _layer(graph: _Graph, network: Network, layer: Layer) -> None:
    sources = [_travelling(name) for name in layer.source_names]
    result = _travelling(layer.name)
    match layer:
        case ConvLayer() | LinearLayer():
            _weighted(graph, network, layer, sources[0], result)
        case AveragePoolLayer() | GlobalAveragePoolLayer():
            _average(graph, network, layer, sources[0], result)
        case MaxPoolLayer():
            window = {"kernel_shape": layer.kernel, "strides": layer.stride, "pads": layer.padding}
            graph.node("MaxPool", sources, result, **window)
        case AddLayer():
            _add(graph, network, layer, sources, result)
        case ClipLayer():
            value = graph.integers(sources[0], network.dtypes[layer.source])
            shape = network.shapes[layer.name]
            graph.requantised(value, network.requantise(layer.name), len(shape) + 1, layer.output.dtype, result)
        case FlattenLayer():
            graph.node("Flatten", sources, result, axis=1)
        case ConcatLayer():
            graph.node("Concat", sources, result, axis=1)
        case LrnLayer():
            _normalise(graph, network, layer, sources[0], result)


def _weighted(graph: _Graph, network: Network, layer: ConvLayer | LinearLayer, source: str, result: str) -> None:
    shifted = (network.weights(layer.name).astype(np.int16) + 128).astype(np.uint8)
    weights = graph.constant(shifted if isinstance(layer, ConvLayer) else shifted.T)
    zero = graph.constant(np.uint8(_zero_point(network.dtypes[layer.source])))
    if uses_float_requantisation(network, layer.name):
        _qlinear(graph, network, layer, [source, zero, weights], result)
    else:
        _integer(graph, network, layer, [source, weights, zero, graph.constant(np.uint8(128))], result)


def _window(layer: ConvLayer) -> dict[str, Any]:
    return {"strides": layer.stride, "pads": layer.padding, "dilations": layer.dilation, "group": layer.groups}


def _qlinear(graph: _Graph, network: Network, layer: ConvLayer | LinearLayer, operands: list[str], result: str) -> None:
    """ONNX requantises: its scale is multiplier / 2**shift, held by the weights' scale."""
    how, dtype = network.requantise(layer.name), layer.output.dtype
    source, source_zero, weights = operands
    one, out_zero = graph.constant(np.float32(1)), graph.constant(np.uint8(_zero_point(dtype)))
    scale = (how.multiplier.astype(np.float64) * 2.0 ** -how.shift.astype(np.float64)).astype(np.float32)
    bias = network.bias(layer.name)
    if isinstance(layer, LinearLayer) and not bias.any():
        column_zeros = graph.constant(np.full(len(scale), 128, np.uint8))
        given = [source, one, source_zero, weights, graph.constant(scale), column_zeros, one, out_zero]
        value = graph.node("QLinearMatMul", given)
    else:
        if isinstance(layer, LinearLayer):  # QLinearMatMul takes no bias; a 1x1 convolution is the same sum
            source = graph.node("Unsqueeze", [source, graph.constant(np.array([2, 3], np.int64))])
            shape = np.array([*layer.weights.shape, 1, 1], np.int64)
            transposed = graph.node("Transpose", [weights], perm=[1, 0])
            weights = graph.node("Reshape", [transposed, graph.constant(shape)])
        zeros = graph.constant(np.full(len(scale), 128, np.uint8))
        given = [source, one, source_zero, weights, graph.constant(scale), zeros, one, out_zero, graph.constant(bias)]
        value = graph.node("QLinearConv", given, **(_window(layer) if isinstance(layer, ConvLayer) else {}))
        if isinstance(layer, LinearLayer):
            value = graph.node("Flatten", [value], axis=1)
    clamped = graph.clamped(graph.integers(value, dtype), how.minimum, how.maximum)
    graph.activations(clamped, dtype, result)


def _integer(graph: _Graph, network: Network, layer: ConvLayer | LinearLayer, operands: list[str], result: str) -> None:
    """Exact int32 sums, then requantisation in int64."""
    bias = network.bias(layer.name).astype(np.int64)
    if isinstance(layer, ConvLayer):
        sums, dimensions = graph.node("ConvInteger", operands, **_window(layer)), 4
    else:
        sums, dimensions = graph.node("MatMulInteger", operands), 2
    spread = (-1, *(1,) * (dimensions - 2))
    accumulator = graph.int64("Add", graph.cast(sums, TensorProto.INT64), bias.reshape(spread))
    graph.requantised(accumulator, network.requantise(layer.name), dimensions, layer.output.dtype, result)


def _average(
    graph: _Graph, network: Network, layer: AveragePoolLayer | GlobalAveragePoolLayer, source: str, result: str
) -> None:
    """The sum as a depthwise convolution with ones."""
    channels, rows, columns = network.shapes[layer.source]
    kernel: tuple[int, int] = (rows, columns)
    window: dict[str, Any] = {}
    if isinstance(layer, AveragePoolLayer):
        kernel, window = layer.kernel, {"strides": layer.stride, "pads": layer.padding}
    ones = graph.constant(np.ones((channels, 1, *kernel), np.uint8))
    zeros = [graph.constant(np.uint8(_zero_point(network.dtypes[layer.source]))), graph.constant(np.uint8(0))]
    sums = graph.node("ConvInteger", [source, ones, *zeros], group=channels, **window)
    value = graph.cast(sums, TensorProto.INT64)
    graph.requantised(value, network.requantise(layer.name), 4, layer.output.dtype, result)


def _add(graph: _Graph, network: Network, layer: AddLayer, sources: list[str], result: str) -> None:
    terms = [
        graph.int64("Mul", graph.integers(source, network.dtypes[name]), factor)
        for source, name, factor in zip(sources, layer.sources, layer.multipliers, strict=True)
    ]
    rounded = graph.rounded(graph.node("Add", terms), np.asarray(layer.shift, np.int64))
    graph.activations(graph.clamped(rounded, layer.minimum, layer.maximum), layer.output.dtype, result)


def _normalise(graph: _Graph, network: Network, layer: LrnLayer, source: str, result: str) -> None:
    value = graph.integers(source, network.dtypes[layer.source])
    channels, reach = network.shapes[layer.source][0], layer.size // 2
    pads = np.array([0, reach, 0, 0, 0, reach, 0, 0], np.int64)
    squares = graph.node("Pad", [graph.node("Mul", [value, value]), graph.constant(pads)])
    axis = graph.constant(np.array([1], np.int64))
    windows = [
        graph.node("Slice", [squares, *(graph.constant(np.array([edge])) for edge in (at, at + channels)), axis])
        for at in range(layer.size)
    ]
    total = windows[0]
    for window in windows[1:]:
        total = graph.node("Add", [total, window])
    index = graph.int64("Min", graph.int64("Div", total, 1 << layer.index_shift), layer.entries - 1)
    table = graph.constant(network.tensors[f"{layer.name}.table"].astype(np.int64))
    product = graph.node("Mul", [value, graph.node("Gather", [table, index])])
    rounded = graph.rounded(product, np.asarray(layer.shift, np.int64))
    graph.activations(graph.clamped(rounded, layer.minimum, layer.maximum), layer.output.dtype, result)
