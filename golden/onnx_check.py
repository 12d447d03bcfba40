"""Golden against onnxruntime: every layer, every integer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from golden.execute import run
from golden.network import Network
from golden.onnx_export import to_onnx

__all__ = ["OnnxDifference", "compare_with_onnxruntime", "run_onnxruntime"]

BATCH = 32  # images at a time; every layer's output of a batch is held at once


@dataclass(frozen=True)
class OnnxDifference:
    """The first integer in which the two disagree, in the order of the layers.

    Attributes:
        layer: name of the layer.
        image: index of the image.
        position: (channel, row, column) or (feature,).
        golden: what golden puts out.
        onnxruntime: what onnxruntime puts out.
    """

    layer: str
    image: int
    position: tuple[int, ...]
    golden: int
    onnxruntime: int

    def __str__(self) -> str:
        return (
            f"layer '{self.layer}', image {self.image}, position {self.position}: "
            f"golden {self.golden}, onnxruntime {self.onnxruntime}"
        )


def _session(network: Network) -> Any:
    options = onnxruntime.SessionOptions()
    # The operators as they are written, none fused into a kernel with other rounding.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    model = to_onnx(network, [layer.name for layer in network.layers])
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run_onnxruntime(network: Network, images: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Every layer's output by onnxruntime; as ``golden.run(network, images, keep="all")``."""
    return _run_session(_session(network), network, images)


def _run_session(session: Any, network: Network, images: NDArray[Any]) -> dict[str, NDArray[Any]]:
    names = [layer.name for layer in network.layers]
    return dict(zip(names, session.run(names, {"input": images}), strict=True))


def compare_with_onnxruntime(network: Network, images: NDArray[Any]) -> OnnxDifference | None:
    """Run both on the same images and compare all layers.

    Args:
        network: a checked network.
        images: (N, channels, rows, columns) of the input's dtype.

    Returns:
        The first difference of the first batch that has one, or None when every integer is equal.
    """
    session = _session(network)
    for at in range(0, len(images), BATCH):
        batch = images[at : at + BATCH]
        ours, theirs = run(network, batch, keep="all"), _run_session(session, network, batch)
        for layer in network.layers:
            found = _first_difference(layer.name, at, ours[layer.name], theirs[layer.name])
            if found is not None:
                return found
    return None


def _first_difference(layer: str, at: int, ours: NDArray[Any], theirs: NDArray[Any]) -> OnnxDifference | None:
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        raise ValueError(
            f"{layer}: onnxruntime puts out {theirs.dtype} {theirs.shape}, golden {ours.dtype} {ours.shape}"
        )
    where = np.argwhere(ours != theirs)
    if not len(where):
        return None
    image, *position = (int(index) for index in where[0])
    place = tuple(where[0])
    return OnnxDifference(layer, at + image, tuple(position), int(ours[place]), int(theirs[place]))
