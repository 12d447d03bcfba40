"""From a graph and its non-zeros to a description: draws weights, chooses scales, says in its name what it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log2, sqrt
from statistics import NormalDist
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

import golden
from zoo.synthetic.activations import Activations, normal, uniform
from zoo.synthetic.catalogue import SyntheticError, find_variant
from zoo.synthetic.shapes import Activation, Add, Conv, Flatten, Graph, Linear, Lrn, Node, Pool
from zoo.synthetic.weights import codebook, sparse_weights

__all__ = ["describe", "description_name"]

DENSITY = 0.4
"""Share of activations that are not zero behind a ReLU, or behind the maximum that follows it. EIE's layers (Han et
al., ISCA 2016, table III) have 0.18 to 0.41."""
_UNIT = golden.Scale(multiplier=1, shift=4)
_CLAMPS: dict[Activation, tuple[int, int]] = {"none": (-128, 127), "relu": (0, 255), "relu6": (0, 192)}
_DEVIATIONS: dict[Activation, float] = {"none": 32.0, "relu": 64.0, "relu6": 64.0}


def description_name(network: str, variant: str, spread: float) -> str:
    """The network's name in the description; it says that the weights are synthetic."""
    suffix = f"-spread{100 * spread:g}" if spread else ""
    return f"{network}-{variant.replace('%', 'pc')}{suffix}-synthetic"


def describe(
    network: str,
    variant: str,
    spread: float = 0.0,
    value_bits: int = 8,
    seed: int = 0,
) -> golden.Network:
    """A network of the catalogue with synthetic weights.

    Args:
        network, variant: see :data:`zoo.synthetic.catalogue.NETWORKS`.
        spread: standard deviation of the output channels' densities over their mean, 0 to 0.5.
        value_bits: 8, or 4 or 5 for linear layers of 15 or 31 shared values.
        seed: of all random numbers; equal arguments give equal bits.

    Raises:
        SyntheticError: an argument is out of range; one sentence.
    """
    if not 0 <= spread <= 0.5:
        raise SyntheticError(f"the spread is {100 * spread:g} %, but must be 0 to 50")
    if value_bits not in (4, 5, 8):
        raise SyntheticError(f"values have {value_bits} bits, but must have 4, 5 or 8")
    if seed < 0:
        raise SyntheticError(f"the seed is {seed}, but must be 0 or more")
    chosen = find_variant(network, variant)
    graph = chosen.build()
    name = description_name(network, variant, spread)
    book = codebook(value_bits) if value_bits < 8 else None
    return _Describer(graph, name, chosen.nonzeros(graph), spread, book, seed).run()


@dataclass
class _Describer:
    """Walks the nodes; knows how every tensor's activations are distributed."""

    graph: Graph
    name: str
    nonzeros: dict[str, int]
    spread: float
    book: NDArray[np.int8] | None
    seed: int
    known: dict[str, Activations] = field(default_factory=dict)

    def run(self) -> golden.Network:
        """The description."""
        self.builder = golden.DescriptionBuilder(self.name, self.graph.input_shape, "uint8", _UNIT)
        self.shapes = {each.name: each.shape for each in self.graph.weighted}
        self.known["input"] = uniform(0, 255, "uint8")
        for node in self.graph.nodes:
            self.known[node.name] = self._add(node)
        return self.builder.build()

    def _add(self, node: Node) -> Activations:
        source = self.known[node.source]
        match node:
            case Conv() | Linear():
                return self._weighted(node, source)
            case Pool():
                return self._pool(node, source)
            case Add():
                return self._sum(node, source, self.known[node.other])
            case Lrn():
                made = golden.lrn_table(node.size, 1e-4, 0.75, 1.0, _UNIT, _UNIT)
                self.builder.lrn(
                    node.name, source=node.source, size=node.size, table=made.table, index_shift=made.index_shift,
                    shift=made.shift, output_dtype=source.dtype, output_scale=_UNIT,
                )  # fmt: skip
                return source  # the factor is near 1
            case Flatten():
                self.builder.flatten(node.name, source=node.source)
                return source

    def _weighted(self, node: Conv | Linear, source: Activations) -> Activations:
        # A generator a layer: a layer's weights do not change when another layer's do.
        random = np.random.default_rng([self.seed, crc32(f"{self.graph.name}.{node.name}".encode())])
        book = self.book if isinstance(node, Linear) else None
        weights = sparse_weights(self.shapes[node.name], self.nonzeros[node.name], self.spread, book, random)
        energy = sqrt(float((weights[weights != 0].astype(np.float64) ** 2).sum()) / len(weights))  # of a channel's
        deviation = max(energy * source.deviation, 1.0)
        shift = max(0, round(log2(deviation / _DEVIATIONS[node.activation])))
        behind = deviation / 2**shift
        below = 0.0 if node.activation == "none" else behind * NormalDist().inv_cdf(self._density(node))
        # The bias takes the activations' mean out, so that a channel is neither always on nor always off.
        bias = np.rint(
            below * 2**shift - source.mean * weights.sum(axis=tuple(range(1, weights.ndim)), dtype=np.int64)
        ).astype(np.int64)
        lowest, highest = _CLAMPS[node.activation]
        after = normal(below, behind, lowest, highest, "int8" if lowest < 0 else "uint8")
        options: dict[str, Any] = {
            "source": node.source, "shift": shift, "minimum": lowest, "maximum": highest, "output_dtype": after.dtype,
            "output_scale": _UNIT,
        }  # fmt: skip
        if isinstance(node, Conv):
            self.builder.conv(
                node.name, weights, bias, stride=node.stride, padding=node.padding, groups=node.groups, **options
            )
        else:
            self.builder.linear(node.name, weights, bias, **options)
        return after

    def _density(self, node: Node) -> float:
        """Share of a ReLU's outputs that are not zero; lower in front of a maximum, which lets the largest through."""
        place = self.graph.nodes.index(node) + 1
        following = [each for each in self.graph.nodes[place : place + 2] if not isinstance(each, Lrn)]
        pool = following[0] if following else None
        window = pool.kernel**2 if isinstance(pool, Pool) and pool.kind == "max" else 1
        return float(1 - (1 - DENSITY) ** (1 / window))

    def _pool(self, node: Pool, source: Activations) -> Activations:
        if node.kind == "max":
            self.builder.max_pool(node.name, node.kernel, node.stride, node.padding, source=node.source)
            return source.largest_of(node.kernel**2)
        bounds = int(source.values[0]), int(source.values[-1])
        if node.kind == "average":
            self.builder.average_pool(node.name, node.kernel, node.stride, node.padding, source=node.source)
            count = node.kernel**2
        else:
            self.builder.global_average_pool(node.name, source=node.source)
            count = int(np.prod(self.graph.shapes[node.source][1:]))
        # Channels differ in their means, so that an average over positions keeps about a third of the deviation.
        return normal(source.mean, source.deviation * max(1 / sqrt(count), 0.33), *bounds, source.dtype)

    def _sum(self, node: Add, first: Activations, second: Activations) -> Activations:
        # Three quarters of each: otherwise the shortcut's part would grow from block to block until it saturates.
        lowest, highest = _CLAMPS[node.activation]
        dtype: golden.description.ActivationType = "int8" if lowest < 0 else "uint8"
        self.builder.add(
            node.name, node.source, node.other, multipliers=(3, 3), shift=2, minimum=lowest, maximum=highest,
            output_dtype=dtype, output_scale=_UNIT,
        )  # fmt: skip
        deviation = sqrt(first.deviation**2 + second.deviation**2)
        return normal(0.75 * (first.mean + second.mean), 0.75 * deviation, lowest, highest, dtype)
