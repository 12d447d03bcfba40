"""What a network's layers ask of the engines, whatever these engines' sizes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from generator.layers import ConvolverLayer, EngineError, MapLayer, sum_bits, ungrouped
from generator.plan import engine_layers, is_pointwise
from generator.resources import Number, word_pixels
from generator.schedule import ColumnFormat, Engine, block_entries, channel_blocks, column_entries, column_format
from generator.strips import MapMemory, least_map_words, mask_words, strips_of
from golden import Network
from golden.description import AddLayer, AveragePoolLayer, ConvLayer, GlobalAveragePoolLayer, LinearLayer
from golden.names import INPUT_NAME

__all__ = ["ConvolverWork", "FcWork", "Int", "Work", "Workload", "dense", "workload"]

Int = npt.NDArray[np.int64]

# Rows of banks that maps may have: powers of two, then whole block RAMs.
_MAP_ROWS = (*(1 << bits for bits in range(1, 9)), *range(512, 65537, 512))


@dataclass(frozen=True)
class ConvolverWork:
    """What a convolution asks for.

    Attributes:
        layer: as the engine runs it.
        entries, units: int64 [blocks of output channels]: weights, and weights with the kernels' heads.
        kernels, weights: of an output channel, zeros included.
        inputs, pixels: input channels and pixels of each.
        channels, outputs: output channels and pixels of each, before pooling.
        positions: that a PE walks per output channel.
        full: packets may hold all weights, zeros included.
        sum_bits: that hold every sum, its bias added.
        side_by_side: output channels of a block.
    """

    name: str
    layer: ConvolverLayer
    entries: Int
    units: Int
    kernels: int
    weights: int
    inputs: int
    pixels: int
    channels: int
    outputs: int
    positions: int
    width: int
    full: bool
    sum_bits: int
    side_by_side: int = 1

    @cached_property
    def of_groups(self) -> list[tuple[Int, Int]]:
        """Entries and units of each group that is run by itself."""
        groups = np.split(self.layer.weights, self.layer.groups)
        return [_entries_and_units(weights, self.side_by_side) for weights in groups]


@dataclass(frozen=True)
class FcWork:
    """What a fully-connected layer asks for: sizes, non-zero weights, pixels of each of the map's channels.

    Attributes:
        streamed: what :func:`generator.schedule.column_entries` tells of its weights.
    """

    name: str
    rows: int
    columns: int
    nonzeros: int
    pixels: int
    streamed: tuple[Int, int]

    def feature_words(self, pixels: Number) -> Number:
        """Feature words of its input, of so many pixels each."""
        return -(-self.pixels // pixels) * (self.columns // self.pixels)

    def column_words(self, form: ColumnFormat) -> int:
        """Words of all its columns in DDR."""
        return int((-(-self.streamed[0][form.gap_bits - 1] // form.slots)).sum())


Work = ConvolverWork | FcWork


@dataclass(frozen=True)
class Workload:
    """A network's layers with weights, those on the map engine, and what is fused behind convolutions."""

    layers: tuple[Work, ...]
    maps: tuple[MapLayer, ...] = ()
    additions: bool = False
    averages: bool = False

    @property
    def convolver(self) -> list[ConvolverWork]:
        """The convolutions."""
        return [each for each in self.layers if isinstance(each, ConvolverWork)]

    @property
    def fc(self) -> list[FcWork]:
        """The fully-connected layers."""
        return [each for each in self.layers if isinstance(each, FcWork)]

    def of_engine(self, engine: Engine | None) -> Workload:
        """What one engine has to do of it; all where it is None."""
        if engine is None:
            return self
        kind = {"convolver": ConvolverWork, "fc": FcWork}.get(engine, ())
        return Workload(
            tuple(each for each in self.layers if isinstance(each, kind)),
            self.maps if engine == "map" else (),
            self.additions and engine == "convolver",
            self.averages and engine == "convolver",
        )

    def columns(self, slots: int) -> ColumnFormat:
        """The format of the streamed FC engine's columns."""
        if slots not in self._formats:
            self._formats[slots] = column_format(slots, [each.streamed for each in self.fc])
        return self._formats[slots]

    @cached_property
    def _formats(self) -> dict[int, ColumnFormat]:
        """Those that have been asked for, by slots."""
        return {}

    def most_column_words(self, slots: int) -> int:
        """Column words of the FC layer that has most of them."""
        if slots not in self._column_words:
            form = self.columns(slots)
            self._column_words[slots] = max((each.column_words(form) for each in self.fc), default=0)
        return self._column_words[slots]

    @cached_property
    def _column_words(self) -> dict[int, int]:
        """Those that have been asked for, by slots."""
        return {}

    def strips(self, tile: int, map_words: int) -> tuple[list[ConvolverLayer], ...] | None:
        """The strips of each convolution where PEs of `tile` multipliers have room for maps of `map_words` words; None
        where even a row does not fit."""
        if (tile, map_words) not in self._strips:
            lanes, memory = int(word_pixels(tile)), MapMemory(map_words)
            self._strips[tile, map_words] = None
            with suppress(EngineError):
                found = tuple(strips_of(each.layer, lanes, tile, memory) for each in self.convolver)
                self._strips[tile, map_words] = found
        return self._strips[tile, map_words]

    @cached_property
    def _strips(self) -> dict[tuple[int, int], tuple[list[ConvolverLayer], ...] | None]:
        """Those that have been asked for."""
        return {}

    @cached_property
    def longest(self) -> tuple[int, int]:
        """Entries and units of the convolutions' longest block of channels."""
        entries = max((int(layer.entries.max()) for layer in self.convolver), default=1)
        return entries, max((int(layer.units.max()) for layer in self.convolver), default=1)

    def strip_words(self, tile: int, map_words: int) -> tuple[int, int]:
        """Of the convolutions' strips there, feature words of the largest map, and of the largest masks."""
        if (tile, map_words) not in self._strip_words:
            strips = [strip for layer in self.strips(tile, map_words) or () for strip in layer]
            words = max((strip.input.words(int(word_pixels(tile))) for strip in strips), default=2)
            masks = max((max(2, mask_words(strip, tile)) for strip in strips), default=2)
            self._strip_words[tile, map_words] = words, masks
        return self._strip_words[tile, map_words]

    @cached_property
    def _strip_words(self) -> dict[tuple[int, int], tuple[int, int]]:
        """Those that have been asked for."""
        return {}

    def cuts_maps(self, tile: int, map_words: int) -> bool:
        """Whether some convolution has several strips there."""
        return any(len(strips) > 1 for strips in self.strips(tile, map_words) or ())

    def map_memories(self, tile: int, most: int) -> list[int]:
        """Feature words that a PE's memory for maps may have, up to `most`, smallest first: all that each convolution
        can be run with in strips, the last one that all need no more than."""
        if (tile, most) not in self._memories:
            row_words = 2 if tile == word_pixels(tile) else 1
            choices = [words for rows in _MAP_ROWS if (words := rows * row_words) < most] + [most]
            least = max((least_map_words(each.layer, int(word_pixels(tile))) for each in self.convolver), default=1)
            enough = (words >= least and self.strips(tile, words) is not None for words in choices)
            self._memories[tile, most] = choices[next((n for n, each in enumerate(enough) if each), len(choices)) :]
        return self._memories[tile, most]

    @cached_property
    def _memories(self) -> dict[tuple[int, int], list[int]]:
        """Those that have been asked for."""
        return {}


def workload(network: Network, pe_outputs: int = 1) -> Workload:
    """What the network's layers ask of the engines, of PEs that compute so many output channels side by side.

    Raises:
        EngineError: a layer that no engine can run; names layer and field.
    """
    layers: list[Work] = []
    on_engines = engine_layers(network)
    convolutions = {each.name: each for each in on_engines if isinstance(each, ConvolverLayer)}
    for layer in network.layers:
        if isinstance(layer, ConvLayer):
            layers.append(_convolver_work(network, layer, convolutions[layer.name], pe_outputs))
        elif isinstance(layer, LinearLayer) and is_pointwise(network, layer):
            layers.append(_pointwise_work(network, layer, convolutions[layer.name], pe_outputs))
        elif isinstance(layer, LinearLayer):
            weights = network.weights(layer.name)
            shape = network.shapes[layer.source]
            before = network.layer(layer.source) if layer.source != "input" else None
            if before is not None and before.type == "flatten":
                shape = network.shapes[before.source_names[0]]
            pixels = int(np.prod(shape[1:])) if len(shape) == 3 else weights.shape[1]
            rows, columns = weights.shape
            nonzeros, streamed = int(np.count_nonzero(weights)), column_entries(weights)
            layers.append(FcWork(layer.name, rows, columns, nonzeros, pixels, streamed))
    maps = tuple(each for each in on_engines if isinstance(each, MapLayer))
    apart = {layer.target for layer in maps}
    return Workload(
        tuple(layers),
        maps,
        additions=any(isinstance(layer, AddLayer) for layer in network.layers),
        averages=any(
            isinstance(layer, AveragePoolLayer | GlobalAveragePoolLayer) and layer.name not in apart
            for layer in network.layers
        ),
    )


def _convolver_work(network: Network, layer: ConvLayer, on_engine: ConvolverLayer, pe_outputs: int) -> ConvolverWork:
    weights = network.weights(layer.name)
    in_one_group = weights if pe_outputs == 1 else ungrouped(weights, layer.groups)
    entries, units = _entries_and_units(in_one_group, pe_outputs)
    inputs, height, width = network.shapes[layer.source]
    _, out_height, out_width = network.shapes[layer.name]
    stride = layer.stride[0]
    if layer.source == INPUT_NAME:  # it comes in phases
        positions = (out_height - 1) * -(-width // stride) + out_width
    else:
        positions = (out_height - 1) * stride * width + (out_width - 1) * stride + 1
    return ConvolverWork(
        name=layer.name,
        layer=on_engine,
        entries=entries,
        units=units,
        kernels=weights.shape[1],
        weights=int(np.prod(weights.shape[1:])),
        inputs=inputs,
        pixels=height * width,
        channels=len(weights),
        outputs=out_height * out_width,
        positions=positions,
        width=out_width,
        full=layer.groups == 1 and layer.dilation == (1, 1) and (layer.source != INPUT_NAME or stride == 1),
        sum_bits=sum_bits(weights, network.bias(layer.name), network.dtypes[layer.source] == "int8"),
        side_by_side=pe_outputs,
    )


def _entries_and_units(weights: npt.NDArray[np.int8], pe_outputs: int) -> tuple[Int, Int]:
    """Of a convolution with such weights, as :class:`ConvolverWork` has them."""
    kernels = block_entries(weights, channel_blocks(weights, pe_outputs))
    entries = np.maximum(kernels.sum(axis=1), 1)
    pointwise = max(weights.shape[2:]) == 1 and bool(kernels.any(axis=1).all())
    return entries, entries if pointwise else entries + np.maximum(np.count_nonzero(kernels, axis=1), 1)


def _pointwise_work(network: Network, layer: LinearLayer, on_engine: ConvolverLayer, pe_outputs: int) -> ConvolverWork:
    """Of a linear layer over a map of one pixel a channel."""
    weights = network.weights(layer.name)
    kernels = weights[:, :, None, None]
    entries = np.maximum(block_entries(kernels, channel_blocks(kernels, pe_outputs)).sum(axis=1), 1)
    inputs = weights.shape[1]
    return ConvolverWork(
        name=layer.name,
        layer=on_engine,
        entries=entries,
        units=entries,
        kernels=inputs,
        weights=inputs,
        inputs=inputs,
        pixels=1,
        channels=len(weights),
        outputs=1,
        positions=1,
        width=1,
        full=True,
        sum_bits=sum_bits(weights, network.bias(layer.name), network.dtypes[layer.source] == "int8"),
        side_by_side=pe_outputs,
    )


def dense(work: Work) -> Work:
    """The same layer with no weight zero."""
    if isinstance(work, FcWork):
        streamed = np.full((8, work.columns), work.rows, dtype=np.int64), work.streamed[1]
        return replace(work, nonzeros=work.rows * work.columns, streamed=streamed)
    entries = np.full(work.entries.size, work.weights, dtype=np.int64)
    heads = 0 if work.weights == work.kernels else work.kernels  # kernels of one weight have none
    return replace(work, entries=entries, units=entries + heads)
