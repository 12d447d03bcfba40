"""The compiler's driver: front end, parser, steps, SystemVerilog."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rtl.dataflow import build_network, emit_top
from rtl.design import Design
from rtl.emit import emit_process
from rtl.errors import CompileError
from rtl.frontend import INCLUDE_DIR, lower
from rtl.ir import Function
from rtl.names import Namespace, identifier
from rtl.parser import parse_module
from rtl.steps import build_process

__all__ = ["compile_cpp"]

_LIBRARY = Path(__file__).parent / "library"


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
    if not source.is_file():
        raise CompileError(str(source), 0, "no such file")
    lowered = lower(source, top, include, defines or {})
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
    design = Design(
        top=top,
        ports=network.ports,
        fifos=network.fifos,
        processes=network.instances,
        files=[output / f"{name}.sv" for name in texts],
    )
    _write(output, {f"{name}.sv": text for name, text in texts.items()}, design)
    return design


def _check_shared(functions: Sequence[Function]) -> None:
    """Refuses variables that two processes see: between processes there are only streams."""
    owners: dict[int, Function] = {}
    for function in functions:
        for item in function.objects:
            if item.initial is not None and not item.constant and owners.setdefault(id(item), function) is not function:
                message = f"'{item.name}' is used by '{owners[id(item)].name}' too; processes share nothing but streams"
                raise CompileError(function.place.file, function.place.line, message)


def _write(output: Path, texts: Mapping[str, str], design: Design) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "design.json").write_text(design.model_dump_json(indent=2) + "\n")
    folder.chmod(0o755)
    if output.exists():
        shutil.rmtree(output)
    folder.rename(output)
