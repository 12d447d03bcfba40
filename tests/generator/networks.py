"""Small networks with synthetic weights, for tests of the way from description to build."""

import numpy as np

from golden import DescriptionBuilder, Network, Scale, lrn_table

__all__ = [
    "alexnet_like_network",
    "branched_network",
    "convolver_network",
    "fc_network",
    "fire_network",
    "grouped_network",
    "map_network",
    "pooled_fc_network",
    "random_weights",
    "shared_rows_network",
]

_UNSIGNED = {"minimum": 0, "maximum": 255, "output_dtype": "uint8"}
_SIGNED = {"minimum": -128, "maximum": 127, "output_dtype": "int8"}


def random_weights(random: np.random.Generator, shape: tuple[int, ...], density: float) -> np.ndarray:
    """int8 weights over the whole range, about `density` of them not zero."""
    return (random.integers(-128, 128, shape) * (random.random(shape) < density)).astype(np.int8)


def branched_network(seed: int = 0) -> Network:
    """Every kind of layer that the engines run: groups, depthwise, 1x1, stride, padding, pooling, addition, linear."""
    random = np.random.default_rng(seed)

    def weights(*shape: int, density: float = 0.4) -> np.ndarray:
        return random_weights(random, shape, density)

    def bias(outputs: int) -> np.ndarray:
        return random.integers(-3000, 3000, outputs).astype(np.int32)

    builder = DescriptionBuilder("branched", (3, 9, 7), "uint8", Scale(multiplier=1, shift=8))
    builder.conv("main", weights(6, 3, 3, 3), bias(6), padding=(1, 1), shift=7, **_UNSIGNED)
    builder.conv("grouped", weights(6, 2, 3, 3), bias(6), padding=(1, 1), shift=7, groups=3, **_SIGNED)
    builder.conv("shortcut", weights(6, 3, 1, 1), bias(6), source="input", shift=7, **_SIGNED)
    builder.add("sum", "grouped", "shortcut", multipliers=(3, 5), shift=2, **_UNSIGNED)
    builder.conv("depthwise", weights(6, 1, 3, 3), bias(6), padding=(1, 1), shift=5, groups=6, **_SIGNED)
    builder.max_pool("pool", (2, 2), (2, 2))
    builder.conv(
        "strided", weights(5, 6, 3, 3, density=0.2), bias(5), padding=(1, 1), stride=(2, 2), shift=7, **_SIGNED
    )
    builder.flatten("vector")
    inputs = builder.build().shapes["vector"][0]
    builder.linear("hidden", weights(11, inputs, density=0.3), bias(11), shift=6, **_UNSIGNED)
    builder.linear("scores", weights(10, 11, density=0.5), bias(10), shift=6, **_SIGNED)
    return builder.build()


def convolver_network(seed: int = 0) -> Network:
    """Convolutions only, so that the accelerator has no FC engine."""
    random = np.random.default_rng(seed)
    builder = DescriptionBuilder("convolver", (2, 8, 7), "int8", Scale(multiplier=1, shift=8))
    bias = random.integers(-2000, 2000, 5).astype(np.int32)
    builder.conv("first", random_weights(random, (5, 2, 3, 3), 0.4), bias, padding=(1, 1), shift=7, **_UNSIGNED)
    builder.average_pool("pool", (2, 2), (2, 2))
    builder.conv("second", random_weights(random, (5, 5, 3, 3), 0.4), bias, padding=(1, 1), shift=7, **_SIGNED)
    return builder.build()


def fc_network(seed: int = 0) -> Network:
    """Linear layers only, so that the accelerator has no convolver."""
    random = np.random.default_rng(seed)
    builder = DescriptionBuilder("fc", (3, 4, 5), "uint8", Scale(multiplier=1, shift=8)).flatten("vector")
    for name, inputs, outputs in (("first", 60, 33), ("second", 33, 7)):
        bias = random.integers(-2000, 2000, outputs).astype(np.int32)
        builder.linear(name, random_weights(random, (outputs, inputs), 0.3), bias, shift=6, **_SIGNED)
    return builder.build()


def shared_rows_network(seed: int = 0) -> Network:
    """A linear layer whose rows do not divide by 8 PEs and whose columns have fewer non-zeros than there are PEs; the
    shape and densities of EIE's NT-We (Han et al., ISCA 2016, table III), both sides an eighth."""
    random = np.random.default_rng(seed)
    builder = DescriptionBuilder("shared_rows", (1, 16, 32), "int8", Scale(multiplier=1, shift=8)).flatten("vector")
    bias = random.integers(-2000, 2000, 75).astype(np.int32)
    return builder.linear("fc", random_weights(random, (75, 512), 0.1), bias, shift=6, **_SIGNED).build()


def _add_lrn(builder: DescriptionBuilder, name: str, size: int = 5) -> None:
    """A normalisation whose factors differ a good deal from each other."""
    unit, made = Scale(multiplier=1, shift=4), Scale(multiplier=1, shift=6)
    table = lrn_table(size, 0.1, 0.75, 1.0, unit, made, entries=256)
    shifts = {"index_shift": table.index_shift, "shift": table.shift}
    builder.lrn(name, size=size, table=table.table, output_dtype="uint8", **shifts)


def alexnet_like_network(seed: int = 0) -> Network:
    """AlexNet's kinds of layers in its order, small: strided convolution, LRN, overlapping pooling, groups."""
    random = np.random.default_rng(seed)

    def conv(name: str, shape: tuple[int, ...], density: float, **how: object) -> None:
        bias = random.integers(-999, 999, shape[0]).astype(np.int32)
        builder.conv(name, random_weights(random, shape, density), bias, **how, **_UNSIGNED)

    builder = DescriptionBuilder("alexnet_like", (3, 21, 23), "uint8", Scale(multiplier=1, shift=8))
    conv("conv1", (6, 3, 5, 5), 0.4, stride=(2, 2), shift=8)
    _add_lrn(builder, "norm1")
    builder.max_pool("pool1", 3, 2)
    conv("conv2", (8, 3, 3, 3), 0.4, padding=(1, 1), groups=2, shift=7)
    _add_lrn(builder, "norm2", 3)
    conv("conv3", (7, 8, 3, 3), 0.4, padding=(1, 1), shift=7)
    builder.max_pool("pool3", 3, 2)
    builder.flatten("vector")
    inputs = builder.build().shapes["vector"][0]
    bias = random.integers(-999, 999, 10).astype(np.int32)
    builder.linear("scores", random_weights(random, (10, inputs), 0.3), bias, shift=6, **_SIGNED)
    return builder.build()


def fire_network(seed: int = 0) -> Network:
    """A fire module (SqueezeNet, Iandola et al., 2016, section 3.2) between ceiling and global pooling; one branch more
    is dilated, and a map is pooled every pixel, as in GoogLeNet's modules. The last 1x1 convolution is padded, so that
    its map is larger, as SqueezeNet's is."""
    random = np.random.default_rng(seed)

    def conv(name: str, shape: tuple[int, ...], source: str | None = None, **how: object) -> None:
        bias = random.integers(-999, 999, shape[0]).astype(np.int32)
        builder.conv(name, random_weights(random, shape, 0.4), bias, source=source, **how, shift=7, **_UNSIGNED)

    builder = DescriptionBuilder("fire", (3, 12, 10), "uint8", Scale(multiplier=1, shift=8))
    conv("conv", (5, 3, 3, 3), padding=(1, 1))
    builder.max_pool("pool", 3, 2, (0, 0, 1, 1))
    conv("squeeze", (3, 5, 1, 1))
    conv("expand1", (4, 3, 1, 1), "squeeze")
    conv("expand3", (5, 3, 3, 3), "squeeze", padding=(1, 1))
    conv("expand5", (2, 3, 3, 3), "squeeze", padding=(2, 2), dilation=(2, 2))
    builder.max_pool("window", 3, 1, 1, source="squeeze")
    builder.concat("joined", ["expand3", "expand1", "window", "expand5"])
    conv("scores", (10, 14, 1, 1), padding=(1, 1))
    builder.average_pool("near", (2, 3), (1, 2), (1, 0, 0, 1), multiplier=10923, shift=16)
    builder.global_average_pool("mean", output_dtype="uint8")
    return builder.build()


def map_network() -> Network:
    """No layer with weights, so that the map engine stands alone."""
    builder = DescriptionBuilder("maps", (4, 6, 9), "int8", Scale(multiplier=1, shift=8))
    builder.max_pool("window", 3, 1, 1)
    builder.clip("scaled", 0, 100, multiplier=3, shift=2, output_dtype="uint8")
    _add_lrn(builder, "norm", 3)
    return builder.build()


def pooled_fc_network(seed: int = 0) -> Network:
    """Pooling in front of a linear layer: the map engine beside the FC engine alone."""
    random = np.random.default_rng(seed)
    builder = DescriptionBuilder("pooled_fc", (3, 7, 8), "uint8", Scale(multiplier=1, shift=8))
    builder.average_pool("pool", 4, 3, (0, 1, 0, 1), multiplier=1, shift=4).flatten("vector")
    inputs = builder.build().shapes["vector"][0]
    bias = random.integers(-999, 999, 9).astype(np.int32)
    return builder.linear("scores", random_weights(random, (9, inputs), 0.4), bias, shift=6, **_SIGNED).build()


def grouped_network(rows: int = 12) -> Network:
    """Two groups of 5 input channels, 8 columns wide, and a layer that reads all of their output."""
    random = np.random.default_rng(0)
    builder = DescriptionBuilder("grouped", (10, rows, 8), "uint8", Scale(multiplier=1, shift=8))
    weights = (random.integers(-9, 9, (64, 5, 3, 3)) * (random.random((64, 5, 3, 3)) < 0.4)).astype(np.int8)
    builder.conv("grouped", weights, np.zeros(64, np.int32), padding=(1, 1), shift=6, groups=2)
    builder.max_pool("pool", 2, 2)
    weights = random.integers(-9, 9, (3, 64, 1, 1)).astype(np.int8)
    return builder.conv("behind", weights, np.zeros(3, np.int32), shift=6).build()
