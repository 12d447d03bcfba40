"""A small network and its build, for tests that execute builds."""

from pathlib import Path

import numpy as np

import generator
from golden import DescriptionBuilder, Network, Scale

__all__ = ["build_of", "dense_network", "small_network"]


def small_network(seed: int = 0) -> Network:
    """Two convolutions (the first padded and pooled) and two linear layers, weights at random, a third not zero."""
    random = np.random.default_rng(seed)

    def weights(*shape: int) -> np.ndarray:
        return (random.integers(-100, 101, shape) * (random.random(shape) < 0.35)).astype(np.int8)

    def bias(outputs: int) -> np.ndarray:
        return random.integers(-2000, 2000, outputs).astype(np.int32)

    unsigned = {"minimum": 0, "maximum": 255, "output_dtype": "uint8"}
    signed = {"minimum": -128, "maximum": 127, "output_dtype": "int8"}
    builder = DescriptionBuilder("small", (2, 8, 7), "uint8", Scale(multiplier=1, shift=8))
    builder.conv("first", weights(5, 2, 3, 3), bias(5), padding=(1, 1), shift=7, **unsigned)
    builder.max_pool("pool", (2, 2), (2, 2))
    builder.conv("second", weights(6, 5, 3, 2), bias(6), shift=7, **signed)
    builder.flatten("vector")
    features = builder.build().shapes["vector"][0]
    builder.linear("hidden", weights(13, features), bias(13), shift=6, **unsigned)
    builder.linear("scores", weights(5, 13), bias(5), shift=6, **signed)
    return builder.build()


def dense_network(seed: int = 0) -> Network:
    """Two convolutions without a zero weight, and two linear layers over one pixel a channel: all on the convolver."""
    random = np.random.default_rng(seed)

    def weights(*shape: int) -> np.ndarray:
        return (random.integers(1, 5, shape) * random.choice([-1, 1], shape)).astype(np.int8)

    scale = {"shift": 3, "minimum": 0, "maximum": 255, "output_dtype": "uint8"}
    builder = DescriptionBuilder("dense", (2, 3, 3), "uint8", Scale(multiplier=1, shift=8))
    builder.conv("first", weights(7, 2, 3, 3), random.integers(0, 400, 7, np.int32), padding=(1, 1), **scale)
    builder.conv("second", weights(9, 7, 3, 3), random.integers(0, 400, 9, np.int32), **scale)
    builder.flatten("vector")
    builder.linear("hidden", weights(6, 9), random.integers(0, 400, 6, np.int32), **scale)
    builder.linear("scores", weights(5, 6), random.integers(0, 400, 5, np.int32), **scale)
    return builder.build()


def build_of(network: Network, folder: Path, images: int = 3) -> Path:
    """Generates a build with random images on a small accelerator: 2 PEs of 8 lanes, 2 FC PEs."""
    options = generator.BuildOptions(pes=2, lanes=8, fc_pes=2, random_images=images)
    generator.generate(network, "zcu104", folder, options)
    return folder
