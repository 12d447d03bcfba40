"""Batch normalisation folded into weights, activations fused behind what they follow: only what is exact.

A normalisation behind a convolution goes back into its weights. Any other one goes forward: through flattening, pooling
by average, and (where its factors are not negative) pooling by maximum, into the convolutions and linear layers that
read it. Zero padding is not normalised, so a padded convolution takes a factor, but no shift. Where no neighbour can
take it exactly, as in front of the ReLU of a pre-activation ResNet, a map's normalisation becomes a layer of its own: a
1x1 depthwise convolution, which :func:`lowered` names.
"""

from dataclasses import replace

import torch

from compression.float_graph import (
    Activation,
    Add,
    Affine,
    AveragePool,
    Concat,
    Convolution,
    Dense,
    Flatten,
    FloatGraph,
    GlobalAveragePool,
    MaxPool,
    Node,
    QuantisationError,
)

__all__ = ["fold", "lowered"]


def fold(graph: FloatGraph) -> FloatGraph:
    """The same function without :class:`Affine` nodes and with activations fused; equal but for float rounding.

    Raises:
        QuantisationError: a vector's normalisation that no neighbour can take exactly; names it and the neighbour.
    """
    for name, node in list(graph.nodes.items()):
        if isinstance(node.operation, Affine):
            graph = _fold_normalisation(graph, graph.nodes[name])
    for name, node in list(graph.nodes.items()):
        if isinstance(node.operation, Activation):
            graph = _fuse_activation(graph, graph.nodes[name], node.operation)
    return graph


def _fold_normalisation(graph: FloatGraph, node: Node) -> FloatGraph:
    affine = node.operation
    assert isinstance(affine, Affine)
    source = graph.nodes.get(node.sources[0])
    if source is not None and isinstance(source.operation, Convolution | Dense) and graph.only_reader(source.name):
        return graph.replace(replace(source, operation=_scale_outputs(source.operation, affine)), without=node.name)
    try:
        return graph.replace(*_absorb(graph, node, node, affine), without=node.name)
    except QuantisationError:
        if len(node.shape) != 3:
            raise
        return graph.replace(replace(node, operation=_as_convolution(affine)))


def _as_convolution(affine: Affine) -> Convolution:
    """The same as a 1x1 depthwise convolution."""
    channels = len(affine.scale)
    weight = affine.scale.reshape(channels, 1, 1, 1).float()
    return Convolution(weight, affine.shift.float(), (1, 1), (0, 0), (1, 1), channels)


def lowered(graph: FloatGraph) -> list[tuple[str, str]]:
    """Normalisations of a folded graph that became layers of their own: (name, kind) each, in order."""
    return [
        (node.name, node.kind)
        for node in graph.nodes.values()
        if isinstance(node.operation, Convolution) and node.kind.startswith("BatchNorm")
    ]


def _scale_outputs(operation: Convolution | Dense, affine: Affine) -> Convolution | Dense:
    """The affine function behind a weighted layer."""
    weight = operation.weight.double()
    scale = affine.scale.reshape(-1, *(1,) * (weight.ndim - 1))
    bias = operation.bias.double() * affine.scale + affine.shift
    return replace(operation, weight=(weight * scale).float(), bias=bias.float())


def _absorb(graph: FloatGraph, owner: Node, at: Node, affine: Affine) -> list[Node]:
    """Nodes that replace the readers of ``at`` when ``affine`` no longer stands behind it."""
    if at.name in graph.outputs:
        raise _refusal(owner, "its result is the network's output")
    replaced: list[Node] = []
    for reader in graph.readers(at.name):
        match reader.operation:
            case Convolution() | Dense() as operation:
                _check_padding(owner, reader, affine)
                replaced.append(replace(reader, operation=_scale_inputs(operation, affine)))
            case Affine(scale=scale, shift=shift):
                both = Affine(affine.scale * scale, affine.shift * scale + shift)
                replaced.append(replace(reader, operation=both))
            case Flatten():
                pixels = reader.shape[0] // at.shape[0]
                spread = Affine(affine.scale.repeat_interleave(pixels), affine.shift.repeat_interleave(pixels))
                replaced += _absorb(graph, owner, reader, spread)
            case GlobalAveragePool() | AveragePool():
                _check_padding(owner, reader, affine)
                replaced += _absorb(graph, owner, reader, affine)
            case MaxPool():
                if bool((affine.scale < 0).any()):
                    raise _refusal(owner, f"a negative factor turns the {reader.kind} '{reader.name}' into a minimum")
                replaced += _absorb(graph, owner, reader, affine)
            case _:
                raise _refusal(owner, f"the {reader.kind} '{reader.name}' that reads it has no weights to take it")
    return replaced


def _scale_inputs(operation: Convolution | Dense, affine: Affine) -> Convolution | Dense:
    """The affine function in front of a weighted layer."""
    weight = operation.weight.double()
    outputs, inputs = weight.shape[:2]
    groups = operation.groups if isinstance(operation, Convolution) else 1
    # Each output channel reads the channels of its own group.
    rows = torch.arange(groups).repeat_interleave(outputs // groups)
    kernel = (1,) * (weight.ndim - 2)
    scale = affine.scale.reshape(groups, inputs)[rows].reshape(outputs, inputs, *kernel)
    shift = affine.shift.reshape(groups, inputs)[rows].reshape(outputs, inputs, *kernel)
    bias = operation.bias.double() + (weight * shift).flatten(1).sum(1)
    return replace(operation, weight=(weight * scale).float(), bias=bias.float())


def _check_padding(owner: Node, reader: Node, affine: Affine) -> None:
    padding = getattr(reader.operation, "padding", (0, 0))
    if any(padding) and bool((affine.shift != 0).any()):
        raise _refusal(owner, f"the {reader.kind} '{reader.name}' that reads it pads with zeros, not with the shift")


def _refusal(owner: Node, reason: str) -> QuantisationError:
    return QuantisationError(
        f"{owner.name}: {owner.kind} cannot be folded exactly: {reason}; put it right behind a convolution."
    )


def _fuse_activation(graph: FloatGraph, node: Node, activation: Activation) -> FloatGraph:
    """Put an activation into the node that it follows, if nothing else reads that node.

    A maximum and a concatenation commute with it, so that it moves on to what they read.
    """
    targets = _takers(graph, node.sources[0])
    if targets is None:
        return graph
    fused = [replace(target, activation=_both(target.activation, activation)) for target in targets]
    return graph.replace(*fused, without=node.name)


def _takers(graph: FloatGraph, name: str) -> list[Node] | None:
    """Nodes that clamp anyway, through which all of ``name`` goes and nothing else; None if there are no such nodes."""
    node = graph.nodes.get(name)
    if node is None or graph.only_reader(name) is None:
        return None
    match node.operation:
        case Convolution() | Dense() | Add() | AveragePool() | GlobalAveragePool():
            return [node]
        case MaxPool() | Flatten() | Concat():
            found = [_takers(graph, source) for source in node.sources]
            return None if None in found else [taker for takers in found if takers for taker in takers]
        case _:
            return None


def _both(first: Activation | None, second: Activation) -> Activation:
    both = (second,) if first is None else (first, second)
    bounds = [each.maximum for each in both if each.maximum is not None]
    return Activation(min(bounds, default=None))
