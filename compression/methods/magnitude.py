"""Plain magnitude pruning, the baseline: every layer at once, the same share of each.

Han, Pool, Tran, Dally, "Learning both Weights and Connections for Efficient Neural Networks" (NIPS 2015), section 3.1.
"""

from collections.abc import Collection, Sequence

import torch
from torch import nn

from compression.methods.base import Proposal, Step, removes
from compression.prune import Masks, magnitude_mask, prunable

__all__ = ["Magnitude"]


class Magnitude:
    """Each step keeps the weights of greatest magnitude, ``1 - share`` of what the step before kept; ends at the first
    step that is not accepted. A step's setting is the density, one for all layers."""

    def __init__(self, share: float, keep: Collection[str] = ()) -> None:
        self._share, self._keep = share, keep

    def propose(self, model: nn.Module, steps: Sequence[Step]) -> Proposal | None:
        """See :class:`compression.methods.base.Method`."""
        weights = prunable(model, self._keep)
        if not weights or any(not step.accepted for step in steps):
            return None
        density = steps[-1].setting if steps else 1.0
        # Behind another method the first densities may ask for more weights than are left.
        while density * max(each.numel() for each in weights.values()) >= 1:
            density *= 1 - self._share
            masks = _masks(weights, density)
            if removes(weights, masks):
                return Proposal(tuple(weights), density, masks)
        return None


def _masks(weights: dict[str, torch.Tensor], density: float) -> Masks:
    return {name: magnitude_mask(each, max(density, 1 / each.numel())) for name, each in weights.items()}
