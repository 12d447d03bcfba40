"""The smallest build: one linear layer for tests whose time is the compilation's."""

from pathlib import Path

import numpy as np

import generator
from golden import DescriptionBuilder, Network, Scale

__all__ = ["tiny_build", "tiny_network"]

SIZES = {"pes": 1, "lanes": 8, "fc_pes": 2}


def tiny_network(seed: int = 0) -> Network:
    """Six inputs, three outputs, weights at random."""
    random = np.random.default_rng(seed)
    builder = DescriptionBuilder("tiny", (1, 2, 3), "uint8", Scale(multiplier=1, shift=8))
    builder.flatten("vector")
    weights = random.integers(1, 101, (3, 6)).astype(np.int8)
    bias = random.integers(-500, 500, 3).astype(np.int32)
    builder.linear("scores", weights, bias, shift=7, minimum=-128, maximum=127, output_dtype="int8")
    return builder.build()


def tiny_build(folder: Path, images: int = 4) -> Path:
    """Generates it with random images."""
    generator.generate(tiny_network(), "zcu104", folder, generator.BuildOptions(**SIZES, random_images=images))
    return folder
