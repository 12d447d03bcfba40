"""Builds a network layer by layer; every call checks its layer at once, so that an error points at the call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError

from golden.arithmetic import nearest_even
from golden.checks import check_layer_tensors
from golden.description import (
    ActivationType,
    AddLayer,
    AveragePoolLayer,
    ClipLayer,
    ConcatLayer,
    ConvLayer,
    Description,
    FlattenLayer,
    GlobalAveragePoolLayer,
    InputTensor,
    Layer,
    LinearLayer,
    LrnLayer,
    MaxPoolLayer,
    Output,
    Requantisation,
    Scale,
)
from golden.errors import DescriptionError
from golden.formats import CscOptions, FormatName, PatternOptions, encode
from golden.graph import TYPE_RANGE, TensorType, infer_layer
from golden.names import INPUT_NAME, check_name
from golden.network import Network
from golden.validation import as_description_error

__all__ = ["DescriptionBuilder", "divisor"]

Pair = int | tuple[int, int]
Padding = int | tuple[int, int] | tuple[int, int, int, int]
WeightScale = Scale | Sequence[Scale] | None
Format = FormatName | Literal["auto"]
FormatOptions = CscOptions | PatternOptions | None
PerChannel = int | NDArray[np.integer[Any]]


def divisor(number: int) -> tuple[int, int]:
    """(multiplier, shift) such that multiplier / 2**shift is 1 / ``number``, exact for powers of two.

    The multiplier has at most 16 bits, so that one DSP slice takes it, and a relative error below
    2**-16, the least that they allow.
    """
    shift = 15 + number.bit_length()
    multiplier = nearest_even(Fraction(1 << shift, number))
    while multiplier % 2 == 0:
        multiplier, shift = multiplier // 2, shift - 1
    return multiplier, shift


def _pair(value: Pair) -> tuple[int, int]:
    return (int(value), int(value)) if isinstance(value, int | np.integer) else (int(value[0]), int(value[1]))


def _padding(value: Padding) -> tuple[int, int, int, int]:
    """One number for all sides, (rows, columns), or (top, left, bottom, right)."""
    if isinstance(value, int | np.integer) or len(value) == 2:
        rows, columns = _pair(value)
        return rows, columns, rows, columns
    top, left, bottom, right = value
    return int(top), int(left), int(bottom), int(right)


def _scales(value: WeightScale) -> Scale | tuple[Scale, ...] | None:
    return value if value is None or isinstance(value, Scale) else tuple(value)


def _int8(weights: ArrayLike, dimensions: int) -> NDArray[np.int8]:
    array = np.asarray(weights)
    if array.dtype != np.int8 or array.ndim != dimensions or array.size == 0:
        raise DescriptionError(
            f"must be int8 of {dimensions} dimensions and not empty, not {array.dtype} of shape {array.shape}",
            field="weights",
        )
    return array


def _integers(value: ArrayLike, dtype: type[np.integer[Any]], field: str) -> NDArray[Any]:
    """Any integers that fit ``dtype``, as a vector of it; refuses to round or to wrap."""
    array = np.asarray(value)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise DescriptionError(f"must be a vector of integers, not {array.dtype} of shape {array.shape}", field=field)
    limits = np.iinfo(dtype)
    if array.size and not (limits.min <= int(array.min()) and int(array.max()) <= limits.max):
        raise DescriptionError(f"has a value outside {limits.min} to {limits.max}", field=field)
    return array.astype(dtype)


class DescriptionBuilder:
    """Builds a :class:`golden.Network`.

    Every method that adds a layer returns the builder. ``source`` names the layer to read, or ``"input"``; by default
    it is the layer added last. ``minimum`` and ``maximum`` default to the range of the output type.

    Args:
        name: the network's name.
        input_shape: (channels, rows, columns).
        input_dtype: type of the input's integers.
        input_scale: what one unit of the input means; informative.

    Raises:
        DescriptionError: from the constructor and every method; names layer and field.
    """

    def __init__(
        self,
        name: str,
        input_shape: tuple[int, ...],
        input_dtype: ActivationType = "uint8",
        input_scale: Scale | None = None,
    ) -> None:
        check_name(name)
        self._name = name
        self._layers: list[Layer] = []
        self._tensors: dict[str, NDArray[Any]] = {}
        shape = tuple(int(size) for size in input_shape)
        try:
            self._input = InputTensor.model_validate({"shape": shape, "dtype": input_dtype, "scale": input_scale})
        except ValidationError as error:
            raise as_description_error(error, {}) from None
        self._types = {INPUT_NAME: TensorType(self._input.shape, self._input.dtype)}

    def conv(
        self,
        name: str,
        weights: NDArray[np.int8],
        bias: ArrayLike,
        *,
        shift: PerChannel,
        source: str | None = None,
        stride: Pair = 1,
        padding: Padding = 0,
        dilation: Pair = 1,
        groups: int = 1,
        multiplier: PerChannel = 1,
        minimum: int | None = None,
        maximum: int | None = None,
        output_dtype: ActivationType = "int8",
        output_scale: Scale | None = None,
        weight_scale: WeightScale = None,
        format: Format = "auto",
        format_options: FormatOptions = None,
    ) -> Self:
        """Add a convolution.

        Args:
            name: the layer's name.
            weights: int8 (output channels, input channels / groups, kh, kw).
            bias: integers (output channels,) that fit int32, in units of the accumulator.
            shift: of the requantisation, 0..47; one, or one for each output channel.
            source: what it reads.
            stride: one, or (rows, columns).
            padding: zeros around the map: one, (rows, columns), or (top, left, bottom, right).
            dilation: one, or (rows, columns).
            groups: channel groups.
            multiplier: of the requantisation, 1..2**31-1; one, or one for each output channel.
            minimum: lower clamp; 0 is a ReLU.
            maximum: upper clamp.
            output_dtype: type of the output's integers.
            output_scale: what one unit of the output means; informative.
            weight_scale: what one unit of a weight means, or of each output channel's; informative.
            format: storage format; ``auto`` is the smallest.
            format_options: see :mod:`golden.formats`.
        """

        def make() -> ConvLayer:
            encoded = encode(format, _int8(weights, 4), format_options)
            self._keep(name, weights=encoded.payload, bias=_integers(bias, np.int32, "bias"))
            return ConvLayer(
                name=name,
                source=self._source(source),
                weights=encoded.storage,
                stride=_pair(stride),
                padding=_padding(padding),
                dilation=_pair(dilation),
                groups=groups,
                requantise=self._requantise(name, multiplier, shift, minimum, maximum, output_dtype),
                output=Output(dtype=output_dtype, scale=output_scale),
                weight_scale=_scales(weight_scale),
            )

        return self._append(name, make)

    def linear(
        self,
        name: str,
        weights: NDArray[np.int8],
        bias: ArrayLike,
        *,
        shift: PerChannel,
        source: str | None = None,
        multiplier: PerChannel = 1,
        minimum: int | None = None,
        maximum: int | None = None,
        output_dtype: ActivationType = "int8",
        output_scale: Scale | None = None,
        weight_scale: WeightScale = None,
        format: Format = "auto",
        format_options: FormatOptions = None,
    ) -> Self:
        """Add a fully connected layer; ``weights`` is int8 (output, input), the rest as in :meth:`conv`."""

        def make() -> LinearLayer:
            encoded = encode(format, _int8(weights, 2), format_options)
            self._keep(name, weights=encoded.payload, bias=_integers(bias, np.int32, "bias"))
            return LinearLayer(
                name=name,
                source=self._source(source),
                weights=encoded.storage,
                requantise=self._requantise(name, multiplier, shift, minimum, maximum, output_dtype),
                output=Output(dtype=output_dtype, scale=output_scale),
                weight_scale=_scales(weight_scale),
            )

        return self._append(name, make)

    def max_pool(
        self, name: str, kernel: Pair, stride: Pair | None = None, padding: Padding = 0, *, source: str | None = None
    ) -> Self:
        """Add a maximum over windows; ``stride`` defaults to the kernel. Padding never wins."""

        def make() -> MaxPoolLayer:
            return MaxPoolLayer(
                name=name,
                source=self._source(source),
                kernel=_pair(kernel),
                stride=_pair(kernel if stride is None else stride),
                padding=_padding(padding),
            )

        return self._append(name, make)

    def average_pool(
        self,
        name: str,
        kernel: Pair,
        stride: Pair | None = None,
        padding: Padding = 0,
        *,
        source: str | None = None,
        multiplier: PerChannel | None = None,
        shift: PerChannel | None = None,
        minimum: int | None = None,
        maximum: int | None = None,
        output_dtype: ActivationType | None = None,
        output_scale: Scale | None = None,
    ) -> Self:
        """Add an average over windows, padding counted as zeros.

        Multiplier and shift default to :func:`divisor` of the window's positions, the type and scale to the source's.
        """

        def make() -> AveragePoolLayer:
            reads, size = self._source(source), _pair(kernel)
            factor, places = self._divisor(size[0] * size[1], multiplier, shift)
            return AveragePoolLayer(
                name=name,
                source=reads,
                kernel=size,
                stride=_pair(kernel if stride is None else stride),
                padding=_padding(padding),
                requantise=self._requantise(name, factor, places, minimum, maximum, self._like(reads, output_dtype)),
                output=Output(dtype=self._like(reads, output_dtype), scale=output_scale),
            )

        return self._append(name, make)

    def global_average_pool(
        self,
        name: str,
        *,
        source: str | None = None,
        multiplier: PerChannel | None = None,
        shift: PerChannel | None = None,
        minimum: int | None = None,
        maximum: int | None = None,
        output_dtype: ActivationType | None = None,
        output_scale: Scale | None = None,
    ) -> Self:
        """Add an average over the whole map, to (channels, 1, 1); defaults as in :meth:`average_pool`."""

        def make() -> GlobalAveragePoolLayer:
            reads = self._source(source)
            factor, places = self._divisor(int(np.prod(self._types[reads].shape[1:])), multiplier, shift)
            return GlobalAveragePoolLayer(
                name=name,
                source=reads,
                requantise=self._requantise(name, factor, places, minimum, maximum, self._like(reads, output_dtype)),
                output=Output(dtype=self._like(reads, output_dtype), scale=output_scale),
            )

        return self._append(name, make)

    def add(
        self,
        name: str,
        first: str,
        second: str,
        *,
        multipliers: tuple[int, int] = (1, 1),
        shift: int = 0,
        minimum: int | None = None,
        maximum: int | None = None,
        output_dtype: ActivationType | None = None,
        output_scale: Scale | None = None,
    ) -> Self:
        """Add a residual sum: y = clamp(round_half_even((a * multipliers[0] + b * multipliers[1]) / 2**shift))."""

        def make() -> AddLayer:
            reads = (self._source(first), self._source(second))
            dtype = self._like(reads[0], output_dtype)
            lowest, highest = TYPE_RANGE[dtype]
            return AddLayer(
                name=name,
                sources=reads,
                multipliers=_pair(multipliers),
                shift=shift,
                minimum=lowest if minimum is None else minimum,
                maximum=highest if maximum is None else maximum,
                output=Output(dtype=dtype, scale=output_scale),
            )

        return self._append(name, make)

    def clip(
        self,
        name: str,
        minimum: int | None = None,
        maximum: int | None = None,
        *,
        source: str | None = None,
        multiplier: PerChannel = 1,
        shift: PerChannel = 0,
        output_dtype: ActivationType | None = None,
        output_scale: Scale | None = None,
    ) -> Self:
        """Add a clamp to integer bounds, or (with multiplier and shift) a change of scale."""

        def make() -> ClipLayer:
            reads = self._source(source)
            dtype = self._like(reads, output_dtype)
            return ClipLayer(
                name=name,
                source=reads,
                requantise=self._requantise(name, multiplier, shift, minimum, maximum, dtype),
                output=Output(dtype=dtype, scale=output_scale),
            )

        return self._append(name, make)

    def relu(self, name: str, *, source: str | None = None, output_scale: Scale | None = None) -> Self:
        """Add a ReLU by itself: :meth:`clip` at 0. Behind a weighted layer, use that layer's ``minimum`` instead."""
        return self.clip(name, 0, source=source, output_scale=output_scale)

    def lrn(
        self,
        name: str,
        *,
        size: int,
        table: ArrayLike,
        index_shift: int,
        shift: int,
        output_dtype: ActivationType,
        source: str | None = None,
        minimum: int | None = None,
        maximum: int | None = None,
        output_scale: Scale | None = None,
    ) -> Self:
        """Add a local response normalisation by table; :func:`golden.lrn_table` makes the table from alpha, beta and k.

        Args:
            name: the layer's name.
            size: channels in the window, odd, centred.
            table: integers 0..65535, at most 65536 of them.
            index_shift: index = min(sum of squares >> index_shift, last).
            shift: y = clamp(round_half_even(x * table[index] / 2**shift)).
            output_dtype: type of the output's integers.
            source: what it reads.
            minimum: lower clamp.
            maximum: upper clamp.
            output_scale: what one unit of the output means; informative.
        """

        def make() -> LrnLayer:
            lowest, highest = TYPE_RANGE[output_dtype]
            numbers = _integers(table, np.uint16, "table")
            self._keep(name, table=numbers)
            return LrnLayer(
                name=name,
                source=self._source(source),
                size=size,
                index_shift=index_shift,
                entries=numbers.size,
                shift=shift,
                minimum=lowest if minimum is None else minimum,
                maximum=highest if maximum is None else maximum,
                output=Output(dtype=output_dtype, scale=output_scale),
            )

        return self._append(name, make)

    def flatten(self, name: str, *, source: str | None = None) -> Self:
        """Add map to vector, in the order channel, row, column."""
        return self._append(name, lambda: FlattenLayer(name=name, source=self._source(source)))

    def concat(self, name: str, sources: Sequence[str]) -> Self:
        """Add a concatenation along the channels; all sources have one type, and should have one scale."""
        return self._append(name, lambda: ConcatLayer(name=name, sources=tuple(map(self._source, sources))))

    def build(self, outputs: Sequence[str] | None = None) -> Network:
        """The network.

        Args:
            outputs: layers whose outputs are the results; None takes every layer that no other reads.
        """
        if not self._layers:
            raise DescriptionError("is empty; add a layer first", field="layers")
        read = {name for layer in self._layers for name in layer.source_names}
        names = [layer.name for layer in self._layers if layer.name not in read] if outputs is None else list(outputs)
        try:
            description = Description(
                name=self._name, input=self._input, layers=tuple(self._layers), outputs=tuple(names)
            )
        except ValidationError as error:
            raise as_description_error(error, {}) from None
        return Network.assemble(description, self._tensors)

    def _append(self, name: str, make: Callable[[], Layer]) -> Self:
        kept = dict(self._tensors)
        try:
            check_name(name)
            if name in self._types:
                raise DescriptionError("is taken; names must be distinct, and 'input' is the network's", field="name")
            layer = make()
            inferred = infer_layer(layer, [self._types[source] for source in layer.source_names])
            check_layer_tensors(layer, self._tensors, {**self._types, name: inferred})
        except (DescriptionError, ValidationError) as error:
            self._tensors = kept  # a refused layer leaves nothing behind
            reason = error if isinstance(error, DescriptionError) else as_description_error(error, {})
            raise reason.in_layer(name) from None
        self._layers.append(layer)
        self._types[name] = inferred
        return self

    def _keep(self, layer: str, **tensors: NDArray[Any]) -> None:
        self._tensors |= {f"{layer}.{field}": tensor for field, tensor in tensors.items()}

    def _source(self, name: str | None) -> str:
        if name is None:
            return self._layers[-1].name if self._layers else INPUT_NAME
        if name not in self._types:
            raise DescriptionError(f"{name!r} is neither 'input' nor a layer added before", field="source")
        return name

    def _like(self, source: str, dtype: ActivationType | None) -> ActivationType:
        return self._types[source].dtype if dtype is None else dtype

    @staticmethod
    def _divisor(area: int, multiplier: PerChannel | None, shift: PerChannel | None) -> tuple[PerChannel, PerChannel]:
        if (multiplier is None) != (shift is None):
            raise DescriptionError("give both multiplier and shift, or neither", field="requantise")
        return divisor(area) if multiplier is None or shift is None else (multiplier, shift)

    def _requantise(
        self,
        name: str,
        multiplier: PerChannel,
        shift: PerChannel,
        minimum: int | None,
        maximum: int | None,
        dtype: ActivationType,
    ) -> Requantisation:
        lowest, highest = TYPE_RANGE.get(dtype, (0, 0))  # Output refuses the type by name
        return Requantisation(
            multiplier=self._scalar_or_tensor(name, "multiplier", multiplier, np.int32),
            shift=self._scalar_or_tensor(name, "shift", shift, np.uint8),
            minimum=lowest if minimum is None else int(minimum),
            maximum=highest if maximum is None else int(maximum),
        )

    def _scalar_or_tensor(
        self, name: str, field: str, value: PerChannel, dtype: type[np.integer[Any]]
    ) -> int | Literal["per_channel"]:
        if isinstance(value, int | np.integer):
            return int(value)
        self._keep(name, **{field: _integers(value, dtype, f"requantise.{field}")})
        return "per_channel"
