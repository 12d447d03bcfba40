"""The cycle model: traces of every process for a sequence of layers, simulated clock by clock.

Each function here states, in the kernel's own terms, what one process of `hls_templates/zeroskip` does in each of its
steps. Steps follow docs/rtl.md: the code before a loop is one step, every iteration of a loop is one, and what comes
after a loop belongs to the step of its last iteration. Nothing is estimated: the figures equal the compiled hardware's.

The host (`weights_source`, `sender`, `receiver`) is modelled as the benches drive the ports: weights of all layers
queue on weights_in; a layer's first feature word is on offer in the clock after the last output of the layer before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from generator import layouts
from generator.architecture import Architecture, process_network
from generator.dataflow import SimulationResult, Trace, simulate
from generator.schedule import ConvolverPacket, ConvolverSchedule, FcPacket, FcSchedule

__all__ = ["Prediction", "Schedule", "predict"]

Schedule = ConvolverSchedule | FcSchedule


@dataclass(frozen=True)
class Prediction:
    """Cycles of one image through all layers, nothing stalling.

    Attributes:
        layer_cycles: per layer, from the clock after the layer before (or the first word on weights_in) up to and
            including the clock of its last output word.
        high_water: per stream, the most words it holds at once.
        accumulated: per FC layer (by name), the clocks until the last of its PEs has done its last entry, counted as
            `layer_cycles`: all but handing over, adding up and sending the sums.
    """

    layer_cycles: tuple[int, ...]
    high_water: Mapping[str, int]
    accumulated: Mapping[str, int] = field(default_factory=dict)

    @property
    def cycles(self) -> int:
        """Cycles of the whole image."""
        return sum(self.layer_cycles)


class _Traces:
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


def _route(traces: _Traces, schedule: Schedule, engine: str) -> None:
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


def _scatter(
    trace: Trace, weights: str, layers: Sequence[str], targets: str, rounds: Sequence[tuple[int, int]]
) -> None:
    trace.step()
    trace.step([weights], times=layouts.DESCRIPTOR_WORDS - 1)
    trace.step([weights], layers)
    for pes, words in rounds:
        trace.extend([(((weights,), (f"{targets}_{pe}",)), 1) for pe in range(pes)], words)


def _convolver(traces: _Traces, schedule: ConvolverSchedule) -> None:
    a = traces.architecture
    weights, features, outputs = traces.wiring("convolver")
    map_words = schedule.layer.input.words(a.lanes)
    channel_words = schedule.output.channel_words(a.lanes)
    layers = ["broadcast_layer", "collect_layer", *(f"decode_layers_{i}" for i in range(a.pes))]
    _scatter(traces.of("scatter"), weights, layers, "pe_weights", schedule.rounds.sizes)
    broadcast = traces.of("broadcast")
    broadcast.step(["broadcast_layer"])
    broadcast.step([features], [f"maps_{i}" for i in range(a.pes)], map_words)
    if schedule.layer.add:
        for place in range(schedule.output.channels):
            broadcast.step([features], [f"addends_{place % a.pes}"], channel_words)
    post_channel = _post_channel(schedule, a.lanes)
    for i in range(a.pes):
        packets = schedule.packets[i :: a.pes]
        _decode(traces.of(f"decode_{i}"), i, packets, [words for _, words in schedule.rounds.sizes])
        _convolver_pe(traces.of(f"pe_{i}"), i, packets, map_words, schedule.layer.tiles(a.lanes), a.lanes)
        post = traces.of(f"post_{i}")
        post.step([f"post_layers_{i}"])
        for emits, times in post_channel * len(packets):
            reads, writes = emits
            post.step([f"{s}_{i}" for s in reads], [f"{s}_{i}" for s in writes], times)
    collect = traces.of("collect")
    collect.step(["collect_layer"])
    for packet in schedule.packets:
        collect.step([f"pe_outputs_{packet.pe}"], [outputs], channel_words)


def _idle_convolver(traces: _Traces) -> None:
    pes = range(traces.architecture.pes)
    layers = ["broadcast_layer", "collect_layer", *(f"decode_layers_{i}" for i in pes)]
    _scatter(traces.of("scatter"), "convolver_weights", layers, "pe_weights", [])
    traces.of("broadcast").step(["broadcast_layer"])
    for i in pes:
        traces.of(f"decode_{i}").step([f"decode_layers_{i}"], [f"pe_layers_{i}"])
        traces.of(f"pe_{i}").step([f"pe_layers_{i}"], [f"post_layers_{i}"])
        traces.of(f"post_{i}").step([f"post_layers_{i}"])
    traces.of("collect").step(["collect_layer"])


def _idle_fc_engine(traces: _Traces) -> None:
    pes = range(traces.architecture.fc_pes)
    layers = ["scan_layer", "gather_layer", *(f"lookup_layers_{i}" for i in pes)]
    _scatter(traces.of("fc_scatter"), "fc_weights", layers, "lookup_weights", [])
    traces.of("fc_scan").step(["scan_layer"])
    for i in pes:
        traces.of(f"fc_lookup_{i}").step([f"lookup_layers_{i}"], [f"mac_layers_{i}"])
        traces.of(f"fc_mac_{i}").step([f"mac_layers_{i}"])
    traces.of("fc_gather").step(["gather_layer"])


def _decode(trace: Trace, i: int, packets: Sequence[ConvolverPacket], round_words: Sequence[int]) -> None:
    trace.step([f"decode_layers_{i}"], [f"pe_layers_{i}"])
    for packet, words in zip(packets, round_words, strict=False):
        trace.step([f"pe_weights_{i}"], [f"channels_{i}", f"scales_{i}"])
        for number, is_entry in enumerate(packet.is_entry):
            reads = [f"pe_weights_{i}"] if number % layouts.UNITS_PER_WORD == 0 else []
            trace.step(reads, [f"entries_{i}"] if is_entry else [])
        trace.step([f"pe_weights_{i}"], times=words - 1 - len(packet.content))


def _convolver_pe(
    trace: Trace, i: int, packets: Sequence[ConvolverPacket], map_words: int, tiles: int, lanes: int
) -> None:
    trace.step([f"pe_layers_{i}"], [f"post_layers_{i}"])
    trace.step([f"maps_{i}"], times=map_words)
    trace.step(times=lanes - map_words)
    entries, sums = f"entries_{i}", f"tile_sums_{i}"
    for packet in packets:
        count = packet.entries
        for number in range(count):
            reads = [f"channels_{i}", entries] if number == 0 else [entries]
            trace.step(reads, [sums] if number == count - 1 else [])
        for _ in range(tiles - 1):
            trace.step(times=count - 1)
            trace.step(writes=[sums])


def _post_channel(schedule: ConvolverSchedule, lanes: int) -> list[tuple[tuple[list[str], list[str]], int]]:
    """Steps of the post-processing of one output channel: ((streams read, streams written), times)."""
    layer = schedule.layer
    pool, stride, pitch = layer.pool, layer.stride, layer.input.width
    steps: list[tuple[tuple[list[str], list[str]], int]] = []
    filled = 0
    for position in range(layer.positions):
        y, x = divmod(position, pitch)
        on_grid = x < layer.virtual_width and x % stride == 0 and y % stride == 0
        window_ends = pool.ends(y // stride, pool.top) and pool.ends(x // stride, pool.left)
        reads = (["scales"] if position == 0 else []) + (["tile_sums"] if position % lanes == 0 else [])
        if on_grid and window_ends:
            reads += ["addends"] if layer.add and filled == 0 else []
            filled += 1
        writes = []
        if filled == lanes or (position == layer.positions - 1 and filled):
            writes, filled = ["pe_outputs"], 0
        steps.append(((reads, writes), 1))
    return steps


def _fc_engine(traces: _Traces, schedule: FcSchedule, activations: npt.NDArray[np.int64]) -> None:
    a = traces.architecture
    weights, features, outputs = traces.wiring("fc")
    layers = ["scan_layer", "gather_layer", *(f"lookup_layers_{i}" for i in range(a.fc_pes))]
    _scatter(traces.of("fc_scatter"), weights, layers, "lookup_weights", schedule.rounds.sizes)
    tokens = [f"tokens_{i}" for i in range(a.fc_pes)]
    scan = traces.of("fc_scan")
    scan.step(["scan_layer"])
    active = activations.reshape(-1, a.lanes // 2, 2) != 0
    for count in np.count_nonzero(active.any(axis=2), axis=1):
        scan.step([features], tokens if count else [])
        scan.step(writes=tokens, times=int(count) - 1)
    scan.step(writes=tokens)
    active = active.reshape(-1, 2)
    sent = active.any(axis=1)
    for i, packet in enumerate(schedule.packets):
        commands = (packet.counts.reshape(-1, 2) * active).sum(axis=1)[sent]
        _fc_lookup(traces.of(f"fc_lookup_{i}"), i, packet, schedule.rounds.sizes[0][1], commands)
        _fc_mac(traces.of(f"fc_mac_{i}"), i, packet, commands, schedule.rows_per_pe)
        traces.mark(f"fc_mac_{i}")
        traces.of(f"fc_mac_{i}").step(writes=[f"row_sums_{i}"], times=schedule.rows_per_pe)
    gather = traces.of("fc_gather")
    gather.step(["gather_layer"])
    groups = a.lanes // schedule.row_sets
    for row in range(schedule.rows_per_pe):
        full = (row + 1) % groups == 0 or row + 1 == schedule.rows_per_pe
        gather.step([f"row_sums_{i}" for i in range(a.fc_pes)], [outputs] if full else [])


def _fc_lookup(trace: Trace, i: int, packet: FcPacket, words: int, commands: npt.NDArray[np.int64]) -> None:
    trace.step([f"lookup_layers_{i}", f"lookup_weights_{i}"], [f"mac_layers_{i}", f"mac_weights_{i}"])
    trace.step([f"lookup_weights_{i}"], times=packet.pointer_words)
    trace.step([f"lookup_weights_{i}"], [f"mac_weights_{i}"], packet.bias_words + packet.entry_words)
    trace.step([f"lookup_weights_{i}"], times=words - 1 - len(packet.content))
    for count in commands:
        trace.step([f"tokens_{i}"], [f"commands_{i}"] if count else [])
    trace.step([f"tokens_{i}"], [f"commands_{i}"])


def _fc_mac(trace: Trace, i: int, packet: FcPacket, commands: npt.NDArray[np.int64], rows: int) -> None:
    trace.step([f"mac_layers_{i}", f"mac_weights_{i}"])
    for row in range(rows):
        trace.step([f"mac_weights_{i}"] if row % layouts.BIASES_PER_WORD == 0 else [])
    trace.step([f"mac_weights_{i}"], times=packet.entry_words)
    for count in commands:
        if count:
            trace.step([f"commands_{i}"])
            trace.step(times=int(count) - 1)
    trace.step([f"commands_{i}"])


def predict(
    architecture: Architecture,
    schedules: Sequence[Schedule],
    activations: Mapping[str, npt.NDArray[np.int64]],
    stages: Mapping[str, tuple[int, int]] | None = None,
    features_wait: int = 0,
) -> Prediction:
    """Cycles of one image through `schedules`, layer after layer.

    Args:
        activations: per FC layer (by name) its input as it comes on the stream, filling included: int [words * lanes].
            Only which of them are zero matters.
        stages: per stream where pipelined processes write and read it, as :func:`generator.dataflow.simulate` takes it.
        features_wait: clocks that the host lets pass before it offers the first layer's first feature word; with enough
            of them the layer's weights lie in the PEs by then. They count.

    Raises:
        DeadlockError: the stream depths are too small for the network to finish.
    """
    traces = _Traces(architecture)
    sender, receiver, sent = traces.of("sender"), traces.of("receiver"), 0
    sender.step(times=features_wait)
    for schedule in schedules:
        words_in = schedule.feature_words(architecture.lanes)
        words_out = schedule.output.words(architecture.lanes)
        sender.step(["layer_done"] if sent else [], ["features_in"])
        sender.step(writes=["features_in"], times=words_in - 1)
        receiver.step(["features_out"], times=words_out - 1)
        receiver.step(["features_out"], ["layer_done"])
        traces.mark("receiver")
        sent += layouts.DESCRIPTOR_WORDS + len(schedule.rounds.words)
        if traces.both:
            _route(traces, schedule, "convolver" if isinstance(schedule, ConvolverSchedule) else "fc")
        if isinstance(schedule, ConvolverSchedule):
            _convolver(traces, schedule)
            if traces.both:
                _idle_fc_engine(traces)
        else:
            _fc_engine(traces, schedule, activations[schedule.layer.name])
            if traces.both:
                _idle_convolver(traces)
    traces.of("weights_source").step(writes=["weights_in"], times=sent)
    depths = process_network(architecture).depths()
    result = simulate(list(traces.traces.values()), depths | {"layer_done": 1}, traces.marks, stages)
    finished = result.finished["receiver"] + 1
    high_water = {name: held for name, held in result.high_water.items() if name in depths}
    return Prediction(
        tuple(int(c) for c in np.diff(np.r_[0, finished])), high_water, _accumulated(schedules, result, finished)
    )


def _accumulated(
    schedules: Sequence[Schedule], result: SimulationResult, finished: npt.NDArray[np.int64]
) -> dict[str, int]:
    """See :class:`Prediction`; `finished` is the clock behind the last one of each layer."""
    begins = [
        int(begin) for begin, each in zip(np.r_[0, finished], schedules, strict=False) if isinstance(each, FcSchedule)
    ]
    names = [each.layer.name for each in schedules if isinstance(each, FcSchedule)]
    done = [clocks + 1 for process, clocks in result.finished.items() if process.startswith("fc_mac")]
    ends = np.max(done, axis=0) if done else []
    return {name: int(end) - begin for name, begin, end in zip(names, begins, ends, strict=True)}
