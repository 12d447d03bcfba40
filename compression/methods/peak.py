"""Peak-pruning, first reading: the layer with the most weights left is pruned one step further, again and again.

Zhang et al., "Optimized Compression for Implementing Convolutional Neural Networks on FPGA" (Electronics 2019, 8(3),
295). The algorithm is our reconstruction; :mod:`compression.methods.histogram` is our other reading.
"""

from collections.abc import Collection, Sequence

import torch
from torch import nn

from compression.methods.base import Proposal, Step
from compression.prune import magnitude_mask, prunable

__all__ = ["Peak"]


class Peak:
    """Each step removes ``share`` of the weights of least magnitude from the layer with the most non-zeros (of equal
    ones the first); ends at the first step that is not accepted. A step's setting is the layer's density after it."""

    def __init__(self, share: float, keep: Collection[str] = ()) -> None:
        self._share, self._keep = share, keep

    def propose(self, model: nn.Module, steps: Sequence[Step]) -> Proposal | None:
        """See :class:`compression.methods.base.Method`."""
        weights = prunable(model, self._keep)
        if not weights or any(not step.accepted for step in steps):
            return None
        left = {name: int(torch.count_nonzero(each)) for name, each in weights.items()}
        peak = max(left, key=lambda name: left[name])
        if left[peak] <= 1:
            return None
        kept = left[peak] - max(1, round(self._share * left[peak]))
        density = max(kept, 1) / weights[peak].numel()
        return Proposal((peak,), density, {peak: magnitude_mask(weights[peak], density)})
