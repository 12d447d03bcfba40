"""The compiler's driver: front end, parser, steps, SystemVerilog."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtl.dataflow import Network, build_network, emit_top
from rtl.design import Design
from rtl.emit import emit_process
from rtl.errors import CompileError
from rtl.frontend import INCLUDE_DIR, SourceModule, lower
from rtl.ir import Function
from rtl.names import Namespace, identifier
from rtl.parser import parse_module
from rtl.process import Process
from rtl.report import Report, build_report, check_clock
from rtl.steps import build_process

__all__ = ["compile_cpp", "compile_with_report"]

_LIBRARY = Path(__file__).parent / "library"


@dataclass(frozen=True)
class _Compiled:
    """A design in memory: processes and their modules by symbol, and the files' texts by name."""

    source: SourceModule
    processes: dict[str, Process]
    modules: dict[str, str]
    network: Network
    texts: dict[str, str]


def compile_cpp(
    source: Path,
    top: str,
    include: Sequence[Path],
    output: Path,
    defines: Mapping[str, str] | None = None,
) -> Design:
    """Compiles a Vitis HLS C++ dataflow design to SystemVerilog.

    Args:
        source: C++ file that holds the top function.
        top: name of the top function; the top module is called so too.
        include: folders for #include, after the compiler's own headers.
        output: folder to write; replaced as a whole, and only when everything went well.
        defines: preprocessor definitions.

    Returns:
        The design; it is also written as `design.json`.

    Raises:
        CompileError: what the compiler cannot take, with file and line. Nothing is written then.
    """
    compiled = _compile(source, top, include, defines or {})
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
        clock_mhz: the clock asked for, in MHz. It changes nothing in the SystemVerilog of this version.

    Raises:
        CompileError: what the compiler cannot take.
        OptionError: a clock that is not a positive number.
    """
    check_clock(clock_mhz)
    compiled = _compile(source, top, include, defines or {})
    design = _design(compiled, output or Path())
    report = build_report(compiled.source, compiled.processes, compiled.modules, compiled.network, clock_mhz)
    if output is not None:
        documents = {"design.json": design, "report.json": report}
        texts = {name: model.model_dump_json(indent=2) + "\n" for name, model in documents.items()}
        _write(output, compiled.texts | texts)
    return design, report


def _compile(source: Path, top: str, include: Sequence[Path], defines: Mapping[str, str]) -> _Compiled:
    if not source.is_file():
        raise CompileError(str(source), 0, "no such file")
    lowered = lower(source, top, include, defines)
    module = parse_module(lowered.text, INCLUDE_DIR, lowered.top, lowered.processes)
    _check_shared([module.functions[symbol] for symbol in lowered.processes])
    names = Namespace()
    names.unique(top)
    processes = {symbol: build_process(module.functions[symbol]) for symbol in lowered.processes}
    modules = {symbol: names.unique(f"{identifier(top)}_{process.name}") for symbol, process in processes.items()}
    network = build_network(module.functions[lowered.top], top, processes, modules)
    texts = {top: emit_top(network, list(processes.values()), modules)}
    texts |= {modules[symbol]: emit_process(process, modules[symbol]) for symbol, process in processes.items()}
    texts["rtl_fifo"] = (_LIBRARY / "rtl_fifo.sv").read_text()
    return _Compiled(lowered, processes, modules, network, {f"{name}.sv": text for name, text in texts.items()})


def _design(compiled: _Compiled, output: Path) -> Design:
    network = compiled.network
    return Design(
        top=network.top,
        ports=network.ports,
        fifos=network.fifos,
        processes=network.instances,
        files=[output / name for name in compiled.texts],
    )


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
