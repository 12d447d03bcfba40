"""The job that makes one run: simulates, judges, and leaves the outcome in the run's folder."""

import os
import traceback
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from testbench.build import Build, load_build
from testbench.regress.coverage_points import CoverageError, pack_coverage
from testbench.regress.digests import file_digest
from testbench.regress.models import CompiledModel
from testbench.regress.runs import Run
from testbench.regress.work import Work, measured
from testbench.rtl.checks import check_design, check_timing
from testbench.rtl.executor import RtlExecutor
from testbench.rtl.simulator import SimulationFailed, TimeLimitReached

__all__ = ["Outcome", "discard_outcome", "kept_outcome", "simulate"]

_OUTCOME = "outcome.json"


class Outcome(BaseModel):
    """What a run found.

    Attributes:
        digest: of everything that it depends on.
        status: passed; failed: the RTL is wrong; time limit: it was killed; broken: there is no verdict.
        detail: one line.
        cycles: clocks of all its images, where it passed.
        coverage: whether its coverage was kept.
        work: what it took.
    """

    model_config = ConfigDict(extra="forbid")

    digest: str
    status: Literal["passed", "failed", "time limit", "broken"]
    detail: str
    cycles: int | None = None
    coverage: bool = False
    work: Work = Work()

    @property
    def final(self) -> bool:
        """Whether the same run would find the same again."""
        return self.status in ("passed", "failed")


def kept_outcome(run: Run, runs: Path, coverage: bool) -> Outcome | None:
    """The outcome of an earlier time, if nothing that it depends on has changed.

    Args:
        run: which.
        runs: folder of all runs.
        coverage: whether it must have counted coverage.
    """
    try:
        outcome = Outcome.model_validate_json((runs / run.name / _OUTCOME).read_bytes())
    except (OSError, ValidationError):
        return None
    current = outcome.digest == run.digest and outcome.final
    return outcome if current and (outcome.coverage or not coverage) else None


def discard_outcome(run: Run, runs: Path) -> None:
    """Before a run is given to a worker: an outcome that is there afterwards is its own."""
    (runs / run.name / _OUTCOME).unlink(missing_ok=True)


def simulate(run: Run, model: CompiledModel, runs: Path) -> Outcome:
    """Makes a run.

    Args:
        run: which.
        model: the compiled simulation.
        runs: folder of all runs; the run's own is below it, by its name.
    """
    folder = runs / run.name
    folder.mkdir(parents=True, exist_ok=True)
    with measured() as work:
        outcome = _judged(run, model, runs)
    outcome = outcome.model_copy(update={"work": work})
    temporary = folder / f".{_OUTCOME}.{os.getpid()}"
    temporary.write_text(outcome.model_dump_json(indent=1))
    os.replace(temporary, folder / _OUTCOME)
    return outcome


def _judged(run: Run, model: CompiledModel, runs: Path) -> Outcome:
    try:
        return _simulated(run, model, runs)
    except TimeLimitReached as error:
        return Outcome(digest=run.digest, status="time limit", detail=str(error))
    except (SimulationFailed, CoverageError) as error:
        return Outcome(digest=run.digest, status="broken", detail=" ".join(str(error).split()))
    except Exception as error:  # one run that cannot be made must not end a night's regression
        file = runs / run.name / "traceback.txt"
        file.write_text(traceback.format_exc())
        return Outcome(digest=run.digest, status="broken", detail=f"{type(error).__name__}: {error} (see {file})")


def _simulated(run: Run, model: CompiledModel, runs: Path) -> Outcome:
    if file_digest(run.build / "manifest.json") != run.manifest:
        raise SimulationFailed(f"the build {run.build} was changed while the regression ran")
    build = _build(run.build, run.manifest)
    executor = RtlExecutor(build, model.design(), runs, model.waves is not None, model.program())
    groups = [list(run.images)] if run.stalled else [[image] for image in run.images]
    result = executor.run(groups, run.seed, pauses=run.shares, name=run.name, time_limit=run.time_limit)
    if model.coverage:
        pack_coverage(runs / run.name, model.folder)
    fault = "" if result.passed else result.explanation
    fault = fault or check_design(model.design(), build)
    if not run.stalled:
        fault = fault or check_timing(result.runs, build, run.images)
    status: Literal["passed", "failed"] = "failed" if fault else "passed"
    cycles = sum(each.cycles for each in result.runs.runs) if result.passed else None
    detail = fault or f"{cycles:,} cycles"
    return Outcome(digest=run.digest, status=status, detail=detail, cycles=cycles, coverage=model.coverage)


@lru_cache(maxsize=8)
def _build(folder: Path, manifest: str) -> Build:
    """A build is read and checked once by each worker."""
    return load_build(folder)
