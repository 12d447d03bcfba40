"""`zeroskip inspect`: what a description holds."""

from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Annotated

import typer

import golden
from zeroskip.console import JsonOption, print_json, print_table

__all__ = ["inspect"]


@dataclass(frozen=True)
class _Layer:
    name: str
    type: str
    output: tuple[int, ...]
    weights: int = 0
    nonzeros: int = 0
    format: str = ""
    bits: int = 0

    @property
    def row(self) -> list[object]:
        """Cells of the table; a layer without weights leaves them empty."""
        head: list[object] = [self.name, self.type, "x".join(map(str, self.output))]
        if not self.weights:
            return [*head, *[""] * 6]
        density = f"{100 * self.nonzeros / self.weights:.1f}"
        per_weight = f"{self.bits / max(self.nonzeros, 1):.1f}"
        return [*head, f"{self.weights:,}", f"{self.nonzeros:,}", density, self.format, f"{self.bits:,}", per_weight]


def inspect(
    description: Annotated[Path, typer.Argument(metavar="DESC", help="Model description (JSON).")],
    as_json: JsonOption = False,
) -> None:
    """Show a description's layers: shapes, densities, storage formats and exact sizes."""
    network = golden.load(description)
    layers = [_summary(network, layer.name) for layer in network.layers]
    shape = network.shapes["input"]
    if as_json:
        totals = {"weights": network.weight_count, "nonzeros": network.nonzero_count, "bits": network.total_bits}
        print_json({"name": network.name, "input": shape, "layers": [asdict(layer) for layer in layers], **totals})
        return
    columns = ["layer", "type", "output", "weights", "non-zero", "density %", "format", "bits", "bits a non-zero"]
    print_table(f"{network.name}, input {'x'.join(map(str, shape))}", columns, [layer.row for layer in layers])
    factor = 32 * network.weight_count / max(network.total_bits, 1)
    typer.echo(
        f"{network.nonzero_count:,} of {network.weight_count:,} weights are not zero. {network.total_bits / 8:,.0f} "
        f"bytes with all indices, scales and biases: {factor:.1f} times less than dense 32-bit weights."
    )


def _summary(network: golden.Network, name: str) -> _Layer:
    layer, shape = network.layer(name), network.shapes[name]
    if layer not in network.weighted_layers:
        return _Layer(name, layer.type, shape)
    storage = network.encoded(name).storage
    bits = network.size(name).total
    return _Layer(name, layer.type, shape, prod(storage.shape), storage.nonzeros, storage.format, bits)
