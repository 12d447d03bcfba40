"""The front door: a PyTorch ``nn.Module`` with branches, traced with ``torch.fx``, to a graph of known operations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import fx, nn

from compression.float_graph import INPUT, FloatGraph, Node, Operation, QuantisationError
from compression.fold import fold
from compression.operators import SHAPE, Call, InputScale, is_tensor

__all__ = ["symbolic", "trace"]

_TRIAL_IMAGES = 2  # more than one, so that a batch is not taken for a channel
_FLOAT_TOLERANCE = 1e-4  # of the greatest output; float32 sums in another order differ by less


def trace(model: nn.Module, input_shape: tuple[int, int, int]) -> FloatGraph:
    """Trace a network, fold its normalisations and fuse its activations.

    The model is taken as in evaluation, and is not changed. It may hold Conv2d, BatchNorm2d, ReLU, ReLU6, MaxPool2d,
    AvgPool2d, AdaptiveAvgPool2d, Linear, Flatten, Dropout and Identity, or the functions and methods of the same
    meaning; additions, concatenations along the channels, means over rows and columns, and views as vectors. An
    ``InputScale`` may stand first: the model takes float pixels 0..255.

    Args:
        model: trained network; takes (N, channels, rows, columns), gives one tensor or several.
        input_shape: (channels, rows, columns).

    Returns:
        The graph. Nodes have the names of the modules' paths.

    Raises:
        QuantisationError: an operator that is not supported, or a normalisation that cannot be folded exactly; names
            operator and module path.
    """
    pixels = torch.randint(0, 256, (_TRIAL_IMAGES, *input_shape), generator=torch.Generator().manual_seed(0)).float()
    root = type(model).__name__
    with _evaluating(model):
        traced = symbolic(model)
        _propagate(traced, pixels, root)
        _order_in_place(traced)
        graph = _Translation(traced, input_shape, root).run()
        _compare(model, graph, pixels)
    return fold(graph)


class _Tracer(fx.Tracer):
    """``InputScale`` is one operation; PyTorch's own modules are by default."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether to look into a module."""
        return isinstance(m, InputScale) or super().is_leaf_module(m, module_qualified_name)


def symbolic(model: nn.Module) -> fx.GraphModule:
    """A network as ``torch.fx`` records it; it shares the network's modules.

    Raises:
        QuantisationError: it cannot be traced.
    """
    try:
        graph = _Tracer().trace(model)
    except Exception as error:  # whatever the network's own forward raises
        reason = str(error).split("\n")[0].rstrip(".")
        raise QuantisationError(f"{type(model).__name__}: torch.fx cannot trace the network: {reason}.") from None
    traced = fx.GraphModule(model, graph)
    traced.graph.eliminate_dead_code()
    return traced


class _Shapes(fx.Interpreter):
    """Runs a traced network and notes every tensor's shape."""

    at: fx.Node | None = None

    def run_node(self, n: fx.Node) -> Any:
        """Run one node."""
        self.at = n
        result = super().run_node(n)
        if isinstance(result, torch.Tensor):
            n.meta[SHAPE] = tuple(result.shape)
        return result


@torch.no_grad()
def _propagate(traced: fx.GraphModule, pixels: torch.Tensor, root: str) -> None:
    shapes = _Shapes(traced)
    shapes.extra_traceback = False
    try:
        shapes.run(pixels.to(_device(traced)))
    except Exception as error:  # whatever the network's own operators raise
        assert shapes.at is not None
        call = Call.of(traced, shapes.at, root)
        reason = str(error).split("\n")[0].rstrip(".")
        raise call.refusal(f"does not fit an input of shape {tuple(pixels.shape[1:])}: {reason}") from None


def _order_in_place(traced: fx.GraphModule) -> None:
    """Let what runs after an operator that works in place read its result, as it does in PyTorch."""
    nodes = list(traced.graph.nodes)
    for place, node in enumerate(nodes):
        if not node.op.startswith("call_") or not is_tensor(node):
            continue
        call = Call.of(traced, node, "")
        if call.in_place and isinstance(node.args[0], fx.Node):
            later = set(nodes[place + 1 :])
            node.args[0].replace_all_uses_with(node, delete_user_cb=later.__contains__)


class _Translation:
    """Walks the traced nodes; knows which of ours holds each one's value."""

    def __init__(self, traced: fx.GraphModule, input_shape: tuple[int, int, int], root: str) -> None:
        self.traced = traced
        self.input_shape = input_shape
        self.root = root
        self.nodes: dict[str, Node] = {}
        self.holder: dict[fx.Node, str] = {}
        self.fractional_length = 0

    def run(self) -> FloatGraph:
        """All nodes, in the order of the trace."""
        outputs: tuple[str, ...] = ()
        for node in self.traced.graph.nodes:
            if node.op == "placeholder":
                self._placeholder(node)
            elif node.op == "output":
                outputs = self._outputs(node)
            elif is_tensor(node):
                self._operator(node)
        return FloatGraph(self.input_shape, self.fractional_length, self.nodes, outputs)

    def _placeholder(self, node: fx.Node) -> None:
        if self.holder:
            raise QuantisationError(f"{self.root}: takes more than one input ('{node.target}'); one map is supported.")
        self.holder[node] = INPUT

    def _operator(self, node: fx.Node) -> None:
        if node.op == "get_attr":
            raise QuantisationError(f"{self.root}: the tensor '{node.target}' is used outside a module of PyTorch.")
        call = Call.of(self.traced, node, self.root)
        if isinstance(call.target, InputScale):
            self._input_scale(call)
            return
        operations = call.operations()
        sources = tuple(self.holder[each] for each in call.operands())
        for number, operation in enumerate(operations, start=1):
            name = self._name(call, operation)
            shape = call.shape[1:] if number == len(operations) else (call.shape[1], 1, 1)
            self.nodes[name] = Node(name, operation, sources, shape, call.kind)
            sources = (name,)
        self.holder[node] = sources[0]

    def _input_scale(self, call: Call) -> None:
        assert isinstance(call.target, InputScale)
        if self.nodes or self.fractional_length:
            raise call.refusal("must stand first")
        self.fractional_length = call.target.fractional_length
        self.holder[call.node] = INPUT

    def _outputs(self, node: fx.Node) -> tuple[str, ...]:
        given = node.args[0]
        found = [each for each in (given if isinstance(given, tuple | list) else (given,)) if isinstance(each, fx.Node)]
        names = tuple(self.holder.get(each, INPUT) for each in found)
        if not names or INPUT in names:
            raise QuantisationError(f"{self.root}: must put out one or several feature maps that it computes.")
        if len(set(names)) < len(names):
            raise QuantisationError(f"{self.root}: puts out '{names[0]}' more than once.")
        return names

    def _name(self, call: Call, operation: Operation) -> str:
        """The module's path; behind it, for a function, what it is called; a number where that is taken."""
        stem = call.path
        if not isinstance(call.target, nn.Module):
            own = type(operation).__name__.lower()
            stem = own if call.path == self.root else f"{stem}.{own}"
        name, number = stem, 2
        while name in self.nodes or name == INPUT:
            name, number = f"{stem}_{number}", number + 1
        return name


@torch.no_grad()
def _compare(model: nn.Module, graph: FloatGraph, pixels: torch.Tensor) -> None:
    """Refuse a graph that does not compute what the module does, whatever the cause.

    Tensors that share memory, or a forward that depends on values, could bring that about; tracing does not see them.
    """
    made = model(pixels.to(_device(model)))
    expected = list(made) if isinstance(made, tuple | list) else [made]
    results = graph.run(pixels)
    for name, wanted in zip(graph.outputs, expected, strict=True):
        wanted = wanted.cpu()
        if not bool(wanted.isfinite().all()):
            raise QuantisationError(f"{name}: the network puts out values that are no finite numbers.")
        limit = _FLOAT_TOLERANCE * float(wanted.abs().max())
        if wanted.shape != results[name].shape or float((wanted - results[name]).abs().max()) > limit:
            raise QuantisationError(
                f"{name}: the traced network does not compute what the module does; avoid working in place on what is "
                "read again, and decisions that depend on values."
            )


def _device(model: nn.Module) -> torch.device:
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """In evaluation for a while; each module's mode is restored."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        yield
    finally:
        for module, training in modes:
            module.training = training
