"""Traces of the convolver's processes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from generator import layouts
from generator.dataflow import Trace
from generator.layers import Pool
from generator.schedule import ConvolverPacket, ConvolverSchedule
from generator.timing.traces import Traces, scatter

__all__ = ["convolver", "idle_convolver"]


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
            broadcast.step([features], [f"addends_{place % a.pes}"], channel_words)
    mask_words = schedule.rounds.mask_words
    patterns, post_channel = _post_channel(schedule, a.lanes, a.tile)
    for i in range(a.pes):
        packets = schedule.packets[i :: a.pes]
        _decode(traces.of(f"decode_{i}"), i, packets, schedule)
        _convolver_pe(traces.of(f"pe_{i}"), i, packets, (map_words, mask_words), schedule.layer.tiles(a.tile))
        post = traces.of(f"post_{i}")
        post.step([f"post_layers_{i}"])
        own = [(_numbered(reads, i), _numbered(writes, i)) for reads, writes in patterns]
        post.extend([(own[pattern], times) for pattern, times in post_channel], len(packets))
    collect = traces.of("collect")
    collect.step(["collect_layer"])
    for packet in schedule.packets:
        collect.step([f"pe_outputs_{packet.pe}"], [outputs], channel_words)


def idle_convolver(traces: Traces) -> None:
    """A layer that the other engine runs."""
    pes = range(traces.architecture.pes)
    layers = ["broadcast_layer", "collect_layer", *(f"decode_layers_{i}" for i in pes)]
    scatter(traces.of("scatter"), "convolver_weights", layers)
    traces.of("broadcast").step(["broadcast_layer"])
    for i in pes:
        traces.of(f"decode_{i}").step([f"decode_layers_{i}"], [f"pe_layers_{i}"])
        traces.of(f"pe_{i}").step([f"pe_layers_{i}"], [f"post_layers_{i}"])
        traces.of(f"post_{i}").step([f"post_layers_{i}"])
    traces.of("collect").step(["collect_layer"])


def _decode(trace: Trace, i: int, packets: Sequence[ConvolverPacket], schedule: ConvolverSchedule) -> None:
    trace.step([f"decode_layers_{i}"], [f"pe_layers_{i}"])
    word, entry = (f"pe_weights_{i}",), (f"entries_{i}",)
    trace.step(word, [f"masks_{i}"], schedule.rounds.mask_words)
    patterns = [(reads, writes) for reads in ((), word) for writes in ((), entry)]
    for packet, (_, words) in zip(packets, schedule.rounds.sizes, strict=False):
        trace.step(word, [f"channels_{i}", f"scales_{i}"])
        begins_word = np.arange(packet.sends.size) % layouts.UNITS_PER_WORD == 0
        # A unit of several waiting entries goes on sending them.
        kinds = np.stack([2 * begins_word + (packet.sends > 0), np.ones(packet.sends.size, dtype=np.int64)], axis=1)
        lengths = np.stack([np.ones_like(packet.sends), np.maximum(packet.sends - 1, 0)], axis=1)
        trace.choose(patterns, kinds.reshape(-1), lengths.reshape(-1))
        trace.step(word, times=words - 1 - len(packet.content))


def _convolver_pe(
    trace: Trace, i: int, packets: Sequence[ConvolverPacket], loaded: tuple[int, int], tiles: int
) -> None:
    map_words, mask_words = loaded
    trace.step([f"pe_layers_{i}"], [f"post_layers_{i}"])
    trace.step([f"masks_{i}"], times=mask_words)
    maps, entries, sums = f"maps_{i}", f"entries_{i}", f"tile_sums_{i}"
    done = 0

    def steps(count: int, reads: Sequence[str] = (), writes: Sequence[str] = ()) -> None:
        """Equal steps, in which the map comes in as long as it is not all there."""
        nonlocal done
        loading = min(count, max(0, map_words - done))
        trace.step([*reads, maps], writes, loading)
        trace.step(reads, writes, count - loading)
        done += count

    for packet in packets:
        sent, others = int(packet.sends.sum()), tiles - 1
        if sent > 1:
            steps(1, [f"channels_{i}", entries])
            steps(sent - 2, [entries])
            steps(1, [entries], [sums])
        else:
            steps(1, [f"channels_{i}", entries], [sums])
        while others and done < map_words:
            steps(packet.entries - 1)
            steps(1, (), [sums])
            others -= 1
        tile = [(((), ()), packet.entries - 1)] if packet.entries > 1 else []
        trace.extend([*tile, (((), (sums,)), 1)], others)
        done += others * packet.entries
    steps(map_words - done)


def _numbered(streams: Sequence[str], i: int) -> tuple[str, ...]:
    return tuple(f"{stream}_{i}" for stream in streams)


def _post_channel(schedule: ConvolverSchedule, lanes: int, tile: int) -> tuple[list[_Streams], list[tuple[int, int]]]:
    """Steps of the post-processing of one output channel.

    Returns:
        Patterns (streams read, streams written), and runs of them: (number of the pattern, steps).
    """
    layer = schedule.layer
    pool, stride, position = layer.pool, layer.stride, np.arange(layer.positions)
    y, x = np.divmod(position, layer.input.width)
    ends = _window_ends(pool, int(y[-1]) // stride + 1, pool.top)[y // stride]
    ends &= _window_ends(pool, int(x.max()) // stride + 1, pool.left)[x // stride]
    leaves = ends & (x < layer.virtual_width) & (x % stride == 0) & (y % stride == 0)
    # Of each position: pixels that its output word holds before it.
    before = (np.cumsum(leaves) - leaves) % lanes
    sends = before + leaves == lanes
    sends[-1] = before[-1] + leaves[-1] > 0
    addend = leaves & (before == 0) & (layer.add is not None)
    kind = (position == 0) + 2 * (position % tile == 0) + 4 * addend + 8 * sends
    starts = np.flatnonzero(np.diff(kind, prepend=-1))
    lengths = np.diff(np.r_[starts, kind.size])
    return _POST_PATTERNS, list(zip(kind[starts].tolist(), lengths.tolist(), strict=True))


_Streams = tuple[tuple[str, ...], tuple[str, ...]]
_POST_PATTERNS: list[_Streams] = [
    (tuple(name for bit, name in enumerate(("scales", "tile_sums", "addends")) if number >> bit & 1),
     ("pe_outputs",) if number & 8 else ())
    for number in range(16)
]  # fmt: skip


def _window_ends(pool: Pool, length: int, before: int) -> npt.NDArray[np.bool_]:
    """Whether a window ends in each of so many rows or columns, as `Pool.ends` says: bool [length]."""
    return np.array([pool.ends(place, before) for place in range(length)], dtype=np.bool_)
