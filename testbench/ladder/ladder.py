"""Climbs the ladder: rung after rung, up to the first that fails."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from testbench.csim import CompileFailed
from testbench.ladder.csim import InterleavedRung, SequentialRung
from testbench.ladder.description import DescriptionRung, OnnxRung, VectorsRung, WeightStreamRung
from testbench.ladder.mutation_rung import MutationRung
from testbench.ladder.rtl import RtlRung, StallsRung
from testbench.ladder.rung import Context, Options, Outcome, Rung
from testbench.rtl import SimulationFailed

__all__ = ["Step", "climb", "rungs_of"]


@dataclass(frozen=True)
class Step:
    """A rung that was tried: its name, what it found, and the seconds that it took."""

    name: str
    outcome: Outcome
    seconds: float


def rungs_of(options: Options) -> list[Rung]:
    """The rungs that the options ask for, lowest first."""
    rungs: list[Rung] = [
        DescriptionRung(),
        OnnxRung(),
        VectorsRung(),
        WeightStreamRung(),
        SequentialRung(),
        InterleavedRung(),
    ]
    if options.level == "rtl":
        rungs += [RtlRung(), StallsRung()]
    if options.mutations:
        rungs.append(MutationRung())
    return rungs


def climb(
    context: Context,
    rungs: Sequence[Rung],
    *,
    started: Callable[[str], None] = lambda name: None,
    ended: Callable[[Step], None] = lambda step: None,
) -> list[Step]:
    """Tries rungs until one fails.

    Args:
        context: the climb.
        rungs: from :func:`rungs_of`.
        started: called with a rung's name before it is tried.
        ended: called after it.

    Returns:
        The rungs that were tried; only the last can have failed.
    """
    steps: list[Step] = []
    for rung in rungs:
        started(rung.name)
        start = time.perf_counter()
        try:
            outcome = rung.check(context)
        except (CompileFailed, SimulationFailed) as error:
            outcome = Outcome(False, str(error))
        steps.append(Step(rung.name, outcome, time.perf_counter() - start))
        ended(steps[-1])
        if not outcome.passed:
            break
    return steps
