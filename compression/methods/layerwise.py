"""Filter pruning with a ratio for each layer, from how many of the layer's inputs are zero.

Li et al., "layer-wise refined pruning", Computational Intelligence and Neuroscience 2022, 8039281. The algorithm is our
reconstruction: a channel's importance is the magnitude of its normalisation's factor, |gamma|; the share of channels
that a layer keeps is proportional to 1 - s, where s is the share of zeros in the layer's input; what they are
scaled by follows from the multiplications that are to go. Then the network is retrained.
"""

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import nn

from compression.channels import ChannelGroup, positions
from compression.methods.base import Proposal, Step
from compression.methods.filters import groups_of, importance, least_channels, lowest, macs_without
from compression.methods.measured import Budget, ScoreDistance, measured_counts
from compression.settings import Allocation, Precision

__all__ = ["Layerwise", "zero_shares"]

_BATCH = 100
_HALVINGS = 50


class Layerwise:
    """All layers at once, in ``rounds`` steps that each remove the same share of the multiplications that are left;
    ends at the first step that is not accepted. A step's setting is the per cent of the dense network's
    multiplications that are gone behind it.

    Channels that can only go together have one ratio (the mean of s over the convolutions that make them) and one
    importance. 5 % of a group's channels stay in any case; where the budget asks for more, that is what is proposed.

    Args:
        dense: the network before pruning.
        images: uint8 (N, C, H, W), what s is measured on.
        cut: multiplications to remove, per cent of the dense network's.
        rounds: steps on the way there.
        allocation: "uniform" keeps the same share of every layer; the baseline. "measured" finds the shares by trying
            (:mod:`compression.methods.measured`).
        keep: layers that stay as they are.
        precision: what "measured" computes in.
    """

    def __init__(
        self,
        dense: nn.Module,
        images: torch.Tensor,
        cut: float,
        rounds: int,
        allocation: Allocation = "layerwise",
        keep: Collection[str] = (),
        precision: Precision = "float32",
    ) -> None:
        channels, rows, columns = images.shape[1:]
        self._shape, self._keep = (channels, rows, columns), keep
        self._images, self._cut, self._rounds, self._allocation = images, cut, rounds, allocation
        groups = groups_of(dense, self._shape, keep)
        self._positions = positions(dense, self._shape)
        self._channels = {group.name: group.channels for group in groups}
        self._least = least_channels(groups)
        self._macs = macs_without(dense, groups, self._positions, {})
        # Now, as the network that is pruned later is this very one.
        self._distance = ScoreDistance(dense, images, precision) if allocation == "measured" else None

    def propose(self, model: nn.Module, steps: Sequence[Step]) -> Proposal | None:
        """See :class:`compression.methods.base.Method`."""
        if len(steps) >= self._rounds or any(not step.accepted for step in steps):
            return None
        groups = groups_of(model, self._shape, self._keep)
        dropped = self._dropped(model, groups, self._macs * (1 - self._cut / 100) ** ((len(steps) + 1) / self._rounds))
        channels = lowest({group.name: importance(model, group) for group in groups}, dropped)
        if not channels:
            return None
        left = macs_without(model, groups, self._positions, dropped)
        return Proposal(tuple(channels), 100 * (1 - left / self._macs), channels=channels)

    def _dropped(self, model: nn.Module, groups: Sequence[ChannelGroup], target: float) -> dict[str, int]:
        """How many channels of each group go, so that no more multiplications than the target are left."""
        if self._distance is not None:
            budget = Budget(self._macs, target, self._least, self._positions)
            return measured_counts(model, groups, self._shape, budget, self._distance)
        ratios = dict.fromkeys((group.name for group in groups), 1.0)
        if self._allocation == "layerwise":
            ratios = {name: 1 - share for name, share in zero_shares(model, groups, self._images).items()}
        return self._in_proportion(model, groups, ratios, target)

    def _in_proportion(
        self, model: nn.Module, groups: Sequence[ChannelGroup], ratios: Mapping[str, float], target: float
    ) -> dict[str, int]:
        """As few as the target allows, in proportion to the ratios."""

        def drop(factor: float) -> dict[str, int]:
            kept = {name: round(min(factor * ratios[name], 1.0) * self._channels[name]) for name in ratios}
            return {each.name: max(each.channels - max(kept[each.name], self._least[each.name]), 0) for each in groups}

        low, high = 0.0, 1 / max(min(ratios.values(), default=1.0), 1e-6)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            fits = macs_without(model, groups, self._positions, drop(middle)) <= target
            low, high = (middle, high) if fits else (low, middle)
        return drop(low)


@torch.no_grad()
def zero_shares(model: nn.Module, groups: Sequence[ChannelGroup], images: torch.Tensor) -> dict[str, float]:
    """Share of zeros (0..1) in what the convolutions of each group read; the mean where there are several.

    Args:
        model: the network, on any device.
        groups: of its channels. Depthwise convolutions count only where there is nothing else.
        images: uint8 (N, C, H, W).
    """
    modules = dict(model.named_modules())
    layers = {group.name: _full(group, modules) for group in groups}
    zeros, sizes = dict[str, int](), dict[str, int]()

    def count(name: str, source: torch.Tensor) -> None:
        zeros[name] = zeros.get(name, 0) + int((source == 0).sum())
        sizes[name] = sizes.get(name, 0) + source.numel()

    hooks = [
        modules[name].register_forward_pre_hook(lambda _, sources, name=name: count(name, sources[0]))
        for names in layers.values()
        for name in names
    ]
    device = next(model.parameters()).device
    try:
        model.eval()
        for first in range(0, len(images), _BATCH):
            model(images[first : first + _BATCH].float().to(device))
    finally:
        for hook in hooks:
            hook.remove()
    return {group: sum(zeros[name] / sizes[name] for name in names) / len(names) for group, names in layers.items()}


def _full(group: ChannelGroup, modules: Mapping[str, nn.Module]) -> list[str]:
    return [name for name in group.layers if getattr(modules[name], "groups", 1) == 1] or list(group.layers)
