"""Traces of the convolver's processes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from generator.dataflow import Trace
from generator.layers import Pool
from generator.schedule import ConvolverPacket, ConvolverSchedule
from generator.timing.traces import Traces, scatter

__all__ = ["convolver", "idle_convolver"]

Int = npt.NDArray[np.int64]

_BEHIND = 4
"""Steps of a PE from an entry to the one in which its tile's sums, were it the last, can leave from the next on."""


def convolver(traces: Traces, schedule: ConvolverSchedule) -> None:
    """A layer on the convolver."""
    a = traces.architecture
    weights, features, outputs = traces.wiring("convolver")
    map_words = schedule.layer.input.words(a.lanes)
    channel_words = schedule.output.channel_words(a.lanes)
    layers = ["broadcast_layer", "collect_layer", *(f"decode_layers_{i}" for i in range(a.pes))]
    scatter(traces.of("scatter"), weights, layers, [f"pe_weights_{i}" for i in range(a.pes)], schedule.rounds)
    broadcast = traces.of("broadcast")
    broadcast.step(["broadcast_layer"])
    broadcast.step([features], [f"maps_{i}" for i in range(a.pes)], map_words)
    if schedule.layer.add:
        for place in range(schedule.output.channels):
            broadcast.step([features], [f"addends_{place % a.posts}"], channel_words)
    mask_words = schedule.rounds.mask_words
    tile_sums = np.full(schedule.layer.tiles(a.tile), a.tile)
    tile_sums[-1] = schedule.layer.positions - (tile_sums.size - 1) * a.tile
    present, absent = _post_channel(schedule, a.lanes, True), _post_channel(schedule, a.lanes, False)
    for i in range(a.pes):
        packets = schedule.packets[i :: a.pes]
        _decode(traces.of(f"decode_{i}"), i, packets, schedule)
        _convolver_pe(traces.of(f"pe_{i}"), i, packets, (map_words, mask_words), tile_sums, a.pe_outputs)
        for output in range(a.pe_outputs):
            number = i * a.pe_outputs + output
            post = traces.of(f"post_{number}")
            post.step([f"post_layers_{i}_{output}"])
            own = [
                (_named(reads, number, i, output), _named(writes, number, i, output))
                for reads, writes in _POST_PATTERNS
            ]
            has = sum(output < len(packet.channels) for packet in packets)
            post.extend([(own[pattern], times) for pattern, times in present], has)
            post.extend([(own[pattern], times) for pattern, times in absent], len(packets) - has)
    collect = traces.of("collect")
    collect.step(["collect_layer"])
    for place in range(schedule.output.channels):
        collect.step([f"pe_outputs_{place % a.posts}"], [outputs], channel_words)


def idle_convolver(traces: Traces) -> None:
    """A layer that the other engine runs."""
    pes, outputs = range(traces.architecture.pes), range(traces.architecture.pe_outputs)
    layers = ["broadcast_layer", "collect_layer", *(f"decode_layers_{i}" for i in pes)]
    scatter(traces.of("scatter"), "convolver_weights", layers)
    traces.of("broadcast").step(["broadcast_layer"])
    for i in pes:
        traces.of(f"decode_{i}").step([f"decode_layers_{i}"], [f"pe_layers_{i}"])
        traces.of(f"pe_{i}").step([f"pe_layers_{i}"], [f"post_layers_{i}_{output}" for output in outputs])
        for output in outputs:
            traces.of(f"post_{i * len(outputs) + output}").step([f"post_layers_{i}_{output}"])
    traces.of("collect").step(["collect_layer"])


def _decode(trace: Trace, i: int, packets: Sequence[ConvolverPacket], schedule: ConvolverSchedule) -> None:
    trace.step([f"decode_layers_{i}"], [f"pe_layers_{i}"])
    word, entry = (f"pe_weights_{i}",), (f"entries_{i}",)
    trace.step(word, [f"masks_{i}"], schedule.rounds.mask_words)
    patterns = [(reads, writes) for reads in ((), word) for writes in ((), entry)]
    for packet, (_, words) in zip(packets, schedule.rounds.sizes, strict=False):
        trace.step(word, [f"channels_{i}", f"scales_{i}_0"])
        for output in range(1, 1 + len(packet.scales)):
            trace.step(word, [f"scales_{i}_{output}"])
        trace.step((), entry, packet.waits)
        begins_word = np.arange(packet.sends.size) % packet.units_per_word == 0
        # A unit of several waiting entries goes on sending them.
        kinds = np.stack([2 * begins_word + (packet.sends > 0), np.ones(packet.sends.size, dtype=np.int64)], axis=1)
        lengths = np.stack([np.ones_like(packet.sends), np.maximum(packet.sends - 1, 0)], axis=1)
        trace.choose(patterns, kinds.reshape(-1), lengths.reshape(-1))
        trace.step(word, times=words - 1 - len(packet.content))


def _convolver_pe(
    trace: Trace, i: int, packets: Sequence[ConvolverPacket], loaded: tuple[int, int], tile_sums: Int, outputs: int
) -> None:
    """A PE's steps; `tile_sums`: int64 [tiles], sums that leave of each tile of each of a block's channels."""
    map_words, mask_words = loaded
    trace.step([f"pe_layers_{i}"], [f"post_layers_{i}_{output}" for output in range(outputs)])
    trace.step([f"masks_{i}"], times=mask_words)
    touched = [(np.zeros(1, dtype=np.int64), np.array([map_words])), *_pe_spans(packets, tile_sums)]
    edges = np.unique(np.concatenate([edge for span in touched for edge in span]))
    kinds = np.zeros(edges.size, dtype=np.int64)
    for bit, (begins, ends) in enumerate(touched):
        inside = np.searchsorted(np.sort(begins), edges, "right") - np.searchsorted(np.sort(ends), edges, "right")
        kinds += inside << bit
    sums = tuple(f"tile_sums_{i}_{output}" for output in range(outputs))
    own = [(tuple(f"{stream}_{i}" for stream in reads), sums if gives else ()) for reads, gives in _PE_PATTERNS]
    trace.choose(own, kinds[:-1], np.diff(edges))


def _pe_spans(packets: Sequence[ConvolverPacket], tile_sums: Int) -> list[tuple[Int, Int]]:
    """The steps of a PE's loop that touch its channels, its entries and its sums: begins and ends of spans of each.

    A tile's last entry waits until the tile before has left but for one of its sums; entries without a weight that
    come right before it wait with it.
    """
    if not packets:
        return []
    early, late = np.array([_sent_early(packet) for packet in packets], dtype=np.int64).T[:, :, None]
    others = (
        np.array([packet.entries for packet in packets])[:, None] - 1 + np.zeros(tile_sums.size - 1, dtype=np.int64)
    )
    early, late = np.hstack([early, others]), np.hstack([late, np.zeros_like(others)])
    leaving = np.roll(np.tile(tile_sums, len(packets)), 1)
    leaving[0] = 1  # nothing
    held_up = np.maximum(leaving.reshape(early.shape) - 1 - early, 0)
    ends = np.cumsum(early + held_up + late + 1).reshape(early.shape)
    begins = np.r_[0, ends[:-1, -1]]
    return [
        (begins, begins + 1),
        (np.r_[begins, ends[:, 0] - 1 - late[:, 0]], np.r_[begins + early[:, 0], ends[:, 0]]),
        (ends.reshape(-1) + _BEHIND, (ends + tile_sums).reshape(-1) + _BEHIND),
    ]


def _sent_early(packet: ConvolverPacket) -> tuple[int, int]:
    """Entries that a PE is sent up to the last weight but one, and those without a weight between it and the last."""
    sends, is_entry = np.r_[packet.waits, packet.sends], np.r_[False, packet.is_entry]
    begin, end = np.flatnonzero(np.r_[True, is_entry])[-2:]
    return int(sends[:begin].sum()), int(sends[begin : end - 1].sum())


def _named(streams: Sequence[str], number: int, pe: int, output: int) -> tuple[str, ...]:
    """Streams of the post-processing of a number, of an output of a PE."""
    of_pe = ("tile_sums", "scales")
    return tuple(f"{stream}_{pe}_{output}" if stream in of_pe else f"{stream}_{number}" for stream in streams)


def _post_channel(schedule: ConvolverSchedule, lanes: int, present: bool) -> list[tuple[int, int]]:
    """Steps of the post-processing of one output channel, or of one that is not there: runs of patterns.

    Returns:
        (number in `_POST_PATTERNS`, steps) of each.
    """
    layer = schedule.layer
    pool, stride, position = layer.pool, layer.stride, np.arange(layer.positions)
    y, x = np.divmod(position, layer.input.width)
    ends = _window_ends(pool, int(y[-1]) // stride + 1, pool.top)[y // stride]
    ends &= _window_ends(pool, int(x.max()) // stride + 1, pool.left)[x // stride]
    leaves = ends & (x < layer.virtual_width) & (x % stride == 0) & (y % stride == 0) & present
    # Of each position: pixels that its output word holds before it.
    before = (np.cumsum(leaves) - leaves) % lanes
    # A word leaves in the step behind its last pixel's, that of a channel's last word without a sum of its own.
    sends = np.r_[False, before + leaves == lanes]
    sends[-1] = before[-1] + leaves[-1] > 0
    addend = leaves & (before == 0) & (layer.add is not None)
    kind = np.r_[1 + 2 * (position == 0) + 4 * addend, 0] + 8 * sends
    starts = np.flatnonzero(np.diff(kind, prepend=-1))
    lengths = np.diff(np.r_[starts, kind.size])
    return list(zip(kind[starts].tolist(), lengths.tolist(), strict=True))


_Streams = tuple[tuple[str, ...], tuple[str, ...]]
# Streams read, and whether sums leave.
_PE_PATTERNS: list[tuple[tuple[str, ...], bool]] = [
    (tuple(name for bit, name in ((1, "maps"), (2, "channels"), (4, "entries")) if number & bit), bool(number & 8))
    for number in range(16)
]
_POST_PATTERNS: list[_Streams] = [
    (tuple(name for bit, name in ((1, "tile_sums"), (2, "scales"), (4, "addends")) if number & bit),
     ("pe_outputs",) if number & 8 else ())
    for number in range(16)
]  # fmt: skip


def _window_ends(pool: Pool, length: int, before: int) -> npt.NDArray[np.bool_]:
    """Whether a window ends in each of so many rows or columns, as `Pool.ends` says: bool [length]."""
    return np.array([pool.ends(place, before) for place in range(length)], dtype=np.bool_)
