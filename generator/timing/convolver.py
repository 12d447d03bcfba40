"""Traces of the convolver's processes."""

from __future__ import annotations

from collections.abc import Sequence

from generator import layouts
from generator.dataflow import Trace
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
    post_channel = _post_channel(schedule, a.lanes, a.tile)
    for i in range(a.pes):
        packets = schedule.packets[i :: a.pes]
        _decode(traces.of(f"decode_{i}"), i, packets, schedule)
        _convolver_pe(traces.of(f"pe_{i}"), i, packets, (map_words, mask_words), schedule.layer.tiles(a.tile))
        post = traces.of(f"post_{i}")
        post.step([f"post_layers_{i}"])
        for emits, times in post_channel * len(packets):
            reads, writes = emits
            post.step([f"{s}_{i}" for s in reads], [f"{s}_{i}" for s in writes], times)
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
    trace.step([f"pe_weights_{i}"], [f"masks_{i}"], schedule.rounds.mask_words)
    for packet, (_, words) in zip(packets, schedule.rounds.sizes, strict=False):
        trace.step([f"pe_weights_{i}"], [f"channels_{i}", f"scales_{i}"])
        for number, sends in enumerate(packet.sends):
            reads = [f"pe_weights_{i}"] if number % layouts.UNITS_PER_WORD == 0 else []
            trace.step(reads, [f"entries_{i}"] if sends else [])
            trace.step(writes=[f"entries_{i}"], times=int(sends) - 1)
        trace.step([f"pe_weights_{i}"], times=words - 1 - len(packet.content))


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
        sent = int(packet.sends.sum())
        if sent > 1:
            steps(1, [f"channels_{i}", entries])
            steps(sent - 2, [entries])
            steps(1, [entries], [sums])
        else:
            steps(1, [f"channels_{i}", entries], [sums])
        for _ in range(tiles - 1):
            steps(packet.entries - 1)
            steps(1, (), [sums])
    steps(map_words - done)


def _post_channel(schedule: ConvolverSchedule, lanes: int, tile: int) -> list[tuple[tuple[list[str], list[str]], int]]:
    """Steps of the post-processing of one output channel: ((streams read, streams written), times)."""
    layer = schedule.layer
    pool, stride, pitch = layer.pool, layer.stride, layer.input.width
    steps: list[tuple[tuple[list[str], list[str]], int]] = []
    filled = 0
    for position in range(layer.positions):
        y, x = divmod(position, pitch)
        on_grid = x < layer.virtual_width and x % stride == 0 and y % stride == 0
        window_ends = pool.ends(y // stride, pool.top) and pool.ends(x // stride, pool.left)
        reads = (["scales"] if position == 0 else []) + (["tile_sums"] if position % tile == 0 else [])
        if on_grid and window_ends:
            reads += ["addends"] if layer.add and filled == 0 else []
            filled += 1
        writes = []
        if filled == lanes or (position == layer.positions - 1 and filled):
            writes, filled = ["pe_outputs"], 0
        steps.append(((reads, writes), 1))
    return steps
