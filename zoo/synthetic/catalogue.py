"""Which networks there are, and how each of them is pruned, by the figures that the papers print."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from zoo.synthetic import architectures
from zoo.synthetic.architectures import Architecture, unchanged
from zoo.synthetic.budgets import Budget, narrowed
from zoo.synthetic.shapes import Graph

__all__ = ["NETWORKS", "SyntheticError", "Variant", "find_variant"]

ALEXNET_HAN = {
    "conv1": 0.84, "conv2": 0.38, "conv3": 0.35, "conv4": 0.37, "conv5": 0.37, "fc6": 0.09, "fc7": 0.09, "fc8": 0.25,
}  # fmt: skip
"""Kept shares of AlexNet by Han, Pool, Tran, Dally (NIPS 2015), table 4: 6.80 M non-zeros."""
ALEXNET_PAPER_NONZEROS = 4_353_904
"""Zhang et al. (Electronics 2019): 8.7 MB at 2 bytes an entry, 14.0 times fewer than 60,954,656 weights."""


class SyntheticError(ValueError):
    """There is no such network, variant or option; one sentence."""


@dataclass(frozen=True)
class Variant:
    """A way to prune a network.

    Attributes:
        purpose: a line for people: whose figures these are.
        build: makes the graph; channels that are pruned away are not in it.
        kept: share of the weights that are not zero, by layer; `everywhere` where a layer is not named.
        everywhere: the same for all layers that are not named.
    """

    purpose: str
    build: Callable[[], Graph]
    kept: Mapping[str, float] = field(default_factory=dict)
    everywhere: float = 1.0

    def nonzeros(self, graph: Graph) -> dict[str, int]:
        """Non-zero weights of every layer with weights, one or more."""
        return {
            each.name: max(1, round(each.weights * self.kept.get(each.name, self.everywhere)))
            for each in graph.weighted
        }


def _alexnet_paper(peak: bool) -> dict[str, float]:
    """Kept shares with the paper's total, convolutions as Han's; the paper prints no layer's share, the split is ours.

    Args:
        peak: everything that Han's shares have too much comes off fc6, the layer with the most non-zeros; otherwise
            the three linear layers lose the same share.
    """
    weights = {each.name: each.weights for each in architectures.alexnet().weighted}
    nonzeros = {name: round(weights[name] * share) for name, share in ALEXNET_HAN.items()}
    shrinking = ["fc6"] if peak else ["fc6", "fc7", "fc8"]
    fixed = sum(count for name, count in nonzeros.items() if name not in shrinking)
    factor = (ALEXNET_PAPER_NONZEROS - fixed) / sum(nonzeros[name] for name in shrinking)
    counts = {name: round(nonzeros[name] * factor) for name in shrinking}
    counts[shrinking[0]] += ALEXNET_PAPER_NONZEROS - fixed - sum(counts.values())
    return {**ALEXNET_HAN, **{name: count / weights[name] for name, count in counts.items()}}


def _sparse(architecture: Architecture, *percents: int) -> dict[str, Variant]:
    """Every layer with the same share of zeros."""
    return {
        str(percent): Variant(
            f"{percent} % of every layer's weights are zero", partial(architecture, unchanged), {}, 1 - percent / 100
        )
        for percent in percents
    }


def _dense(architecture: Architecture) -> dict[str, Variant]:
    return {"dense": Variant("no weight is zero", partial(architecture, unchanged))}


def _budgets(architecture: Architecture, source: str, budgets: Mapping[str, Budget]) -> dict[str, Variant]:
    """For each budget the paper's way (channels gone, kernels dense) and the same multiplications by single weights."""
    variants = _dense(architecture)
    for name, budget in budgets.items():
        cut = f"{budget.macs_cut} % of the multiplications"
        variants[name] = Variant(
            f"{source}: {cut} and {budget.weights_cut} % of the weights gone with whole channels",
            partial(narrowed, architecture, budget),
        )
        variants[f"{name}-weights"] = Variant(
            f"{name}'s multiplications, but all channels there and {budget.macs_cut} % of every layer's weights zero",
            partial(architecture, unchanged),
            {},
            1 - budget.macs_cut / 100,
        )
    return variants


def _three(*cuts: tuple[float, float]) -> dict[str, Budget]:
    return {f"{number}%": Budget(*cut) for number, cut in enumerate(cuts, start=1)}


_EN_SPARSITY = "Li, Li, Meng (Electronics 2022)"
_LAYERWISE = "Li et al. (Comput. Intell. Neurosci. 2022)"

NETWORKS: dict[str, dict[str, Variant]] = {
    "alexnet": {
        **_dense(architectures.alexnet),
        "han": Variant("Han et al. (NIPS 2015), table 4", architectures.alexnet, ALEXNET_HAN),
        "paper": Variant(
            "Zhang et al. (Electronics 2019), 14.0x: convolutions as Han's, linear layers thinned alike (our split)",
            architectures.alexnet, _alexnet_paper(peak=False),
        ),
        "paper-peak": Variant(
            "Zhang et al. (Electronics 2019), 14.0x: all layers as Han's but fc6, the peak (our split)",
            architectures.alexnet, _alexnet_paper(peak=True),
        ),
    },
    "alexnet-without-lrn": {  # as the engines run it, which have no normalisation
        **_dense(partial(architectures.alexnet, lrn=False)),
        "han": Variant(
            "Han et al. (NIPS 2015), table 4; no normalisation", partial(architectures.alexnet, lrn=False), ALEXNET_HAN
        ),
    },
    "vgg16": {**_dense(architectures.vgg16), **_sparse(architectures.vgg16, 80, 90)},
    "resnet50": {**_dense(architectures.resnet50), **_sparse(architectures.resnet50, 80, 90)},
    "vgg13bn": _budgets(architectures.vgg13bn, _LAYERWISE, {"paper": Budget(75.78, 87.05)}),
    "resnet101": _budgets(architectures.resnet101, _LAYERWISE, {"paper": Budget(85.0, 85.0)}),
    "vgg16bn": _budgets(
        architectures.vgg16bn, _EN_SPARSITY, _three((77.10, 91.72), (89.12, 97.09), (86.31, 96.45))
    ),
    "resnet56": _budgets(
        architectures.resnet56, _EN_SPARSITY, _three((56.27, 67.77), (72.75, 82.63), (74.02, 86.27))
    ),
    "resnet110": _budgets(
        architectures.resnet110, _EN_SPARSITY, _three((72.43, 79.28), (81.61, 87.64), (86.52, 92.38))
    ),
    "mobilenetv2": _budgets(
        architectures.mobilenetv2, _EN_SPARSITY, _three((61.72, 71.47), (65.56, 75.70), (69.55, 75.16))
    ),
}  # fmt: skip
"""Network -> variant -> how it is pruned."""


def find_variant(network: str, variant: str) -> Variant:
    """The variant of that name.

    Raises:
        SyntheticError: there is no such network, or none so pruned.
    """
    if network not in NETWORKS:
        raise SyntheticError(f"there is no network {network!r}; choose from {', '.join(NETWORKS)}")
    if variant not in NETWORKS[network]:
        raise SyntheticError(f"{network} is not there as {variant!r}; choose from {', '.join(NETWORKS[network])}")
    return NETWORKS[network][variant]
