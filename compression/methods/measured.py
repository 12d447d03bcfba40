"""How many channels each group loses, by trying: whatever changes the scores least goes, little by little.

After Yang et al., "NetAdapt: Platform-Aware Neural Network Adaptation for Mobile Applications" (ECCV 2018), section 3:
in each small step every layer in turn gives up enough to save the same, and the best of these networks goes on. It is
adapted: NetAdapt retrains each of them for a while and compares their accuracy; here only batch normalisation's
statistics are estimated anew, and what counts is how far the scores are from the dense network's. So no labels are
needed; the network is retrained once, when all small steps are done.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from math import inf, isfinite

import torch
from torch import nn

from compression.channels import ChannelGroup, remove_channels
from compression.methods.filters import importance, lowest, macs_without
from compression.settings import Precision

__all__ = ["SMALL_STEP", "Budget", "ScoreDistance", "measured_counts"]

SMALL_STEP = 0.03
"""Share of the dense network's multiplications that one small step saves, about."""

_STATISTICS, _SCORED = 400, 1000  # images, at most
_BATCH = 50


class ScoreDistance:
    """Kullback-Leibler divergence of a network's scores from the dense network's: nats, the mean over some images.

    Args:
        dense: the network to compare with; is not changed.
        images: uint8 (N, C, H, W). A third of them, but no more than 400, are for the statistics of batch
            normalisation, and up to 1,000 of the others for the scores; which ones is drawn once and for all.
        precision: what convolutions and linear layers are computed in.
    """

    def __init__(self, dense: nn.Module, images: torch.Tensor, precision: Precision = "float32") -> None:
        drawn = images[torch.randperm(len(images), generator=torch.Generator().manual_seed(0))]
        count = max(min(len(drawn) // 3, _STATISTICS), 1)
        self._statistics, self._images = drawn[:count], drawn[count:][:_SCORED] if len(drawn) > 1 else drawn
        self._precision = precision
        self._wanted = self._log_shares(deepcopy(dense).to(memory_format=torch.channels_last))  # type: ignore[call-overload]

    def of(self, model: nn.Module) -> float:
        """The divergence, once batch normalisation's statistics are estimated anew.

        Args:
            model: on any device; gets these statistics, and lies in memory with its channels last.

        Returns:
            0 and greater; infinite where scores are not finite.
        """
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._estimate(model)
        found = self._log_shares(model)
        distance = float(nn.functional.kl_div(found, self._wanted, reduction="batchmean", log_target=True))
        return distance if isfinite(distance) else inf

    def _estimate(self, model: nn.Module) -> None:
        """Running statistics become the mean over the batches; nothing but normalisation is in training mode."""
        norms = [each for each in model.modules() if isinstance(each, nn.BatchNorm2d | nn.BatchNorm1d)]
        momenta = [each.momentum for each in norms]
        model.eval()
        for each in norms:
            each.reset_running_stats()
            each.momentum = None
            each.train()
        self._run(model, self._statistics)
        for each, momentum in zip(norms, momenta, strict=True):
            each.momentum = momentum

    def _log_shares(self, model: nn.Module) -> torch.Tensor:
        """float64 (images, classes) on the CPU: logarithms of the softmax of the scores."""
        return torch.cat(self._run(model.eval(), self._images)).cpu().double().log_softmax(1)

    @torch.no_grad()
    def _run(self, model: nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
        device = next(model.parameters()).device
        with torch.autocast(device.type, torch.bfloat16, enabled=self._precision == "bfloat16"):
            # Batches of about one size: normalisation cannot train on a last one of a single value.
            parts = images.tensor_split(-(-len(images) // _BATCH))
            return [model(part.float().to(device, memory_format=torch.channels_last)) for part in parts]


@dataclass(frozen=True)
class Budget:
    """Multiplications for one image, and what bounds the way there.

    Attributes:
        dense: of the network before any pruning.
        target: that may be left.
        least: group -> channels that must stay.
        used: how often an image makes use of each weight (:func:`compression.channels.positions`).
    """

    dense: int
    target: float
    least: Mapping[str, int]
    used: Mapping[str, int]


def measured_counts(
    model: nn.Module,
    groups: Sequence[ChannelGroup],
    shape: tuple[int, int, int],
    budget: Budget,
    distance: ScoreDistance,
) -> dict[str, int]:
    """How many channels of each group go, those of least importance first, so that the scores change little.

    Args:
        model: the network, on any device; is not changed.
        groups: of its channels.
        shape: (channels, rows, columns) of its input.
        budget: what is to be reached; where that cannot be, as many channels go as may.
        distance: that decides.

    Returns:
        Group -> count, 0 where none goes.
    """
    scores = {group.name: importance(model, group) for group in groups}
    found = _Found(model, scores, dict.fromkeys(scores, 0))
    while tries := list(_tries(model, groups, found.dropped, budget)):
        # The first of equal ones: the result must not depend on chance.
        found = min((_tried(found, name, count, shape, distance) for name, count in tries), key=lambda each: each.cost)
    return found.dropped


@dataclass(frozen=True)
class _Found:
    """A network on the way, the importance of each channel that it still has, and how many it has lost."""

    model: nn.Module
    scores: Mapping[str, torch.Tensor]
    dropped: dict[str, int]
    cost: float = 0.0


def _tries(
    model: nn.Module, groups: Sequence[ChannelGroup], dropped: Mapping[str, int], budget: Budget
) -> Iterator[tuple[str, int]]:
    """(group, how many more channels): the fewest that save a small step, or what is still asked for if that is less.

    A group that cannot save half of that has had its share.
    """
    left = macs_without(model, groups, budget.used, dropped)
    wanted = min(SMALL_STEP * budget.dense, left - budget.target)
    if wanted <= 0:
        return
    for group in groups:
        name, gone = group.name, dropped[group.name]

        def saved(index: int, name: str = name, gone: int = gone) -> int:
            return left - macs_without(model, groups, budget.used, {**dropped, name: gone + index + 1})

        spare = group.channels - gone - budget.least[name]
        count = min(bisect_left(range(max(spare, 0)), wanted, key=saved) + 1, spare)
        if count > 0 and saved(count - 1) >= wanted / 2:
            yield name, count


def _tried(found: _Found, name: str, count: int, shape: tuple[int, int, int], distance: ScoreDistance) -> _Found:
    """A copy without the ``count`` least important channels that a group still has."""
    model, channels = deepcopy(found.model), lowest(found.scores, {name: count})
    remove_channels(model, channels, shape)
    kept = [each for each in range(len(found.scores[name])) if each not in set(channels[name])]
    scores = {**found.scores, name: found.scores[name][kept]}
    return _Found(model, scores, {**found.dropped, name: found.dropped[name] + count}, distance.of(model))
