"""A description's weights back in the PyTorch module that it was made of, so that training can go on from them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import fx, nn

import golden
from compression.channels import load_resized
from compression.errors import CompressionError
from compression.frontend import symbolic
from compression.prune import prunable

__all__ = ["load_described"]

_BATCH = 100
_TOLERANCE = 0.25  # of the scores' root mean square; rounding of features costs the zoo's networks 0.05 to 0.15

BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d


@dataclass(frozen=True)
class _Layer:
    """What a description says of a weighted layer, in real numbers: the module's tensors are to compute
    norms * (weight * source) + bias, channel by channel.

    Attributes:
        weight: float32; each filter has the norm 1 if the layer is normalised.
        bias: float32 (channels,).
        norms: float32 (channels,); 1 if it is not.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    norms: torch.Tensor


@torch.no_grad()
def load_described(model: nn.Module, network: golden.Network, images: torch.Tensor) -> None:
    """Give a module the weights of a description, in place, so that it computes what the description says.

    It does so but for the rounding of features. A normalisation had been folded into the convolution in front of it;
    now each filter of that convolution gets the norm 1, the normalisation the statistics of ``images``, and the
    factor and shift with which both together compute what the description says.

    Args:
        model: takes float pixels 0..255 (N, C, H, W), on the CPU; in evaluation afterwards.
        network: made of such a model, or of one that has lost channels.
        images: uint8 (N, C, H, W).

    Raises:
        CompressionError: the description is of another network, or of one with normalisation that is not right behind
            a convolution. The model may have changed then.
    """
    norms = _norms(model)
    layers = {name: _layer(network, name, name in norms) for name in prunable(model)}
    load_resized(model, _state(model, layers, norms))
    model.eval()
    _settle(model, layers, norms, images)
    _compare(model, network, images[:_BATCH])


def _norms(model: nn.Module) -> dict[str, str]:
    """Convolution -> the normalisation right behind it."""
    modules, found = dict(model.named_modules()), dict[str, str]()
    for node in symbolic(model).graph.nodes:
        if node.op == "call_module" and isinstance(modules[node.target], BatchNorm):
            source = node.args[0]
            name = str(source.target) if isinstance(source, fx.Node) and source.op == "call_module" else ""
            if not isinstance(modules[name], nn.Conv2d):
                raise CompressionError(
                    f"{node.target}: is not behind a convolution, so that a description cannot be taken apart there."
                )
            found[name] = str(node.target)
    return found


def _layer(network: golden.Network, name: str, normalised: bool) -> _Layer:
    layer = next((each for each in network.weighted_layers if each.name == name), None)
    if layer is None:
        raise CompressionError(
            f"the description {network.name!r} is of another network: it has no weighted layer {name}."
        )
    source = network.scale(layer.source_names[0])
    if layer.weight_scale is None or source is None:
        raise CompressionError(f"the description {network.name!r} does not say what the integers of {name} mean.")
    scales = layer.weight_scale if isinstance(layer.weight_scale, tuple) else (layer.weight_scale,)
    units = torch.tensor([float(each.fraction()) for each in scales], dtype=torch.float64)
    weight = torch.from_numpy(network.weights(name).astype("float64"))
    weight = weight * units.reshape(-1, *(1,) * (weight.ndim - 1))
    bias = torch.from_numpy(network.bias(name).astype("float64")) * units * float(source.fraction())
    norms = weight.flatten(1).norm(dim=1) if normalised else torch.ones(len(weight), dtype=torch.float64)
    norms[norms == 0] = 1.0
    weight = weight / norms.reshape(-1, *(1,) * (weight.ndim - 1))
    return _Layer(weight.float(), bias.float(), norms.float())


def _state(model: nn.Module, layers: Mapping[str, _Layer], norms: Mapping[str, str]) -> dict[str, torch.Tensor]:
    """The module's state; the normalisations of mean 0 and variance 1 for the time being."""
    state = {name: each.clone() for name, each in model.state_dict().items()}
    for name, layer in layers.items():
        state[f"{name}.weight"] = layer.weight
        if f"{name}.bias" in state:
            state[f"{name}.bias"] = torch.zeros_like(layer.bias) if name in norms else layer.bias
        elif name not in norms and bool(layer.bias.any()):
            raise CompressionError(f"the description is of another network: {name} has a bias in it.")
        if name in norms:
            room = torch.zeros_like(layer.bias)
            own = {"weight": layer.norms, "bias": layer.bias, "running_mean": room, "running_var": room + 1}
            state.update({f"{norms[name]}.{kind}": each for kind, each in own.items()})
    return state


def _settle(model: nn.Module, layers: Mapping[str, _Layer], norms: Mapping[str, str], images: torch.Tensor) -> None:
    """Give the normalisations the statistics of these images, and a factor and shift that make up for them."""
    modules = dict(model.named_modules())
    moments = {name: torch.zeros(2, len(layers[name].bias), dtype=torch.float64) for name in norms}
    counts = dict.fromkeys(norms, 0)

    def note(name: str, features: torch.Tensor) -> None:
        values = features.double().transpose(0, 1).flatten(1)
        moments[name] += torch.stack([values.sum(1), values.square().sum(1)])
        counts[name] += values.shape[1]

    with _watching({name: modules[name] for name in norms}, note):
        for first in range(0, len(images), _BATCH):
            model(images[first : first + _BATCH].float())
    for name, norm in norms.items():
        module, layer = modules[norm], layers[name]
        assert isinstance(module, BatchNorm) and module.running_mean is not None and module.running_var is not None
        mean, square = moments[name] / counts[name]
        variance = (square - mean.square()).clamp(min=0)
        module.running_mean.copy_(mean)
        module.running_var.copy_(variance)
        module.weight.copy_(layer.norms * (variance + module.eps).sqrt())
        module.bias.copy_(layer.bias + layer.norms * mean)


@contextmanager
def _watching(modules: Mapping[str, nn.Module], note: Callable[[str, torch.Tensor], None]) -> Iterator[None]:
    """Tell ``note`` what comes out of modules."""
    hooks = [
        module.register_forward_hook(lambda _, __, output, name=name: note(name, output))
        for name, module in modules.items()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _compare(model: nn.Module, network: golden.Network, images: torch.Tensor) -> None:
    """Refuse a module that does not compute what golden does, whatever the cause."""
    if len(network.outputs) != 1:
        raise CompressionError(f"the description {network.name!r} has {len(network.outputs)} outputs.")
    (output,) = network.outputs
    scale = network.scale(output)
    unit = 1.0 if scale is None else float(scale.fraction())
    wanted = torch.from_numpy(golden.run(network, images.numpy(), keep="outputs")[output].astype("float32")) * unit
    found = model(images.float())
    apart = (found - wanted.reshape(found.shape)).square().mean().sqrt()
    if not apart <= _TOLERANCE * wanted.square().mean().sqrt():
        raise CompressionError(f"the description {network.name!r} is of another network: its scores are others.")
