"""Reversed-pruning: layer by layer, from the last to the first.

Zhang et al., "Optimized Compression for Implementing Convolutional Neural Networks on FPGA" (Electronics 2019, 8(3),
295). The algorithm is our reconstruction: the threshold of a layer is q times the standard deviation of its weights; q
is raised step by step, with retraining after each, until the accuracy bound; then the layer before it has its turn.

The conventional order, from the first layer to the last, is there to compare with.
"""

from collections.abc import Collection, Sequence
from itertools import accumulate

import torch
from torch import nn

from compression.methods.base import Proposal, Step
from compression.prune import prunable
from compression.settings import Budget, Order

__all__ = ["Reversed"]


class Reversed:
    """Weights below ``q * std`` go; std is that of the layer's dense weights, so that a given q always means the same
    threshold. A step's setting is q.

    Args:
        dense: the network before pruning.
        q_step: what q grows by.
        order: which layer has the first turn.
        keep: layers that stay as they are.
        budget: "whole" lets each layer spend all accuracy that the ones before left, which a small first layer may use
            up alone. "by-weights" allows a loss in proportion to the weights of the layers that have had their turn.
    """

    def __init__(
        self,
        dense: nn.Module,
        q_step: float,
        order: Order = "last-to-first",
        budget: Budget = "whole",
        keep: Collection[str] = (),
    ) -> None:
        self._q_step = q_step
        weights = prunable(dense, keep)
        self._deviations = {name: float(each.detach().double().std(correction=0)) for name, each in weights.items()}
        self._turns = list(weights) if order == "first-to-last" else list(reversed(weights))
        self._budgets = dict.fromkeys(weights, 1.0)
        if budget == "by-weights":
            sizes = list(accumulate(weights[name].numel() for name in self._turns))
            self._budgets = {name: size / sizes[-1] for name, size in zip(self._turns, sizes, strict=True)}

    def propose(self, model: nn.Module, steps: Sequence[Step]) -> Proposal | None:
        """See :class:`compression.methods.base.Method`."""
        weights = prunable(model)
        for name in self._turns:
            own = [step for step in steps if step.layers == (name,)]
            if own and not own[-1].accepted:
                continue
            proposal = self._raised(name, weights[name].detach().abs(), own[-1].setting if own else 0.0)
            if proposal is not None:
                return proposal
        return None

    def _raised(self, name: str, magnitudes: torch.Tensor, q: float) -> Proposal | None:
        """The next q that removes a weight; None when it would remove the last one."""
        deviation, largest = self._deviations[name], float(magnitudes.max())
        if deviation == 0:
            return None
        count = round(q / self._q_step)
        while (count + 1) * self._q_step * deviation <= largest:
            count += 1
            mask = magnitudes >= count * self._q_step * deviation
            if bool((magnitudes[~mask] != 0).any()):
                return Proposal((name,), count * self._q_step, {name: mask}, self._budgets[name])
        return None
