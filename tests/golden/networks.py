"""Networks that several tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from golden import CscOptions, DescriptionBuilder, Network, Scale, lrn_table, save
from tests.golden.strategies import sparse


def every_layer(seed: int = 0, dtype: Literal["uint8", "int8"] = "uint8") -> Network:
    """A network with every kind of layer, both activation types, and every storage format."""
    generator = np.random.default_rng(seed)
    builder = DescriptionBuilder("every-layer", (3, 14, 13), dtype, Scale(shift=7))
    add_convolutions(builder, generator)
    table = lrn_table(5, 0.5, 0.75, 1.0, Scale(shift=4), Scale(shift=4))
    builder.add("sum", "conv1", "depthwise", multipliers=(3, 5), shift=3, output_dtype="uint8")
    builder.lrn(
        "lrn",
        size=5,
        table=table.table,
        index_shift=table.index_shift,
        shift=table.shift,
        output_dtype="uint8",
    )
    builder.clip("relu6", 0, 96, multiplier=5, shift=2, output_dtype="int8")
    builder.max_pool("max", 3, 2, 1)
    builder.average_pool("mean", (3, 2), 2, (1, 0, 1, 1), source="relu6")
    builder.concat("both", ["max", "mean"])
    weights = sparse(generator, (6, 16, 1, 1), 0.9)
    builder.conv("strided", weights, biases(generator, 6), stride=2, shift=7, format="dense")
    builder.flatten("flat").global_average_pool("global", source="both")
    weights = sparse(generator, (20, builder.build().shapes["flat"][0]), 0.2)
    builder.linear("fc1", weights, biases(generator, 20), source="flat", shift=6, format="csc")
    builder.linear(
        "fc2",
        sparse(generator, (9, 20), 0.4, -7, 8),
        np.zeros(9, int),
        shift=3,
        format="csc",
        format_options=CscOptions(4, 3, 2, "pointers"),
    )
    return builder.build()


def biases(generator: np.random.Generator, count: int) -> np.ndarray:
    """Biases of the accumulators' own order."""
    return generator.integers(-4000, 4001, count)


def add_convolutions(builder: DescriptionBuilder, generator: np.random.Generator) -> None:
    """Three storage formats, groups, a depthwise layer, dilation, and a scale for each channel."""
    builder.conv(
        "conv1",
        sparse(generator, (8, 3, 3, 3), 0.5),
        biases(generator, 8),
        padding=1,
        shift=8,
        minimum=-100,
        output_scale=Scale(shift=5),
        weight_scale=Scale(shift=6),
        format="conv-rc",
    )
    builder.conv(
        "block.conv2",
        sparse(generator, (8, 4, 3, 3), 0.4),
        biases(generator, 8),
        padding=1,
        groups=2,
        multiplier=generator.integers(1, 2**31, 8),
        shift=generator.integers(36, 43, 8),
        maximum=200,
        output_dtype="uint8",
        format="conv-mask",
    )
    builder.conv(
        "depthwise",
        sparse(generator, (8, 1, 3, 3), 0.5),
        np.zeros(8, int),
        padding=2,
        dilation=2,
        groups=8,
        shift=5,
        format="conv-pattern",
    )


def saved(folder: Path) -> Path:
    """The network of every layer in a file; the path of its JSON."""
    save(every_layer(), folder / "net.json")
    return folder / "net.json"
