"""The runs of a suite: builds x stall patterns x seeds x groups of images."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from testbench.build import Build
from testbench.regress.digests import file_digest, model_digest, run_digest
from testbench.regress.suite import BuildEntry, Suite, SuiteError

__all__ = ["ModelPlan", "Run", "plan_models", "plan_runs", "select_runs"]


@dataclass(frozen=True)
class ModelPlan:
    """A simulation to be compiled once, for all builds of equal C++.

    Attributes:
        digest: names its folder.
        build: folder of one of the builds.
        waves, coverage: what its runs can record.
    """

    digest: str
    build: Path
    waves: bool
    coverage: bool


@dataclass(frozen=True)
class Run:
    """One simulation.

    Attributes:
        name: names it to people, on the command line and on disk; it stays when sources change.
        digest: hash of all that its outcome depends on.
        build_name, build, manifest: the build, and the digest of its manifest.
        pattern, seed, images: what is run; the images follow each other without a reset if ports stall.
        shares: of clocks in which each port pauses, by port.
        time_limit: seconds.
        cycles: about how many it takes, as scheduled without stalls.
    """

    name: str
    digest: str
    build_name: str
    build: Path
    manifest: str
    pattern: str
    seed: int
    images: tuple[int, ...]
    shares: Mapping[str, float]
    time_limit: float
    cycles: int

    @property
    def stalled(self) -> bool:
        """Whether any port pauses."""
        return bool(self.shares)

    def reproduce(self, suite: Path) -> str:
        """The command that runs it alone and records its waves."""
        return f"zeroskip regress {shlex.quote(str(suite))} --only {self.name} --waves"


def plan_models(builds: Mapping[str, Build], waves: bool, coverage: bool) -> dict[str, ModelPlan]:
    """The compiled simulation that each build needs, by the build's name.

    Args:
        builds: by name.
        waves: whether runs shall record waves.
        coverage: whether runs shall count coverage.
    """
    options = {"waves": waves, "coverage": coverage}
    return {
        name: ModelPlan(model_digest(build, options), build.folder, waves, coverage) for name, build in builds.items()
    }


def plan_runs(suite: Suite, builds: Mapping[str, Build]) -> list[Run]:
    """All runs of a suite, build after build.

    A run's digest does not depend on what it records: with waves or coverage, another model does the same.

    Raises:
        SuiteError: a build holds fewer images than are asked for.
    """
    models = {name: plan.digest for name, plan in plan_models(builds, waves=False, coverage=False).items()}
    runs: list[Run] = []
    for number, entry in enumerate(suite.builds):
        build = builds[entry.name]
        _check_images(suite, number, entry, build)
        runs += _runs_of(suite, entry, build, models[entry.name])
    return runs


def select_runs(runs: Sequence[Run], patterns: Sequence[str]) -> list[Run]:
    """The runs whose names fit one of the patterns (`*` stands for anything).

    Raises:
        SuiteError: no run's name fits one of them.
    """
    for pattern in patterns:
        if not any(fnmatchcase(run.name, pattern) for run in runs):
            raise SuiteError(
                f"--only {pattern}: the suite has no such run; the first of its {len(runs)} is {runs[0].name}."
            )
    return [run for run in runs if any(fnmatchcase(run.name, pattern) for pattern in patterns)]


def _runs_of(suite: Suite, entry: BuildEntry, build: Build, model: str) -> Iterator[Run]:
    chosen = suite.selection(entry)
    manifest = file_digest(build.folder / "manifest.json")
    for pattern in chosen.stalls:
        for seed in chosen.seeds:
            shares = suite.shares(pattern, seed)
            for images in _groups(chosen.images, chosen.images_per_run):
                yield Run(
                    name=f"{entry.name}/{pattern}/seed{seed}/{_label(images)}",
                    digest=run_digest(build, model, seed, shares, images, bool(shares)),
                    build_name=entry.name,
                    build=build.folder,
                    manifest=manifest,
                    pattern=pattern,
                    seed=seed,
                    images=images,
                    shares=shares,
                    time_limit=chosen.time_limit_s,
                    cycles=_cycles(build, images, shares),
                )


def _check_images(suite: Suite, number: int, entry: BuildEntry, build: Build) -> None:
    held, wanted = build.manifest.vectors.images, suite.selection(entry).images
    if wanted[-1] >= held:
        field = "images" if entry.images is None else f"builds[{number}].images"
        raise SuiteError(
            f"{suite.file}: {field}: asks for image {wanted[-1]}, but the build '{entry.name}' holds {held} "
            f"(0 to {held - 1}); ask for fewer, or give it a field images of its own."
        )


def _groups(images: Sequence[int], size: int) -> Iterator[tuple[int, ...]]:
    for start in range(0, len(images), size):
        yield tuple(images[start : start + size])


def _label(images: Sequence[int]) -> str:
    """Unlike for all groups of a build, as images are sorted and groups do not overlap."""
    first, last = images[0], images[-1]
    if first == last:
        return f"image{first}"
    return f"images{first}-{last}" + ("" if last - first + 1 == len(images) else f"x{len(images)}")


def _cycles(build: Build, images: Sequence[int], shares: Mapping[str, float]) -> int:
    image = sum(build.manifest.predictions.layer_cycles[0])
    return round(image * len(images) / (1 - max(shares.values(), default=0.0)))
