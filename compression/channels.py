"""Whole channels out of a network: which ones go together, taking them out, and networks that have fewer already.

What depends on what is found by PyPI's torch-pruning: Fang, Ma, Song, Mi, Wang, "DepGraph: Towards Any Structural
Pruning" (CVPR 2023). What it does is checked against the same network with those channels at zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
import torch_pruning
from torch import nn
from torch_pruning.ops import OPTYPE

from compression.errors import CompressionError
from compression.prune import Masks, prunable

__all__ = ["ChannelGroup", "channel_groups", "load_resized", "positions", "remove_channels"]

Shape = tuple[int, int, int]
StateDict = Mapping[str, torch.Tensor]

_KINDS = (OPTYPE.CONV, OPTYPE.DEPTHWISE_CONV, OPTYPE.BN, OPTYPE.LINEAR, OPTYPE.CONCAT, OPTYPE.RESHAPE,
          OPTYPE.ELEMENTWISE)  # fmt: skip
_TOLERANCE = 1e-3  # of the greatest output; float32 sums of fewer terms differ by less


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that can only go together, as those of all maps that a chain of residual additions joins.

    Attributes:
        layers: convolutions that lose filters, depthwise ones included, in the network's order.
        norms: batch normalisations of the channels.
        readers: layers that read the channels -> inputs that they lose for each channel (several behind a flattening).
        channels: how many there are.
        least: how many must stay. A depthwise convolution keeps two, as with one it could not be told from others.
    """

    layers: tuple[str, ...]
    norms: tuple[str, ...]
    readers: Mapping[str, int]
    channels: int
    least: int

    @property
    def name(self) -> str:
        """The first of the convolutions."""
        return self.layers[0]


def channel_groups(model: nn.Module, input_shape: Shape) -> list[ChannelGroup]:
    """The groups of channels that can be taken out, in the network's order.

    Not among them are the network's outputs, its inputs, channels that a grouped convolution writes or reads
    (unless it is depthwise), and channels that a concatenation has joined with others that an addition needs.

    Args:
        model: the network; is not changed. It takes (N, channels, rows, columns).
        input_shape: (channels, rows, columns).
    """
    graph = _Dependencies(deepcopy(model).cpu(), input_shape)
    return list(graph.groups())


def remove_channels(
    model: nn.Module, channels: Mapping[str, Sequence[int]], input_shape: Shape, masks: Masks | None = None
) -> Masks:
    """Take channels out of a network, in place; what reads them, normalises them or is added to them follows.

    Args:
        model: the network, on any device; its outputs become those that it has with these channels at zero.
        channels: a convolution's name -> the output channels that go, by number.
        input_shape: (channels, rows, columns) of the network's input.
        masks: of the network's weights.

    Returns:
        The masks, cut down as the weights were.

    Raises:
        CompressionError: channels that cannot go: not there, all of them, or of a layer in no group. The model is then
            as before.
    """
    gone = _Dependencies(deepcopy(model).cpu(), input_shape).checked(channels)
    pruned = _without(model, gone, input_shape)
    _compare(pruned, _zeroed(model, gone, input_shape), input_shape, ", ".join(gone))
    cut: Masks = {}
    if masks:
        carrier = deepcopy(model).cpu()
        for name, weight in prunable(carrier).items():
            weight.data = masks.get(name, torch.ones_like(weight, dtype=torch.bool)).to(weight.dtype).cpu()
        kept = prunable(_without(carrier, gone, input_shape))
        cut = {name: kept[name].detach() != 0 for name in masks}
    load_resized(model, pruned.state_dict())
    return cut


def load_resized(model: nn.Module, state: StateDict) -> None:
    """Load a state into a network of the same layers, giving each the channels that it has in the state.

    Args:
        model: the network; is changed in place, or not at all.
        state: as ``model.state_dict()`` makes it, of this network with channels removed (or not yet removed).

    Raises:
        CompressionError: it cannot be that, as other kernels, outputs of a linear layer or groups would be needed;
            names the tensor.
    """
    own = model.state_dict()
    for name in own:
        if name not in state:
            raise CompressionError(f"there is no {name}.")
    for name in state:
        if name not in own:
            raise CompressionError(f"there also is {name}.")
    modules = dict(model.named_modules())
    for name, found in state.items():
        if not _resizable(modules[name.rpartition(".")[0]], name.rpartition(".")[2], own[name].shape, found.shape):
            raise CompressionError(f"{name} is {tuple(found.shape)}, not {tuple(own[name].shape)}.")
    for path, module in modules.items():
        _resize(
            module, {name.rpartition(".")[2]: each for name, each in state.items() if name.rpartition(".")[0] == path}
        )
    model.load_state_dict(state)


def _resizable(module: nn.Module, name: str, old: torch.Size, new: torch.Size) -> bool:
    """Whether a tensor of a module may take another shape."""
    if old == new:
        return True
    if len(old) != len(new) or 0 in new:
        return False
    if isinstance(module, nn.Conv2d):
        depthwise = _is_depthwise(module)
        free = module.groups == 1 or (depthwise and (name == "bias" or new[1] == 1))
        return free and old[2:] == new[2:]
    if isinstance(module, nn.Linear):
        return name == "weight" and old[0] == new[0]
    return isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d)


def _resize(module: nn.Module, state: StateDict) -> None:
    """Make room for a module's tensors; what they hold comes later."""
    own = {**dict(module.named_parameters(recurse=False)), **dict(module.named_buffers(recurse=False))}
    changed = {
        name: own[name].data.new_empty(each.shape) for name, each in state.items() if own[name].shape != each.shape
    }
    for name, room in changed.items():
        old = own[name]
        setattr(module, name, nn.Parameter(room, old.requires_grad) if isinstance(old, nn.Parameter) else room)
    if isinstance(module, nn.Conv2d) and "weight" in changed:
        depthwise = _is_depthwise(module)
        outputs, inputs = changed["weight"].shape[:2]
        module.out_channels = outputs
        module.in_channels = outputs if depthwise else inputs
        module.groups = outputs if depthwise else 1
    elif isinstance(module, nn.Linear) and "weight" in changed:
        module.in_features = changed["weight"].shape[1]
    elif isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d) and changed:
        module.num_features = len(next(iter(changed.values())))


def _is_depthwise(module: nn.Conv2d) -> bool:
    return 1 < module.groups == module.in_channels == module.out_channels


@torch.no_grad()
def positions(model: nn.Module, input_shape: Shape) -> dict[str, int]:
    """How often one image makes use of each weight: a convolution's output positions; 1 for a linear layer.

    A layer's multiplications are that number times its weights.

    Args:
        model: the network; takes (N, channels, rows, columns).
        input_shape: (channels, rows, columns).

    Returns:
        One number for each convolution and linear layer, by name; 0 where the layer is not run.
    """
    found = dict.fromkeys(prunable(model), 0)
    modules, modes = dict(model.named_modules()), {module: module.training for module in model.modules()}

    def count(name: str, output: torch.Tensor) -> None:
        found[name] += output.numel() // modules[name].weight.shape[0]

    hooks = [
        modules[name].register_forward_hook(lambda _, __, output, name=name: count(name, output)) for name in found
    ]
    try:
        model.eval()
        model(torch.zeros(1, *input_shape, device=next(model.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes.items():
            module.training = training
    return found


class _Dependencies:
    """torch-pruning's graph of a network; the network is put into evaluation."""

    def __init__(self, model: nn.Module, input_shape: Shape) -> None:
        self.model = model
        self._names = {module: name for name, module in model.named_modules()}
        self._graph = torch_pruning.DependencyGraph()
        model.requires_grad_(True)
        with torch.enable_grad():
            # A product, so that the input is a node of its own: what reaches it must stay.
            self._pixels = torch.zeros(2, *input_shape, requires_grad=True) * 1.0
            self._graph.build_dependency(model, [self._pixels], verbose=False)

    def groups(self) -> Iterator[ChannelGroup]:
        """All groups that can lose channels."""
        seen: set[str] = set()
        for module, name in self._names.items():
            if isinstance(module, nn.Conv2d) and name not in seen and module in self._graph.module2node:
                group = self._group(module)
                seen.update(group.layers if group else ())
                if group:
                    yield group

    def _members(self, module: nn.Conv2d, channels: Sequence[int]) -> list[tuple[Any, list[int], bool]]:
        """(node, numbers, whether they are its output channels) of what loses something with these channels."""
        found = self._graph.get_pruning_group(module, torch_pruning.prune_conv_out_channels, list(channels))
        return [(dep.target, numbers, self._graph.is_out_channel_pruning_fn(dep.handler)) for dep, numbers in found]

    def _group(self, module: nn.Conv2d) -> ChannelGroup | None:
        """The group of a convolution's output channels; None if they must stay."""
        every = list(range(module.out_channels))
        members = self._members(module, every)
        if not all(self._may_go(node, numbers, out, every) for node, numbers, out in members):
            return None
        flattened = any(node.type == OPTYPE.RESHAPE and len(numbers) > len(every) for node, numbers, _ in members)
        if flattened and any(node.type == OPTYPE.CONCAT for node, _, _ in members):
            return None  # torch-pruning takes such a concatenation for one along the rows
        order = list(self._names.values())
        lose = {self._names[node.module]: node.module for node, _, out in members if out and node.module in self._names}
        layers = sorted((name for name, each in lose.items() if isinstance(each, nn.Conv2d)), key=order.index)
        norms = sorted((name for name, each in lose.items() if isinstance(each, nn.BatchNorm2d)), key=order.index)
        readers = {self._names[node.module]: len(numbers) // len(every) for node, numbers, out in members if not out}
        depthwise = any(_is_depthwise(each) for each in lose.values() if isinstance(each, nn.Conv2d))
        return ChannelGroup(tuple(layers), tuple(norms), readers, len(every), 2 if depthwise else 1)

    def _may_go(self, node: Any, numbers: list[int], out: bool, every: list[int]) -> bool:
        module = node.module
        if node.type not in _KINDS:
            return False
        if isinstance(module, nn.Conv2d) and module.groups > 1 and not _is_depthwise(module):
            return False
        if not out:
            return True
        if not node.outputs or node.grad_fn is self._pixels.grad_fn:
            return False  # the network's output or input
        if isinstance(module, nn.Conv2d):
            return sorted(numbers) == every and module.out_channels == len(every)
        return not isinstance(module, nn.Linear)

    def checked(self, channels: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
        """What the first convolution of each group loses."""
        owner = {name: group for group in self.groups() for name in group.layers}
        gone = dict[str, set[int]]()
        for name, numbers in channels.items():
            if name not in owner:
                raise CompressionError(f"{name}: its output channels cannot be removed.")
            gone.setdefault(owner[name].name, set()).update(numbers)
        for name, those in gone.items():
            group = owner[name]
            if not those <= set(range(group.channels)):
                raise CompressionError(f"{name}: has channels 0 to {group.channels - 1}; {max(those)} is not there.")
            if group.channels - len(those) < group.least:
                raise CompressionError(f"{name}: at least {group.least} of its {group.channels} channels must stay.")
        return {name: sorted(those) for name, those in gone.items()}

    def remove(self, layer: str, numbers: Sequence[int]) -> None:
        """Take channels out of the network; the graph is of no use afterwards."""
        module = self.model.get_submodule(layer)
        self._graph.get_pruning_group(module, torch_pruning.prune_conv_out_channels, list(numbers)).prune()

    @torch.no_grad()
    def zero(self, layer: str, numbers: Sequence[int]) -> None:
        """Make channels zero wherever they are computed or normalised."""
        module = self.model.get_submodule(layer)
        assert isinstance(module, nn.Conv2d)
        for node, those, out in self._members(module, numbers):
            if out and isinstance(node.module, nn.Conv2d | nn.BatchNorm2d | nn.BatchNorm1d):
                for name in ("weight", "bias", "running_mean"):
                    tensor = getattr(node.module, name, None)
                    if tensor is not None:
                        tensor[those] = 0


def _without(model: nn.Module, channels: Mapping[str, Sequence[int]], input_shape: Shape) -> nn.Module:
    """A copy that lacks the channels; each group's own graph, as torch-pruning's may be stale behind a removal."""
    smaller = deepcopy(model).cpu()
    for layer, numbers in channels.items():
        _Dependencies(smaller, input_shape).remove(layer, numbers)
    return smaller


def _zeroed(model: nn.Module, channels: Mapping[str, Sequence[int]], input_shape: Shape) -> nn.Module:
    graph = _Dependencies(deepcopy(model).cpu(), input_shape)
    for layer, numbers in channels.items():
        graph.zero(layer, numbers)
    return graph.model


@torch.no_grad()
def _compare(pruned: nn.Module, zeroed: nn.Module, input_shape: Shape, names: str) -> None:
    """Refuse what torch-pruning did if it is not what was asked for, whatever the cause."""
    pixels = torch.randint(0, 256, (2, *input_shape), generator=torch.Generator().manual_seed(0)).float()
    expected = zeroed(pixels)
    try:
        found = pruned(pixels)
    except RuntimeError as error:
        reason = str(error).split("\n")[0].rstrip(".")
        raise CompressionError(f"{names}: the network does not run without the channels: {reason}.") from None
    limit = _TOLERANCE * max(float(expected.abs().max()), 1e-30)
    if found.shape != expected.shape or not float((found - expected).abs().max()) <= limit:
        raise CompressionError(f"{names}: without the channels the network computes something else.")
