"""Traces of the streamed FC engine's processes, and its cycles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generator import layouts
from generator.architecture import Architecture, process_network
from generator.dataflow import Trace, simulate
from generator.schedule.fc_stream import FcStreamSchedule
from generator.timing.traces import Traces, scatter

__all__ = ["Ddr", "StreamPrediction", "predict_stream"]

_CLOCKS_TO_WRITE = 2
"""From the stage in which a pipelined fc_accumulate reads a sum to the one in which it writes it: so long the step
behind its loop, the next layer's first, waits (docs/rtl.md, a loop with a promise)."""


@dataclass(frozen=True)
class Ddr:
    """A memory that answers requests in order.

    Attributes:
        latency: clocks from a request that is taken to its first word on offer, all words of waiting requests
            following without a gap; 0: every column word is on offer before it is asked for.
        words_per_clock: column words that it delivers, up to 1.
    """

    latency: int = 0
    words_per_clock: float = 1.0


@dataclass(frozen=True)
class StreamPrediction:
    """Cycles of one vector through all layers, as :class:`generator.timing.Prediction` counts them.

    Attributes:
        fetched_words: per layer, column words that are asked for.
    """

    layer_cycles: tuple[int, ...]
    fetched_words: tuple[int, ...]
    high_water: Mapping[str, int]

    @property
    def cycles(self) -> int:
        """Cycles of all layers."""
        return sum(self.layer_cycles)


def predict_stream(
    architecture: Architecture,
    schedules: Sequence[FcStreamSchedule],
    activations: Mapping[str, npt.NDArray[np.int64]],
    stages: Mapping[str, tuple[int, int]] | None = None,
    ddr: Ddr | None = None,
) -> StreamPrediction:
    """Cycles of one vector through `schedules`, layer after layer.

    Args:
        activations: per layer (by name) its input as it comes on the stream, filling included: int [words * lanes].
        stages: per stream where pipelined processes write and read it.
        ddr: what stands behind the ports of columns; by default words are always on offer.

    Raises:
        DeadlockError: the stream depths are too small for the network to finish.
    """
    ddr = ddr or Ddr()
    traces = Traces(architecture)
    sender, receiver = traces.of("sender"), traces.of("receiver")
    fetched, sent = [], 0
    for schedule in schedules:
        values = activations[schedule.layer.name]
        sender.step(["layer_done"] if sent else [], ["features_in"])
        sender.step(writes=["features_in"], times=values.size // architecture.lanes - 1)
        receiver.step(["features_out"], times=schedule.output.words(architecture.lanes) - 1)
        receiver.step(["features_out"], ["layer_done"])
        traces.mark("receiver")
        sent += layouts.DESCRIPTOR_WORDS + len(schedule.rounds.words)
        counts = [count for _, count in schedule.requests(values)]
        fetched.append(sum(counts))
        _layer(traces, schedule, values, counts, _CLOCKS_TO_WRITE if stages else 0)
        _mover(traces, counts, ddr)
    traces.of("weights_source").step(writes=["weights_in"], times=sent)
    network = process_network(architecture)
    depths = network.depths() | {"layer_done": 1, "in_flight": 1 << 20}
    # The compiler calls the only element of an array by the array's name.
    only = {stream.name: stream.members[0] for stream in network.streams if stream.count == 1}
    stages = {only.get(name, name): each for name, each in (stages or {}).items()}
    if ddr.latency:
        stages["in_flight"] = (ddr.latency, 0)
    result = simulate(list(traces.traces.values()), depths, traces.marks, stages)
    finished = result.finished["receiver"] + 1
    cycles = tuple(int(c) for c in np.diff(np.r_[0, finished]))
    return StreamPrediction(cycles, tuple(fetched), result.high_water)


def _layer(
    traces: Traces, schedule: FcStreamSchedule, values: npt.NDArray[np.int64], counts: Sequence[int], behind: int
) -> None:
    """Steps of all processes for a layer; `behind` are clocks that a slot's accumulator waits after it."""
    a, packet = traces.architecture, schedule.packet
    layers = ["scan_layer", "gather_layer", "lookup_layers_0"]
    scatter(traces.of("fc_scatter"), "weights_in", layers, ["lookup_weights_0"], schedule.rounds)
    active = values.reshape(-1, a.lanes // 2, 2) != 0
    scan = traces.of("fc_scan")
    scan.step(["scan_layer"])
    for count in np.count_nonzero(active.any(axis=2), axis=1):
        scan.step(["features_in"], ["tokens_0"] if count else [])
        scan.step(writes=["tokens_0"], times=int(count) - 1)
    scan.step(writes=["tokens_0"])
    pairs = active.reshape(-1, 2)
    words = (packet.counts.reshape(-1, 2) * pairs).sum(axis=1)[pairs.any(axis=1)]
    lookup = traces.of("fc_lookup_0")
    lookup.step(["lookup_layers_0", "lookup_weights_0"], ["mac_layers_0", "mac_weights_0"])
    lookup.step(["lookup_weights_0"], times=packet.pointer_words)
    lookup.step(["lookup_weights_0"], ["mac_weights_0"], packet.entry_words + packet.bias_words)
    for count in words:
        lookup.step(["tokens_0"], ["commands_0"] if count else [])
    lookup.step(["tokens_0"], ["commands_0"])
    request = traces.of("fc_request")
    request.step(["mac_layers_0"], ["unpack_layer"])
    request.step(["commands_0"], ["asked_for", "requests_out"], len(counts))
    request.step(["commands_0"], ["asked_for"])
    _unpack(traces.of("fc_unpack"), packet.bias_words, counts, [f"slot_entries_{i}" for i in range(a.fc_slots)])
    for i in range(a.fc_slots):
        accumulate = traces.of(f"fc_accumulate_{i}")
        accumulate.step(times=1 + a.fc_rows // layouts.BIASES_PER_WORD + 2)
        accumulate.step([f"slot_entries_{i}"], times=sum(counts) + 1)
        accumulate.step()
        accumulate.step(writes=[f"slot_sums_{i}"], times=schedule.sum_words)
        accumulate.step(times=behind)
    _add_slots(traces, schedule)


def _unpack(trace: Trace, bias_words: int, counts: Sequence[int], entries: Sequence[str]) -> None:
    trace.step(["unpack_layer", "mac_weights_0"])
    trace.step(["mac_weights_0"])
    trace.step(["mac_weights_0"], ["biases"], bias_words)
    for count in counts:
        trace.step(["asked_for", "columns_in"], entries)
        trace.step(["columns_in"], entries, count - 1)
    trace.step(["asked_for"], entries)


def _add_slots(traces: Traces, schedule: FcStreamSchedule) -> None:
    a, trace = traces.architecture, traces.of("fc_add_slots")
    sums = [f"slot_sums_{i}" for i in range(a.fc_slots)]
    trace.step(["gather_layer"])
    trace.step(["biases"], times=schedule.sum_words)
    groups = a.lanes // layouts.BIASES_PER_WORD
    for word in range(1, schedule.sum_words + 1):
        trace.step(sums, ["features_out"] if word % groups == 0 or word == schedule.sum_words else [])


def _mover(traces: Traces, counts: Sequence[int], ddr: Ddr) -> None:
    """What answers the requests: one process takes them, one delivers words."""
    source, taker = traces.of("columns_source"), traces.of("request_taker")
    if not ddr.latency:
        taker.step(["requests_out"], times=len(counts))
        source.step(writes=["columns_in"], times=sum(counts))
        return
    due = 0.0
    taker.step(["requests_out"], ["in_flight"], times=len(counts))
    for count in counts:
        for word in range(count):
            due += 1 / ddr.words_per_clock - 1
            source.step(["in_flight"] if word == 0 else [], ["columns_in"])
            source.step(times=int(due))
            due -= int(due)
