"""The compiler's own model of a function in static single assignment form, read from LLVM IR by `rtl.parser`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "Address",
    "Block",
    "Branch",
    "Constant",
    "Function",
    "Instruction",
    "MemoryObject",
    "Module",
    "Place",
    "Pointer",
    "Role",
    "ScalarParameter",
    "StreamParameter",
    "Value",
]


Role = Literal["stream", "start", "done", "request", "data", "store", "stored"]


@dataclass(frozen=True)
class Place:
    """A line of the C++ source."""

    file: str = ""
    line: int = 0


@dataclass(eq=False)
class Value:
    """An integer of `width` bits, or (width 0) a pointer or nothing."""

    width: int


@dataclass(eq=False)
class Constant(Value):
    """A known number, as its unsigned bits. LLVM's undef and poison are 0."""

    number: int


@dataclass(eq=False)
class MemoryObject(Value):
    """An array or variable that is kept in memory: a local (alloca) or a global of the C++.

    Attributes:
        name: name in the source, as LLVM kept it.
        size: bytes.
        initial: contents at the start, or None for a local, whose contents are undefined then.
        constant: it is never written.
        element_bytes: size of an array's element, or of the whole object when it is no array.
        dimensions: of an array, the outermost first.
    """

    name: str
    size: int
    initial: bytes | None
    constant: bool
    element_bytes: int
    shape: StreamShape | None = None
    dimensions: tuple[int, ...] = ()


@dataclass(frozen=True)
class StreamShape:
    """What the type of a local stream says: bits of a word, words of depth, and sizeof one stream."""

    bits: int
    depth: int
    size: int


@dataclass(eq=False)
class StreamParameter(Value):
    """A pointer parameter of a process; it points at a stream or at an array of streams, or, in a design with a start,
    at memory or at a result.

    Attributes:
        role: what a stream that the compiler adds is for (see `rtl.arguments`).
        of: index of the pointer parameter that such a stream belongs to.
        answers: index of the stream that asks for what comes here; a step reads here `latency` stages later.
    """

    name: str
    index: int
    role: Role = "stream"
    of: int = -1
    answers: int = -1
    latency: int = 0


@dataclass(eq=False)
class Address:
    """Where a pointer points: `offset` + sum(stride * value) bytes into `base`; values are signed 64-bit numbers."""

    base: MemoryObject | StreamParameter
    offset: int
    terms: tuple[tuple[int, Value], ...] = ()


@dataclass(eq=False)
class Pointer(Value):
    """One address, or one of several, of which the first whose condition holds is meant (the last has none)."""

    choices: tuple[tuple[Value | None, Address], ...]

    @property
    def only(self) -> Address | None:
        """The address, when there is only one."""
        return self.choices[0][1] if len(self.choices) == 1 else None


@dataclass(eq=False)
class Instruction(Value):
    """An operation. Its result is itself.

    Attributes:
        op: LLVM's opcode, or the intrinsic's name without `llvm.` and type; also `read`, `write`, `cut`,
            `iteration`.
        operands: values; for `phi` in the order of `incoming`.
        name: LLVM's name for the result.
        predicate: of icmp.
        incoming: the predecessor blocks of a phi.
        pointer: of load, store, read, write.
        derived: it stands in no block; it is made from its operands wherever it is used.
        loop: of cut, the number of the loop of the source whose body it starts.
        sides: of read and write, the side channels of a word that is an hls::axis: AXI signal and bits.
        at_once: of load and store, it is of a structure or an array as a whole.
    """

    op: str
    operands: list[Value]
    name: str
    place: Place
    predicate: str = ""
    incoming: list[Block] = field(default_factory=list)
    pointer: Pointer | None = None
    derived: bool = False
    loop: int | None = None
    sides: tuple[tuple[str, int], ...] = ()
    at_once: bool = False


@dataclass(eq=False)
class ScalarParameter(Instruction):
    """A number that a process or region is called with; `op` is `parameter` until `rtl.arguments` replaces it."""

    index: int = 0


@dataclass(eq=False)
class Branch:
    """The end of a block.

    Attributes:
        condition: None for an unconditional branch, else the value that is compared with `cases`.
        targets: where to go; the last is taken when no case fits; empty for return.
        cases: constants for all targets but the last.
    """

    condition: Value | None
    targets: list[Block]
    cases: list[int] = field(default_factory=list)
    unreachable: bool = False


@dataclass(eq=False)
class Block:
    """Straight-line code. A block with `is_cut` starts a step, that of an iteration of `loop` when that is set."""

    name: str
    instructions: list[Instruction] = field(default_factory=list)
    branch: Branch = field(default_factory=lambda: Branch(None, []))
    is_cut: bool = False
    place: Place = field(default_factory=Place)
    loop: int | None = None

    def phis(self) -> Iterator[Instruction]:
        """The phi instructions at the block's start."""
        return (instruction for instruction in self.instructions if instruction.op == "phi")


@dataclass(eq=False)
class Function:
    """A function after inlining: parameters, blocks (entry first) and the objects that its pointers refer to."""

    symbol: str
    name: str
    place: Place
    parameters: list[StreamParameter | ScalarParameter]
    blocks: list[Block]
    objects: list[MemoryObject]


@dataclass(eq=False)
class Module:
    """All functions of a translation unit that were not inlined, by symbol."""

    functions: dict[str, Function]
