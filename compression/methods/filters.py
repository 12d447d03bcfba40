"""What methods of filter pruning share: how few channels may be left, how much each counts, what a removal saves."""

from collections.abc import Collection, Mapping, Sequence
from math import ceil

import torch
from torch import nn

from compression.channels import ChannelGroup, channel_groups
from compression.prune import prunable

__all__ = ["LEAST_SHARE", "groups_of", "importance", "least_channels", "lowest", "macs_without"]

LEAST_SHARE = 0.05
"""Of a group's channels in the dense network, so many stay whatever a method says: a layer must not be cut off."""


def least_channels(groups: Sequence[ChannelGroup]) -> dict[str, int]:
    """How many channels must stay, by the group's name; ``groups`` are those of the dense network."""
    return {group.name: max(group.least, ceil(LEAST_SHARE * group.channels)) for group in groups}


def groups_of(model: nn.Module, shape: tuple[int, int, int], keep: Collection[str]) -> list[ChannelGroup]:
    """The groups of channels that may go (:func:`compression.channels.channel_groups`), none with a layer to keep."""
    return [group for group in channel_groups(model, shape) if not set(group.layers) & set(keep)]


def lowest(scores: Mapping[str, torch.Tensor], counts: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """The channels of lowest score, of equal ones the first.

    Args:
        scores: group -> float (channels,).
        counts: group -> how many; groups with 0 are left out of the result.
    """
    order = {name: torch.argsort(scores[name], stable=True) for name, count in counts.items() if count > 0}
    return {name: tuple(sorted(each[: counts[name]].tolist())) for name, each in order.items()}


def importance(model: nn.Module, group: ChannelGroup) -> torch.Tensor:
    """How much each channel counts: |gamma| of its normalisation; without one, the L1 norm of its filter.

    Where there are several, each is first divided by its mean over the channels, so that no layer outweighs another.

    Returns:
        float64 (channels,).
    """
    modules = dict(model.named_modules())
    norms = [modules[name] for name in group.norms]
    found = [each.weight.abs() for each in norms if isinstance(each, nn.BatchNorm2d) and each.affine]
    if not found:
        found = [prunable(model)[name].abs().flatten(1).sum(1) for name in group.layers]
    scores = torch.stack([each.detach().cpu().double() for each in found])
    return (scores / scores.mean(1, keepdim=True).clamp(min=1e-30)).mean(0)


def macs_without(
    model: nn.Module, groups: Sequence[ChannelGroup], used: Mapping[str, int], dropped: Mapping[str, int]
) -> int:
    """Multiplications for one image, once some channels are gone.

    Args:
        model: the network with them.
        groups: of its channels.
        used: how often an image makes use of each weight (:func:`compression.channels.positions`).
        dropped: group -> how many channels.
    """
    outputs = {name: dropped.get(group.name, 0) for group in groups for name in group.layers}
    inputs: dict[str, int] = {}
    for group in groups:
        for name, each in group.readers.items():
            inputs[name] = inputs.get(name, 0) + each * dropped.get(group.name, 0)
    total = 0
    for name, weight in prunable(model).items():
        rows, columns = weight.shape[0] - outputs.get(name, 0), weight.shape[1] - inputs.get(name, 0)
        total += used[name] * rows * columns * weight[0, 0].numel()
    return total
