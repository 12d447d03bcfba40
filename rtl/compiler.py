"""The compiler's driver: front end, parser, steps, SystemVerilog."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtl.arguments import Arguments, add_arguments, read_in_next_step
from rtl.control import AccessUnit, argument_kinds, build_control
from rtl.dataflow import Network, build_network, emit_top
from rtl.design import ControlPorts, Design, Fifo, Instance, StepTiming
from rtl.emit import emit_process
from rtl.errors import CompileError
from rtl.flatten import ProcessCall, calling, find_calls
from rtl.frontend import INCLUDE_DIR, SourceModule, lower
from rtl.interfaces import Interface, read_interface
from rtl.ir import Function, ScalarParameter
from rtl.names import Namespace, identifier
from rtl.parser import parse_module
from rtl.partition import partition_arrays
from rtl.pieces import cut_words
from rtl.pipeline import circular_answers, pipeline
from rtl.process import Process
from rtl.promises import bind_promises, check_promises
from rtl.report import Report, build_report, check_clock
from rtl.small_objects import join_small_objects
from rtl.steps import build_process
from rtl.storage import bind_storage

__all__ = ["compile_cpp", "compile_with_report"]

_LIBRARY = Path(__file__).parent / "library"


@dataclass(frozen=True)
class _Compiled:
    """A design in memory: processes and their modules by symbol, the files' texts by name, what accesses memory."""

    source: SourceModule
    processes: dict[str, Process]
    modules: dict[str, str]
    network: Network
    texts: dict[str, str]
    control: ControlPorts | None
    units: list[AccessUnit]


def compile_cpp(
    source: Path,
    top: str,
    include: Sequence[Path],
    output: Path,
    defines: Mapping[str, str] | None = None,
    clock_mhz: float | None = None,
) -> Design:
    """Compiles a Vitis HLS C++ dataflow design to SystemVerilog.

    Args:
        source: C++ file that holds the top function.
        top: name of the top function; the top module is called so too.
        include: folders for #include, after the compiler's own headers.
        output: folder to write; replaced as a whole, and only when everything went well.
        defines: preprocessor definitions.
        clock_mhz: the clock that the processes are pipelined for, in MHz; None runs each step in one clock.

    Returns:
        The design; it is also written as `design.json`.

    Raises:
        CompileError: what the compiler cannot take, with file and line. Nothing is written then.
        OptionError: a clock that is not a positive number.
    """
    compiled = _compile(source, top, include, defines or {}, clock_mhz)
    design = _design(compiled, output)
    _write(output, compiled.texts | {"design.json": design.model_dump_json(indent=2) + "\n"})
    return design


def compile_with_report(
    source: Path,
    top: str,
    include: Sequence[Path],
    output: Path | None,
    clock_mhz: float,
    defines: Mapping[str, str] | None = None,
) -> tuple[Design, Report]:
    """Compiles as `compile_cpp` does, and measures the result against a clock.

    Args:
        source, top, include, defines: as for `compile_cpp`.
        output: folder to write, with `report.json` in it; None writes nothing, and the design's files have no folder.
        clock_mhz: the clock that the processes are pipelined for, in MHz.

    Raises:
        CompileError: what the compiler cannot take.
        OptionError: a clock that is not a positive number.
    """
    compiled = _compile(source, top, include, defines or {}, clock_mhz)
    design = _design(compiled, output or Path())
    report = build_report(
        compiled.source, compiled.processes, compiled.modules, compiled.network, clock_mhz, compiled.units
    )
    if output is not None:
        documents = {"design.json": design, "report.json": report}
        texts = {name: model.model_dump_json(indent=2) + "\n" for name, model in documents.items()}
        _write(output, compiled.texts | texts)
    return design, report


def _compile(
    source: Path, top: str, include: Sequence[Path], defines: Mapping[str, str], clock_mhz: float | None
) -> _Compiled:
    if clock_mhz is not None:
        check_clock(clock_mhz)
    if not source.is_file():
        raise CompileError(str(source), 0, "no such file")
    lowered = lower(source, top, include, defines)
    check_promises(lowered.pragmas)
    module = parse_module(lowered.text, INCLUDE_DIR, [*lowered.regions, *lowered.processes])
    functions = module.functions
    _check_shared([functions[symbol] for symbol in lowered.processes])
    outermost = functions[lowered.top] if lowered.top in lowered.regions else calling(functions[lowered.top])
    regions, calls = find_calls(outermost, functions, lowered.regions)
    interface = _interface(lowered, outermost, functions)
    arguments = _arguments(calls, functions, interface) if interface else {}
    for symbol in lowered.processes:
        partition_arrays(functions[symbol], lowered.pragmas, lowered.functions, _lines(functions[symbol]))
        join_small_objects(functions[symbol])
        cut_words(functions[symbol])
    names = Namespace()
    names.unique(top)
    processes = {symbol: _process(functions[symbol]) for symbol in lowered.processes}
    modules = {symbol: names.unique(f"{identifier(top)}_{process.name}") for symbol, process in processes.items()}
    others = [number for number, item in enumerate(interface.arguments if interface else []) if item.kind != "stream"]
    network = build_network(regions, calls, top, processes, modules, others)
    for symbol, process in processes.items():
        if clock_mhz is not None or any(port.answers for port in process.ports):
            bind_promises(process, lowered.pragmas, lowered.loops, lowered.functions)
            bind_storage(process.memories, lowered.pragmas, lowered.functions, _lines(functions[symbol]))
            period = 1000 / clock_mhz if clock_mhz is not None else math.inf
            pipeline(process, network.depths(process, modules[symbol]), period)
    control = build_control(top, interface, calls, processes, arguments) if interface else None
    texts = {top: emit_top(network, list(processes.values()), modules, control)}
    texts |= {modules[symbol]: emit_process(process, modules[symbol]) for symbol, process in processes.items()}
    texts |= control.texts if control else {}
    for name in dict.fromkeys([*(control.library if control else []), "rtl_fifo"]):
        texts[name] = (_LIBRARY / f"{name}.sv").read_text()
    files = {f"{name}.sv": text for name, text in texts.items()}
    described, units = (control.described, control.units) if control else (None, [])
    return _Compiled(lowered, processes, modules, network, files, described, units)


def _interface(lowered: SourceModule, top: Function, functions: Mapping[str, Function]) -> Interface | None:
    """What the top's pragmas say; None for a top without a start, whose processes take streams alone."""
    if lowered.interface:
        return read_interface(lowered.described, [item.name for item in top.parameters], lowered.interface)
    for function in functions.values():
        if any(isinstance(item, ScalarParameter) for item in function.parameters):
            message = (
                "a process takes streams only, unless the top function has a start (#pragma HLS INTERFACE s_axilite)"
            )
            raise CompileError(function.place.file, function.place.line, message)
    return None


def _arguments(
    calls: Sequence[ProcessCall], functions: Mapping[str, Function], interface: Interface
) -> dict[str, Arguments]:
    """Turns the numbers and memory of all processes into streams."""
    kinds = argument_kinds(calls, interface)
    return {symbol: add_arguments(functions[symbol], kinds[symbol]) for symbol in kinds}


def _process(function: Function) -> Process:
    """A process; what it reads from memory is read in the next step where later requests hang on it."""
    process = build_process(function)
    while circular := circular_answers(process):
        for port in circular:
            read_in_next_step(function, port.name)
        process = build_process(function)
    return process


def _design(compiled: _Compiled, output: Path) -> Design:
    network = compiled.network
    by_module = {compiled.modules[symbol]: process for symbol, process in compiled.processes.items()}
    processes = {instance.name: by_module[instance.module] for instance in network.instances}
    return Design(
        top=network.top,
        ports=network.ports,
        fifos=[_placed(fifo, network, processes) for fifo in network.fifos],
        processes=[_timed(instance, processes[instance.name]) for instance in network.instances],
        control=compiled.control,
        files=[output / name for name in compiled.texts],
    )


def _timed(instance: Instance, process: Process) -> Instance:
    """With the clocks of its steps."""
    steps = [
        StepTiming(name=step.name, line=step.place.line, interval=step.interval, repeat=step.repeat)
        for step in process.steps
    ]
    return instance.model_copy(update={"stages": len(process.stages), "steps": steps})


def _placed(fifo: Fifo, network: Network, processes: Mapping[str, Process]) -> Fifo:
    """With the stages in which its ends touch it."""
    stages = {}
    for end in (fifo.producer, fifo.consumer):
        if end in processes:
            process = processes[end]
            port = next(port for port in process.ports if network.wiring[end][port.name] == fifo.name)
            stages["read_in" if port.reads else "written_in"] = process.stage_of(port)
    return fifo.model_copy(update=stages)


def _lines(function: Function) -> set[tuple[str, int]]:
    """Where a process' code comes from."""
    return {(item.place.file, item.place.line) for block in function.blocks for item in block.instructions}


def _check_shared(functions: Sequence[Function]) -> None:
    """Refuses variables that two processes see: between processes there are only streams."""
    owners: dict[int, Function] = {}
    for function in functions:
        for item in function.objects:
            if item.initial is not None and not item.constant and owners.setdefault(id(item), function) is not function:
                message = f"'{item.name}' is used by '{owners[id(item)].name}' too; processes share nothing but streams"
                raise CompileError(function.place.file, function.place.line, message)


def _write(output: Path, texts: Mapping[str, str]) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    for name, text in texts.items():
        (folder / name).write_text(text)
    folder.chmod(0o755)
    if output.exists():
        shutil.rmtree(output)
    folder.rename(output)
