"""AlexNet stored at the paper's own 14.0x: bytes of every layer in every format, everything counted.

    python -m benchmarks.alexnet_storage            prints the figures; exit code 1 when one differs from the kept ones
    python -m benchmarks.alexnet_storage --update   writes them to alexnet_storage.json

The weights are synthetic (zoo/synthetic): the paper's number of non-zeros at random places. What a format costs depends
on places and number alone, and on whether a layer's values fit a codebook: 4-bit values are what a codebook of 15
shared values costs, as Deep Compression (Han, Mao, Dally, ICLR 2016) has it for linear layers; whether AlexNet keeps
its accuracy then is not measured here. Counted are values, indices, counts, padding entries, codebooks, alignment,
biases (32 bits) and scales (40 bits a layer).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

import golden
from benchmarks.kept import asks_to_update, keep_or_compare
from golden.formats import CscOptions, encode
from zoo.synthetic import describe

__all__ = ["CASES", "EXPECTED", "FLOAT32_BYTES", "LayerStorage", "Storage", "measure"]

EXPECTED = Path(__file__).parent / "alexnet_storage.json"
FLOAT32_BYTES = 4 * (60_954_656 + 10_568)
"""The dense network, weights and biases: 243.86 MB, from which Zhang et al. (Electronics 2019) reach 8.7 MB."""
CASES: tuple[tuple[str, Literal[4, 8]], ...] = (("paper", 4), ("paper-peak", 4), ("paper", 8), ("han", 4))
"""Variant of zoo/synthetic, and bits of the linear layers' values. All with 25 % spread between channels."""
_SPREAD = 0.25


class LayerStorage(BaseModel):
    """One layer.

    Attributes:
        formats: payload bytes in every format that stores it, the best gap field of each csc; the least is chosen.
        chosen: what golden's automatic choice takes, with the widths of csc.
        total: bytes with biases and scales.
    """

    name: str
    weights: int
    nonzeros: int
    formats: dict[str, int]
    chosen: str
    total: float


class Storage(BaseModel):
    """AlexNet with synthetic weights, stored."""

    network: str
    linear_value_bits: int
    layers: list[LayerStorage]
    bytes: float
    times_smaller: float


def _formats(weights: NDArray[np.int8], value_bits: int) -> dict[str, int]:
    sizes = {"dense": weights.size}
    if weights.ndim == 4:
        sizes |= {name: encode(name, weights).payload.size for name in ("conv-rc", "conv-mask")}
    else:
        for bits in (each for each in (4, 5, 8) if each >= value_bits):
            sizes[f"csc-{bits}"] = encode("csc", weights, CscOptions(value_bits=bits)).payload.size
    return sizes


def _layer(network: golden.Network, name: str, value_bits: int) -> LayerStorage:
    weights, storage = network.weights(name), network.encoded(name).storage
    chosen: str = storage.format
    if storage.format == "csc":
        chosen += f" value {storage.value_bits}, gap {storage.gap_bits}"
    return LayerStorage(
        name=name,
        weights=weights.size,
        nonzeros=storage.nonzeros,
        formats=_formats(weights, value_bits),
        chosen=chosen,
        total=network.size(name).total / 8,
    )


def measure(variant: str, value_bits: Literal[4, 8]) -> Storage:
    """The figures of one case."""
    network = describe("alexnet", variant, _SPREAD, value_bits)
    size = network.total_bits / 8
    return Storage(
        network=network.name,
        linear_value_bits=value_bits,
        layers=[_layer(network, layer.name, value_bits) for layer in network.weighted_layers],
        bytes=size,
        times_smaller=round(FLOAT32_BYTES / size, 2),
    )


def _print(storage: Storage) -> None:
    title = f"{storage.network}, linear layers with {storage.linear_value_bits}-bit values; weights are synthetic"
    formats = list(dict.fromkeys(name for layer in storage.layers for name in layer.formats))
    table = Table("layer", "weights", "non-zeros", *(f"{name}, bytes" for name in formats), title=title)
    for column in ("chosen", "bits a non-zero", "with biases, scales"):
        table.add_column(column)
    for layer in storage.layers:
        each = [f"{layer.formats[name]:,}" if name in layer.formats else "" for name in formats]
        bits = f"{8 * min(layer.formats.values()) / layer.nonzeros:.2f}"
        table.add_row(
            layer.name, f"{layer.weights:,}", f"{layer.nonzeros:,}", *each, layer.chosen, bits, f"{layer.total:,.0f}"
        )
    console = Console(width=190)
    console.print(table)
    console.print(
        f"{storage.bytes / 1e6:.3f} MB of {FLOAT32_BYTES / 1e6:.2f} MB: {storage.times_smaller:.1f} times smaller "
        "(Zhang et al.: 8.7 MB, 28 times)"
    )


def main(arguments: list[str] | None = None) -> int:
    """Prints all cases; returns 1 when one is not as expected."""
    update = asks_to_update(__doc__, EXPECTED, arguments)
    measured = [measure(variant, bits) for variant, bits in CASES]
    for storage in measured:
        _print(storage)
    return keep_or_compare(measured, EXPECTED, update)


if __name__ == "__main__":
    sys.exit(main())
