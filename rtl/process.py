"""A process as hardware: steps with guarded side effects over registers, memories and stream ports."""

from __future__ import annotations

from dataclasses import dataclass, field

from rtl.expressions import Graph, Node
from rtl.ir import Place, Role
from rtl.memories import Memory

__all__ = ["Access", "Check", "Exit", "Fetch", "Port", "Process", "Promise", "Read", "Register", "Stage", "Step"]
__all__ += ["Update", "Write"]


@dataclass(frozen=True)
class Port:
    """One stream of a process.

    Attributes:
        name: parameter's name, with a number for an element of an array of streams.
        parameter: index of the parameter.
        offset: bytes from the parameter's start.
        bits: width of a word.
        reads: the process reads the stream; otherwise it writes it.
        sides: AXI signals of an hls::axis and their bits, in the order in which they lie above the data; else none.
        role: what it is for, when the compiler has added it.
        of: index of the pointer parameter that an added stream belongs to.
        answers: name of the port that asks for what is read here; a step touches this one `latency` stages later.
    """

    name: str
    parameter: int
    offset: int
    bits: int
    reads: bool
    sides: tuple[tuple[str, int], ...] = ()
    role: Role = "stream"
    of: int = -1
    answers: str = ""
    latency: int = 0


@dataclass(frozen=True)
class Access:
    """A read or write of a stream, when `condition` holds."""

    port: Port
    condition: Node
    data: Node | None
    place: Place


@dataclass(frozen=True)
class Write:
    """A word written to a memory at the end of the step, when `condition` holds. Later writes win."""

    memory: Memory
    condition: Node
    address: Node
    data: Node
    place: Place


@dataclass(frozen=True)
class Read:
    """A word that a step reads from a memory.

    Attributes:
        word: the expression that reads it.
        condition: the C++ reads it; the hardware may do so more often.
        place: line of the C++.
        repeated: the step may begin again after it, at once.
    """

    word: Node
    condition: Node
    place: Place
    repeated: bool


@dataclass(frozen=True)
class Promise:
    """What a step, when it follows itself, does not read.

    Attributes:
        memory: the array.
        distance: words that fewer than so many iterations before wrote; None: that any iteration wrote.
        place: the pragma.
    """

    memory: Memory
    distance: int | None
    place: Place


@dataclass(frozen=True)
class Check:
    """In simulation: nothing is read that one of the last iterations, one after the other, has written.

    Attributes:
        promise: what is checked.
        iterations: how many.
        reads: conditions and addresses.
        writes: the same.
    """

    promise: Promise
    iterations: int
    reads: list[tuple[Node, Node]]
    writes: list[tuple[Node, Node]]


@dataclass(eq=False)
class Register:
    """Holds a value from step to step, or from stage to stage.

    Attributes:
        name: from the source, where LLVM kept one.
        width: bits of the value.
        place: where the value is computed.
        memory: the block RAM whose read port this register is the output of.
    """

    name: str
    width: int
    place: Place
    memory: Memory | None = None


@dataclass(frozen=True)
class Update:
    """A new value for a register at the end of the step, when `condition` holds."""

    register: Register
    condition: Node
    value: Node


@dataclass(frozen=True)
class Exit:
    """The step that comes next when `condition` holds. Exactly one exit's condition holds."""

    condition: Node
    target: int


@dataclass(eq=False)
class Step:
    """What happens in one clock.

    Attributes:
        name: state name.
        place: first line of the step.
        loop: number of the loop of the source whose iteration begins here, if one does.
        interval: clocks from its beginning to that of the next step, when that is another one.
        repeat: the same when it is the same step again.
        recurrence: what the repetition, else the interval, is that long for, in words; empty where both are 1.
        reads: of its memories.
        promises: what it does not read.
        checks: of these promises, in the stage in which they can be checked.
        ready: every stream that the step touches on the taken path is ready.
    """

    name: str
    place: Place
    accesses: list[Access] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    updates: list[Update] = field(default_factory=list)
    exits: list[Exit] = field(default_factory=list)
    ready: Node | None = None
    loop: int | None = None
    interval: int = 1
    repeat: int = 1
    recurrence: str = ""
    reads: list[Read] = field(default_factory=list)
    promises: list[Promise] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)


@dataclass(eq=False)
class Fetch:
    """A read port of a block RAM: the address in one stage, the word in the next.

    Attributes:
        memory: the block RAM.
        register: its output register.
        addresses: of each address the steps that read there; in the others it does not matter.
        place: a line that reads.
    """

    memory: Memory
    register: Register
    addresses: list[tuple[frozenset[int], Node]]
    place: Place


@dataclass(eq=False)
class Stage:
    """One clock of a pipelined process: the part of every step that happens in it.

    A step enters stage 0, and moves on by one stage a clock unless it, or one before it, has to wait for a stream.

    Attributes:
        steps: for each step of the process what of it happens here; its exits are in one stage.
        shifts: registers that take values on to the next stage.
        fetches: what block RAMs read for the next stage.
    """

    steps: list[Step]
    shifts: list[Update] = field(default_factory=list)
    fetches: list[Fetch] = field(default_factory=list)


@dataclass(eq=False)
class Process:
    """A function with streams, as steps.

    Attributes:
        steps: what happens in each, whenever it is.
        stages: the same, spread over the clocks that a step takes; one stage without a clock to meet.
        circles: per register, memory or port that depends on its own last value what else is in that circle, in words.
    """

    name: str
    symbol: str
    place: Place
    graph: Graph
    ports: list[Port]
    memories: list[Memory]
    registers: list[Register]
    steps: list[Step]
    stages: list[Stage] = field(default_factory=list)
    circles: dict[object, str] = field(default_factory=dict)

    def stage_of(self, port: Port) -> int:
        """The stage in which all steps touch a stream."""
        return next(
            number
            for number, stage in enumerate(self.stages)
            if any(access.port is port for step in stage.steps for access in step.accesses)
        )

    def __post_init__(self) -> None:
        self.stages = self.stages or [Stage(self.steps)]
