"""From a network description to the layers that the engines run: fuses, checks, and says what no engine can run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from generator.layers import Add, ConvolverLayer, EngineError, FcLayer, FeatureLayout, Pool
from generator.schedule import Buffers, ConvolverSchedule, FcSchedule, schedule_convolver, schedule_fc
from golden import Network
from golden.description import (
    AddLayer,
    AveragePoolLayer,
    ConvLayer,
    FlattenLayer,
    GlobalAveragePoolLayer,
    Layer,
    LinearLayer,
    MaxPoolLayer,
)
from golden.names import INPUT_NAME

__all__ = ["plan_network"]

_PoolLayer = MaxPoolLayer | AveragePoolLayer | GlobalAveragePoolLayer
_MAX_MULTIPLIER = (1 << 16) - 1
_MAX_KERNEL = 16


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
) -> list[ConvolverSchedule | FcSchedule]:
    """Schedules every layer of `network` on the convolver (`pes` x `tile`) or the FC engine (`fc_pes`).

    Pooling with windows side by side, or an addition, is fused behind its convolution; flattening is a matter of order.
    Output channels leave in the schedule's order, and the weights of what reads them are arranged to match.

    Args:
        lanes: pixels of a feature word.
        tile: positions that a PE of the convolver computes at once; `lanes` by default.
        buffers: beside a PE of the convolver, where the accelerator is given.
        fc_rows: sums that a PE of the FC engine has room for, where the accelerator is given.

    Raises:
        EngineError: a layer that neither engine can run; names layer and field.
    """
    return _Planner(network, (pes, lanes, tile or lanes), buffers, fc_pes, fc_rows).run()


class _Planner:
    """Walks the layers in order; knows how every tensor that is in memory lies there."""

    def __init__(
        self,
        network: Network,
        convolver: tuple[int, int, int],
        buffers: Buffers | None,
        fc_pes: int,
        fc_rows: int | None,
    ) -> None:
        self.network = network
        self.fc_rows = fc_rows
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

    def run(self) -> list[ConvolverSchedule | FcSchedule]:
        pes, lanes, tile = self.convolver
        schedules: list[ConvolverSchedule | FcSchedule] = []
        for layer in self.network.layers:
            if layer.name in self.fused:
                continue
            schedule: ConvolverSchedule | FcSchedule
            if isinstance(layer, FlattenLayer):
                self.layouts[layer.name] = self._layout(layer, layer.source)
                continue
            if isinstance(layer, ConvLayer):
                schedule = schedule_convolver(self._convolver_layer(layer), pes, lanes, tile, self.buffers)
            elif isinstance(layer, LinearLayer):
                layout = self._layout(layer, layer.source)
                schedule = schedule_fc(_fc_layer(self.network, layer, layout), self.fc_pes, lanes, self.fc_rows)
            else:
                raise _refuse(layer.name, "type", f"no engine runs '{layer.type}' by itself, only right behind a conv")
            schedules.append(schedule)
            self.layouts[schedule.layer.target] = schedule.output
        return schedules

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
            result = _with_pool(self.network, result, following)
        elif isinstance(following, AddLayer) and self._addend(layer, following) in self.layouts:
            result = _with_add(result, following, self._addend(layer, following), self.layouts)
        else:
            return result
        self.fused.add(following.name)
        return result

    @staticmethod
    def _addend(layer: ConvLayer, add: AddLayer) -> str:
        return add.sources[1] if add.sources[0] == layer.name else add.sources[0]


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
    )
    kernel = max(weights.shape[2:])
    multiplier = int(result.multiplier.max())
    _check(
        layer.name,
        [
            (layer.dilation == (1, 1), "dilation", lambda: f"must be 1, not {layer.dilation}"),
            (layer.stride[0] == layer.stride[1], "stride", lambda: f"rows and columns must agree, not {layer.stride}"),
            (layer.stride[0] <= 7, "stride", lambda: f"must be 7 at most, not {layer.stride[0]}"),
            (kernel <= _MAX_KERNEL, "weights.shape", lambda: f"kernels reach {_MAX_KERNEL} x {_MAX_KERNEL} at most"),
            (max(top, left) <= 15, "padding", lambda: f"must be 15 at most, not {layer.padding}"),
            (
                result.virtual_width <= layout.width,
                "padding",
                lambda: f"the output must not be wider than the input ({result.virtual_width} > {layout.width})",
            ),
            (
                multiplier <= _MAX_MULTIPLIER,
                "requantise.multiplier",
                lambda: f"must be {_MAX_MULTIPLIER} at most, not {multiplier}",
            ),
            (result.minimum <= 0 <= result.maximum, "requantise", lambda: "minimum..maximum must hold 0"),
        ],
    )
    return result


def _with_pool(network: Network, layer: ConvolverLayer, pool: _PoolLayer) -> ConvolverLayer:
    fused = _windows(network, layer, pool)
    signed = layer.output_signed
    if not isinstance(pool, MaxPoolLayer):
        requantise = network.requantise(pool.name)
        multiplier, shift = int(requantise.multiplier.flat[0]), int(requantise.shift.flat[0])
        _check(
            pool.name,
            [
                (
                    multiplier <= _MAX_MULTIPLIER,
                    "requantise.multiplier",
                    lambda: f"must be {_MAX_MULTIPLIER} at most, not {multiplier}",
                ),
                (requantise.minimum <= 0 <= requantise.maximum, "requantise", lambda: "minimum..maximum must hold 0"),
            ],
        )
        fused = replace(
            fused,
            average=True,
            multiplier=multiplier,
            shift=shift,
            minimum=int(requantise.minimum),
            maximum=int(requantise.maximum),
        )
        signed = pool.output.dtype == "int8"
    return replace(layer, target=pool.name, pool=fused, output_signed=signed)


def _windows(network: Network, layer: ConvolverLayer, pool: _PoolLayer) -> Pool:
    """A pooling layer's windows, without what an average does with their sums."""
    if isinstance(pool, GlobalAveragePoolLayer):
        kernel = stride = (layer.out_height, layer.out_width)
        top, left = 0, 0
    else:
        kernel, stride, (top, left, _, _) = pool.kernel, pool.stride, pool.padding
    fused = Pool(kernel[0], stride[0], top, left)
    shape = (layer.weights.shape[0], fused.windows(layer.out_height, top), fused.windows(layer.out_width, left))
    _check(
        pool.name,
        [
            (kernel[0] == kernel[1], "kernel", lambda: f"windows must be square, not {kernel}"),
            (stride[0] == stride[1], "stride", lambda: f"rows and columns must agree, not {stride}"),
            (max(*kernel, *stride) <= 31, "kernel", lambda: f"must be 31 at most, not {kernel} every {stride}"),
            (
                kernel[0] <= 2 * stride[0],
                "stride",
                lambda: f"a window may overlap its neighbours only, not {kernel} every {stride}",
            ),
            (max(top, left) < stride[0], "padding", lambda: f"must be less than the stride, not {(top, left)}"),
            (
                shape == network.shapes[pool.name],
                "padding",
                lambda: "windows must not reach beyond the right and the lower edge",
            ),
        ],
    )
    return fused


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


def _fc_layer(network: Network, layer: LinearLayer, layout: FeatureLayout) -> FcLayer:
    requantise = network.requantise(layer.name)
    multiplier, shift = np.unique(requantise.multiplier), np.unique(requantise.shift)
    _check(
        layer.name,
        [
            (multiplier.size == 1, "requantise.multiplier", lambda: "must be the same for all outputs"),
            (shift.size == 1, "requantise.shift", lambda: "must be the same for all outputs"),
            (
                int(multiplier[0]) <= _MAX_MULTIPLIER,
                "requantise.multiplier",
                lambda: f"must be {_MAX_MULTIPLIER} at most, not {multiplier[0]}",
            ),
            (requantise.minimum <= 0 <= requantise.maximum, "requantise", lambda: "minimum..maximum must hold 0"),
        ],
    )
    return FcLayer(
        name=layer.name,
        source=layer.source,
        target=layer.name,
        input=layout,
        weights=network.weights(layer.name),
        bias=network.bias(layer.name),
        multiplier=int(multiplier[0]),
        shift=int(shift[0]),
        minimum=int(requantise.minimum),
        maximum=int(requantise.maximum),
        output_signed=layer.output.dtype == "int8",
    )
