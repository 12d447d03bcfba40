"""Peak-pruning, second reading: thresholds move past the peaks that retraining leaves in the weights' histogram.

Zhang et al., "Optimized Compression for Implementing Convolutional Neural Networks on FPGA" (Electronics 2019, 8(3),
295). The algorithm is our reconstruction: after pruning at +-threshold and retraining, the histogram of the weights
that are left peaks just outside the threshold; the threshold is raised past that peak.
"""

from collections.abc import Collection, Sequence

import torch
from torch import nn

from compression.methods.base import Proposal, Step
from compression.prune import prunable

__all__ = ["BINS", "HistogramPeak", "past_the_peak"]

BINS = 64
"""Bins of a layer's histogram, from 0 to its greatest magnitude."""


class HistogramPeak:
    """Each layer once, from the last to the first; a step that is not accepted leaves its layer as it was. A step's
    setting is the threshold."""

    def __init__(self, keep: Collection[str] = ()) -> None:
        self._keep = keep

    def propose(self, model: nn.Module, steps: Sequence[Step]) -> Proposal | None:
        """See :class:`compression.methods.base.Method`."""
        done = {name for step in steps for name in step.layers}
        for name, weights in reversed(prunable(model, self._keep).items()):
            magnitudes = weights.detach().abs()
            if name not in done and bool(magnitudes.any()):
                threshold = past_the_peak(magnitudes)
                mask = magnitudes >= threshold
                if bool(mask.any()):
                    return Proposal((name,), threshold, {name: mask})
        return None


def past_the_peak(magnitudes: torch.Tensor) -> float:
    """The upper edge of the fullest bin (of equal ones the lowest) in the histogram of the magnitudes that are not 0.

    Args:
        magnitudes: any shape, not negative, not all zero.
    """
    present = magnitudes[magnitudes != 0].double()
    width = float(present.max()) / BINS
    bins = (present / width).long().clamp(max=BINS - 1)
    return (int(torch.bincount(bins, minlength=BINS).argmax()) + 1) * width
