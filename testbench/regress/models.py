"""The job that compiles a simulation: C++ to SystemVerilog to a program, once for all runs that need it."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

import rtl
from testbench.build import load_build
from testbench.regress.runs import ModelPlan
from testbench.regress.work import Work, measured
from testbench.rtl.executor import RtlDesign, compile_design
from testbench.rtl.phases import Gauge
from testbench.rtl.simulator import Model, SimulationFailed, build_model

__all__ = ["CompiledModel", "compile_model", "kept_model", "sources_folder"]

_RECORD = "record.json"


class CompiledModel(BaseModel):
    """A compiled simulation, or why there is none.

    Attributes:
        digest: from the plan.
        folder: where the program and the SystemVerilog (in `sv/`) are.
        top: name of the top module and of the program.
        waves: format of the waves that a run records, None if it records none.
        coverage: whether its runs count coverage.
        gauges, depths, stages: of the RTL, as :class:`RtlDesign` has them.
        error: one line if it could not be compiled.
        work: what compiling took.
    """

    model_config = ConfigDict(extra="forbid")

    digest: str
    folder: Path
    top: str = ""
    waves: Literal["fst", "vcd"] | None = None
    coverage: bool = False
    gauges: tuple[Gauge, ...] = ()
    depths: dict[str, int] = {}
    stages: dict[str, tuple[int, int]] | None = None
    error: str = ""
    work: Work = Work()

    def design(self) -> RtlDesign:
        """What a bench must know of the RTL."""
        return RtlDesign((), self.gauges, self.depths, self.stages)

    def program(self) -> Model:
        """What a simulation is started from."""
        return Model(self.top, self.folder, self.waves)


def sources_folder(model: Path) -> Path:
    """Where the SystemVerilog of a model lies."""
    return model / "sv"


def kept_model(plan: ModelPlan, models: Path) -> CompiledModel | None:
    """The compiled simulation if it is there from an earlier time.

    Args:
        plan: which.
        models: folder of all models.
    """
    folder = models / plan.digest
    try:
        model = CompiledModel.model_validate_json((folder / _RECORD).read_bytes())
    except (OSError, ValidationError):
        return None
    return model.model_copy(update={"folder": folder, "work": Work()})


def compile_model(plan: ModelPlan, models: Path, jobs: int) -> CompiledModel:
    """Compiles a simulation into a folder of its own, which appears when it is complete.

    Args:
        plan: what to compile.
        models: folder of all models.
        jobs: C++ compilers at a time.
    """
    folder = models / plan.digest
    work = Path(tempfile.mkdtemp(prefix=f".{plan.digest}.", dir=models))
    try:
        with measured() as cost:
            model = _compile(plan, folder, work, jobs)
        model = model.model_copy(update={"work": cost})
        (work / _RECORD).write_text(model.model_dump_json(indent=1))
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(work, folder)
        return model
    except (rtl.CompileError, SimulationFailed) as error:
        return CompiledModel(digest=plan.digest, folder=folder, error=" ".join(str(error).split()), work=cost)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _compile(plan: ModelPlan, folder: Path, work: Path, jobs: int) -> CompiledModel:
    build = load_build(plan.build)
    design = compile_design(build, sources_folder(work))
    top = build.manifest.top
    model = build_model(design.sources, top, work / "model", waves=plan.waves, coverage=plan.coverage, jobs=jobs)
    # Only the program is run; what it was compiled from takes tens of megabytes.
    os.replace(model.folder / top, work / top)
    shutil.rmtree(model.folder)
    return CompiledModel(
        digest=plan.digest,
        folder=folder,
        top=top,
        waves=model.waves,
        coverage=plan.coverage,
        gauges=design.gauges,
        depths=dict(design.depths or {}),
        stages=None if design.stages is None else dict(design.stages),
    )
