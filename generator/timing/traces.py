"""Traces of all processes, and of those that both engines share."""

from __future__ import annotations

from collections.abc import Sequence

from generator import layouts
from generator.architecture import Architecture
from generator.dataflow import Trace
from generator.schedule import Rounds, Schedule

__all__ = ["Traces", "route", "scatter"]


class Traces:
    """Traces by process name, created on first use, with the stream names of the wiring."""

    def __init__(self, architecture: Architecture) -> None:
        self.architecture = architecture
        self.both = bool(architecture.pes and architecture.fc_pes)
        self.traces: dict[str, Trace] = {}
        self.marks: dict[str, list[int]] = {}

    def mark(self, process: str) -> None:
        """Asks in which clock the steps of `process` so far are done."""
        self.marks.setdefault(process, []).append(self.of(process).steps)

    def of(self, process: str) -> Trace:
        """The trace of a process."""
        return self.traces.setdefault(process, Trace(process))

    def wiring(self, engine: str) -> tuple[str, str, str]:
        """Names of an engine's weight, feature and output streams."""
        if self.both:
            return f"{engine}_weights", f"{engine}_features", f"{engine}_outputs"
        return "weights_in", "features_in", "features_out"


def route(traces: Traces, schedule: Schedule, engine: str) -> None:
    """The processes in front of and behind two engines."""
    weights, features, outputs = traces.wiring(engine)
    words = len(schedule.rounds.words)
    lanes = traces.architecture.lanes
    route = traces.of("route_weights")
    both = ["convolver_weights", "fc_weights"]
    route.step(["weights_in"], [*both, "input_routes", "output_routes"])
    route.step(["weights_in"], both, layouts.DESCRIPTOR_WORDS - 1)
    route.step(["weights_in"], [weights], words)
    route = traces.of("route_features")
    route.step(["input_routes"])
    route.step(["features_in"], [features], schedule.feature_words(lanes))
    route = traces.of("merge_outputs")
    route.step(["output_routes"])
    route.step([outputs], ["features_out"], schedule.output.words(lanes))


def scatter(
    trace: Trace, weights: str, layers: Sequence[str], targets: Sequence[str] = (), rounds: Rounds | None = None
) -> None:
    """An engine's first process; `rounds` are None when another engine runs the layer."""
    trace.step()
    trace.step([weights], times=layouts.DESCRIPTOR_WORDS - 1)
    trace.step([weights], layers)
    if rounds is None:
        return
    trace.step([weights], targets, rounds.mask_words)
    for pes, words in rounds.sizes:
        trace.extend([(((weights,), (target,)), 1) for target in targets[:pes]], words)
