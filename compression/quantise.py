"""Linear quantisation with power-of-two scales (dynamic fixed point) of a trained ``nn.Sequential``.

Zhang et al., "Optimized Compression for Implementing Convolutional Neural Networks on FPGA" (Electronics 2019, 8(3),
295): 8 bits, and for each tensor the fractional length of least total error |x - Q(x)|. That weights, biases and
features are treated so, each tensor with a length of its own, is our reconstruction.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

import golden

__all__ = ["FixedPoint", "InputScale", "QuantisationError", "best_fixed_point", "quantise_sequential"]


class QuantisationError(ValueError):
    """A network that cannot be turned into a description; the message says which layer and why."""


@dataclass(frozen=True)
class FixedPoint:
    """A number format: the real value is ``q * 2**-fractional_length`` with q an integer of ``bits`` bits.

    The fractional length may be negative (a coarse grid) or exceed the number of bits (a fine one).
    """

    fractional_length: int
    signed: bool
    bits: int = 8

    @property
    def minimum(self) -> int:
        """The least q."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        """The greatest q."""
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    def quantise(self, values: torch.Tensor) -> torch.Tensor:
        """The nearest q of each value (half to even, saturating), as float64 of the same shape."""
        scaled = values.double() * 2.0**self.fractional_length
        return torch.round(scaled).clamp(self.minimum, self.maximum)

    def error(self, values: torch.Tensor) -> float:
        """Sum of |x - Q(x)|."""
        real = self.quantise(values) * 2.0**-self.fractional_length
        return float((values.double() - real).abs().sum())


class InputScale(nn.Module):
    """First layer of a network whose pixels 0..255 stand for ``pixel * 2**-fractional_length``."""

    def __init__(self, fractional_length: int) -> None:
        super().__init__()
        self.fractional_length = fractional_length

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Scale pixels, any shape."""
        return pixels * 2.0**-self.fractional_length


def best_fixed_point(values: torch.Tensor, signed: bool, bits: int = 8, longest: int = 30) -> FixedPoint:
    """The format with the least sum of |x - Q(x)|.

    Args:
        values: any shape, finite; zeros cost nothing in any format, so pruned weights need no special care.
        signed: whether q may be negative.
        bits: width of q.
        longest: no greater fractional length is tried.

    Returns:
        The best format; of equal ones the one with the greatest range.
    """
    peak = float(values.abs().max()) if values.numel() else 0.0
    if peak == 0.0:
        return FixedPoint(min(bits - 1, longest), signed, bits)
    # The shortest length tried saturates nothing; each further bit halves the range.
    shortest = min(math.floor(math.log2(FixedPoint(0, signed, bits).maximum / peak)), longest)
    candidates = [FixedPoint(length, signed, bits) for length in range(shortest, min(shortest + bits, longest) + 1)]
    return min(candidates, key=lambda candidate: candidate.error(values))


def quantise_sequential(
    model: nn.Sequential,
    calibration: torch.Tensor,
    name: str,
    bits: int = 8,
) -> golden.Network:
    """Quantise a trained network into a compressed model description.

    The network is a chain of Conv2d (symmetric zero padding), MaxPool2d, Flatten and Linear, each of the weighted
    layers with or without a ReLU behind it; an ``InputScale`` may stand first, and Dropout anywhere. Weights become
    int8 with one fractional length a layer, features uint8 behind a ReLU and int8 elsewhere, biases int32.

    Args:
        model: trained network; takes float pixels 0..255 (N, C, H, W).
        calibration: uint8 images (N, C, H, W) that stand for the inputs to come; training images, not test images.
        name: the description's name.
        bits: width of weights and features, at most 8.

    Returns:
        The description, with power-of-two scales only (multiplier 1).

    Raises:
        QuantisationError: a layer is of another kind, or a network does not start on pixels.
    """
    model.eval()
    features = calibration.float()
    current = FixedPoint(0, signed=False)
    layers = list(_fuse(model))
    if layers and isinstance(layers[0].module, InputScale):
        current = FixedPoint(layers[0].module.fractional_length, signed=False)
        features = layers.pop(0).module(features)
    builder = golden.DescriptionBuilder(
        name,
        input_shape=tuple(calibration.shape[1:]),
        input_dtype="uint8",
        input_scale=_scale(current),
    )
    for layer in layers:
        with torch.no_grad():
            features = torch.relu(layer.module(features)) if layer.relu else layer.module(features)
        current = _add_layer(builder, layer, current, features, bits)
    return builder.build()


@dataclass(frozen=True)
class _Layer:
    """A module with the ReLU that follows it."""

    name: str
    module: nn.Module
    relu: bool


def _fuse(model: nn.Sequential) -> Iterator[_Layer]:
    children = [(name, child) for name, child in model.named_children() if not isinstance(child, nn.Dropout)]
    for (name, child), follower in zip(children, [*(child for _, child in children[1:]), None], strict=True):
        if not isinstance(child, nn.ReLU):
            yield _Layer(name, child, isinstance(follower, nn.ReLU))


def _add_layer(
    builder: golden.DescriptionBuilder, layer: _Layer, source: FixedPoint, features: torch.Tensor, bits: int
) -> FixedPoint:
    """Add one layer; ``features`` is its float output. Returns the format of what it puts out."""
    module = layer.module
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        return _add_weighted(builder, layer.name, module, layer.relu, source, features, bits)
    if layer.relu:
        raise QuantisationError(f"{layer.name}: a ReLU must follow a convolution or a linear layer.")
    if isinstance(module, nn.MaxPool2d):
        builder.max_pool(layer.name, kernel=_pair(module.kernel_size), stride=_pair(module.stride))
    elif isinstance(module, nn.Flatten):
        builder.flatten(layer.name)
    else:
        raise QuantisationError(f"{layer.name}: layers of the kind {type(module).__name__} cannot be quantised here.")
    return source


def _add_weighted(
    builder: golden.DescriptionBuilder,
    name: str,
    module: nn.Conv2d | nn.Linear,
    relu: bool,
    source: FixedPoint,
    features: torch.Tensor,
    bits: int,
) -> FixedPoint:
    weights = best_fixed_point(module.weight.detach(), signed=True, bits=bits)
    accumulator = source.fractional_length + weights.fractional_length
    # A right shift only: the output cannot be finer than the accumulator.
    target = best_fixed_point(features, signed=not relu, bits=bits, longest=accumulator)
    shift = accumulator - target.fractional_length
    dtype: Literal["int8", "uint8"] = "int8" if target.signed else "uint8"
    if isinstance(module, nn.Conv2d):
        builder.conv(
            name,
            _integers(module.weight, weights),
            _bias(module, accumulator),
            stride=_pair(module.stride),
            padding=_padding(name, module),
            dilation=_pair(module.dilation),
            groups=module.groups,
            shift=shift,
            minimum=target.minimum,
            maximum=target.maximum,
            output_dtype=dtype,
            output_scale=_scale(target),
            weight_scale=_scale(weights),
        )
    else:
        builder.linear(
            name,
            _integers(module.weight, weights),
            _bias(module, accumulator),
            shift=shift,
            minimum=target.minimum,
            maximum=target.maximum,
            output_dtype=dtype,
            output_scale=_scale(target),
            weight_scale=_scale(weights),
        )
    return target


def _scale(number: FixedPoint) -> golden.Scale:
    """The real value is q * multiplier / 2**shift; a negative fractional length goes into the multiplier."""
    length = number.fractional_length
    return golden.Scale(multiplier=1 << max(-length, 0), shift=max(length, 0))


def _integers(weights: torch.Tensor, number: FixedPoint) -> npt.NDArray[np.int8]:
    return number.quantise(weights.detach()).numpy().astype(np.int8)


def _bias(module: nn.Conv2d | nn.Linear, fractional_length: int) -> npt.NDArray[np.int32]:
    if module.bias is None:
        return np.zeros(module.weight.shape[0], dtype=np.int32)
    number = FixedPoint(fractional_length, signed=True, bits=32)
    return number.quantise(module.bias.detach()).numpy().astype(np.int32)


def _pair(size: int | tuple[int, ...]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def _padding(name: str, module: nn.Conv2d) -> tuple[int, int]:
    if isinstance(module.padding, str) or module.padding_mode != "zeros":
        raise QuantisationError(f"{name}: give the zero padding of a convolution as numbers.")
    return _pair(module.padding)
