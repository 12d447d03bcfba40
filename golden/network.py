"""A checked network: the description, its tensors, and what follows from both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.checks import check
from golden.description import (
    ActivationType,
    AveragePoolLayer,
    ClipLayer,
    ConcatLayer,
    ConvLayer,
    Description,
    FlattenLayer,
    GlobalAveragePoolLayer,
    Layer,
    LinearLayer,
    MaxPoolLayer,
    Scale,
    WeightedLayer,
)
from golden.errors import DescriptionError
from golden.formats import Encoded, SizeBits, sizes
from golden.graph import TensorType
from golden.names import INPUT_NAME, identifiers
from golden.taps import Geometry, Taps, taps_of_weights, taps_of_window

__all__ = ["LayerSize", "Network", "Requantise"]

SCALAR_BITS = 32 + 8  # a multiplier and a shift, as stored for each channel or once for the layer


@dataclass(frozen=True)
class Requantise:
    """y = clamp(round_half_even(accumulator * multiplier / 2**shift), minimum, maximum), channel by channel.

    Attributes:
        multiplier: int32 (channels,), 1 or more.
        shift: int32 (channels,), 0..47.
        minimum: lower clamp.
        maximum: upper clamp.
    """

    multiplier: NDArray[np.int32]
    shift: NDArray[np.int32]
    minimum: int
    maximum: int


@dataclass(frozen=True)
class LayerSize:
    """Storage of one layer, in bits.

    Attributes:
        weights: the payload, by purpose.
        bias: 32 for each output channel.
        scales: 40 (multiplier and shift) for the layer, or for each output channel where they differ.
    """

    weights: SizeBits
    bias: int
    scales: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights.total + self.bias + self.scales


@dataclass(frozen=True, eq=False)
class Network:
    """A checked network. Make one with :func:`golden.load`, a :class:`golden.DescriptionBuilder` or :meth:`assemble`.

    Attributes:
        description: the parsed JSON.
        tensors: the payload by name, read-only arrays.
        types: shape and type of every tensor of the graph; ``input`` first, then the layers in order.
    """

    description: Description
    tensors: Mapping[str, NDArray[Any]]
    types: Mapping[str, TensorType]
    _by_name: Mapping[str, Layer] = field(repr=False)
    _weights: Mapping[str, NDArray[np.int8]] = field(repr=False)
    _taps: dict[str, Taps] = field(repr=False, default_factory=dict)

    @classmethod
    def assemble(cls, description: Description, tensors: Mapping[str, NDArray[Any]]) -> Network:
        """Check a description and its tensors, and make a network of them.

        Args:
            description: parsed description.
            tensors: the payload by name; copied.

        Raises:
            DescriptionError: anything is wrong.
        """
        own = {name: np.array(tensor) for name, tensor in tensors.items()}
        types, weights = check(description, own)
        for tensor in (*own.values(), *weights.values()):
            tensor.setflags(write=False)
        return cls(description, own, types, {layer.name: layer for layer in description.layers}, weights)

    @property
    def name(self) -> str:
        """The network's name."""
        return self.description.name

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, each behind its sources."""
        return self.description.layers

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the layers whose outputs are the network's results."""
        return self.description.outputs

    @cached_property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """(channels, rows, columns) or (features,) of every tensor, ``input`` included."""
        return {name: each.shape for name, each in self.types.items()}

    @cached_property
    def dtypes(self) -> Mapping[str, ActivationType]:
        """Activation type of every tensor, ``input`` included."""
        return {name: each.dtype for name, each in self.types.items()}

    @cached_property
    def identifiers(self) -> Mapping[str, str]:
        """C++ identifier of every layer name (and of ``input``); distinct even without regard to case."""
        return identifiers(self.types)

    def layer(self, name: str) -> Layer:
        """The layer of that name.

        Raises:
            DescriptionError: there is none.
        """
        if name not in self._by_name:
            raise DescriptionError(f"the network {self.name!r} has no layer {name!r}")
        return self._by_name[name]

    def _weighted(self, name: str) -> WeightedLayer:
        layer = self.layer(name)
        if not isinstance(layer, ConvLayer | LinearLayer):
            raise DescriptionError(f"is a {layer.type} layer, which has no weights", layer=name)
        return layer

    def encoded(self, name: str) -> Encoded:
        """A layer's weights as they are stored."""
        return Encoded(self._weighted(name).weights, self.tensors[f"{name}.weights"])

    def weights(self, name: str) -> NDArray[np.int8]:
        """A layer's weights, decoded once, read-only: int8, (output, input per group, kh, kw) or (output, input)."""
        return self._weights[self._weighted(name).name]

    def bias(self, name: str) -> NDArray[np.int32]:
        """A layer's bias: int32 (output channels,), in units of the accumulator."""
        return self.tensors[f"{self._weighted(name).name}.bias"]

    def requantise(self, name: str) -> Requantise:
        """A layer's requantisation, spread over its output channels.

        Raises:
            DescriptionError: the layer has none (``add`` and ``lrn`` have formulas of their own).
        """
        layer = self.layer(name)
        if not isinstance(layer, ConvLayer | LinearLayer | AveragePoolLayer | GlobalAveragePoolLayer | ClipLayer):
            raise DescriptionError(f"is a {layer.type} layer, which has no requantise field", layer=name)
        fields = layer.requantise
        return Requantise(
            self._per_channel(name, "multiplier", fields.multiplier),
            self._per_channel(name, "shift", fields.shift),
            fields.minimum,
            fields.maximum,
        )

    def _per_channel(self, name: str, what: str, value: int | str) -> NDArray[np.int32]:
        if isinstance(value, int):
            return np.full(self.types[name].channels, value, np.int32)
        return self.tensors[f"{name}.{what}"].astype(np.int32)

    def scale(self, name: str) -> Scale | None:
        """What one unit of a tensor means, handed on through layers that keep it; None where nothing says so."""
        return self._scales[name if name == INPUT_NAME else self.layer(name).name]

    @cached_property
    def _scales(self) -> Mapping[str, Scale | None]:
        found: dict[str, Scale | None] = {INPUT_NAME: self.description.input.scale}
        for layer in self.layers:
            if isinstance(layer, MaxPoolLayer | FlattenLayer | ConcatLayer):
                scales = {found[source] for source in layer.source_names}
                found[layer.name] = scales.pop() if len(scales) == 1 else None
            else:
                found[layer.name] = layer.output.scale
        return found

    def size(self, name: str) -> LayerSize:
        """Storage of one weighted layer, in bits: everything the integer arithmetic needs."""
        layer = self._weighted(name)
        channels = self.types[name].channels
        varies = "per_channel" in (layer.requantise.multiplier, layer.requantise.shift)
        return LayerSize(sizes(self.encoded(name)), 32 * channels, SCALAR_BITS * (channels if varies else 1))

    def taps(self, name: str) -> Taps:
        """What a layer that sums over windows reads and multiplies: the non-zeros alone; made once."""
        if name not in self._taps:
            self._taps[name] = self._make_taps(self.layer(name))
        return self._taps[name]

    def _make_taps(self, layer: Layer) -> Taps:
        shape = self.types[layer.source_names[0]].shape
        maps = (shape[0], shape[1], shape[2]) if len(shape) == 3 else (shape[0], 1, 1)
        match layer:
            case ConvLayer():
                geometry = Geometry(maps, layer.padding, layer.stride, layer.dilation)
                return taps_of_weights(self.weights(layer.name), geometry, layer.groups)
            case LinearLayer():
                return taps_of_weights(self.weights(layer.name)[:, :, None, None], Geometry(maps), 1)
            case AveragePoolLayer():
                return taps_of_window(layer.kernel, Geometry(maps, layer.padding, layer.stride))
            case GlobalAveragePoolLayer():
                return taps_of_window((maps[1], maps[2]), Geometry(maps))
            case _:
                raise DescriptionError(f"is a {layer.type} layer, which sums over no window", layer=layer.name)

    @cached_property
    def weighted_layers(self) -> tuple[WeightedLayer, ...]:
        """The convolutions and linear layers, in order."""
        return tuple(layer for layer in self.layers if isinstance(layer, ConvLayer | LinearLayer))

    @cached_property
    def total_bits(self) -> int:
        """Storage of all weighted layers, in bits."""
        return sum(self.size(layer.name).total for layer in self.weighted_layers)

    @cached_property
    def weight_count(self) -> int:
        """Weights of all layers, zeros included."""
        return sum(prod(layer.weights.shape) for layer in self.weighted_layers)

    @cached_property
    def nonzero_count(self) -> int:
        """Weights of all layers that are not zero."""
        return sum(layer.weights.nonzeros for layer in self.weighted_layers)
