"""PyTorch's modules, functions and methods as operations of a float graph: the list of what is supported."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from compression.float_graph import (
    Activation,
    Add,
    Affine,
    AveragePool,
    Concat,
    Convolution,
    Dense,
    Flatten,
    GlobalAveragePool,
    MaxPool,
    Operation,
    QuantisationError,
)

__all__ = ["SHAPE", "Call", "InputScale", "is_tensor", "shape_of"]

SHAPE = "zeroskip_shape"
"""Key of a traced node's metadata: the shape of its value, if that is a tensor."""

Operations = tuple[Operation, ...]


class InputScale(nn.Module):
    """First layer of a network whose pixels 0..255 stand for ``pixel * 2**-fractional_length``."""

    def __init__(self, fractional_length: int) -> None:
        super().__init__()
        self.fractional_length = fractional_length

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Scale pixels, any shape."""
        return pixels * 2.0**-self.fractional_length


def is_tensor(node: fx.Node) -> bool:
    """Whether a traced node's value is a tensor."""
    return SHAPE in node.meta


def shape_of(node: fx.Node) -> tuple[int, ...]:
    """Shape of a traced node's tensor, with the batch."""
    shape: tuple[int, ...] = node.meta[SHAPE]
    return shape


@dataclass(frozen=True)
class _Supported:
    """How a call of one kind is read.

    Attributes:
        make: the operations that it is, one behind the other; none if it changes nothing.
        parameters: names of its arguments in order; the first ``operands`` are tensors (0: the first lists them).
    """

    make: Callable[[Call], Operations]
    parameters: tuple[str, ...] = ("input",)
    operands: int = 1


@dataclass(frozen=True, eq=False)
class Call:
    """One traced call of a module, function or method.

    Attributes:
        kind: PyTorch's name of what is called, for messages.
        path: of the module that is called, or that calls.
        target: the module, the function, or the method's name.
        node: where it stands in the traced graph, with shapes.
    """

    kind: str
    path: str
    target: object
    node: fx.Node

    @classmethod
    def of(cls, traced: fx.GraphModule, node: fx.Node, root: str) -> Call:
        """Read a traced node; ``root`` is the name for the network as a whole."""
        if node.op == "call_module":
            module = traced.get_submodule(str(node.target))
            return cls(type(module).__name__, str(node.target), module, node)
        stack = list(node.meta.get("nn_module_stack", {}).values())
        path = str(stack[-1][0]) if stack else ""
        return cls(getattr(node.target, "__name__", str(node.target)), path or root, node.target, node)

    @property
    def in_place(self) -> bool:
        """Whether it overwrites its first operand."""
        if isinstance(self.target, nn.Module):
            return bool(getattr(self.target, "inplace", False))
        if isinstance(self.target, str):
            return self.target.endswith("_")
        return self.target in (operator.iadd, torch.relu_, functional.relu_) or bool(self.setting("inplace", False))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the result, with the batch."""
        return shape_of(self.node)

    @property
    def source_shape(self) -> tuple[int, ...]:
        """Shape of the first operand, with the batch."""
        return shape_of(self.operands()[0])

    def operands(self) -> list[fx.Node]:
        """The tensors that it takes.

        Raises:
            QuantisationError: one of them is a number.
        """
        if isinstance(self.target, nn.Module):
            found: list[Any] = [*self.node.args, *self.node.kwargs.values()]
        else:
            supported = self._supported()
            names = supported.parameters[: max(supported.operands, 1)]
            found = [self.setting(name, None) for name in names]
            found = found if supported.operands else list(found[0])
        if not found or any(not isinstance(each, fx.Node) or not is_tensor(each) for each in found):
            raise self.refusal("takes something that is not a feature map")
        return found

    def setting(self, name: str, default: Any) -> Any:
        """An attribute of the module, or an argument of the function."""
        if isinstance(self.target, nn.Module):
            return getattr(self.target, name, default)
        supported = _find(self.target)
        bound = dict(zip(supported.parameters if supported else (), self.node.args, strict=False))
        return {**bound, **self.node.kwargs}.get(name, default)

    def operations(self) -> Operations:
        """What it computes.

        Raises:
            QuantisationError: it is of a kind, or has a setting, that is not supported.
        """
        return self._supported().make(self)

    def _supported(self) -> _Supported:
        supported = _find(self.target)
        if supported is None:
            what = "layers" if isinstance(self.target, nn.Module) else "operators"
            raise QuantisationError(f"{self.path}: {what} of the kind {self.kind} cannot be quantised here.")
        return supported

    def refusal(self, reason: str) -> QuantisationError:
        """The error that names path and operator."""
        return QuantisationError(f"{self.path}: {self.kind} {reason}.")


def _pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1] if len(size) > 1 else size[0]))


def _tensor(parameter: Any) -> torch.Tensor:
    return torch.as_tensor(parameter).detach().cpu().float()


def _bias(module: nn.Module, outputs: int) -> torch.Tensor:
    return torch.zeros(outputs) if module.bias is None else _tensor(module.bias).clone()


def _convolution(call: Call) -> Operations:
    module = call.target
    assert isinstance(module, nn.Conv2d)
    if isinstance(module.padding, str) or module.padding_mode != "zeros":
        raise QuantisationError(f"{call.path}: give the zero padding of a convolution as numbers.")
    bias = _bias(module, module.out_channels)
    places = (_pair(module.stride), _pair(module.padding), _pair(module.dilation))
    return (Convolution(_tensor(module.weight).clone(), bias, *places, module.groups),)


def _linear(call: Call) -> Operations:
    module = call.target
    assert isinstance(module, nn.Linear)
    if len(call.shape) != 2:
        raise call.refusal("takes vectors only; put a flatten in front of it")
    return (Dense(_tensor(module.weight).clone(), _bias(module, module.out_features)),)


def _normalisation(call: Call) -> Operations:
    module = call.target
    assert isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d)
    if module.running_mean is None or module.running_var is None:
        raise call.refusal("keeps no running statistics, so that its factors depend on the batch")
    mean, variance = module.running_mean.detach().cpu().double(), module.running_var.detach().cpu().double()
    scale = 1.0 / torch.sqrt(variance + module.eps)
    shift = torch.zeros_like(scale)
    if module.affine:
        scale, shift = scale * _tensor(module.weight).double(), _tensor(module.bias).double()
    return (Affine(scale, shift - mean * scale),)


def _relu(call: Call) -> Operations:
    return (Activation(),)


def _relu6(call: Call) -> Operations:
    return (Activation(6.0),)


def _window(call: Call) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Kernel, stride and padding of a pool."""
    if call.setting("ceil_mode", False):
        raise call.refusal("with ceil_mode is not supported; pad the map instead")
    kernel = _pair(call.setting("kernel_size", None))
    stride = call.setting("stride", None)
    return kernel, _pair(stride) if stride else kernel, _pair(call.setting("padding", 0))


def _max_pool(call: Call) -> Operations:
    if _pair(call.setting("dilation", 1)) != (1, 1) or call.setting("return_indices", False):
        raise call.refusal("with dilation or return_indices is not supported")
    return (MaxPool(*_window(call)),)


def _average_pool(call: Call) -> Operations:
    pool = AveragePool(*_window(call))
    if call.setting("divisor_override", None) is not None:
        raise call.refusal("with divisor_override is not supported")
    if any(pool.padding) and not call.setting("count_include_pad", True):
        raise call.refusal("with padding needs count_include_pad, so that all windows have one divisor")
    whole = pool.kernel == call.source_shape[2:] and not any(pool.padding)
    return (GlobalAveragePool() if whole else pool,)


def _adaptive_average_pool(call: Call) -> Operations:
    (rows, columns), (height, width) = call.shape[2:], call.source_shape[2:]
    if (rows, columns) == (1, 1):
        return (GlobalAveragePool(),)
    if height % rows or width % columns:
        raise call.refusal(f"to {rows}x{columns} does not divide the map of {height}x{width} evenly")
    kernel = (height // rows, width // columns)
    return () if kernel == (1, 1) else (AveragePool(kernel, kernel, (0, 0)),)


def _mean(call: Call) -> Operations:
    size = len(call.source_shape)
    given = call.setting("dim", None)
    axes = {axis % size for axis in ([given] if isinstance(given, int) else given or ())}
    if size != 4 or axes != {2, 3}:
        raise call.refusal("is supported over rows and columns only")
    return (GlobalAveragePool(),) if len(call.shape) == 4 else (GlobalAveragePool(), Flatten())


def _view(call: Call) -> Operations:
    source, result = call.source_shape, call.shape
    if source == result:
        return ()
    if result != (source[0], prod(source[1:])):
        raise call.refusal(f"from {source[1:]} to {result[1:]} is not supported, only to a vector for each image")
    return (Flatten(),)


def _dropout(call: Call) -> Operations:
    if call.setting("training", True):
        raise call.refusal("drops in evaluation too; pass training=self.training")
    return ()


def _add(call: Call) -> Operations:
    first, second = (shape_of(each) for each in call.operands())
    if call.setting("alpha", 1) != 1:
        raise call.refusal("with alpha is not supported")
    if first != second:
        raise call.refusal(f"takes maps of one shape, not {first[1:]} and {second[1:]}")
    return (Add(),)


def _concat(call: Call) -> Operations:
    if call.setting("dim", 0) % len(call.shape) != 1:
        raise call.refusal("is supported along the channels only")
    return (Concat(),) if len(call.operands()) > 1 else ()


def _nothing(call: Call) -> Operations:
    return ()


_RELU = _Supported(_relu, ("input", "inplace"))
_RELU6 = _Supported(_relu6, ("input", "inplace"))
_MAX_POOL = _Supported(
    _max_pool, ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
)
_AVERAGE_POOL = _Supported(
    _average_pool,
    ("input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"),
)
_ADAPTIVE = _Supported(_adaptive_average_pool, ("input", "output_size"))
_MEAN = _Supported(_mean, ("input", "dim", "keepdim"))
_VIEW = _Supported(_view)
_ADD = _Supported(_add, ("input", "other", "alpha"), operands=2)
_CONCAT = _Supported(_concat, ("tensors", "dim"), operands=0)
_DROPOUT = _Supported(_dropout, ("input", "p", "training", "inplace"))
_NOTHING = _Supported(_nothing)

_MODULES: Mapping[type[nn.Module], _Supported] = {
    nn.Conv2d: _Supported(_convolution),
    nn.Linear: _Supported(_linear),
    nn.BatchNorm2d: _Supported(_normalisation),
    nn.BatchNorm1d: _Supported(_normalisation),
    nn.ReLU: _RELU,
    nn.ReLU6: _RELU6,
    nn.MaxPool2d: _MAX_POOL,
    nn.AvgPool2d: _AVERAGE_POOL,
    nn.AdaptiveAvgPool2d: _ADAPTIVE,
    nn.Flatten: _VIEW,
    nn.Dropout: _NOTHING,
    nn.Dropout2d: _NOTHING,
    nn.Identity: _NOTHING,
}

_FUNCTIONS: Mapping[object, _Supported] = {
    torch.relu: _RELU,
    torch.relu_: _RELU,
    functional.relu: _RELU,
    functional.relu_: _RELU,
    functional.relu6: _RELU6,
    functional.max_pool2d: _MAX_POOL,
    functional.avg_pool2d: _AVERAGE_POOL,
    functional.adaptive_avg_pool2d: _ADAPTIVE,
    functional.dropout: _DROPOUT,
    torch.mean: _MEAN,
    torch.flatten: _VIEW,
    torch.reshape: _VIEW,
    torch.add: _ADD,
    operator.add: _ADD,
    operator.iadd: _ADD,
    torch.cat: _CONCAT,
    torch.concat: _CONCAT,
}

_METHODS: Mapping[str, _Supported] = {
    "relu": _RELU,
    "relu_": _RELU,
    "mean": _MEAN,
    "flatten": _VIEW,
    "view": _VIEW,
    "reshape": _VIEW,
    "contiguous": _NOTHING,
    "add": _ADD,
    "add_": _ADD,
}


def _find(target: object) -> _Supported | None:
    if isinstance(target, nn.Module):
        return _MODULES.get(type(target))
    return _METHODS.get(target) if isinstance(target, str) else _FUNCTIONS.get(target)
