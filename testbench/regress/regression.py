"""A whole regression: what is kept from earlier, what must be compiled and run, and the report on all of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from testbench.build import Build, BuildFileError, load_build
from testbench.regress.coverage import Coverage, coverage_of
from testbench.regress.digests import entry_digest
from testbench.regress.models import CompiledModel, compile_model, kept_model
from testbench.regress.runs import ModelPlan, Run, plan_models, plan_runs, select_runs
from testbench.regress.simulate import Outcome, discard_outcome, kept_outcome, simulate
from testbench.regress.suite import BuildEntry, Suite, SuiteError
from testbench.regress.work import Work, measured
from testbench.regress.workers import Workers, check_dask
from testbench.regress.workspace import Workspace, open_workspace, write_file

__all__ = ["Options", "Regression", "Report", "RunReport", "Watcher", "run_suite"]

Generate = Callable[[BuildEntry, Path], str]
"""Makes a suite's build in a folder; returns what is wrong with the entry, empty when nothing is. Runs in a worker."""


@dataclass(frozen=True)
class Options:
    """What the user may choose.

    Attributes:
        workers, scheduler: see :class:`Workers`.
        only: names of runs, `*` allowed; these are run even if their outcomes are kept. Empty: all runs.
        waves: record waves.
        coverage: count coverage.
        fresh: run everything anew.
    """

    workers: int | None = None
    scheduler: str | None = None
    only: tuple[str, ...] = ()
    waves: bool = False
    coverage: bool = False
    fresh: bool = False


class Watcher(Protocol):
    """Who is told how far a regression is."""

    def stage(self, text: str) -> None:
        """What is being done now."""

    def planned(self, runs: int, kept: int) -> None:
        """How many runs there are, and of how many the outcome is kept from earlier."""

    def ended(self, run: Run, outcome: Outcome) -> None:
        """A run has ended."""


@dataclass(frozen=True)
class RunReport:
    """A run and what it found.

    Attributes:
        run: which.
        outcome: None if it was not run, because the regression was interrupted.
        kept: whether the outcome is an earlier regression's.
    """

    run: Run
    outcome: Outcome | None
    kept: bool


@dataclass
class Report:
    """What a regression found and took.

    Attributes:
        suite: what was run.
        folder: where everything lies.
        runs: in the suite's order.
        builds: by name.
        seconds: from the start to the last outcome.
        workers: jobs at a time.
        busy_seconds: core time in which jobs ran, over all workers.
        cpu_seconds: processor time that the jobs used.
        interrupted: whether the user broke it off.
        coverage: of the emitted C++, if it was counted.
    """

    suite: Suite
    folder: Path
    runs: list[RunReport] = field(default_factory=list)
    builds: dict[str, Build] = field(default_factory=dict)
    seconds: float = 0.0
    workers: int = 1
    busy_seconds: float = 0.0
    cpu_seconds: float = 0.0
    interrupted: bool = False
    coverage: Coverage | None = None

    def with_status(self, *statuses: str) -> list[RunReport]:
        """The runs whose outcome is one of these."""
        return [each for each in self.runs if each.outcome is not None and each.outcome.status in statuses]

    @property
    def failures(self) -> list[RunReport]:
        """The runs that did not pass."""
        return self.with_status("failed", "time limit", "broken")

    @property
    def missing(self) -> list[RunReport]:
        """The runs without an outcome."""
        return [each for each in self.runs if each.outcome is None]

    @property
    def passed(self) -> bool:
        """Whether every run passed."""
        return not self.failures and not self.missing

    @property
    def busy_share(self) -> float:
        """Part of the workers' time in which they were busy, 0 to 1."""
        return min(1.0, self.busy_seconds / (self.workers * self.seconds)) if self.seconds else 0.0

    @property
    def cpu_share(self) -> float:
        """Part of the workers' time in which their jobs had a processor, 0 to 1."""
        return min(1.0, self.cpu_seconds / (self.workers * self.seconds)) if self.seconds else 0.0


def run_suite(suite: Suite, options: Options, generate: Generate, watcher: Watcher) -> Report:
    """Makes a regression.

    Args:
        suite: what to run.
        options: the user's choice.
        generate: makes the builds that the suite gives as descriptions.
        watcher: is told of every step.

    Raises:
        SuiteError: the suite does not fit its builds, or something is missing.
        BuildFileError: a build is not what its manifest says.
        OSError: a file cannot be read or written.
    """
    check_dask()
    _check_folders(suite)
    with open_workspace(suite) as space, Workers(options.workers, options.scheduler, space) as workers:
        return Regression(suite, options, space, workers, watcher).run(generate)


def _check_folders(suite: Suite) -> None:
    for number, entry in enumerate(suite.builds):
        if entry.folder is not None and not (entry.folder / "manifest.json").is_file():
            raise SuiteError(
                f"{suite.file}: builds[{number}].folder: {entry.folder} is no build; make one with zeroskip generate."
            )
        for field_name in ("description", "stimuli", "board_file"):
            path = getattr(entry, field_name)
            if path is not None and not path.is_file():
                place = f"builds[{number}].{field_name.removesuffix('_file')}"
                raise SuiteError(f"{suite.file}: {place}: there is no file {path}.")


class Regression:
    """One call of :func:`run_suite`."""

    def __init__(self, suite: Suite, options: Options, space: Workspace, workers: Workers, watcher: Watcher) -> None:
        self._suite = suite
        self._options = options
        self._space = space
        self._workers = workers
        self._watcher = watcher
        self._report = Report(suite, space.folder)
        self._outcomes: dict[str, Outcome] = {}
        self._plans: dict[str, ModelPlan] = {}
        self._models: dict[str, CompiledModel] = {}
        self._given: list[Run] = []

    def run(self, generate: Generate) -> Report:
        """Does what is missing and reports on everything."""
        start = time.perf_counter()
        report = self._report
        self._generate(generate)
        report.builds = {entry.name: self._load(entry) for entry in self._suite.builds}
        self._plans = plan_models(report.builds, self._options.waves, self._options.coverage)
        runs = plan_runs(self._suite, report.builds)
        if self._options.only:
            runs = select_runs(runs, self._options.only)
        kept = self._kept(runs)
        self._watcher.planned(len(runs), len(kept))
        try:
            self._execute([run for run in runs if run.name not in kept])
        except KeyboardInterrupt:
            self._interrupted()
        report.seconds = time.perf_counter() - start
        report.workers = self._workers.count
        outcomes = kept | self._outcomes
        report.runs = [RunReport(run, outcomes.get(run.name), run.name in kept) for run in runs]
        if self._options.coverage and not report.interrupted:
            self._watcher.stage("merging coverage ..")
            report.coverage = self._coverage()
        return report

    # Builds -----------------------------------------------------------------------------------------------------------

    def _generate(self, generate: Generate) -> None:
        """Makes the builds that are not there: the first in this process, while the workers start."""
        missing = self._missing_builds()
        if not missing:
            return
        self._watcher.stage(f"generating {len(missing)} builds ..")
        for entry, _ in missing:
            self._digest_file(entry).unlink(missing_ok=True)
        self._workers.prepare()
        first, digest = missing[0]
        self._keep_build(first, digest, *_generated(generate, first, self._space.builds / first.name))
        for entry, digest in missing[1:]:
            self._workers.submit((entry, digest), _generated, generate, entry, self._space.builds / entry.name)
        for label, result, error in self._workers.results():
            if error is not None:
                raise error
            self._keep_build(*label, *result)  # type: ignore[misc]

    def _missing_builds(self) -> list[tuple[BuildEntry, str]]:
        """With their digests, which are taken before: a file may change meanwhile."""
        entries = [(entry, entry_digest(entry)) for entry in self._suite.builds if entry.description is not None]
        return [item for item in entries if self._options.fresh or not self._is_kept(*item)]

    def _is_kept(self, entry: BuildEntry, digest: str) -> bool:
        return _text(self._digest_file(entry)) == digest and (self._space.builds / entry.name).is_dir()

    def _keep_build(self, entry: BuildEntry, digest: str, fault: str, work: Work) -> None:
        self._note(work)
        if fault:
            number = self._suite.builds.index(entry)
            raise SuiteError(f"{self._suite.file}: builds[{number}] ('{entry.name}'): {fault}")
        write_file(self._digest_file(entry), digest)

    def _digest_file(self, entry: BuildEntry) -> Path:
        return self._space.builds / f"{entry.name}.digest"

    def _load(self, entry: BuildEntry) -> Build:
        folder = entry.folder if entry.folder is not None else self._space.builds / entry.name
        try:
            return load_build(folder.resolve())
        except BuildFileError as error:
            raise BuildFileError(f"{self._suite.file}: build '{entry.name}': {error}") from None

    # Runs -------------------------------------------------------------------------------------------------------------

    def _kept(self, runs: Sequence[Run]) -> dict[str, Outcome]:
        if self._options.fresh or self._options.only:
            return {}
        found = {run.name: kept_outcome(run, self._space.runs, self._options.coverage) for run in runs}
        return {name: outcome for name, outcome in found.items() if outcome is not None}

    def _execute(self, runs: Sequence[Run]) -> None:
        """Compiles every model that runs need; a model's runs begin when it is there, the longest first."""
        waiting: dict[str, list[Run]] = {}
        for run in runs:
            waiting.setdefault(self._plans[run.build_name].digest, []).append(run)
        ready = self._compile(waiting)
        self._feed(ready)
        if runs:
            self._watcher.stage("simulating .." if ready else f"compiling {len(waiting)} simulations ..")
        for label, result, error in self._workers.results():
            if isinstance(label, ModelPlan):
                model = result or CompiledModel(digest=label.digest, folder=self._space.models, error=_lost(error))
                self._note(model.work)
                ready += self._released(model, waiting.pop(label.digest))
                self._watcher.stage("simulating ..")
            elif isinstance(label, Run):
                self._end(label, result or Outcome(digest=label.digest, status="broken", detail=_lost(error)))
            self._feed(ready)

    def _compile(self, waiting: dict[str, list[Run]]) -> list[Run]:
        """Gives the models that are not there to the workers; returns the runs of those that are."""
        ready: list[Run] = []
        missing: list[ModelPlan] = []
        for plan in {plan.digest: plan for plan in self._plans.values() if plan.digest in waiting}.values():
            model = kept_model(plan, self._space.models)
            if model is None:
                missing.append(plan)
            else:
                ready += self._released(model, waiting.pop(plan.digest))
        jobs = max(1, self._workers.count // max(1, len(missing)))
        for plan in missing:
            self._workers.submit(plan, compile_model, plan, self._space.models, jobs)
        return ready

    def _released(self, model: CompiledModel, runs: Sequence[Run]) -> list[Run]:
        """The runs that can begin now; without a program, they end instead."""
        self._models[model.digest] = model
        if not model.error:
            return list(runs)
        for run in runs:
            self._end(run, Outcome(digest=run.digest, status="broken", detail=model.error))
        return []

    def _feed(self, ready: list[Run]) -> None:
        """Keeps one job waiting at each worker: none idles, and the last ones are spread evenly."""
        ready.sort(key=lambda run: run.cycles)
        while ready and self._workers.waiting < 2 * self._workers.count:
            run = ready.pop()
            model = self._models[self._plans[run.build_name].digest]
            discard_outcome(run, self._space.runs)
            self._given.append(run)
            self._workers.submit(run, simulate, run, model, self._space.runs)

    def _end(self, run: Run, outcome: Outcome) -> None:
        self._outcomes[run.name] = outcome
        self._note(outcome.work)
        self._watcher.ended(run, outcome)

    def _interrupted(self) -> None:
        """Ends the workers; a run whose outcome was written has ended, even if its worker had not told."""
        self._report.interrupted = True
        self._workers.abandon()
        for run in self._given:
            outcome = kept_outcome(run, self._space.runs, self._options.coverage)
            if outcome is not None and run.name not in self._outcomes:
                self._end(run, outcome)

    def _note(self, work: Work) -> None:
        self._report.busy_seconds += work.busy_seconds
        self._report.cpu_seconds += work.cpu_seconds

    def _coverage(self) -> Coverage:
        by_model: dict[Path, list[Run]] = {}
        for each in self._report.runs:
            if each.outcome is not None and each.outcome.coverage:
                folder = self._space.models / self._plans[each.run.build_name].digest
                by_model.setdefault(folder, []).append(each.run)
        return coverage_of(by_model, self._space.runs, self._space.folder / "coverage")


def _generated(generate: Generate, entry: BuildEntry, folder: Path) -> tuple[str, Work]:
    with measured() as work:
        fault = generate(entry, folder)
    return fault, work


def _lost(error: Exception | None) -> str:
    """Of a job that broke off outside of what it catches: its worker died, or the disk is full."""
    return f"the job ended with {type(error).__name__}: {' '.join(str(error).split())}"


def _text(file: Path) -> str:
    return file.read_text() if file.is_file() else ""
