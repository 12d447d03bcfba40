"""A small network with every kind of layer that the engines run, written with the builder; its weights are random.

python -m examples.every_layer                 writes examples/every_layer.json and .safetensors again
zeroskip regress examples/every_layer.toml     runs them as RTL
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from golden import DescriptionBuilder, Network, Scale, lrn_table, save

__all__ = ["every_layer"]

_UNSIGNED = {"minimum": 0, "maximum": 255, "output_dtype": "uint8"}
_SIGNED = {"minimum": -128, "maximum": 127, "output_dtype": "int8"}


class _Weights:
    """Random weights, of which a share is not zero, and biases."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def __call__(self, *shape: int, density: float = 0.4) -> tuple[NDArray[np.int8], NDArray[np.int32]]:
        kept = self._random.random(shape) < density
        weights = (self._random.integers(-128, 128, shape) * kept).astype(np.int8)
        return weights, self._random.integers(-2000, 2000, shape[0]).astype(np.int32)


def every_layer(seed: int = 1) -> Network:
    """AlexNet's beginning, a fire module with a dilated branch, a residual block, MobileNet's depthwise convolution and
    two linear layers."""
    random = _Weights(seed)
    builder = DescriptionBuilder("every_layer", (3, 29, 31), "uint8", Scale(multiplier=1, shift=8))
    _normalised(builder, random)
    _fire(builder, random)
    builder.conv("main", *random(6, 17, 3, 3), padding=1, shift=7, **_SIGNED)
    builder.conv("shortcut", *random(6, 17, 1, 1), source="joined", shift=7, **_SIGNED)
    builder.add("sum", "main", "shortcut", multipliers=(3, 5), shift=2, **_UNSIGNED)
    builder.conv("depthwise", *random(6, 1, 3, 3), padding=1, groups=6, shift=6, **_UNSIGNED)
    builder.clip("scaled", 0, 200, multiplier=3, shift=2)
    builder.average_pool("near", (2, 3), (2, 1), multiplier=10923, shift=16)
    builder.global_average_pool("mean")
    builder.flatten("vector")
    builder.linear("hidden", *random(11, 6, density=0.6), shift=5, **_UNSIGNED)
    builder.linear("scores", *random(10, 11, density=0.5), shift=6, **_SIGNED)
    return builder.build()


def _normalised(builder: DescriptionBuilder, random: _Weights) -> None:
    """A convolution with a stride, normalisation over channels, windows that overlap."""
    builder.conv("conv1", *random(6, 3, 5, 5), stride=2, shift=8, **_UNSIGNED)
    made = lrn_table(5, 0.1, 0.75, 1.0, Scale(multiplier=1, shift=4), Scale(multiplier=1, shift=6), entries=256)
    shifts = {"index_shift": made.index_shift, "shift": made.shift}
    builder.lrn("norm1", size=5, table=made.table, output_dtype="uint8", **shifts)
    builder.max_pool("pool1", 3, 2)


def _fire(builder: DescriptionBuilder, random: _Weights) -> None:
    """SqueezeNet's module (Iandola et al., 2016, section 3.2), with a dilated branch and GoogLeNet's pooled one."""
    builder.conv("squeeze", *random(4, 6, 1, 1), shift=7, **_UNSIGNED)
    builder.conv("expand1", *random(5, 4, 1, 1), source="squeeze", shift=6, **_UNSIGNED)
    builder.conv("expand3", *random(5, 4, 3, 3), source="squeeze", padding=1, shift=7, **_UNSIGNED)
    builder.conv("dilated", *random(3, 4, 3, 3), source="squeeze", padding=2, dilation=2, shift=7, **_UNSIGNED)
    builder.max_pool("window", 3, 1, 1, source="squeeze")
    builder.concat("joined", ["expand1", "expand3", "dilated", "window"])


if __name__ == "__main__":
    save(every_layer(), Path(__file__).with_suffix(".json"))
