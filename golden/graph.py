"""Types of tensors along the graph: what each layer takes and what it puts out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from golden.description import (
    ActivationType,
    AddLayer,
    AveragePoolLayer,
    ClipLayer,
    ConcatLayer,
    ConvLayer,
    FlattenLayer,
    GlobalAveragePoolLayer,
    InputTensor,
    Layer,
    LinearLayer,
    LrnLayer,
    MaxPoolLayer,
    Requantisation,
)
from golden.errors import DescriptionError
from golden.names import INPUT_NAME, check_name

__all__ = ["TYPE_RANGE", "TensorType", "channel_count", "infer_graph", "infer_layer", "window_count"]

TYPE_RANGE: Mapping[ActivationType, tuple[int, int]] = {"uint8": (0, 255), "int8": (-128, 127)}
"""Least and greatest value of each activation type."""

MOST_VALUES = 1 << 28  # of one tensor and image, so that a short file cannot ask for all of the memory


@dataclass(frozen=True)
class TensorType:
    """Shape and type of a tensor of one image.

    Attributes:
        shape: (channels, rows, columns) of a map or (features,) of a vector.
        dtype: storage type of the activations.
    """

    shape: tuple[int, ...]
    dtype: ActivationType

    @property
    def channels(self) -> int:
        """Channels of a map, features of a vector."""
        return self.shape[0]


def window_count(size: int, kernel: int, stride: int, before: int, after: int, dilation: int = 1) -> int:
    """Positions of a window along one side of a padded map."""
    return (size + before + after - dilation * (kernel - 1) - 1) // stride + 1


def _refuse(field: str, message: str) -> DescriptionError:
    return DescriptionError(message, field=field)


def _map(source: TensorType) -> tuple[int, int, int]:
    if len(source.shape) != 3:
        raise _refuse("source", f"is a vector of {source.shape[0]} features, but the layer takes a map")
    return source.shape[0], source.shape[1], source.shape[2]


def _windows(
    layer: ConvLayer | MaxPoolLayer | AveragePoolLayer,
    size: tuple[int, int, int],
    kernel: tuple[int, int],
    dilation: tuple[int, int] = (1, 1),
) -> tuple[int, int]:
    top, left, bottom, right = layer.padding
    channels, height, width = size
    tall, wide = height + top + bottom, width + left + right
    if channels * tall * wide > MOST_VALUES:
        raise _refuse("padding", f"makes a map of {channels * tall * wide} values, more than {MOST_VALUES}")
    rows = window_count(height, kernel[0], layer.stride[0], top, bottom, dilation[0])
    columns = window_count(width, kernel[1], layer.stride[1], left, right, dilation[1])
    if rows < 1 or columns < 1:
        raise _refuse(
            "kernel" if not isinstance(layer, ConvLayer) else "weights.shape",
            f"the {kernel[0]}x{kernel[1]} window does not fit once into the padded map of {tall}x{wide}",
        )
    return rows, columns


def _check_bounds(minimum: int, maximum: int, dtype: ActivationType, where: str = "") -> None:
    lowest, highest = TYPE_RANGE[dtype]
    if not lowest <= minimum <= highest:
        raise _refuse(f"{where}minimum", f"is {minimum}, outside {lowest} to {highest} of {dtype}")
    if not minimum <= maximum <= highest:
        raise _refuse(f"{where}maximum", f"is {maximum}, but must be {minimum} (the minimum) to {highest} for {dtype}")


def _check_requantise(requantise: Requantisation, dtype: ActivationType) -> None:
    _check_bounds(requantise.minimum, requantise.maximum, dtype, "requantise.")


def _conv(layer: ConvLayer, source: TensorType) -> TensorType:
    size = _map(source)
    channels = size[0]
    shape = layer.weights.shape
    if len(shape) != 4:
        raise _refuse("weights.shape", f"has {len(shape)} numbers, but a convolution's has 4")
    outputs, inputs, height, width = shape
    if channels % layer.groups or outputs % layer.groups:
        raise _refuse("groups", f"is {layer.groups}, which does not divide {channels} inputs and {outputs} outputs")
    if inputs * layer.groups != channels:
        raise _refuse(
            "weights.shape",
            f"has {inputs} input channels in each of {layer.groups} groups, but the source has {channels} channels",
        )
    _check_requantise(layer.requantise, layer.output.dtype)
    return TensorType((outputs, *_windows(layer, size, (height, width), layer.dilation)), layer.output.dtype)


def _linear(layer: LinearLayer, source: TensorType) -> TensorType:
    if len(source.shape) != 1:
        raise _refuse("source", f"is a map of shape {source.shape}; put a flatten layer between")
    if len(layer.weights.shape) != 2:
        raise _refuse("weights.shape", f"has {len(layer.weights.shape)} numbers, but a linear layer's has 2")
    outputs, inputs = layer.weights.shape
    if inputs != source.shape[0]:
        raise _refuse("weights.shape", f"takes {inputs} features, but the source has {source.shape[0]}")
    _check_requantise(layer.requantise, layer.output.dtype)
    return TensorType((outputs,), layer.output.dtype)


def _max_pool(layer: MaxPoolLayer, source: TensorType) -> TensorType:
    size = _map(source)
    top, left, bottom, right = layer.padding
    if max(top, bottom) >= layer.kernel[0] or max(left, right) >= layer.kernel[1]:
        raise _refuse("padding", "is not smaller than the kernel, so that a window could lie wholly outside the map")
    return TensorType((size[0], *_windows(layer, size, layer.kernel)), source.dtype)


def _average_pool(layer: AveragePoolLayer, source: TensorType) -> TensorType:
    size = _map(source)
    _check_requantise(layer.requantise, layer.output.dtype)
    return TensorType((size[0], *_windows(layer, size, layer.kernel)), layer.output.dtype)


def _global_average_pool(layer: GlobalAveragePoolLayer, source: TensorType) -> TensorType:
    _check_requantise(layer.requantise, layer.output.dtype)
    return TensorType((_map(source)[0], 1, 1), layer.output.dtype)


def _add(layer: AddLayer, first: TensorType, second: TensorType) -> TensorType:
    if first.shape != second.shape:
        raise _refuse("sources", f"have the shapes {first.shape} and {second.shape}, which are not equal")
    _check_bounds(layer.minimum, layer.maximum, layer.output.dtype)
    return TensorType(first.shape, layer.output.dtype)


def _concat(sources: Sequence[TensorType]) -> TensorType:
    for source in sources[1:]:
        if source.dtype != sources[0].dtype or source.shape[1:] != sources[0].shape[1:]:
            raise _refuse(
                "sources",
                f"do not fit together: {sources[0].dtype} {sources[0].shape} and {source.dtype} {source.shape}",
            )
    return TensorType((sum(source.channels for source in sources), *sources[0].shape[1:]), sources[0].dtype)


def _lrn(layer: LrnLayer, source: TensorType) -> TensorType:
    if layer.size % 2 == 0:
        raise _refuse("size", f"is {layer.size}, but must be odd")
    _check_bounds(layer.minimum, layer.maximum, layer.output.dtype)
    return TensorType(_map(source), layer.output.dtype)


def infer_layer(layer: Layer, sources: Sequence[TensorType]) -> TensorType:
    """Type of a layer's output.

    Args:
        layer: the layer.
        sources: types of the tensors that it reads, in order.

    Raises:
        DescriptionError: the layer does not take such sources, or its own fields contradict each other.
    """
    match layer:
        case ConvLayer():
            result = _conv(layer, sources[0])
        case LinearLayer():
            result = _linear(layer, sources[0])
        case MaxPoolLayer():
            result = _max_pool(layer, sources[0])
        case AveragePoolLayer():
            result = _average_pool(layer, sources[0])
        case GlobalAveragePoolLayer():
            result = _global_average_pool(layer, sources[0])
        case AddLayer():
            result = _add(layer, sources[0], sources[1])
        case ConcatLayer():
            result = _concat(sources)
        case LrnLayer():
            result = _lrn(layer, sources[0])
        case FlattenLayer():
            result = TensorType((prod(_map(sources[0])),), sources[0].dtype)
        case ClipLayer():
            _check_requantise(layer.requantise, layer.output.dtype)
            result = TensorType(sources[0].shape, layer.output.dtype)
    if prod(result.shape) > MOST_VALUES:
        raise _refuse("output", f"would have {prod(result.shape)} values, more than {MOST_VALUES}")
    return result


def infer_graph(entry: InputTensor, layers: Sequence[Layer], outputs: Sequence[str]) -> dict[str, TensorType]:
    """Types of all tensors, ``input`` first, then the layers' in order.

    Raises:
        DescriptionError: bad, duplicate or unknown names, a cycle, sources out of order, a layer that nothing uses,
            or what :func:`infer_layer` refuses; names the layer.
    """
    if prod(entry.shape) > MOST_VALUES:
        raise _refuse("input.shape", f"has {prod(entry.shape)} values, more than {MOST_VALUES}")
    types = {INPUT_NAME: TensorType(entry.shape, entry.dtype)}
    later = {layer.name for layer in layers}
    for layer in layers:
        try:
            _check_layer_name(layer.name, types)
            types[layer.name] = infer_layer(layer, [_source(name, types, later) for name in layer.source_names])
        except DescriptionError as error:
            raise error.in_layer(layer.name) from None
    _check_outputs(layers, outputs, types)
    return types


def _check_layer_name(name: str, known: Mapping[str, TensorType]) -> None:
    check_name(name)
    if name == INPUT_NAME:
        raise _refuse("name", f"{INPUT_NAME!r} means the network's input; choose another name")
    if name in known:
        raise _refuse("name", "is used by an earlier layer too; names must be distinct")


def _source(name: str, known: Mapping[str, TensorType], all_layers: set[str]) -> TensorType:
    if name in known:
        return known[name]
    if name in all_layers:
        raise _refuse("source", f"{name!r} does not come before this layer: a cycle, or layers out of order")
    raise _refuse("source", f"{name!r} is neither 'input' nor a layer")


def _check_outputs(layers: Sequence[Layer], outputs: Sequence[str], types: Mapping[str, TensorType]) -> None:
    if len(set(outputs)) != len(outputs):
        raise _refuse("outputs", "names a layer twice")
    for name in outputs:
        if name == INPUT_NAME or name not in types:
            raise _refuse("outputs", f"{name!r} is not a layer")
    used = {name for layer in layers for name in layer.source_names} | set(outputs)
    for layer in layers:
        if layer.name not in used:
            raise DescriptionError("is neither an output nor read by any layer; remove it", layer=layer.name)


def channel_count(types: Mapping[str, TensorType], layer: Layer) -> int:
    """Output channels of a layer: the length of its per-channel tensors."""
    return types[layer.name].channels
