"""From a network description to the layers that the engines run: fuses, checks, and says what no engine can run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from generator.layers import ConvolverLayer, EngineError, FcLayer, FeatureLayout, Pool
from generator.schedule import ConvolverSchedule, FcSchedule, schedule_convolver, schedule_fc
from golden import Network
from golden.description import (
    AveragePoolLayer,
    ConvLayer,
    FlattenLayer,
    GlobalAveragePoolLayer,
    LinearLayer,
    MaxPoolLayer,
)

__all__ = ["plan_network"]

_PoolLayer = MaxPoolLayer | AveragePoolLayer | GlobalAveragePoolLayer
_MAX_MULTIPLIER = (1 << 16) - 1
_MAX_KERNEL = 16


def _refuse(layer: str, field: str, why: str) -> EngineError:
    return EngineError(f"layer '{layer}': field '{field}': {why}")


@dataclass
class _Cursor:
    """Where the walk through the network stands: golden's name of the tensor, and how it lies on the stream."""

    tensor: str
    layout: FeatureLayout


def plan_network(network: Network, pes: int, lanes: int, fc_pes: int) -> list[ConvolverSchedule | FcSchedule]:
    """Schedules every layer of `network` on the convolver (`pes` x `lanes`) or the FC engine (`fc_pes`).

    Pooling with windows side by side is fused behind its convolution; flattening is a matter of order. Output channels
    leave in the schedule's order, and the next layer's weights are arranged to match.

    Raises:
        EngineError: a layer that neither engine can run; names layer and field.
    """
    channels, height, width = network.description.input.shape
    signed = network.description.input.dtype == "int8"
    cursor = _Cursor("input", FeatureLayout(tuple(range(channels)), height, width, signed))
    schedules: list[ConvolverSchedule | FcSchedule] = []
    layers = list(network.layers)
    while layers:
        layer = layers.pop(0)
        if layer.source_names != (cursor.tensor,):
            raise _refuse(layer.name, "source", f"the engines run a chain of layers, it must read '{cursor.tensor}'")
        if isinstance(layer, FlattenLayer):
            cursor.tensor = layer.name
            continue
        schedule: ConvolverSchedule | FcSchedule
        if isinstance(layer, ConvLayer):
            following = layers[0] if layers else None
            pool = following if isinstance(following, _PoolLayer) and following.source == layer.name else None
            if pool is not None:
                layers.pop(0)
            schedule = schedule_convolver(_convolver_layer(network, layer, pool, cursor), pes, lanes)
        elif isinstance(layer, LinearLayer):
            schedule = schedule_fc(_fc_layer(network, layer, cursor), fc_pes, lanes)
        else:
            raise _refuse(layer.name, "type", f"no engine runs '{layer.type}' by itself; pooling must follow a conv")
        schedules.append(schedule)
        cursor = _Cursor(schedule.layer.target, schedule.output)
    return schedules


def _check(layer: str, checks: list[tuple[bool, str, Callable[[], str]]]) -> None:
    for passes, field, why in checks:
        if not passes:
            raise _refuse(layer, field, why())


def _convolver_layer(network: Network, layer: ConvLayer, pool: _PoolLayer | None, cursor: _Cursor) -> ConvolverLayer:
    requantise = network.requantise(layer.name)
    weights = network.weights(layer.name)
    top, left, _, _ = layer.padding
    _, out_height, out_width = network.shapes[layer.name]
    result = ConvolverLayer(
        name=layer.name,
        source=cursor.tensor,
        target=layer.name,
        input=cursor.layout,
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
                result.virtual_width <= cursor.layout.width,
                "padding",
                lambda: f"the output must not be wider than the input ({result.virtual_width} > {cursor.layout.width})",
            ),
            (
                multiplier <= _MAX_MULTIPLIER,
                "requantise.multiplier",
                lambda: f"must be {_MAX_MULTIPLIER} at most, not {multiplier}",
            ),
            (result.minimum <= 0 <= result.maximum, "requantise", lambda: "minimum..maximum must hold 0"),
        ],
    )
    return result if pool is None else _with_pool(network, result, pool)


def _with_pool(network: Network, layer: ConvolverLayer, pool: _PoolLayer) -> ConvolverLayer:
    if isinstance(pool, GlobalAveragePoolLayer):
        kernel: tuple[int, int] = (layer.out_height, layer.out_width)
        stride = kernel
    else:
        kernel, stride = pool.kernel, pool.stride
        _check(pool.name, [(not any(pool.padding), "padding", lambda: f"must be 0, not {pool.padding}")])
    _check(
        pool.name,
        [
            (kernel[0] == kernel[1], "kernel", lambda: f"windows must be square, not {kernel}"),
            (kernel == stride, "stride", lambda: f"windows must lie side by side, not {kernel} every {stride}"),
            (kernel[0] <= 31, "kernel", lambda: f"must be 31 at most, not {kernel[0]}"),
        ],
    )
    fused = Pool(size=kernel[0])
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
        fused = Pool(kernel[0], True, multiplier, shift, int(requantise.minimum), int(requantise.maximum))
        signed = pool.output.dtype == "int8"
    return replace(layer, target=pool.name, pool=fused, output_signed=signed)


def _fc_layer(network: Network, layer: LinearLayer, cursor: _Cursor) -> FcLayer:
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
        source=cursor.tensor,
        target=layer.name,
        input=cursor.layout,
        weights=network.weights(layer.name),
        bias=network.bias(layer.name),
        multiplier=int(multiplier[0]),
        shift=int(shift[0]),
        minimum=int(requantise.minimum),
        maximum=int(requantise.maximum),
        output_signed=layer.output.dtype == "int8",
    )
