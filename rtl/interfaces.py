"""The outer face of a top function with a start: its parameters' types, and what the INTERFACE pragmas say of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rtl.errors import CompileError
from rtl.pragmas import Pragma

__all__ = ["Argument", "Interface", "Master", "describe_source", "has_start", "read_interface"]

_TABLE = re.compile(r"^@rtl_parameters = .*?\[\d+ x i32\] \[(.*?)\]", re.MULTILINE)
_ADDRESSES = ("slave", "direct", "off")
_MASTER_OPTIONS = {
    "max_read_burst_length": 16,
    "max_write_burst_length": 16,
    "num_read_outstanding": 16,
    "num_write_outstanding": 16,
    "latency": 64,
}
_LONGEST = {"max_read_burst_length": 256, "max_write_burst_length": 256, "latency": 1024}
_IGNORED = ("mode", "port", "bundle", "depth", "offset", "name", "register", "max_widen_bitwidth", "register_mode")
_START_MODES = ("s_axilite", "m_axi", "ap_ctrl_hs", "ap_ctrl_chain")
_PLAIN = ("ap_none", "ap_stable", "ap_vld")


@dataclass(frozen=True)
class Master:
    """An m_axi pragma.

    Attributes:
        bundle: pointers of one bundle share a port.
        offset: where the base address comes from: the register map, a port, or nowhere (0).
        read_burst, write_burst: most words of a burst.
        read_outstanding, write_outstanding: most bursts that have not been answered.
        latency: clocks that a pipelined loop hides between the request of a word and its use.
    """

    bundle: str
    offset: Literal["slave", "direct", "off"]
    read_burst: int
    write_burst: int
    read_outstanding: int
    write_outstanding: int
    latency: int


@dataclass(frozen=True)
class Argument:
    """A parameter of the top function.

    Attributes:
        name: in the C++.
        kind: a stream; a number by value; a number that is given back; memory behind an m_axi port.
        bits: of a value.
        bytes: of a value in memory.
        constant: a pointer to const.
        bundle: the AXI4-Lite port whose register map it is in, or its address; empty for none.
        master: of memory.
    """

    name: str
    kind: Literal["stream", "scalar", "result", "memory"]
    bits: int
    bytes: int
    constant: bool
    bundle: str = ""
    master: Master | None = None

    @property
    def register(self) -> bool:
        """It is in a register map, or its address is."""
        return bool(self.bundle)


@dataclass(frozen=True)
class Interface:
    """The outer face.

    Attributes:
        arguments: in order.
        control: whether start and done are registers or wires.
        bundles: names of the AXI4-Lite ports; start and done are in the first, where they are registers.
        chain: the design waits for ap_continue when it is done.
    """

    arguments: list[Argument]
    control: Literal["registers", "wires"]
    bundles: list[str]
    chain: bool


@dataclass(frozen=True)
class _Wish:
    """An INTERFACE pragma: its mode, and its options by lower-case name."""

    pragma: Pragma
    mode: str
    options: Mapping[str, str]

    def error(self, message: str) -> CompileError:
        """A refusal at the pragma's line."""
        return CompileError(self.pragma.file, self.pragma.line, message)


def has_start(pragmas: Sequence[Pragma]) -> bool:
    """Whether a top function with these INTERFACE pragmas waits for a start: none of today's axis tops does."""
    return any(_wish(pragma).mode in _START_MODES for pragma in pragmas)


def describe_source(source: str, top: str) -> str:
    """C++ whose constant `rtl_parameters` tells the types of `top`'s parameters."""
    return (
        f'#include "{source}"\n#include "rtl_parameters.h"\n'
        f"extern constexpr auto rtl_parameters __attribute__((used)) = rtl::describe(&{top});\n"
    )


def read_interface(text: str, names: Sequence[str], pragmas: Sequence[Pragma]) -> Interface:
    """The interface of a top function.

    Args:
        text: LLVM IR of `describe_source`.
        names: of the parameters.
        pragmas: the INTERFACE pragmas in the top function.

    Raises:
        CompileError: a pragma that names no parameter, does not fit its type, or is not supported.
    """
    wishes = [_wish(pragma) for pragma in pragmas]
    for wish in wishes:
        _check(wish, names)
    table = _TABLE.search(text)
    assert table, "clang folds the constant"
    numbers = [int(item.split()[-1]) for item in table[1].split(",")]
    count = len(names)
    lite = [wish for wish in wishes if wish.mode == "s_axilite"]
    returned = [wish for wish in lite if wish.options["port"] == "return"]
    first = _bundle(next(iter([*returned, *lite]), None))
    arguments = []
    for number, name in enumerate(names):
        kind, bits, size = numbers[number], numbers[count + number], numbers[2 * count + number]
        own = [wish for wish in wishes if wish.options["port"] == name]
        arguments.append(_argument(name, kind, bits, size, own, first))
    used = [*([first] if returned else []), *(argument.bundle for argument in arguments if argument.register)]
    chain = any(wish.mode == "ap_ctrl_chain" for wish in wishes)
    return Interface(arguments, "registers" if returned else "wires", list(dict.fromkeys(used)), chain)


def _bundle(wish: _Wish | None) -> str:
    """Name of the AXI4-Lite port that an s_axilite pragma means."""
    return wish.options.get("bundle", "control") if wish else "control"


def _wish(pragma: Pragma) -> _Wish:
    words = re.sub(r"\s*=\s*", "=", pragma.arguments).split()
    options = {key.lower(): value for key, _, value in (word.partition("=") for word in words)}
    mode = options.get("mode") or next((word.lower() for word in words if "=" not in word), "")
    return _Wish(pragma, mode, options)


def _check(wish: _Wish, names: Sequence[str]) -> None:
    port = wish.options.get("port", "")
    if port not in (*names, "return"):
        raise wish.error(f"the top function has no parameter '{port}'")
    if wish.mode not in (*_START_MODES, *_PLAIN, "axis"):
        raise wish.error(f"the interface mode '{wish.mode}' is not supported in a top function with a start")
    if wish.mode in ("ap_ctrl_hs", "ap_ctrl_chain") and port != "return":
        raise wish.error(f"{wish.mode} is for port=return")
    if wish.mode == "s_axilite" and "offset" in wish.options:
        raise wish.error("registers are laid out as Vitis HLS does; offset= of s_axilite is not supported")
    known = (*_IGNORED, *_MASTER_OPTIONS, wish.mode)
    unknown = next((option for option in wish.options if option not in known), None)
    if unknown:
        raise wish.error(f"the interface option '{unknown}' is not supported")


def _argument(name: str, kind: int, bits: int, size: int, wishes: Sequence[_Wish], first: str) -> Argument:
    """One parameter; `first` is the register map of an address that no pragma puts into one."""
    modes = {wish.mode: wish for wish in wishes}
    lite = _bundle(modes["s_axilite"]) if "s_axilite" in modes else ""
    if kind == 1:
        for wish in wishes:
            if wish.mode != "axis":
                raise wish.error(f"the stream '{name}' is an AXI4-Stream port (axis)")
        return Argument(name, "stream", bits, size, False)
    if "axis" in modes:
        raise modes["axis"].error(f"'{name}' is no stream")
    if "m_axi" not in modes:
        return Argument(name, "result" if kind == 3 else "scalar", bits, size, kind == 2, lite)
    wish = modes["m_axi"]
    if kind == 0:
        raise wish.error(f"'{name}' is no pointer")
    if size & (size - 1) or size > 128:
        raise wish.error(f"'{name}' points at elements of {size} bytes; m_axi takes 1, 2, 4, ... 128")
    offset = wish.options.get("offset", "slave")
    if offset not in _ADDRESSES:
        raise wish.error(f"offset={offset} is none of {', '.join(_ADDRESSES)}")
    values = [_number(wish, option, default) for option, default in _MASTER_OPTIONS.items()]
    read_burst, write_burst, read_outstanding, write_outstanding, latency = values
    bundle = wish.options.get("bundle", "gmem")
    master = Master(
        bundle,
        offset,  # type: ignore[arg-type]
        read_burst,
        write_burst,
        read_outstanding,
        write_outstanding,
        latency,
    )
    return Argument(name, "memory", bits, size, kind == 2, (lite or first) if offset == "slave" else "", master)


def _number(wish: _Wish, option: str, default: int) -> int:
    text = wish.options.get(option, str(default))
    most = _LONGEST.get(option, 64)
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise wish.error(f"{option}={text}: a number from 1 to {most} is wanted")
    return int(text)
