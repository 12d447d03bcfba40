"""Small networks with synthetic weights, for tests of the way from description to build."""

import numpy as np

from golden import DescriptionBuilder, Network, Scale

__all__ = ["branched_network", "convolver_network", "fc_network", "random_weights", "shared_rows_network"]

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
