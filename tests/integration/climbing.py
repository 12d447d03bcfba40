"""The whole ladder on a build, every rung of which must pass."""

from pathlib import Path

from testbench.build import Build
from testbench.ladder import Context, Options, Outcome, climb, rungs_of

__all__ = ["WITHOUT_MUTATIONS", "climbed"]

WITHOUT_MUTATIONS = Options(mutations=False)


def climbed(build: Build, work: Path, options: Options = WITHOUT_MUTATIONS) -> dict[str, Outcome]:
    """Outcomes of all rungs, by their names."""
    steps = climb(Context(build, options, work), rungs_of(options))
    assert not [f"{step.name}: {step.outcome.detail}" for step in steps if not step.outcome.passed]
    assert [step.name for step in steps] == [rung.name for rung in rungs_of(options)]
    return {step.name: step.outcome for step in steps}
