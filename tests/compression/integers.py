"""Integer inference of a description by torch's int64 operations: a second reading of docs/arithmetic.md."""

import torch
from torch.nn import functional

import golden
from golden.description import (
    AddLayer,
    AveragePoolLayer,
    ClipLayer,
    ConcatLayer,
    ConvLayer,
    FlattenLayer,
    GlobalAveragePoolLayer,
    Layer,
    LinearLayer,
    MaxPoolLayer,
)

__all__ = ["simulate"]


def simulate(network: golden.Network, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Every layer's output, int64 (N, ...)."""
    found = {"input": images.long()}
    for layer in network.layers:
        found[layer.name] = _layer(network, layer, [found[name] for name in layer.source_names])
    return found


def _layer(network: golden.Network, layer: Layer, sources: list[torch.Tensor]) -> torch.Tensor:
    first = sources[0]
    match layer:
        case ConvLayer():
            return _requantise(network, layer.name, _convolution(network, layer, first))
        case LinearLayer():
            weights = torch.from_numpy(network.weights(layer.name)).long()
            return _requantise(network, layer.name, first @ weights.T + torch.tensor(network.bias(layer.name)))
        case MaxPoolLayer():
            padded = _pad(first, layer.padding, -(2**40))
            return _windows(padded, layer.kernel, layer.stride, (1, 1)).amax((-2, -1))
        case AveragePoolLayer():
            windows = _windows(_pad(first, layer.padding, 0), layer.kernel, layer.stride, (1, 1))
            return _requantise(network, layer.name, windows.sum((-2, -1)))
        case GlobalAveragePoolLayer():
            return _requantise(network, layer.name, first.sum((2, 3), keepdim=True))
        case AddLayer():
            total = first * layer.multipliers[0] + sources[1] * layer.multipliers[1]
            return _round(total, torch.tensor(layer.shift)).clamp(layer.minimum, layer.maximum)
        case ClipLayer():
            return _requantise(network, layer.name, first)
        case FlattenLayer():
            return first.flatten(1)
        case ConcatLayer():
            return torch.cat(sources, 1)
        case _:
            raise TypeError(layer.type)


def _convolution(network: golden.Network, layer: ConvLayer, source: torch.Tensor) -> torch.Tensor:
    weights = torch.from_numpy(network.weights(layer.name)).long()
    outputs, inputs, *kernel = weights.shape
    windows = _windows(_pad(source, layer.padding, 0), (kernel[0], kernel[1]), layer.stride, layer.dilation)
    grouped = windows.reshape(len(source), layer.groups, inputs, *windows.shape[2:])
    own = weights.reshape(layer.groups, outputs // layer.groups, inputs, *kernel)
    sums = torch.einsum("ngcyxij,gocij->ngoyx", grouped, own).flatten(1, 2)
    return sums + torch.tensor(network.bias(layer.name)).long()[:, None, None]


def _pad(source: torch.Tensor, padding: tuple[int, int, int, int], value: int) -> torch.Tensor:
    top, left, bottom, right = padding
    return functional.pad(source, (left, right, top, bottom), value=value)


def _windows(
    source: torch.Tensor, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]
) -> torch.Tensor:
    """(N, C, windows down, windows across, rows, columns)."""
    spans = [(size - 1) * step + 1 for size, step in zip(kernel, dilation, strict=True)]
    windows = source.unfold(2, spans[0], stride[0]).unfold(3, spans[1], stride[1])
    return windows[..., :: dilation[0], :: dilation[1]]


def _requantise(network: golden.Network, name: str, accumulator: torch.Tensor) -> torch.Tensor:
    how = network.requantise(name)
    shape = (1, -1, *(1,) * (accumulator.ndim - 2))
    multiplier = torch.from_numpy(how.multiplier).long().reshape(shape)
    shift = torch.from_numpy(how.shift).long().reshape(shape)
    return _round(accumulator * multiplier, shift).clamp(int(how.minimum), int(how.maximum))


def _round(value: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Nearest integer of value / 2**shift, half to even, from quotient and remainder."""
    quotient = value >> shift
    twice, one = (value - (quotient << shift)) * 2, torch.ones_like(shift) << shift
    up = (twice > one) | ((twice == one) & (quotient % 2 == 1))
    return quotient + up.long()
