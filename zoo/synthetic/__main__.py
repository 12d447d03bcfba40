"""Writes a network of the papers in its full size, with synthetic weights, as a description.

python -m zoo.synthetic                                              lists networks and variants
python -m zoo.synthetic alexnet --variant han --spread 25 -o DESC.json
python -m zoo.synthetic vgg16 --variant 90 --run -o DESC.json        and runs one random image by golden
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import golden
from golden.description import AddLayer, ConvLayer, LinearLayer, LrnLayer
from zoo.synthetic.catalogue import NETWORKS, SyntheticError
from zoo.synthetic.describe import describe

__all__ = ["main"]


def catalogue_table() -> Table:
    """A row for each network and variant: multiplications, weights and non-zeros, all exact."""
    table = Table("network", "variant", "M MAC", "weights", "non-zeros", "how", title="synthetic weights, exact shapes")
    for network, variants in NETWORKS.items():
        for name, variant in variants.items():
            graph = variant.build()
            nonzeros = sum(variant.nonzeros(graph).values())
            row = (f"{graph.macs / 1e6:,.1f}", f"{graph.weights:,}", f"{nonzeros:,}", variant.purpose)
            table.add_row(network, name, *row)
    return table


def activation_table(network: golden.Network, seed: int) -> Table:
    """What one random image does to every layer that computes: share of zeros, share at the upper clamp."""
    shape = network.description.input.shape
    image = np.random.default_rng(seed).integers(0, 256, (1, *shape)).astype(np.uint8)
    table = Table("layer", "output", "zero %", "at the clamp %", title=f"{network.name}, one random image by golden")
    for name, output in golden.run(network, image, keep="all").items():
        layer = network.layer(name)
        if isinstance(layer, AddLayer | ConvLayer | LinearLayer | LrnLayer):
            bounds = layer.requantise if isinstance(layer, ConvLayer | LinearLayer) else layer
            shares = (np.mean(output == 0), np.mean(output == bounds.maximum))
            table.add_row(name, "x".join(map(str, output.shape[1:])), *(f"{100 * each:.1f}" for each in shares))
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m zoo.synthetic", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", nargs="?", help=f"one of {', '.join(NETWORKS)}; none lists all")
    parser.add_argument("--variant", help="how it is pruned, as the list names it", default="dense")
    parser.add_argument(
        "--spread", type=float, default=0.0, metavar="PERCENT",
        help="standard deviation of the output channels' densities over their mean (0)",
    )  # fmt: skip
    parser.add_argument(
        "--value-bits", type=int, default=8, choices=(4, 5, 8), help="4 or 5: linear layers of shared values (8)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the weights (0)")
    parser.add_argument("--run", action="store_true", help="run one random image by golden")
    parser.add_argument("-o", "--output", type=Path, metavar="DESC.json", help="the description to write")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """The command; exit code 2 with one sentence on stderr for bad input, and then nothing is written."""
    options = _parser().parse_args(arguments)
    console = Console(width=150)
    if options.network is None:
        console.print(catalogue_table())
        return 0
    try:
        if options.output is None:
            raise SyntheticError("the output is missing: give it as -o DESC.json")
        if not options.output.parent.is_dir():
            raise SyntheticError(f"{options.output}: there is no folder {options.output.parent}")
        network = describe(options.network, options.variant, options.spread / 100, options.value_bits, options.seed)
        golden.save(network, options.output)
    except (SyntheticError, golden.DescriptionError, OSError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 2
    print(
        f"{options.output}: {network.name}, {network.nonzero_count:,} of {network.weight_count:,} weights are "
        f"not zero, {network.total_bits // 8:,} bytes with indices, scales and biases; the weights are synthetic"
    )
    if options.run:
        console.print(activation_table(network, options.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
