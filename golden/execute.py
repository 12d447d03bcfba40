"""Runs a network on a batch of images, all cores, on the non-zeros only."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from golden import kernels
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
from golden.errors import DescriptionError
from golden.names import INPUT_NAME
from golden.network import Network
from golden.taps import arrange

__all__ = ["run"]

Map = NDArray[Any]  # uint8 or int8, (channels, rows, columns, lanes); a vector is (features, 1, 1, lanes)
Split = Callable[[int, Callable[[int, int], None]], None]
LANES = 32  # images that one group runs side by side


def run(network: Network, images: NDArray[Any], keep: Literal["outputs", "all"] = "outputs") -> dict[str, NDArray[Any]]:
    """Run a network; the result is the definition of what hardware must put out.

    Args:
        network: a checked network.
        images: (N, channels, rows, columns) of the input's dtype, uint8 or int8.
        keep: ``outputs`` returns the network's outputs, ``all`` every layer's.

    Returns:
        By layer name, integers of the layer's dtype: (N, channels, rows, columns) of maps, (N, features) of vectors.

    Raises:
        DescriptionError: the images' dtype or shape is not the input's.
    """
    _check_images(network, images)
    names = list(network.outputs) if keep == "outputs" else [layer.name for layer in network.layers]
    count = images.shape[0]
    results = {name: np.empty((count, *network.shapes[name]), network.dtypes[name]) for name in names}
    workers = _cores()
    lanes = min(LANES, max(1, -(-count // workers)))
    begins = range(0, count, lanes)
    with ThreadPoolExecutor(workers) as pool:
        # Enough groups: a core a group. Otherwise the cores share the channels of each layer.
        if len(begins) >= workers:
            list(pool.map(lambda at: _run_group(network, images, at, lanes, results, _together), begins))
        else:
            for at in begins:
                _run_group(network, images, at, lanes, results, _Shared(pool, workers))
    return results


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_images(network: Network, images: NDArray[Any]) -> None:
    entry = network.description.input
    if images.dtype != entry.dtype or images.shape[1:] != entry.shape or images.ndim != 4:
        raise DescriptionError(
            f"takes images of {entry.dtype} (N, {', '.join(map(str, entry.shape))}), "
            f"not {images.dtype} of shape {images.shape}",
            field="input",
        )


def _together(channels: int, work: Callable[[int, int], None]) -> None:
    work(0, channels)


@dataclass(frozen=True)
class _Shared:
    """Splits the channels of a layer over the cores."""

    pool: ThreadPoolExecutor
    workers: int

    def __call__(self, channels: int, work: Callable[[int, int], None]) -> None:
        bounds = [channels * part // self.workers for part in range(self.workers + 1)]
        list(self.pool.map(work, bounds[:-1], bounds[1:]))


def _run_group(
    network: Network, images: NDArray[Any], at: int, lanes: int, results: Mapping[str, NDArray[Any]], split: Split
) -> None:
    """Run images ``at`` to ``at + lanes - 1`` and put what is kept into ``results``."""
    group = images[at : at + lanes]
    maps: dict[str, Map] = {INPUT_NAME: np.ascontiguousarray(group.transpose(1, 2, 3, 0))}
    for layer in network.layers:
        made = _run_layer(network, layer, [maps[name] for name in layer.source_names], split)
        maps[layer.name] = made
        if layer.name in results:
            kept = results[layer.name][at : at + lanes]
            kept[...] = np.moveaxis(made.reshape(*network.shapes[layer.name], made.shape[-1]), -1, 0)


def _run_layer(network: Network, layer: Layer, sources: list[Map], split: Split) -> Map:
    source = sources[0]
    if isinstance(layer, FlattenLayer):
        return source.reshape(-1, 1, 1, source.shape[-1])
    if isinstance(layer, ConcatLayer):
        return np.concatenate(sources)
    shape = network.shapes[layer.name]
    out = np.empty((*shape, *(1,) * (3 - len(shape)), source.shape[-1]), network.dtypes[layer.name])
    flat, flat_out = source.reshape(len(source), -1), out.reshape(len(out), -1)
    match layer:
        case ConvLayer() | LinearLayer() | AveragePoolLayer() | GlobalAveragePoolLayer():
            _convolve(network, layer, source, out, split)
        case MaxPoolLayer():
            window = (*layer.kernel, *layer.stride, *layer.padding[:2])
            split(len(out), lambda first, last: kernels.max_pool(source, *window, first, last, out))
        case AddLayer():
            left, right, factors = source.reshape(-1), sources[1].reshape(-1), layer.multipliers
            bounds = (layer.minimum, layer.maximum)
            kernels.add(left, right, *factors, layer.shift, *bounds, out.reshape(-1))
        case ClipLayer():
            how = network.requantise(layer.name)
            kernels.clip(flat, how.multiplier, how.shift, how.minimum, how.maximum, flat_out)
        case LrnLayer():
            table, bounds = network.tensors[f"{layer.name}.table"], (layer.minimum, layer.maximum)
            kernels.normalise(flat, layer.size, table, layer.index_shift, layer.shift, *bounds, flat_out)
    return out


def _convolve(
    network: Network,
    layer: ConvLayer | LinearLayer | AveragePoolLayer | GlobalAveragePoolLayer,
    source: Map,
    out: Map,
    split: Split,
) -> None:
    """Everything that sums over a window: pooling by average is a convolution with ones."""
    taps = network.taps(layer.name)
    weighted = isinstance(layer, ConvLayer | LinearLayer)
    bias = network.bias(layer.name) if weighted else np.zeros(len(out), np.int32)
    how = network.requantise(layer.name)
    arranged = arrange(source, taps.geometry)
    pitch = taps.geometry.phase_columns

    def work(first: int, last: int) -> None:
        kernels.convolve(
            arranged,
            taps.starts,
            taps.offsets,
            taps.values,
            bias,
            how.multiplier,
            how.shift,
            how.minimum,
            how.maximum,
            pitch,
            first,
            last,
            out,
        )

    split(len(out), work)
