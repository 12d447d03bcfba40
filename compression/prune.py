"""Pruning with fixed masks: weights of least magnitude, and units that hardly ever fire.

Han, Pool, Tran, Dally, "Learning both Weights and Connections for Efficient Neural Networks" (NIPS 2015), sections 3.1
and 3.4: remove the weights of least magnitude, retrain what is left, repeat; neurons without effect go whole.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import nn

__all__ = [
    "Masks",
    "WeightCount",
    "apply_masks",
    "count_weights",
    "firing_shares",
    "gradual_densities",
    "magnitude_mask",
    "magnitude_masks",
    "prunable",
    "silence",
]

Masks = dict[str, torch.Tensor]
"""Layer name -> boolean tensor of the weights' shape; False where a weight is pruned."""


@dataclass(frozen=True)
class WeightCount:
    """Weights (biases apart) of a network: all of them, and those that are not zero."""

    total: int
    nonzero: int

    @property
    def factor(self) -> float:
        """How many times fewer weights are left: all weights over non-zero weights."""
        return self.total / max(self.nonzero, 1)


def prunable(model: nn.Module, keep: Collection[str] = ()) -> dict[str, torch.Tensor]:
    """The weights that pruning may touch: those of convolutions and linear layers not in ``keep``, by layer name."""
    return {
        name: module.weight
        for name, module in model.named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear)) and name not in keep
    }


def magnitude_mask(weights: torch.Tensor, density: float) -> torch.Tensor:
    """Keep the ``round(density * size)`` weights of greatest magnitude.

    Args:
        weights: any shape, floating point.
        density: share of the weights to keep, 0..1.

    Returns:
        Boolean tensor of the same shape with exactly that many True entries; of equal magnitudes the first is kept.

    Raises:
        ValueError: the density is outside 0..1.
    """
    if not 0.0 <= density <= 1.0:
        raise ValueError(f"a density must be within 0..1, not {density}")
    magnitudes = weights.detach().abs().flatten()
    order = torch.argsort(magnitudes, descending=True, stable=True)
    mask = torch.zeros_like(magnitudes, dtype=torch.bool)
    mask[order[: round(density * magnitudes.numel())]] = True
    return mask.reshape(weights.shape)


def magnitude_masks(model: nn.Module, densities: Mapping[str, float]) -> Masks:
    """One magnitude mask for each layer named in ``densities`` (layer name -> share of weights to keep).

    Raises:
        ValueError: a name is no convolution or linear layer of the model.
    """
    weights = prunable(model)
    unknown = set(densities) - set(weights)
    if unknown:
        raise ValueError(f"the model has no layer {sorted(unknown)[0]}; its layers are {', '.join(weights)}")
    return {name: magnitude_mask(weights[name], density) for name, density in densities.items()}


def gradual_densities(densities: Mapping[str, float], progress: float) -> dict[str, float]:
    """Densities part of the way there, ``density ** progress``: each step removes the same share of what is left."""
    return {name: density**progress for name, density in densities.items()}


@torch.no_grad()
def firing_shares(model: nn.Sequential, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
    """How often each output channel or unit behind a ReLU is positive.

    Args:
        model: a chain of layers.
        pixels: uint8 or float images (N, C, H, W).

    Returns:
        For each convolution or linear layer with a ReLU right behind it, its name -> float tensor (outputs,), the share
        (0..1) of positions and images at which the output is positive.
    """
    shares: dict[str, torch.Tensor] = {}
    features, previous = pixels.float(), ""
    for name, layer in model.named_children():
        features = layer(features)
        if isinstance(layer, nn.ReLU) and previous in prunable(model):
            shares[previous] = (features > 0).float().transpose(0, 1).flatten(1).mean(1)
        previous = name
    return shares


@torch.no_grad()
def silence(model: nn.Sequential, pixels: torch.Tensor, least_share: float) -> int:
    """Remove, in place, the units that fire at less than ``least_share`` of all positions; returns how many.

    A unit goes with its bias, its own weights and the weights that read it: all become zero. The last weighted layer
    keeps its units: they are the network's outputs.
    """
    layers = {name: child for name, child in model.named_children() if isinstance(child, (nn.Conv2d, nn.Linear))}
    readers = dict(zip(layers, list(layers.values())[1:], strict=False))
    removed = 0
    for name, share in firing_shares(model, pixels).items():
        if name in readers:
            silent = share < least_share
            for parameter in layers[name].parameters():
                parameter[silent] = 0
            # Behind a flattening each channel is several inputs in a row.
            inputs_each = readers[name].weight.shape[1] // len(silent)
            readers[name].weight[:, silent.repeat_interleave(inputs_each)] = 0
            removed += int(silent.sum())
    return removed


@torch.no_grad()
def apply_masks(model: nn.Module, masks: Masks) -> None:
    """Set the pruned weights to zero, in place."""
    weights = prunable(model)
    for name, mask in masks.items():
        weights[name].mul_(mask.to(weights[name].device))


def count_weights(model: nn.Module) -> WeightCount:
    """Count the weights of the convolutions and linear layers of a model."""
    weights = list(prunable(model).values())
    return WeightCount(sum(w.numel() for w in weights), sum(int(torch.count_nonzero(w)) for w in weights))
