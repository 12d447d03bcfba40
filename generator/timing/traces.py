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
        self.split = bool(architecture.map_columns and (architecture.pes or architecture.fc_pes))
        self.traces: dict[str, Trace] = {}
        self.marks: dict[str, list[int]] = {}

    def copy(self) -> Traces:
        """The same processes, to which others can be added."""
        copy = Traces(self.architecture)
        copy.traces, copy.marks = dict(self.traces), self.marks
        return copy

    def mark(self, process: str) -> None:
        """Asks in which clock the steps of `process` so far are done."""
        self.marks.setdefault(process, []).append(self.of(process).steps)

    def of(self, process: str) -> Trace:
        """The trace of a process."""
        return self.traces.setdefault(process, Trace(process))

    def wiring(self, engine: str) -> tuple[str, str, str]:
        """Names of the weight, feature and output streams of an engine, or of the two with weights ("main")."""
        if self.split or (self.both and engine != "main"):
            return f"{engine}_weights", f"{engine}_features", f"{engine}_outputs"
        return "weights_in", "features_in", "features_out"


def route(traces: Traces, schedule: Schedule | None, engine: str = "convolver") -> None:
    """The processes in front of and behind the two engines with weights; without a schedule the map engine's layer."""
    weights, features, outputs = traces.wiring(engine)
    weights_in, features_in, features_out = traces.wiring("main")
    lanes = traces.architecture.lanes
    route = traces.of("route_weights")
    both = ["convolver_weights", "fc_weights"]
    route.step([weights_in], [*both, "input_routes", "output_routes"])
    route.step([weights_in], both, layouts.DESCRIPTOR_WORDS - 1)
    route.step([weights_in], [weights], len(schedule.rounds.words) if schedule else 0)
    route = traces.of("route_features")
    route.step(["input_routes"])
    route.step([features_in], [features], schedule.feature_words(lanes) if schedule else 0)
    route = traces.of("merge_outputs")
    route.step(["output_routes"])
    route.step([outputs], [features_out], schedule.output.words(lanes) if schedule else 0)


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
