"""Filter pruning by feature maps: channels whose maps are nearly empty go, by a threshold that adapts itself.

Li, Li, Meng, Electronics 2022, 11(18), 2887. The algorithm is our reconstruction: the En-sparsity of a channel is the
share of its feature map's values, behind normalisation and activation, of magnitude ``penalty`` or less; channels
beyond a threshold theta go. Theta is bisected in an interval: a step within the accuracy bound lowers it, a step that
is taken back raises it, until the interval is narrow. En-sparsity relative to a layer's fullest channel is our own.
"""

from collections.abc import Collection, Iterator, Sequence

import torch
from torch import nn

from compression.channels import ChannelGroup
from compression.float_graph import Add, Affine, Convolution, Dense, FloatGraph, MaxPool, Node
from compression.frontend import trace
from compression.methods.base import Proposal, Step
from compression.methods.filters import groups_of, least_channels, lowest
from compression.prune import prunable
from compression.settings import EnSparsityScale

__all__ = ["FeatureMap", "en_sparsity", "final_maps", "relative_to_fullest"]

_BATCH = 100


class FeatureMap:
    """All layers at once; each step measures the network as it then is. A step's setting is theta.

    Channels that can only go together go by the mean of their En-sparsity over all maps that they have. 5 % of a
    group's channels stay in any case.

    Args:
        dense: the network before pruning.
        images: uint8 (N, C, H, W), what En-sparsity is measured on.
        penalty: as a share of the root mean square of a layer's map. An absolute one would mean something else in
            every layer: a layer's scale is arbitrary, as the next one can make up for it.
        interval: theta's ends; the first step is in the middle.
        step: the interval is narrow when it is no wider.
        rounds: how often the whole interval is gone through, as long as the round before has removed something:
            retraining changes the maps of what is left.
        keep: layers that stay as they are.
        scale: what theta is compared with; "relative": see :func:`relative_to_fullest`.
    """

    def __init__(
        self,
        dense: nn.Module,
        images: torch.Tensor,
        penalty: float,
        interval: tuple[float, float],
        step: float,
        rounds: int = 1,
        keep: Collection[str] = (),
        scale: EnSparsityScale = "relative",
    ) -> None:
        self._images, self._penalty, self._keep, self._scale = images, penalty, keep, scale
        self._interval, self._step, self._rounds = interval, step, rounds
        self._least = least_channels(groups_of(dense, self._shape, self._keep))

    @property
    def _shape(self) -> tuple[int, int, int]:
        channels, rows, columns = self._images.shape[1:]
        return channels, rows, columns

    def propose(self, model: nn.Module, steps: Sequence[Step]) -> Proposal | None:
        """See :class:`compression.methods.base.Method`."""
        low, high, rounds, kept = self._replay(steps)
        again = kept and rounds < self._rounds
        if high - low <= self._step and not again:
            return None
        groups = groups_of(model, self._shape, self._keep)
        shares = en_sparsity(model, groups, self._images, self._penalty)
        if self._scale == "relative":
            shares = {name: relative_to_fullest(share) for name, share in shares.items()}
        proposal = self._narrowed(groups, shares, low, high)
        return self._narrowed(groups, shares, *self._interval) if proposal is None and again else proposal

    def _replay(self, steps: Sequence[Step]) -> tuple[float, float, int, bool]:
        """The interval behind these steps, the round, and whether the round has kept a step."""
        (low, high), rounds, kept = self._interval, 1, False
        for step in steps:
            # A round's thetas always lie inside its interval, the next round's first one never inside the narrow end.
            if not low < step.setting < high:
                (low, high), rounds, kept = self._interval, rounds + 1, False
            low, high = (low, step.setting) if step.accepted else (step.setting, high)
            kept = kept or step.accepted
        return low, high, rounds, kept

    def _narrowed(
        self, groups: Sequence[ChannelGroup], shares: dict[str, torch.Tensor], low: float, high: float
    ) -> Proposal | None:
        """The next theta in the interval by which any channel goes."""
        while high - low > self._step:
            theta = (low + high) / 2
            counts = {
                each.name: min(int((shares[each.name] > theta).sum()), each.channels - self._least[each.name])
                for each in groups
            }
            channels = lowest({name: -share for name, share in shares.items()}, counts)
            if channels:
                measured = {name: tuple(share.tolist()) for name, share in shares.items()}
                return Proposal(tuple(channels), theta, channels=channels, en_sparsity=measured)
            high = theta  # nothing goes, which is within any bound
        return None


def en_sparsity(
    model: nn.Module, groups: Sequence[ChannelGroup], images: torch.Tensor, penalty: float
) -> dict[str, torch.Tensor]:
    """Share of nearly empty places in each channel's maps.

    Args:
        model: the network; is not changed.
        groups: of its channels.
        images: uint8 (N, C, H, W).
        penalty: share (0 and greater) of the root mean square of a whole map, all channels and images together.

    Returns:
        Group -> float64 (channels,), 0..1: the mean over the group's maps of the share of values of magnitude
        ``penalty`` times that root mean square, or less.
    """
    channels, rows, columns = images.shape[1:]
    graph = trace(model, (channels, rows, columns))
    maps = {group.name: final_maps(graph, group, set(prunable(model))) for group in groups}
    wanted = {name for names in maps.values() for name in names}
    squares, sizes = dict.fromkeys(wanted, 0.0), dict.fromkeys(wanted, 0)
    for name, features in _maps(graph, images, wanted):
        squares[name] += float(features.double().square().sum())
        sizes[name] += features.numel()
    limits = {name: penalty * (squares[name] / sizes[name]) ** 0.5 for name in wanted}
    empty: dict[str, torch.Tensor] = {}
    for name, features in _maps(graph, images, wanted):
        found = (features.abs() <= limits[name]).sum((0, 2, 3)).double()
        empty[name] = empty[name] + found if name in empty else found
    shares = {name: count * len(count) / sizes[name] for name, count in empty.items()}
    return {name: torch.stack([shares[each] for each in names]).mean(0) for name, names in maps.items()}


def relative_to_fullest(shares: torch.Tensor) -> torch.Tensor:
    """En-sparsity as if the layer's fullest channel had no empty place.

    The maps of late layers are sparse altogether, as each channel is there for few classes; by plain En-sparsity whole
    layers are emptied at a theta that early ones do not notice. VGG-small on CIFAR-10 without 60 % of its
    multiplications, before retraining (penalty 0.1, 1,000 training images): 51 % right so, 25 % by plain En-sparsity.

    Args:
        shares: float (channels,), 0..1: En-sparsity s of each channel of a group.

    Returns:
        The same shape, 0..1: 1 - (1 - s) / (1 - least s); 1 throughout where all channels are empty.
    """
    densities = 1 - shares
    return 1 - densities / densities.max().clamp(min=torch.finfo(densities.dtype).tiny)


def final_maps(graph: FloatGraph, group: ChannelGroup, weighted: set[str]) -> list[str]:
    """The nodes whose outputs are a group's channels as the next layers read them, in order.

    From each convolution on: the first node with an activation, or that a convolution or linear layer reads. In a
    residual stage these are the sums behind their ReLU, and the map that the stage starts with.

    Args:
        graph: the network, traced.
        group: some of its channels.
        weighted: names of the network's convolutions and linear layers; a normalisation may have become another.
    """
    ends = {_end(graph, graph.nodes[name], weighted) for name in group.layers if name in graph.nodes}
    return [name for name in graph.nodes if name in ends]


def _end(graph: FloatGraph, node: Node, weighted: set[str]) -> str:
    while node.activation is None:
        readers = graph.readers(node.name)
        passing = [each for each in readers if isinstance(each.operation, Add | Affine | MaxPool | Convolution)]
        read = any(isinstance(each.operation, Convolution | Dense) and each.name in weighted for each in readers)
        if read or not passing:
            break
        node = passing[0]
    return node.name


def _maps(graph: FloatGraph, images: torch.Tensor, wanted: set[str]) -> Iterator[tuple[str, torch.Tensor]]:
    """(node, float (N, channels, rows, columns)) of the wanted nodes, some images at a time."""
    for first in range(0, len(images), _BATCH):
        for node, _, features in graph.walk(images[first : first + _BATCH]):
            if node.name in wanted:
                yield node.name, features
