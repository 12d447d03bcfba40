"""Reversed-pruning: layer by layer, from the last to the first.

Zhang et al., "Optimized Compression for Implementing Convolutional Neural Networks on FPGA" (Electronics 2019, 8(3),
295). The algorithm is our reconstruction: the threshold of a layer is q times the standard deviation of its weights; q
is raised step by step, with retraining after each, until the accuracy bound; then the layer before it has its turn.
"""

from collections.abc import Sequence

import torch
from torch import nn

from compression.methods.base import Proposal, Step
from compression.prune import prunable

__all__ = ["Reversed"]


class Reversed:
    """Weights below ``q * std`` go; std is that of the layer's dense weights, so that a given q always means the same
    threshold. A step's setting is q.

    Args:
        dense: the network before pruning.
        q_step: what q grows by.
    """

    def __init__(self, dense: nn.Module, q_step: float) -> None:
        self._q_step = q_step
        self._deviations = {
            name: float(each.detach().double().std(correction=0)) for name, each in prunable(dense).items()
        }

    def propose(self, model: nn.Module, steps: Sequence[Step]) -> Proposal | None:
        """See :class:`compression.methods.base.Method`."""
        for name, weights in reversed(prunable(model).items()):
            own = [step for step in steps if step.layers == (name,)]
            if own and not own[-1].accepted:
                continue
            proposal = self._raised(name, weights.detach().abs(), own[-1].setting if own else 0.0)
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
                return Proposal((name,), count * self._q_step, {name: mask})
        return None
