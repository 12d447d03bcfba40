"""What a pruning method is: it proposes masks, or channels to remove, and learns from the loop which were kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import nn

from compression.prune import Masks

__all__ = ["Method", "Proposal", "Step", "removes"]


@dataclass(frozen=True)
class Proposal:
    """One step of pruning, not yet retrained.

    Attributes:
        layers: names of the layers that it prunes.
        setting: the method's own measure (q, a density, a threshold, non-zeros of a kernel).
        masks: of those layers; the loop intersects them with the masks that are fixed already.
        channels: a convolution's name -> its output channels that go altogether, with all that depends on them.
        en_sparsity: what chose the channels, if that is it: layer -> one number a channel; goes into the history.
        budget: share (0..1) of the accuracy that may be lost in all which may be lost once this step is done.
    """

    layers: tuple[str, ...]
    setting: float
    masks: Masks = field(default_factory=dict)
    budget: float = 1.0
    channels: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    en_sparsity: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """What came of a proposal.

    Attributes:
        method: the method's name.
        layers, setting: the proposal's.
        accepted: whether the accuracy held after retraining; otherwise the loop went back.
        correct: judged images classified correctly after retraining.
    """

    method: str
    layers: tuple[str, ...]
    setting: float
    accepted: bool
    correct: int


class Method(Protocol):
    """A pruning method.

    It keeps no state between calls: what it proposes follows from the network and the steps alone, so a run that was
    killed continues as if it had not been.
    """

    def propose(self, model: nn.Module, steps: Sequence[Step]) -> Proposal | None:
        """The next step, or None when the method is finished.

        Args:
            model: the network as last accepted, pruned weights zero.
            steps: this method's own steps so far, in order.

        Returns:
            A proposal that removes at least one weight that is not zero, and leaves at least one in each layer.
        """
        ...


def removes(weights: Mapping[str, torch.Tensor], masks: Masks) -> bool:
    """Whether the masks take away any weight that is not zero."""
    return any(bool((weights[name][~mask] != 0).any()) for name, mask in masks.items())
