"""What the compiler hands back: the design's outer face and the names inside it."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

__all__ = ["ControlPorts", "Design", "Fifo", "Instance", "MemoryPort", "Register", "StepTiming", "TopPort"]


class TopPort(BaseModel):
    """An AXI4-Stream port of the top module."""

    name: str = Field(description="C++ parameter; signals are NAME_TDATA, NAME_TVALID, NAME_TREADY")
    direction: Literal["in", "out"]
    bits: int = Field(description="bits of the data; TDATA is padded with zeros to whole bytes")
    sides: dict[str, int] = Field(
        default_factory=dict,
        description="bits of an hls::axis' side channels NAME_TKEEP and so on; above the data in the FIFO's words",
    )

    @property
    def word_bits(self) -> int:
        """Bits of data and side channels."""
        return self.bits + sum(self.sides.values())


class Fifo(BaseModel):
    """A stream between two processes, or between a port and a process."""

    name: str = Field(description="instance name; registers `count` and `high_water` are inside")
    stream: str = Field(description="the stream in the C++, as `name` or `name[index]`")
    bits: int
    depth: int
    producer: str = Field(description="instance name of the process that writes, or the port's name")
    consumer: str = Field(description="instance name of the process that reads, or the port's name")
    written_in: int = Field(default=0, description="stage of the producer in which a word is written, 0 for a port")
    read_in: int = Field(default=0, description="stage of the consumer in which a word is read, 0 for a port")


class StepTiming(BaseModel):
    """A step of a process: what happens from one cut to the next."""

    name: str = Field(description="of its state in the SystemVerilog")
    line: int = Field(description="its first line in the C++")
    interval: int = Field(description="clocks from its beginning to that of the next step, when that is another one")
    repeat: int = Field(description="the same when it is the same step again: II of a loop of one step")


class Instance(BaseModel):
    """A call in the top function."""

    name: str = Field(description="instance name")
    module: str
    function: str = Field(description="the C++ function with its template arguments")
    states: int = Field(description="steps; one begins in each clock when nothing stalls")
    stages: int = Field(default=1, description="clocks that a step takes from its start to its end")
    steps: list[StepTiming] = Field(default=[], description="in the order of their numbers; the first is the entry")


class Register(BaseModel):
    """A number in the register map, in words of 32 bits, the lowest first."""

    name: str = Field(description="C++ parameter; NAME_i and NAME_o for one that goes both ways")
    offset: int = Field(description="byte address of its first word")
    bits: int
    direction: Literal["in", "out"] = Field(description="written or read by the host; `out` has a valid bit behind it")
    bundle: str = Field(default="control", description="the AXI4-Lite port that it is reached by")


class MemoryPort(BaseModel):
    """An AXI4 master port `m_axi_NAME_*`."""

    name: str
    bits: int = Field(description="of the data bus")
    pointers: list[str] = Field(description="C++ parameters")


class ControlPorts(BaseModel):
    """Start, numbers and memory of a design that waits for a start."""

    start: Literal["registers", "wires"] = Field(description="ap_start and the like in the register map, or as ports")
    chain: bool = Field(default=False, description="done is held until ap_continue (ap_ctrl_chain)")
    bundles: list[str] = Field(description="AXI4-Lite ports `s_axi_BUNDLE_*`; ap_start and the like are in the first")
    registers: list[Register]
    memories: list[MemoryPort]


class Design(BaseModel):
    """A compiled design. `design.json` in the output folder is this, serialised."""

    top: str
    ports: list[TopPort]
    fifos: list[Fifo]
    processes: list[Instance]
    control: ControlPorts | None = Field(default=None, description="None: every process begins again when it returns")
    files: list[Path] = Field(description="SystemVerilog files, top first")

    def stream_stages(self) -> dict[str, tuple[int, int]]:
        """Per stream (`name`, or `name_0` for an element of an array) `written_in` and `read_in`, if not both 0.

        Likewise per function that relies on a promise about an array (DEPENDENCE) the stage in which it writes the
        array, counted from the one in which it reads it, and 0: so many clocks later another step begins than the same
        one again.
        """
        stages = {fifo.stream: (fifo.written_in, fifo.read_in) for fifo in self.fifos}
        named = {name.replace("[", "_").removesuffix("]"): pair for name, pair in sorted(stages.items())}
        for process in self.processes:
            late = max((step.interval - step.repeat for step in process.steps), default=0)
            named[process.function] = (max(late, 0), 0)
        return {name: pair for name, pair in named.items() if pair != (0, 0)}
