"""Checks of a description against its tensors: types, lengths, ranges, and the worst case of every accumulator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from golden.description import (
    ActivationType,
    AddLayer,
    AveragePoolLayer,
    ClipLayer,
    ConvLayer,
    Description,
    GlobalAveragePoolLayer,
    Layer,
    LinearLayer,
    LrnLayer,
)
from golden.errors import DescriptionError
from golden.formats import Encoded, decode
from golden.graph import TYPE_RANGE, TensorType, infer_graph
from golden.names import check_name

__all__ = ["accumulator_bounds", "check", "check_layer_tensors"]

INT32 = np.iinfo(np.int32)
Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class _Expected:
    """A tensor that a layer must have: its name, type, length (None: any) and the range of its values."""

    name: str
    field: str
    dtype: type[np.generic]
    length: int | None = None
    lowest: int = INT32.min
    highest: int = INT32.max


def check(description: Description, tensors: Tensors) -> tuple[dict[str, TensorType], dict[str, NDArray[np.int8]]]:
    """Check everything that a description can get wrong, apart from its JSON.

    Args:
        description: parsed description.
        tensors: the payload's tensors by name.

    Returns:
        Types of all tensors of the graph, ``input`` first; of each layer that has them its weights, decoded.

    Raises:
        DescriptionError: names layer and field.
    """
    check_name(description.name)
    types = infer_graph(description.input, description.layers, description.outputs)
    expected: set[str] = set()
    weights: dict[str, NDArray[np.int8]] = {}
    for layer in description.layers:
        expected |= {tensor.name for tensor in _expected(layer, types[layer.name].channels)}
        try:
            decoded = check_layer_tensors(layer, tensors, types)
        except DescriptionError as error:
            raise error.in_layer(layer.name) from None
        if decoded is not None:
            weights[layer.name] = decoded
    for name in tensors:
        if name not in expected:
            raise DescriptionError(f"tensor {name!r} belongs to no layer of the description", field="payload")
    return types, weights


def _expected(layer: Layer, channels: int) -> Iterator[_Expected]:
    if isinstance(layer, ConvLayer | LinearLayer):
        yield _Expected(f"{layer.name}.weights", "weights", np.uint8)
        yield _Expected(f"{layer.name}.bias", "bias", np.int32, channels)
    if isinstance(layer, ConvLayer | LinearLayer | AveragePoolLayer | GlobalAveragePoolLayer | ClipLayer):
        if layer.requantise.multiplier == "per_channel":
            yield _Expected(f"{layer.name}.multiplier", "requantise.multiplier", np.int32, channels, 1)
        if layer.requantise.shift == "per_channel":
            yield _Expected(f"{layer.name}.shift", "requantise.shift", np.uint8, channels, 0, 47)
    if isinstance(layer, LrnLayer):
        yield _Expected(f"{layer.name}.table", "entries", np.uint16, layer.entries)


def _check_tensor(expected: _Expected, tensors: Tensors) -> None:
    tensor = tensors.get(expected.name)
    if tensor is None:
        raise DescriptionError(f"tensor {expected.name!r} is missing from the payload", field=expected.field)
    wanted = np.dtype(expected.dtype)
    if tensor.dtype != wanted or tensor.ndim != 1:
        raise DescriptionError(
            f"tensor {expected.name!r} must be a vector of {wanted}, not {tensor.dtype} of shape {tensor.shape}",
            field=expected.field,
        )
    if expected.length is not None and tensor.size != expected.length:
        raise DescriptionError(
            f"tensor {expected.name!r} has {tensor.size} numbers, but the layer needs {expected.length}",
            field=expected.field,
        )
    if tensor.size and not (expected.lowest <= int(tensor.min()) and int(tensor.max()) <= expected.highest):
        raise DescriptionError(
            f"tensor {expected.name!r} leaves the range {expected.lowest} to {expected.highest}", field=expected.field
        )


def check_layer_tensors(layer: Layer, tensors: Tensors, types: Mapping[str, TensorType]) -> NDArray[np.int8] | None:
    """Check one layer's tensors and accumulator.

    Args:
        layer: a layer whose type has been inferred.
        tensors: the payload's tensors by name.
        types: types of the layer's sources and of its output.

    Returns:
        Its weights, decoded; None where it has none.

    Raises:
        DescriptionError: names the field.
    """
    for expected in _expected(layer, types[layer.name].channels):
        _check_tensor(expected, tensors)
    sources = [types[name] for name in layer.source_names]
    match layer:
        case ConvLayer() | LinearLayer():
            weights = decode(Encoded(layer.weights, tensors[f"{layer.name}.weights"]))
            bias = tensors[f"{layer.name}.bias"]
            _check_bounds(layer, *accumulator_bounds(weights, bias, sources[0].dtype))
            _check_weight_scale(layer)
            return weights
        case AveragePoolLayer():
            _check_sum(layer.kernel[0] * layer.kernel[1], sources[0].dtype)
        case GlobalAveragePoolLayer():
            _check_sum(sources[0].shape[1] * sources[0].shape[2], sources[0].dtype)
        case AddLayer():
            _check_add(layer, [source.dtype for source in sources])
        case _:
            pass
    return None


def _check_weight_scale(layer: ConvLayer | LinearLayer) -> None:
    scale, channels = layer.weight_scale, layer.weights.shape[0]
    if isinstance(scale, tuple) and len(scale) != channels:
        raise DescriptionError(f"has {len(scale)} scales for {channels} output channels", field="weight_scale")


def accumulator_bounds(
    weights: NDArray[np.int8], bias: NDArray[np.int32], dtype: ActivationType
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Least and greatest value that each output channel's accumulator can reach, at any step in any order.

    Args:
        weights: int8, output channels first.
        bias: int32 (output channels,).
        dtype: type of the activations; all of its range is assumed, and 0 for padding.

    Returns:
        (least, greatest), int64 (output channels,) each.
    """
    lowest, highest = TYPE_RANGE[dtype]
    positive, negative = _sums_by_sign(np.ascontiguousarray(weights.reshape(weights.shape[0], -1)))
    wide = bias.astype(np.int64)
    least = np.minimum(wide, 0) + positive * lowest + negative * highest
    greatest = np.maximum(wide, 0) + positive * highest + negative * lowest
    return least, greatest


@njit(cache=True, nogil=True)
def _sums_by_sign(rows: NDArray[np.int8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each row what its positive numbers come to, and its negative ones: int64 (rows,) each."""
    positive, negative = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
    for row in range(rows.shape[0]):
        for column in range(rows.shape[1]):
            positive[row] += max(rows[row, column], 0)
            negative[row] += min(rows[row, column], 0)
    return positive, negative


def _check_bounds(layer: Layer, least: NDArray[np.int64], greatest: NDArray[np.int64]) -> None:
    bad = np.flatnonzero((least < INT32.min) | (greatest > INT32.max))
    if bad.size:
        channel = int(bad[0])
        raise DescriptionError(
            f"the accumulator of output channel {channel} can reach {int(least[channel])} to {int(greatest[channel])}, "
            "which 32 bits do not hold; use smaller weights or a smaller bias",
            field="weights",
        )


def _check_sum(window: int, dtype: ActivationType) -> None:
    reach = window * max(abs(bound) for bound in TYPE_RANGE[dtype])
    if reach > INT32.max:
        raise DescriptionError(f"the sum can reach {reach}, which 32 bits do not hold", field="kernel")


def _check_add(layer: AddLayer, dtypes: list[ActivationType]) -> None:
    pairs = list(zip(layer.multipliers, dtypes, strict=True))
    least = sum(factor * TYPE_RANGE[dtype][0] for factor, dtype in pairs)
    greatest = sum(factor * TYPE_RANGE[dtype][1] for factor, dtype in pairs)
    if least < INT32.min or greatest > INT32.max:
        raise DescriptionError(
            f"the sum can reach {least} to {greatest}, which 32 bits do not hold; use smaller multipliers and shift",
            field="multipliers",
        )
