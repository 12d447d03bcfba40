"""Compiles a C-simulation with g++ against Xilinx' open ap_types and our hls_stream.h."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

__all__ = ["CompileFailed", "ap_types_folder", "compile_program", "stream_headers_folder"]

# Xilinx' headers leave the default constructor's value open on purpose, which g++ reports at every use.
_WARNINGS = ("-Wall", "-Wno-unknown-pragmas", "-Wno-maybe-uninitialized", "-Wno-uninitialized", "-Wno-unused-label")
# An index outside a kernel's array must not go unnoticed; it costs next to nothing. -O1 compiles fastest in all.
_CODE = ("-std=c++17", "-O1", "-fsanitize=bounds", "-fno-sanitize-recover=all")


class CompileFailed(Exception):
    """g++ refused the sources, or a tool that compiling needs is missing."""


def ap_types_folder() -> Path:
    """Folder of Xilinx' open ap_int.h and ap_fixed.h (Apache-2.0), which the hls4ml distribution carries.

    Raises:
        CompileFailed: hls4ml is not installed.
    """
    spec = find_spec("hls4ml")
    for location in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(location) / "templates" / "vivado" / "ap_types"
        if (folder / "ap_int.h").is_file():
            return folder
    raise CompileFailed("C-simulation needs ap_int.h from the hls4ml package: pip install --no-deps hls4ml==1.3.0.")


def stream_headers_folder() -> Path:
    """Folder of this project's hls_stream.h and dataflow_fibers.h."""
    return Path(__file__).parent / "include"


def compile_program(
    sources: Sequence[Path],
    program: Path,
    *,
    include: Sequence[Path] = (),
    defines: Mapping[str, str] | None = None,
) -> Path:
    """Compiles C++17 sources to one program, unless an equal compilation is already there.

    Args:
        sources: C++ files.
        program: the file to make; `<program>.inputs.json` beside it remembers what it was made from.
        include: folders searched before our stream headers and Xilinx' types.
        defines: preprocessor macros.

    Returns:
        `program`.

    Raises:
        CompileFailed: with g++'s first error line.
    """
    command = _command(sources, program, include, defines or {})
    roots = _roots(sources, program, include)
    record = program.with_name(program.name + ".inputs.json")
    state = {
        "command": [_portable(part, roots) for part in command],
        "inputs": {_portable(path, roots): _digest(path) for path in _inputs(sources, include)},
    }
    if program.is_file() and record.is_file() and json.loads(record.read_text()) == state:
        return program
    record.unlink(missing_ok=True)
    program.parent.mkdir(parents=True, exist_ok=True)
    run = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    if run.returncode != 0:
        raise CompileFailed(_first_error(run.stderr))
    record.write_text(json.dumps(state))
    return program


def _roots(sources: Sequence[Path], program: Path, include: Sequence[Path]) -> list[str]:
    """Folders whose place does not matter: equal files in another folder make the same program."""
    folders = dict.fromkeys(str(folder) for folder in [program.parent, *include, *(s.parent for s in sources)])
    return list(folders)


def _portable(text: str, roots: Sequence[str]) -> str:
    """A path or option with the roots replaced by their numbers."""
    for number, root in sorted(enumerate(roots), key=lambda pair: -len(pair[1])):
        text = text.replace(root, f"<{number}>")
    return text


def _command(sources: Sequence[Path], program: Path, include: Sequence[Path], defines: Mapping[str, str]) -> list[str]:
    compiler = shutil.which("g++")
    if compiler is None:
        raise CompileFailed("C-simulation needs g++: install the Debian package 'g++'.")
    launcher = [ccache] if (ccache := shutil.which("ccache")) else []
    # hls4ml's folder comes last: it also holds a stream header of its own, which must never be found.
    folders = [*include, stream_headers_folder()]
    return [
        *launcher,
        compiler,
        *_CODE,
        *_WARNINGS,
        *(f"-D{name}={value}" for name, value in defines.items()),
        *(f"-I{folder}" for folder in folders),
        "-isystem",
        str(ap_types_folder()),
        "-MD",
        "-MF",
        f"{program}.d",
        "-o",
        str(program),
        *(str(source) for source in sources),
    ]


def _inputs(sources: Sequence[Path], include: Sequence[Path]) -> list[str]:
    """Files that decide what is compiled. (g++ writes the dependencies of one source only, the last one.)"""
    folders = {*include, stream_headers_folder(), *(source.parent for source in sources)}
    headers = (header for folder in folders for header in folder.glob("*.h"))
    return sorted(str(path) for path in {*sources, *headers})


def _digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _first_error(text: str) -> str:
    for line in text.splitlines():
        if "error" in line:
            return f"g++ refused the C-simulation: {line.strip()}"
    return f"g++ failed: {text.strip()[-500:]}"
