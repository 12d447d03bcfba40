"""What the two methods of filter pruning share: how few channels may be left, and the choice of those that go."""

from collections.abc import Collection, Mapping, Sequence
from math import ceil

import torch
from torch import nn

from compression.channels import ChannelGroup, channel_groups

__all__ = ["LEAST_SHARE", "groups_of", "least_channels", "lowest"]

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
