"""Traces of the streamed FC engine's processes, and of the memory that answers its requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generator import layouts
from generator.architecture import GROUP_SLOTS, Architecture
from generator.dataflow import Trace
from generator.schedule import FcStreamSchedule
from generator.timing.traces import Traces, scatter

__all__ = ["Ddr", "Slots", "data_mover", "distinct_slots", "fc_stream", "idle_fc_stream", "sums_written_after"]

Slots = dict[int, list[int]]
"""Slots of the streamed FC engine by their group."""


@dataclass(frozen=True)
class Ddr:
    """A memory that answers requests for columns in order, and the data mover before it.

    Attributes:
        latency: clocks from a request that is taken to its first word on offer, beyond the one that any answer takes.
        bytes_per_clock: what it delivers, to a thousandth; None: a word a clock. A word takes a whole clock at least,
            and a memory that stood still has saved nothing up.
    """

    latency: int = 0
    bytes_per_clock: float | None = None

    def pauses(self, words: int, word_bytes: int) -> npt.NDArray[np.int64]:
        """Clocks that pass after each of `words` words of `word_bytes` bytes before the next: int64 [words]."""
        rate = word_bytes * 1000 if self.bytes_per_clock is None else round(self.bytes_per_clock * 1000)
        late = np.arange(words + 1, dtype=np.int64) * max(word_bytes * 1000 - rate, 0) // rate
        return np.diff(late)


def distinct_slots(a: Architecture, stages: Mapping[str, tuple[int, int]]) -> tuple[Slots, dict[str, str]]:
    """Slots that stand for all, by their group, and for every stream of another slot or group the one that it is like.

    All slots are sent an entry at once and take it alike; so they do the same in the same clocks, but where the
    compiler puts their streams into other stages.

    Args:
        stages: as :func:`generator.dataflow.simulate` takes them.
    """

    def kind(streams: Sequence[str]) -> tuple[tuple[int, int], ...]:
        return tuple(stages.get(stream, (0, 0)) for stream in streams)

    slots: Slots = {}
    alike: dict[str, str] = {}
    groups: dict[tuple[object, ...], int] = {}
    for group in range(a.slot_groups):
        members: dict[tuple[tuple[int, int], ...], int] = {}
        own = [f"group_rows_{group}", f"group_sums_{group}"]
        for slot in range(group * GROUP_SLOTS, (group + 1) * GROUP_SLOTS):
            streams = [f"slot_entries_{slot}", _slot_sum(slot)]
            like = members.setdefault(kind(streams), slot)
            alike |= dict(zip(streams, (f"slot_entries_{like}", _slot_sum(like)), strict=True))
        first = groups.setdefault((kind(own), frozenset(members)), group)
        if first == group:
            slots[group] = list(members.values())
        else:
            alike |= dict(zip(own, (f"group_rows_{first}", f"group_sums_{first}"), strict=True))
            at_first = {kind([f"slot_entries_{slot}", _slot_sum(slot)]): slot for slot in slots[first]}
            for which, slot in members.items():
                alike |= {f"slot_entries_{slot}": f"slot_entries_{at_first[which]}"}
                alike |= {_slot_sum(slot): _slot_sum(at_first[which])}
    return slots, alike


def sums_written_after(stages: Mapping[str, tuple[int, int]]) -> int:
    """Stages from the one in which fc_accumulate reads a sum to the one in which it writes it: so many clocks the step
    behind its loop, the next layer's first, waits (docs/rtl.md, a loop with a promise).

    Args:
        stages: as :func:`generator.timing.predict` takes them.
    """
    return max((late for name, (late, _) in stages.items() if name.startswith("fc_accumulate")), default=0)


def data_mover(traces: Traces, counts: npt.NDArray[np.int64], ddr: Ddr) -> dict[str, tuple[int, int]]:
    """What answers the requests of all layers: one process takes them, one delivers words.

    Args:
        counts: words of each request: int64 [requests].

    Returns:
        The stages of the stream `in_flight` between them.
    """
    traces.of("request_taker").step(["requests_out"], ["in_flight"], counts.size)
    words = int(counts.sum())
    begins = np.zeros(words, dtype=np.int64)
    begins[np.cumsum(counts) - counts] = 1
    pauses = ddr.pauses(words, traces.architecture.column_bits // 8)
    which = np.stack([begins, np.full(words, 2)], axis=1).reshape(-1)
    lengths = np.stack([np.ones(words, dtype=np.int64), pauses], axis=1).reshape(-1)
    delivered = ("columns_in",)
    traces.of("columns_source").choose([((), delivered), (("in_flight",), delivered), ((), ())], which, lengths)
    return {"in_flight": (ddr.latency, 0)}


def idle_fc_stream(traces: Traces, slots: Slots, clocks_to_write: int) -> None:
    """A layer that another engine runs."""
    weights, _, _ = traces.wiring("fc")
    scatter(traces.of("fc_scatter"), weights, ["scan_layer", "gather_layer", "lookup_layers_0"])
    traces.of("fc_scan").step(["scan_layer"])
    traces.of("fc_lookup_0").step(["lookup_layers_0"], ["mac_layers_0"])
    traces.of("fc_request").step(["mac_layers_0"], ["unpack_layer"])
    unpack = traces.of("fc_unpack")
    unpack.step(["unpack_layer"], [f"group_rows_{group}" for group in slots])
    unpack.step(writes=_entries(slots))
    for group, members in slots.items():
        for slot in members:
            _accumulate(traces, slot, 0, 0, clocks_to_write)
        traces.of(f"fc_add_group_{group}").step([f"group_rows_{group}"])
    traces.of("fc_add_groups").step(["gather_layer"])


def fc_stream(
    traces: Traces, schedule: FcStreamSchedule, activations: npt.NDArray[np.int64], slots: Slots, clocks_to_write: int
) -> npt.NDArray[np.int64]:
    """A layer on the streamed FC engine; `activations` as :func:`generator.timing.predict` takes them.

    Args:
        slots: those that stand for all, from :func:`distinct_slots`.
        clocks_to_write: what :func:`sums_written_after` tells.

    Returns:
        Column words of each request: int64 [requests].
    """
    a, packet = traces.architecture, schedule.packet
    weights, features, outputs = traces.wiring("fc")
    counts = schedule.requests(activations, a.lanes)[:, 1]
    layers = ["scan_layer", "gather_layer", "lookup_layers_0"]
    scatter(traces.of("fc_scatter"), weights, layers, ["lookup_weights_0"], schedule.rounds)
    pairs = schedule.active(activations, a.lanes).reshape(-1, 2)
    waiting = np.count_nonzero(pairs.any(axis=1).reshape(-1, a.lanes // 2), axis=1)
    _scan(traces.of("fc_scan"), features, waiting, schedule.batch)
    words = (packet.counts.reshape(-1, 2) * pairs).sum(axis=1)[pairs.any(axis=1)]
    lookup = traces.of("fc_lookup_0")
    lookup.step(["lookup_layers_0", "lookup_weights_0"], ["mac_layers_0", "mac_weights_0"])
    lookup.step(["lookup_weights_0"], times=packet.pointer_words)
    lookup.step(["lookup_weights_0"], ["mac_weights_0"], packet.entry_words + packet.bias_words)
    token, command = ("tokens_0",), ("commands_0",)
    lookup.choose([(token, ()), (token, command)], (words > 0).astype(np.int64))
    lookup.step(token, command)
    request = traces.of("fc_request")
    request.step(["mac_layers_0"], ["unpack_layer"])
    request.step(["commands_0"], ["asked_for", "requests_out"], counts.size)
    request.step(["commands_0"], ["asked_for"])
    _unpack(traces, packet.bias_words, counts, slots)
    sum_words = -(-schedule.rows // a.fc_rows_at_once) * schedule.batch
    for slot in (slot for members in slots.values() for slot in members):
        _accumulate(traces, slot, int(counts.sum()), sum_words, clocks_to_write)
    _add_groups(traces, packet.bias_words, sum_words, slots, outputs)
    return counts


def _slot_sum(slot: int) -> str:
    group, number = divmod(slot, GROUP_SLOTS)
    return f"slot_sums_{group}_{number}"


def _entries(slots: Slots) -> tuple[str, ...]:
    return tuple(f"slot_entries_{slot}" for members in slots.values() for slot in members)


def _scan(trace: Trace, features: str, counts: npt.NDArray[np.int64], batch: int) -> None:
    """`counts` are pairs to be sent of each place's feature words, one of each image: int64 [places]."""
    trace.step(["scan_layer"])
    read, send = (features,), ("tokens_0",)
    which = np.stack([np.zeros_like(counts), np.where(counts > 0, 1, 0), np.full(counts.size, 2)], axis=1)
    lengths = np.stack([np.full(counts.size, batch - 1), np.ones_like(counts), np.maximum(counts - 1, 0)], axis=1)
    trace.choose([(read, ()), (read, send), ((), send)], which.reshape(-1), lengths.reshape(-1))
    trace.step(writes=send)


def _unpack(traces: Traces, bias_words: int, counts: npt.NDArray[np.int64], slots: Slots) -> None:
    trace, entries = traces.of("fc_unpack"), _entries(slots)
    trace.step(["unpack_layer", "mac_weights_0"], [f"group_rows_{group}" for group in slots])
    trace.step(["mac_weights_0"])
    trace.step(["mac_weights_0"], ["biases"], bias_words)
    lengths = np.stack([np.ones_like(counts), counts - 1], axis=1).reshape(-1)
    patterns = [(("asked_for", "columns_in"), entries), (("columns_in",), entries)]
    trace.choose(patterns, np.tile([0, 1], counts.size), lengths)
    trace.step(["asked_for"], entries)


def _accumulate(traces: Traces, slot: int, entries: int, sum_words: int, clocks_to_write: int) -> None:
    """A slot's accumulator in a layer of so many entries; without `sum_words`, all images', another engine's layer."""
    a, trace = traces.architecture, traces.of(f"fc_accumulate_{slot}")
    # Setting sums to zero waits for no word: it begins behind the reset, a clock before the first word is taken.
    behind_reset = trace.steps == 0
    trace.step(times=1 + a.fc_rows // a.fc_rows_at_once + 2 - behind_reset)
    trace.step([f"slot_entries_{slot}"], times=entries + 1)
    trace.step(times=1 if sum_words else 0)
    trace.step(writes=[_slot_sum(slot)], times=sum_words)
    trace.step(times=clocks_to_write)


def _add_groups(traces: Traces, bias_words: int, sum_words: int, slots: Slots, outputs: str) -> None:
    for group, members in slots.items():
        trace = traces.of(f"fc_add_group_{group}")
        trace.step([f"group_rows_{group}"])
        trace.step([_slot_sum(slot) for slot in members], [f"group_sums_{group}"], sum_words)
    trace, sums = traces.of("fc_add_groups"), [f"group_sums_{group}" for group in slots]
    trace.step(["gather_layer"])
    trace.step(["biases"], times=bias_words)
    rows, batch = traces.architecture.fc_rows_at_once, traces.architecture.fc_batch
    full, words = traces.architecture.lanes // rows, sum_words // batch
    steps = words if rows == layouts.BIASES_PER_WORD else -(-words // full) * full
    for word in range(1, steps + 1):
        leaves = word % full == 0 or word == steps
        trace.step(sums if word <= words else [], [outputs] if leaves else [], batch)
