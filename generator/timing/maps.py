"""Traces of the map engine, and of the routing around it."""

from __future__ import annotations

from generator import layouts
from generator.architecture import Architecture
from generator.dataflow import Pattern, Trace
from generator.schedule import MapSchedule, Schedule
from generator.timing.traces import Traces

__all__ = ["idle_map_engine", "map_engine", "split"]


def map_engine(traces: Traces, schedule: MapSchedule) -> None:
    """A layer on the map engine."""
    layer, a = schedule.layer, traces.architecture
    weights, features, outputs = traces.wiring("map")
    trace = traces.of("map_engine")
    trace.step()
    trace.step([weights], times=layouts.DESCRIPTOR_WORDS)
    if schedule.strips:
        # An entry of the table a step.
        trace.extend([(((weights,), ()), 1), (((), ()), 15)], len(schedule.rounds.words))
    else:
        trace.step([weights], times=len(schedule.rounds.words))
    channels, lag = layer.input.channels, layer.before
    # How many channels in a row read and write.
    runs = [(min(lag, channels), True, False), (channels - lag, True, True), (lag - channels, False, False)]
    walk = _strips if schedule.strips else _channel
    for times, reads, writes in [*runs, (min(lag, channels), False, True)]:
        if times > 0:
            trace.extend(walk(schedule, a, (features,) if reads else (), (outputs,) if writes else ()), times)


def idle_map_engine(traces: Traces) -> None:
    """A layer that another engine runs."""
    trace = traces.of("map_engine")
    trace.step()
    trace.step([traces.wiring("map")[0]], times=layouts.DESCRIPTOR_WORDS)


def _channel(
    schedule: MapSchedule, a: Architecture, features: tuple[str, ...], outputs: tuple[str, ...]
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
            reads = pixel % a.lanes == 0
            pixel += 1
        if _ends(layer.kernel[0], layer.stride[0], y) and _ends(layer.kernel[1], layer.stride[1], x):
            output += 1
            writes = output % a.lanes == 0 or output == last
        steps.step(features if reads else (), outputs if writes else ())
    return steps.runs


def _strips(
    schedule: MapSchedule, a: Architecture, features: tuple[str, ...], outputs: tuple[str, ...]
) -> list[tuple[Pattern, int]]:
    """As `_channel`, of an engine of several lanes."""
    layer, strips = schedule.layer, schedule.strips
    assert strips is not None
    steps, last = Trace("channel"), layer.out_height * layer.out_width
    read = filled = output = 0  # pixels of the words that have come; pixels that wait, windows that have ended
    for y in range(layer.walk[0]):
        row = y - layer.top
        ends = bool(outputs) and _ends(layer.kernel[0], layer.stride[0], y)
        for strip in range(strips.per_row):
            column = strip * strips.columns - layer.left
            inside = min(a.map_lanes, layer.input.width - column)
            needed = row * layer.input.width + column + inside
            reads = 0 <= row < layer.input.height and inside > 0 and needed > read
            read += a.lanes * reads
            count = max(0, min(strips.windows, layer.out_width - strip * strips.windows)) if ends else 0
            output, filled = output + count, filled + count
            is_last = count > 0 and output == last
            writes = filled >= a.lanes or is_last
            drains = is_last and filled > a.lanes
            filled = 0 if is_last else filled % a.lanes
            steps.step(features if reads else (), outputs if writes else ())
            steps.step(writes=outputs, times=int(drains))
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
