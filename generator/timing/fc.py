"""Traces of the FC engine's processes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from generator import layouts
from generator.dataflow import Trace
from generator.schedule import FcPacket, FcSchedule
from generator.timing.traces import Traces, scatter

__all__ = ["fc_engine", "idle_fc_engine"]


def idle_fc_engine(traces: Traces) -> None:
    """A layer that the other engine runs."""
    pes = range(traces.architecture.fc_pes)
    layers = ["scan_layer", "gather_layer", *(f"lookup_layers_{i}" for i in pes)]
    scatter(traces.of("fc_scatter"), "fc_weights", layers)
    traces.of("fc_scan").step(["scan_layer"])
    for i in pes:
        traces.of(f"fc_lookup_{i}").step([f"lookup_layers_{i}"], [f"mac_layers_{i}"])
        traces.of(f"fc_mac_{i}").step([f"mac_layers_{i}"])
    traces.of("fc_gather").step(["gather_layer"])


def fc_engine(traces: Traces, schedule: FcSchedule, activations: npt.NDArray[np.int64]) -> None:
    """A layer on the FC engine; `activations` as :func:`generator.timing.predict` takes them."""
    a = traces.architecture
    weights, features, outputs = traces.wiring("fc")
    layers = ["scan_layer", "gather_layer", *(f"lookup_layers_{i}" for i in range(a.fc_pes))]
    scatter(traces.of("fc_scatter"), weights, layers, [f"lookup_weights_{i}" for i in range(a.fc_pes)], schedule.rounds)
    tokens = [f"tokens_{i}" for i in range(a.fc_pes)]
    scan = traces.of("fc_scan")
    scan.step(["scan_layer"])
    active = activations.reshape(-1, a.lanes // 2, 2) != 0
    counts = np.count_nonzero(active.any(axis=2), axis=1)
    read, send = (features,), tuple(tokens)
    which = np.stack([np.where(counts > 0, 1, 0), np.full(counts.size, 2)], axis=1)
    lengths = np.stack([np.ones_like(counts), np.maximum(counts - 1, 0)], axis=1)
    scan.choose([(read, ()), (read, send), ((), send)], which.reshape(-1), lengths.reshape(-1))
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
    tokens, written = (f"tokens_{i}",), (f"commands_{i}",)
    trace.choose([(tokens, ()), (tokens, written)], (commands > 0).astype(np.int64))
    trace.step([f"tokens_{i}"], [f"commands_{i}"])


def _fc_mac(trace: Trace, i: int, packet: FcPacket, commands: npt.NDArray[np.int64], rows: int) -> None:
    trace.step([f"mac_layers_{i}", f"mac_weights_{i}"])
    begins_word = (np.arange(rows) % layouts.BIASES_PER_WORD == 0).astype(np.int64)
    trace.choose([((), ()), ((f"mac_weights_{i}",), ())], begins_word)
    trace.step([f"mac_weights_{i}"], times=packet.entry_words)
    lengths = np.stack([commands > 0, np.maximum(commands - 1, 0)], axis=1).reshape(-1).astype(np.int64)
    trace.choose([((f"commands_{i}",), ()), ((), ())], np.tile([0, 1], commands.size), lengths)
    trace.step([f"commands_{i}"])
