"""Calls of processes in all dataflow regions, seen from outside: regions inside the top are taken apart."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from rtl.errors import CompileError
from rtl.expressions import Graph, Node
from rtl.ir import (
    Address,
    Block,
    Constant,
    Function,
    Instruction,
    MemoryObject,
    Place,
    Pointer,
    ScalarParameter,
    StreamParameter,
    Value,
)
from rtl.names import Namespace
from rtl.operations import evaluate
from rtl.parser import CallInstruction

__all__ = ["Element", "Leaf", "ProcessCall", "Region", "calling", "find_calls"]


class Leaf(Protocol):
    """Makes expressions of the top's parameters.

    Attributes:
        graph: of the expressions.
    """

    graph: Graph

    def __call__(self, index: int, width: int) -> Node:
        """A parameter by index, in so many bits; 0 for all that it has."""


def calling(process: Function) -> Function:
    """A dataflow region that does nothing but call `process`, with its own parameters."""
    parameters = [replace(parameter) for parameter in process.parameters]
    call = CallInstruction(0, process.symbol, [], "", process.place)
    for parameter in parameters:
        if isinstance(parameter, ScalarParameter):
            call.operands.append(parameter)
        else:
            call.operands.append(Pointer(0, ((None, Address(parameter, 0)),)))
    return Function(f"{process.symbol}.call", process.name, process.place, parameters, [Block("", [call])], [])


@dataclass(eq=False)
class Region:
    """One call of a dataflow region; the top function is called by nobody.

    Attributes:
        function: the region.
        path: instance names of the regions around it and of itself; empty for the top.
        arguments: what each parameter stands for, numbers with the region that they are passed in; None for the top.
    """

    function: Function
    path: str = ""
    arguments: list[Element | tuple[Region, Value]] | None = None

    def named(self, name: str, by: str = ".") -> str:
        """A name inside the region, as it is in the flat design."""
        return f"{self.path}{by}{name}" if self.path else name


@dataclass(frozen=True)
class Element:
    """What a pointer in a region points at: a byte of a region's local stream or of a parameter of the top."""

    region: Region
    base: MemoryObject | StreamParameter
    offset: int


@dataclass(frozen=True)
class ProcessCall:
    """A call of a process, in one call of a region.

    Attributes:
        name: instance name.
    """

    call: CallInstruction
    region: Region
    name: str

    def pointers(self) -> list[int]:
        """Indices of the parameters that are pointers."""
        return [index for index, operand in enumerate(self.call.operands) if isinstance(operand, Pointer)]

    def element(self, parameter: int) -> Element:
        """What a pointer that the process is called with points at."""
        return _element(self.region, self.call.operands[parameter], self.call.place)

    def scalar(self, parameter: int, leaf: Leaf) -> Node:
        """The number that the process is called with, as an expression of the top's parameters."""
        return _scalar(self.region, self.call.operands[parameter], self.call.place, leaf)


def find_calls(
    outermost: Function, functions: Mapping[str, Function], regions: Collection[str]
) -> tuple[list[Region], list[ProcessCall]]:
    """All calls of regions, the outermost first, and all calls of processes in them.

    Args:
        outermost: the top function, or `calling` one that is a process.
        functions: regions and processes by symbol.
        regions: symbols of the regions.

    Raises:
        CompileError: a region with logic of its own.
    """
    first = Region(outermost)
    reached = [first, *_inner(first, {symbol: functions[symbol] for symbol in regions}, Namespace())]
    names = Namespace()
    calls = []
    for region in reached:
        for call in _calls(region.function):
            if call.op not in regions:
                name = names.unique(f"{region.named(functions[call.op].name, '_')} u")
                calls.append(ProcessCall(call, region, name))
    return reached, calls


def _inner(region: Region, regions: Mapping[str, Function], names: Namespace) -> Iterator[Region]:
    """The regions that a region calls, and all that those call."""
    for call in _calls(region.function):
        if call.op in regions:
            function = regions[call.op]
            inner = Region(function, names.unique(region.named(function.name, "_")))
            inner.arguments = [
                _element(region, operand, call.place) if isinstance(operand, Pointer) else (region, operand)
                for operand in call.operands
            ]
            yield inner
            yield from _inner(inner, regions, names)


def _calls(region: Function) -> list[CallInstruction]:
    if len(region.blocks) != 1:
        message = "the top function and dataflow regions hold only calls: no loops, no conditions"
        raise CompileError(region.place.file, region.place.line, message)
    calls = []
    for item in region.blocks[0].instructions:
        if isinstance(item, CallInstruction):
            calls.append(item)
        elif item.op in ("read", "write") or item.op in ("load", "store") and not _copies(item):
            message = "the top function and dataflow regions hold only calls of processes"
            raise CompileError(item.place.file, item.place.line, message)
    return calls


def _copies(item: Instruction) -> bool:
    """A load or store of a number as a whole: C++ copies arguments that are passed by value."""
    address = item.pointer.only if item.pointer else None
    if address is None or address.terms or address.offset:
        return False
    is_local = isinstance(address.base, MemoryObject) and address.base.shape is None and address.base.initial is None
    return is_local or (item.op == "load" and isinstance(address.base, StreamParameter))


def _element(region: Region, pointer: Value, place: Place) -> Element:
    """What a pointer in a region points at, seen from outside all regions."""
    address = pointer.only if isinstance(pointer, Pointer) else None
    if address is None or address.terms:
        raise CompileError(place.file, place.line, "streams are passed by name or with constant indices")
    if isinstance(address.base, StreamParameter) and region.arguments is not None:
        outer = region.arguments[address.base.index]
        assert isinstance(outer, Element)
        return Element(outer.region, outer.base, outer.offset + address.offset)
    return Element(region, address.base, address.offset)


def _scalar(region: Region, value: Value, place: Place, leaf: Leaf) -> Node:
    """A number that a region passes on, as an expression of the top's parameters.

    Args:
        region: where it is passed on.
        value: an integer, or a pointer to one.
        place: of the call.
        leaf: of a parameter of the top (by index) its expression, in so many bits; 0 for all that it has.

    Raises:
        CompileError: a pointer to something else.
    """
    if isinstance(value, Pointer):
        element = _element(region, value, place)
        if isinstance(element.base, StreamParameter):
            return leaf(element.base.index, 0)
        return _scalar(element.region, _content(element, place), place, leaf)
    if isinstance(value, ScalarParameter) and region.arguments is not None:
        outer = region.arguments[value.index]
        assert isinstance(outer, tuple)
        return _scalar(*outer, place, leaf)
    if isinstance(value, ScalarParameter):
        return leaf(value.index, value.width)
    if isinstance(value, Constant):
        return leaf.graph.const(value.width, value.number)
    assert isinstance(value, Instruction)
    if value.op == "load":
        assert value.pointer
        whole = _scalar(region, value.pointer, place, leaf)
        wide = leaf.graph.zext(whole, max(value.width, whole.width))
        return leaf.graph.slice(wide, 0, value.width)
    return evaluate(leaf.graph, value, [_scalar(region, item, place, leaf) for item in value.operands])


def _content(element: Element, place: Place) -> Value:
    """What is stored in a local variable of a region."""
    stores = [
        item
        for item in element.region.function.blocks[0].instructions
        if item.op == "store" and item.pointer and item.pointer.only and item.pointer.only.base is element.base
    ]
    if len(stores) != 1:
        name = getattr(element.base, "name", "")
        raise CompileError(place.file, place.line, f"'{name}' is passed on and is not assigned exactly once")
    return stores[0].operands[0]
