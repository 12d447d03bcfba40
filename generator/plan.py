"""From a network description to the layers that the engines run: fuses, checks, and says what no engine can run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from generator.layers import (
    Add,
    ConvolverLayer,
    EngineError,
    FcLayer,
    FeatureLayout,
    MapLayer,
    Normalisation,
    Pool,
)
from generator.layouts import DESCRIPTOR
from generator.schedule import (
    Buffers,
    ColumnFormat,
    Engine,
    Schedule,
    engine_of,
    schedule_convolver,
    schedule_fc,
    schedule_fc_stream,
    schedule_map,
)
from generator.strips import MapMemory, strips_of
from golden import Network
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

__all__ = ["engine_layers", "is_pointwise", "plan_network"]

_PoolLayer = MaxPoolLayer | AveragePoolLayer | GlobalAveragePoolLayer
_MAX_MULTIPLIER = (1 << 16) - 1
_MAX_KERNEL = 16
_MAX_OVERLAP = 15
_MAX_SUM = (1 << 23) - 1
_MAX_SIDE = 1023
_MAX_NORMALISED = 1 << 12


def _refuse(layer: str, field: str, why: str) -> EngineError:
    return EngineError(f"layer '{layer}': field '{field}': {why}")


def plan_network(
    network: Network,
    pes: int,
    lanes: int,
    fc_pes: int,
    fc_rows: int | None = None,
    tile: int | None = None,
    buffers: Buffers | None = None,
    map_lanes: tuple[int, int | None] = (1, None),
    columns: ColumnFormat | None = None,
    pe_outputs: int = 1,
    memory: MapMemory | None = None,
    engine: Engine | None = None,
    fc_batch: int = 1,
) -> list[Schedule]:
    """Schedules every layer of `network` on convolver (`pes` x `tile`), FC engine (`fc_pes`) or map engine.

    A convolution whose map a PE has no room for becomes several runs, each of a group's channels or of a strip of rows;
    elsewhere a layer is one run.

    Pooling whose windows overlap neighbours at most, or an addition, is fused behind its convolution; other pooling,
    changes of scale, and normalisation with a maximum behind it go to the map engine. Flattening and concatenation are
    a matter of order. Output channels leave in the schedule's order, and the weights of what reads them are arranged to
    match.

    Args:
        lanes: pixels of a feature word.
        tile: positions that a PE of the convolver computes at once; `lanes` by default.
        buffers: beside a PE of the convolver, where the accelerator is given.
        fc_rows: sums that a PE of the FC engine has room for, where the accelerator is given.
        map_lanes: of the map engine, and its largest stride, where the accelerator is given.
        columns: how the streamed FC engine's weights lie in DDR; None: the FC engine holds them in its `fc_pes`.
        pe_outputs: output channels that a PE of the convolver computes side by side.
        memory: of a PE of the convolver.
        engine: layers of this engine alone. The sizes of the others count all the same, as long as these say in which
            order channels leave.
        fc_batch: images that the streamed FC engine works on together.

    Raises:
        EngineError: a layer that no engine can run; names layer and field. No layer for `engine`.
    """
    convolver = (pes, lanes, tile or lanes, pe_outputs)
    planner = _Planner(network, convolver, buffers, fc_pes, fc_rows, map_lanes, columns, fc_batch)
    found = [each for each in planner.run(memory or MapMemory(), engine) if engine in (None, engine_of(each))]
    if not found:
        raise EngineError(f"engine '{engine}': no layer of the network runs on it")
    return found


def engine_layers(network: Network) -> list[ConvolverLayer | FcLayer | MapLayer]:
    """What the engines run of `network`, whatever their sizes; channels in any order.

    Raises:
        EngineError: as :func:`plan_network`.
    """
    return _Planner(network, (1, 8, 8, 1), None, 1, None, (1, None)).layers()


def is_pointwise(network: Network, layer: LinearLayer) -> bool:
    """Whether a linear layer runs on the convolver: at least half of its weights are not zero, and it reads a map of
    one pixel a channel that is not the network's input.

    It is then a convolution of one position and takes 8 bits a weight. On the FC engine it would take 16, and pointers
    for a feature word of columns in place of each pixel.
    """
    weights = network.weights(layer.name)
    if 2 * np.count_nonzero(weights) < weights.size:
        return False
    source = layer.source
    while source != INPUT_NAME and isinstance(before := network.layer(source), FlattenLayer):
        source = before.source
    if source == INPUT_NAME or len(weights) >= 1 << DESCRIPTOR.fields["channels"].bits:
        return False
    return is_pointwise(network, before) if isinstance(before, LinearLayer) else network.shapes[source][1:] == (1, 1)


class _Planner:
    """Walks the layers in order; knows how every tensor that is in memory lies there."""

    def __init__(
        self,
        network: Network,
        convolver: tuple[int, int, int, int],
        buffers: Buffers | None,
        fc_pes: int,
        fc_rows: int | None,
        map_lanes: tuple[int, int | None],
        columns: ColumnFormat | None = None,
        fc_batch: int = 1,
    ) -> None:
        self.network, self.columns, self.fc_batch = network, columns, fc_batch
        self.fc_rows, self.map_lanes = fc_rows, map_lanes
        self.convolver, self.buffers, self.fc_pes = convolver, buffers, fc_pes
        channels, height, width = network.description.input.shape
        signed = network.description.input.dtype == "int8"
        self.layouts = {INPUT_NAME: FeatureLayout(tuple(range(channels)), height, width, signed)}
        self.readers: dict[str, list[str]] = {}
        for layer in network.layers:
            for source in layer.source_names:
                self.readers.setdefault(source, []).append(layer.name)
        self.fused: set[str] = set()
        self.input_in_phases = self._input_in_phases()

    def run(self, memory: MapMemory, engine: Engine | None) -> list[Schedule]:
        """A schedule of each run of an engine, in their order; of the convolver and of `engine`, or of all."""
        pes, lanes, tile, outputs = self.convolver
        schedules: list[Schedule] = []
        for layer in self._engine_layers():
            begun = len(schedules)
            if isinstance(layer, ConvolverLayer):
                strips = strips_of(layer, lanes, tile, memory)
                schedules += [schedule_convolver(each, pes, lanes, tile, self.buffers, outputs) for each in strips]
            elif engine not in (None, "fc" if isinstance(layer, FcLayer) else "map"):
                self._leaves(layer, _output_layout(layer))
                continue
            elif isinstance(layer, FcLayer) and self.columns:
                schedules.append(schedule_fc_stream(layer, self.columns, lanes, self.fc_batch))
            elif isinstance(layer, FcLayer):
                schedules.append(schedule_fc(layer, self.fc_pes, lanes, self.fc_rows))
            else:
                schedules.append(schedule_map(layer, lanes, *self.map_lanes))
            self._leaves(layer, FeatureLayout.whole_map(each.output for each in schedules[begun:]))
        return schedules

    def layers(self) -> list[ConvolverLayer | FcLayer | MapLayer]:
        """All of them, channels in any order."""
        found = []
        for layer in self._engine_layers():
            found.append(layer)
            self._leaves(layer, _output_layout(layer))
        return found

    def _leaves(self, layer: ConvolverLayer | FcLayer | MapLayer, output: FeatureLayout) -> None:
        if layer.target != layer.source:  # a padded copy is for one reader alone
            self.layouts[layer.target] = output

    def _engine_layers(self) -> Iterator[ConvolverLayer | FcLayer | MapLayer]:
        """The layers one by one; before the next one, it must be said how its output leaves (`_leaves`)."""
        for layer in self.network.layers:
            if layer.name in self.fused:
                continue
            if isinstance(layer, FlattenLayer):
                self.layouts[layer.name] = self._layout(layer, layer.source)
            elif isinstance(layer, ConcatLayer):
                self.layouts[layer.name] = _joined(layer, [self._layout(layer, name) for name in layer.sources])
            elif isinstance(layer, ConvLayer):
                engine_layer = self._convolver_layer(layer)
                if engine_layer.virtual_width > engine_layer.input.width:
                    padded = _padded(layer, engine_layer.input)
                    yield padded
                    engine_layer = replace(engine_layer, input=padded.output, pad_left=0)
                yield engine_layer
            elif isinstance(layer, LinearLayer):
                fc_layer = _fc_layer(self.network, layer, self._layout(layer, layer.source))
                yield _as_convolution(fc_layer) if is_pointwise(self.network, layer) else fc_layer
            elif isinstance(layer, AddLayer):
                raise _refuse(layer.name, "type", f"no engine runs '{layer.type}' by itself, only right behind a conv")
            else:
                yield self._map_layer(layer)

    def _input_in_phases(self) -> bool:
        """Whether the network's input comes in phases: the host lays it out, and one stride suits all that read it."""
        readers = [self.network.layer(name) for name in self.readers.get(INPUT_NAME, [])]
        strides = {layer.stride if isinstance(layer, ConvLayer) else (1, 1) for layer in readers}
        if len(strides) != 1 or strides == {(1, 1)} or any(rows != columns for rows, columns in strides):
            return False
        columns = -(-self.layouts[INPUT_NAME].width // strides.pop()[0])
        return all(self.network.shapes[layer.name][2] <= columns for layer in readers)

    def _layout(self, layer: Layer, source: str) -> FeatureLayout:
        if source not in self.layouts:
            raise _refuse(layer.name, "source", f"'{source}' never leaves the engine, something is fused behind it")
        return self.layouts[source]

    def _convolver_layer(self, layer: ConvLayer) -> ConvolverLayer:
        result = _plain_convolver_layer(self.network, layer, self._layout(layer, layer.source))
        if layer.source == INPUT_NAME and self.input_in_phases:
            result = result.in_phases()
        readers = self.readers.get(layer.name, [])
        if len(readers) != 1 or layer.name in self.network.outputs:
            return result
        following = self.network.layer(readers[0])
        if isinstance(following, _PoolLayer):
            windows = _fused_windows(self.network, result, following)
            if windows is None:
                return result
            result = _with_pool(self.network, result, following, windows)
        elif isinstance(following, AddLayer) and self._addend(layer, following) in self.layouts:
            result = _with_add(result, following, self._addend(layer, following), self.layouts)
        else:
            return result
        self.fused.add(following.name)
        return result

    def _map_layer(self, layer: _PoolLayer | ClipLayer | LrnLayer) -> MapLayer:
        layout = self._layout(layer, layer.source)
        if not isinstance(layer, LrnLayer):
            return _map_layer(self.network, layer, layout)
        readers = self.readers.get(layer.name, [])
        following = self.network.layer(readers[0]) if len(readers) == 1 else None
        if not isinstance(following, MaxPoolLayer) or layer.name in self.network.outputs:
            return _normalising(self.network, layer, _map_layer(self.network, layer, layout))
        self.fused.add(following.name)
        return _normalising(self.network, layer, _map_layer(self.network, following, layout))

    @staticmethod
    def _addend(layer: ConvLayer, add: AddLayer) -> str:
        return add.sources[1] if add.sources[0] == layer.name else add.sources[0]


def _output_layout(layer: ConvolverLayer | FcLayer | MapLayer) -> FeatureLayout:
    """How a layer's output lies in memory; a convolution's with its channels in their natural order."""
    if isinstance(layer, MapLayer):
        return layer.output
    if isinstance(layer, FcLayer):
        return FeatureLayout((0,), 1, len(layer.weights), layer.output_signed)
    channels = tuple(range(len(layer.weights)))
    return FeatureLayout(channels, layer.pooled_height, layer.pooled_width, layer.output_signed)


def _check(layer: str, checks: list[tuple[bool, str, Callable[[], str]]]) -> None:
    for passes, field, why in checks:
        if not passes:
            raise _refuse(layer, field, why())


def _plain_convolver_layer(network: Network, layer: ConvLayer, layout: FeatureLayout) -> ConvolverLayer:
    requantise = network.requantise(layer.name)
    weights = network.weights(layer.name)
    top, left, _, _ = layer.padding
    _, out_height, out_width = network.shapes[layer.name]
    result = ConvolverLayer(
        name=layer.name,
        source=layer.source,
        target=layer.name,
        input=layout,
        weights=weights,
        bias=network.bias(layer.name),
        multiplier=np.asarray(requantise.multiplier, dtype=np.int64),
        shift=np.asarray(requantise.shift, dtype=np.int64),
        minimum=int(requantise.minimum),
        maximum=int(requantise.maximum),
        stride=layer.stride[0],
        pad_top=top,
        pad_left=left,
        groups=layer.groups,
        out_height=out_height,
        out_width=out_width,
        output_signed=layer.output.dtype == "int8",
        pool=Pool(),
        dilation=layer.dilation,
    )
    reach = max((size - 1) * apart + 1 for size, apart in zip(weights.shape[2:], layer.dilation, strict=True))
    multiplier = int(result.multiplier.max())
    _check(
        layer.name,
        [
            (layer.stride[0] == layer.stride[1], "stride", lambda: f"rows and columns must agree, not {layer.stride}"),
            (layer.stride[0] <= 7, "stride", lambda: f"must be 7 at most, not {layer.stride[0]}"),
            (
                reach <= _MAX_KERNEL,
                "weights.shape" if layer.dilation == (1, 1) else "dilation",
                lambda: f"kernels reach {_MAX_KERNEL} x {_MAX_KERNEL} at most, not {reach} pixels",
            ),
            (max(top, left) <= 15, "padding", lambda: f"must be 15 at most, not {layer.padding}"),
            (
                multiplier <= _MAX_MULTIPLIER,
                "requantise.multiplier",
                lambda: f"must be {_MAX_MULTIPLIER} at most, not {multiplier}",
            ),
            (result.minimum <= 0 <= result.maximum, "requantise", lambda: "minimum..maximum must hold 0"),
        ],
    )
    return result


def _padded(layer: ConvLayer, layout: FeatureLayout) -> MapLayer:
    """A copy of a convolution's input with the padding of its columns around it: the convolver's grid has the input's
    pitch, so that its output cannot be wider than its input."""
    _, left, _, right = layer.padding
    least = -128 if layout.signed else 0
    result = MapLayer(
        name=layer.name,
        source=layer.source,
        target=layer.source,
        input=layout,
        kernel=(1, 1),
        stride=(1, 1),
        top=0,
        left=left,
        right=right,
        out_height=layout.height,
        out_width=layout.width + left + right,
        average=True,
        multiplier=1,
        shift=0,
        minimum=least,
        maximum=least + 255,
        output_signed=layout.signed,
    )
    _check_map_layer(result)
    return result


def _with_pool(network: Network, layer: ConvolverLayer, pool: _PoolLayer, windows: Pool) -> ConvolverLayer:
    if isinstance(pool, MaxPoolLayer):
        return replace(layer, target=pool.name, pool=windows)
    multiplier, shift = _one_scale(network, pool.name)
    requantise = network.requantise(pool.name)
    holds_0 = requantise.minimum <= 0 <= requantise.maximum
    _check(pool.name, [(holds_0, "requantise", lambda: "minimum..maximum must hold 0")])
    windows = replace(
        windows,
        average=True,
        multiplier=multiplier,
        shift=shift,
        minimum=int(requantise.minimum),
        maximum=int(requantise.maximum),
    )
    return replace(layer, target=pool.name, pool=windows, output_signed=pool.output.dtype == "int8")


def _one_scale(network: Network, name: str) -> tuple[int, int]:
    """Multiplier and shift of a layer that has one for all channels.

    Raises:
        EngineError: it has several, or the multiplier is too large.
    """
    requantise = network.requantise(name)
    multiplier, shift = np.unique(requantise.multiplier), np.unique(requantise.shift)
    _check(
        name,
        [
            (multiplier.size == 1, "requantise.multiplier", lambda: "must be the same for all outputs"),
            (shift.size == 1, "requantise.shift", lambda: "must be the same for all outputs"),
            (
                int(multiplier[0]) <= _MAX_MULTIPLIER,
                "requantise.multiplier",
                lambda: f"must be {_MAX_MULTIPLIER} at most, not {multiplier[0]}",
            ),
        ],
    )
    return int(multiplier[0]), int(shift[0])


def _geometry(pool: _PoolLayer, height: int, width: int) -> tuple[tuple[int, int], tuple[int, int], int, int]:
    """Kernel and stride (rows, columns) of a pooling layer's windows, and how far the first begins before the map."""
    if isinstance(pool, GlobalAveragePoolLayer):
        return (height, width), (height, width), 0, 0
    return pool.kernel, pool.stride, pool.padding[0], pool.padding[1]


def _fused_windows(network: Network, layer: ConvolverLayer, pool: _PoolLayer) -> Pool | None:
    """A pooling layer's windows, without what an average does with their sums; None where the convolver has none such.

    It has square windows that overlap their neighbours only, begin less than a stride before the map and end in it.
    """
    kernel, stride, top, left = _geometry(pool, layer.out_height, layer.out_width)
    windows = Pool(kernel[0], stride[0], top, left)
    shape = (layer.weights.shape[0], windows.windows(layer.out_height, top), windows.windows(layer.out_width, left))
    square = kernel[0] == kernel[1] and stride[0] == stride[1] and max(*kernel, *stride) <= 31
    near = kernel[0] <= 2 * stride[0] and max(top, left) < stride[0]
    return windows if square and near and shape == network.shapes[pool.name] else None


def _joined(concat: ConcatLayer, sources: list[FeatureLayout]) -> FeatureLayout:
    """Layout of a concatenation: the sources' maps one after another, so that nothing is moved."""
    first = sources[0]
    order: list[int] = []
    for layout in sources:
        if (layout.height, layout.width) != (first.height, first.width):
            raise _refuse(
                concat.name,
                "sources",
                f"lie in memory as channels of {first.height} x {first.width} and {layout.height} x {layout.width}, "
                "which do not follow each other in one map",
            )
        order += [len(order) + channel for channel in layout.order]
    return replace(first, order=tuple(order))


def _map_layer(network: Network, layer: _PoolLayer | ClipLayer | LrnLayer, layout: FeatureLayout) -> MapLayer:
    """A layer on the map engine."""
    kernel, stride, top, left = (1, 1), (1, 1), 0, 0
    height, width = layout.height, layout.width
    if not isinstance(layer, ClipLayer | LrnLayer):
        kernel, stride, top, left = _geometry(layer, height, width)
        _, height, width = network.shapes[layer.name]
    result = MapLayer(
        name=layer.name,
        source=layer.source,
        target=layer.name,
        input=layout,
        kernel=kernel,
        stride=stride,
        top=top,
        left=left,
        out_height=height,
        out_width=width,
        average=not isinstance(layer, MaxPoolLayer | LrnLayer),
        multiplier=1,
        shift=0,
        minimum=0,
        maximum=0,
        output_signed=layout.signed,
    )
    _check_map_layer(result)
    if isinstance(layer, MaxPoolLayer | LrnLayer):
        return result
    multiplier, shift = _one_scale(network, layer.name)
    how = network.requantise(layer.name)
    signed, bounds = layer.output.dtype == "int8", (int(how.minimum), int(how.maximum))
    result = replace(result, minimum=bounds[0], maximum=bounds[1], output_signed=signed)
    return replace(result, multiplier=multiplier, shift=shift)


def _check_map_layer(layer: MapLayer) -> None:
    side = max(layer.input.height, layer.input.width, layer.out_height, layer.out_width)
    largest, area = max(*layer.kernel, *layer.stride), layer.kernel[0] * layer.kernel[1]
    _check(
        layer.name,
        [
            (side <= _MAX_SIDE, "source", lambda: f"maps have {_MAX_SIDE} rows and columns at most, not {side}"),
            (largest <= _MAX_SIDE, "kernel", lambda: f"must be {_MAX_SIDE} at most, not {largest}"),
            (
                max(layer.overlaps) <= _MAX_OVERLAP,
                "stride",
                lambda: (
                    f"a pixel may belong to {_MAX_OVERLAP} windows of a row at most, not {max(layer.overlaps)}: "
                    f"{layer.kernel} every {layer.stride}"
                ),
            ),
            (
                not layer.average or area * 255 <= _MAX_SUM,
                "kernel",
                lambda: f"a sum has {_MAX_SUM // 255} pixels at most, not {area}",
            ),
        ],
    )


def _normalising(network: Network, layer: LrnLayer, windows: MapLayer) -> MapLayer:
    """A normalisation in front of a maximum over `windows`; the map comes in its natural order."""
    positions = windows.walk[0] * windows.walk[1]
    fits = positions <= _MAX_NORMALISED
    _check(
        layer.name,
        [
            (
                fits,
                "source",
                lambda: f"channels have {_MAX_NORMALISED} pixels at most, padding included, not {positions}",
            )
        ],
    )
    return replace(
        windows,
        name=layer.name,
        source=layer.source,
        input=replace(windows.input, order=tuple(range(windows.input.channels))),
        shift=layer.shift,
        minimum=layer.minimum,
        maximum=layer.maximum,
        output_signed=layer.output.dtype == "int8",
        normalisation=Normalisation(layer.size, layer.index_shift, network.tensors[f"{layer.name}.table"]),
    )


def _with_add(
    layer: ConvolverLayer, add: AddLayer, addend: str, layouts: Mapping[str, FeatureLayout]
) -> ConvolverLayer:
    own = 0 if add.sources[0] == layer.name else 1
    fused = Add(
        source=addend,
        signed=layouts[addend].signed,
        multiplier=add.multipliers[own],
        addend_multiplier=add.multipliers[1 - own],
        shift=add.shift,
        minimum=add.minimum,
        maximum=add.maximum,
    )
    largest = max(add.multipliers)
    _check(
        add.name,
        [
            (largest <= _MAX_MULTIPLIER, "multipliers", lambda: f"must be {_MAX_MULTIPLIER} at most, not {largest}"),
            (add.minimum <= 0 <= add.maximum, "minimum", lambda: "minimum..maximum must hold 0"),
        ],
    )
    return replace(layer, target=add.name, add=fused, output_signed=add.output.dtype == "int8")


def _as_convolution(layer: FcLayer) -> ConvolverLayer:
    """A linear layer over a map of one pixel a channel."""
    scale = np.ones(len(layer.bias), dtype=np.int64)
    return ConvolverLayer(
        name=layer.name,
        source=layer.source,
        target=layer.target,
        input=layer.input,
        weights=layer.weights[:, :, None, None],
        bias=layer.bias,
        multiplier=layer.multiplier * scale,
        shift=layer.shift * scale,
        minimum=layer.minimum,
        maximum=layer.maximum,
        stride=1,
        pad_top=0,
        pad_left=0,
        groups=1,
        out_height=1,
        out_width=1,
        output_signed=layer.output_signed,
        pool=Pool(),
    )


def _fc_layer(network: Network, layer: LinearLayer, layout: FeatureLayout) -> FcLayer:
    multiplier, shift = _one_scale(network, layer.name)
    requantise = network.requantise(layer.name)
    holds_0 = requantise.minimum <= 0 <= requantise.maximum
    _check(layer.name, [(holds_0, "requantise", lambda: "minimum..maximum must hold 0")])
    return FcLayer(
        name=layer.name,
        source=layer.source,
        target=layer.name,
        input=layout,
        weights=network.weights(layer.name),
        bias=network.bias(layer.name),
        multiplier=multiplier,
        shift=shift,
        minimum=int(requantise.minimum),
        maximum=int(requantise.maximum),
        output_signed=layer.output.dtype == "int8",
    )
