"""Intra-kernel regular (IKR) pruning: all kernels of a layer share a few patterns of equally many non-zeros.

Yang et al., "Intra-Kernel Regular pruning" (ISMVL 2018). The algorithm is our reconstruction; the storage format
``conv-pattern`` holds what it leaves. Removing whole kernels beside that is PatDNN's connectivity pruning (Niu et al.,
ASPLOS 2020): the empty pattern is one of the patterns then.
"""

from collections.abc import Collection, Sequence

import torch
from torch import nn

from compression.methods.base import Proposal, Step, removes
from compression.prune import prunable

__all__ = ["IntraKernelRegular", "pattern_mask"]


class IntraKernelRegular:
    """Convolutions of more than one position, from the last to the first. Each is tried at ``kernel_values`` non-zeros
    a kernel, and at one more after each step that is not accepted. A step's setting is that number. Linear layers and
    1x1 convolutions stay as they are.

    Args:
        kernel_values: non-zeros of each kernel, at first.
        patterns: patterns of each layer, at most.
        kernels_kept: share of a layer's kernels that keep a weight, 0 .. 1.
        pattern_group: neighbouring output channels that share the pattern of each input channel.
        keep: layers that stay as they are.
    """

    def __init__(
        self,
        kernel_values: int,
        patterns: int,
        kernels_kept: float = 1.0,
        pattern_group: int = 1,
        keep: Collection[str] = (),
    ) -> None:
        self._kernel_values, self._patterns, self._keep = kernel_values, patterns, keep
        self._kernels_kept, self._pattern_group = kernels_kept, pattern_group

    def propose(self, model: nn.Module, steps: Sequence[Step]) -> Proposal | None:
        """See :class:`compression.methods.base.Method`."""
        layers = {name: weights for name, weights in prunable(model, self._keep).items() if weights.ndim == 4}
        for name, weights in reversed(layers.items()):
            own = [step for step in steps if step.layers == (name,)]
            size = self._kernel_values + len(own)
            if size >= weights.shape[2] * weights.shape[3] or any(step.accepted for step in own):
                continue
            how = (size, self._patterns, self._kernels_kept, self._pattern_group)
            masks = {name: pattern_mask(weights.detach(), *how)}
            if removes(layers, masks):
                return Proposal((name,), size, masks)
        return None


def pattern_mask(
    weights: torch.Tensor, size: int, patterns: int, kernels_kept: float = 1.0, pattern_group: int = 1
) -> torch.Tensor:
    """The mask that gives every kernel one of a few patterns.

    Of each kernel's ``size`` weights of greatest magnitude a candidate is made; the ``patterns`` candidates with the
    most energy (sum of squares over the kernels that they come from) stay; every kernel gets the one under which its
    sum of magnitudes is greatest. Of equal ones the first in the order of the positions wins each time. Where not all
    kernels are kept, those with the most energy under their pattern are, and one of the patterns is the empty one.
    Kernels that share a pattern, because they are of one group of output channels, count as one kernel in all this, of
    their magnitudes' sums and their energy's.

    Args:
        weights: (output, input per group, kh, kw).
        size: non-zeros of a kernel, 1 .. kh * kw.
        patterns: how many patterns, at least 1; 2 with an empty one.
        kernels_kept: share of the kernels that keep a weight, more than 0, at most 1.
        pattern_group: neighbouring output channels that share each input channel's pattern; the last ones may be fewer.

    Returns:
        Boolean tensor of the weights' shape, ``size`` True entries in every kernel that is kept.
    """
    # On the CPU, where sums are added up in the same order every time.
    kernels = weights.abs().double().cpu().flatten(2)
    filling = kernels.new_zeros(-len(kernels) % pattern_group, *kernels.shape[1:])
    groups = torch.cat([kernels, filling]).reshape(-1, pattern_group, *kernels.shape[1:])
    magnitudes, squares = groups.sum(1).flatten(0, 1), groups.square().sum(1).flatten(0, 1)
    largest = magnitudes.argsort(dim=1, descending=True, stable=True)[:, :size]
    own = torch.zeros_like(magnitudes).scatter_(1, largest, 1.0)
    candidates, kind = torch.unique(own, dim=0, return_inverse=True)
    energy = torch.zeros(len(candidates), dtype=torch.float64)
    energy.index_add_(0, kind, (squares * own).sum(1))
    table = candidates[energy.argsort(descending=True, stable=True)[: patterns - (kernels_kept < 1)]]
    chosen = table[(magnitudes @ table.T).argmax(1)]
    removed = len(chosen) - max(1, round(kernels_kept * len(chosen)))
    chosen[(squares * chosen).sum(1).argsort(stable=True)[:removed]] = 0
    mask: torch.Tensor = chosen.bool().reshape(-1, *kernels.shape[1:])
    mask = mask.repeat_interleave(pattern_group, dim=0)[: len(weights)]
    return mask.reshape(weights.shape).to(weights.device)
