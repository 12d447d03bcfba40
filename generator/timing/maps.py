"""Traces of the map engine, and of the routing around it."""

from __future__ import annotations

from generator import layouts
from generator.dataflow import Pattern, Trace
from generator.schedule import MapSchedule, Schedule
from generator.timing.traces import Traces

__all__ = ["idle_map_engine", "map_engine", "split"]


def map_engine(traces: Traces, schedule: MapSchedule) -> None:
    """A layer on the map engine."""
    layer = schedule.layer
    weights, features, outputs = traces.wiring("map")
    trace = traces.of("map_engine")
    trace.step()
    trace.step([weights], times=layouts.DESCRIPTOR_WORDS + len(schedule.rounds.words))
    channels, lag = layer.input.channels, layer.before
    for channel in range(channels + lag):
        reads = [features] if channel < channels else []
        writes = [outputs] if channel >= lag else []
        trace.extend(_channel(schedule, traces.architecture.lanes, tuple(reads), tuple(writes)))


def idle_map_engine(traces: Traces) -> None:
    """A layer that another engine runs."""
    trace = traces.of("map_engine")
    trace.step()
    trace.step([traces.wiring("map")[0]], times=layouts.DESCRIPTOR_WORDS)


def _channel(
    schedule: MapSchedule, lanes: int, features: tuple[str, ...], outputs: tuple[str, ...]
) -> list[tuple[Pattern, int]]:
    """Steps of one channel that reads from `features`, if any, and writes to `outputs`, if any."""
    layer = schedule.layer
    rows, columns = layer.walk
    steps = Trace("channel")
    pixel, output, last = 0, 0, layer.out_height * layer.out_width
    for position in range(rows * columns):
        y, x = divmod(position, columns)
        reads, writes = False, False
        if 0 <= y - layer.top < layer.input.height and 0 <= x - layer.left < layer.input.width:
            reads = pixel % lanes == 0
            pixel += 1
        if _ends(layer.kernel[0], layer.stride[0], y) and _ends(layer.kernel[1], layer.stride[1], x):
            output += 1
            writes = output % lanes == 0 or output == last
        steps.step(features if reads else (), outputs if writes else ())
    return steps.runs


def _ends(kernel: int, stride: int, place: int) -> bool:
    """Whether a window ends at this place of the walk."""
    return place >= kernel - 1 and (place - kernel + 1) % stride == 0


def split(traces: Traces, schedule: Schedule, engine: str) -> None:
    """The processes in front of and behind the map engine and the others; `engine` names the streams of the layer's."""
    words, lanes = len(schedule.rounds.words), traces.architecture.lanes
    both = [f"{traces.architecture.others}_weights", "map_weights"]
    trace = traces.of("split_weights")
    trace.step(["weights_in"], [*both, "map_input_routes", "map_output_routes"])
    trace.step(["weights_in"], both, layouts.DESCRIPTOR_WORDS - 1)
    trace.step(["weights_in"], [f"{engine}_weights"], words)
    trace = traces.of("split_features")
    trace.step(["map_input_routes"])
    trace.step(["features_in"], [f"{engine}_features"], schedule.feature_words(lanes))
    trace = traces.of("join_outputs")
    trace.step(["map_output_routes"])
    trace.step([f"{engine}_outputs"], ["features_out"], schedule.output.words(lanes))
