"""The convolver's schedule: which PE computes which output channel, and its packets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numba
import numpy as np
import numpy.typing as npt

from generator import layouts
from generator.layers import ConvolverLayer, EngineError, FeatureLayout
from generator.schedule.blocks import block_entries, channel_blocks
from generator.schedule.rounds import Int, Rounds, Words, deal
from generator.schedule.units import Loading, Masks, full_units, layer_units

__all__ = [
    "Buffers",
    "ConvolverPacket",
    "ConvolverSchedule",
    "channel_order",
    "mask_stream",
    "schedule_convolver",
    "tile_masks",
]


@dataclass(frozen=True)
class Buffers:
    """Words of weights that wait in front of a PE, and of pixels behind it; what a schedule may rely on.

    Attributes:
        given: the accelerator is there; else there will be room for a whole channel behind each PE of several.
    """

    weights: int = 128
    outputs: int = 64
    given: bool = True


@dataclass(frozen=True)
class ConvolverPacket:
    """A block of output channels, which a PE computes side by side, on the weight stream.

    Attributes:
        pe: the PE that computes it.
        channels: in order; fewer than a PE computes at once only in a layer's last packet.
        units: uint8 [n, bytes of a unit], kernel and entry units in order; or values of all weights.
        sends: int64 [n], how many entries each of them sends to the PE, waiting ones included.
        is_entry: bool [n], which of them are entries with a weight.
        header: fields of the header word, with the first channel's bias and scale.
        scales: uint8 [channels of a block - 1, WEIGHT_BITS / 8], header words with those of the other channels.
    """

    pe: int
    channels: tuple[int, ...]
    units: npt.NDArray[np.uint8]
    sends: Int
    is_entry: npt.NDArray[np.bool_]
    header: Mapping[str, int]
    scales: Words

    @property
    def entries(self) -> int:
        """Weights that the PE multiplies with, filling entries included."""
        return int(self.is_entry.sum())

    @property
    def waits(self) -> int:
        """Waiting entries that the PE is sent in front of the units."""
        return self.header["waits"]

    @property
    def first_tile(self) -> int:
        """Entries that the PE is sent, all of them in a block's first tile."""
        return self.waits + int(self.sends.sum())

    @property
    def units_per_word(self) -> int:
        """Units of a weight word."""
        return layouts.WEIGHT_BITS // (8 * int(self.units.shape[1]))

    @cached_property
    def content(self) -> Words:
        """Header words behind the first, and the units, as weight words: uint8 [words, WEIGHT_BITS / 8]."""
        count = -(-len(self.units) // self.units_per_word)
        whole = np.zeros((count * self.units_per_word, self.units.shape[1]), dtype=np.uint8)
        whole[: len(self.units)] = self.units
        words = np.zeros((count, layouts.WEIGHT_BITS // 8), dtype=np.uint8)
        words[:, : whole.size // count] = whole.reshape(count, -1)
        return np.concatenate([self.scales, words])


@dataclass(frozen=True)
class ConvolverSchedule:
    """A layer on the convolver: descriptor, packets in the order of their channels on the output stream.

    Attributes:
        mask_words: words of the masks of columns, and of those of rows.
        waiting: the room that there must be beside a PE.
    """

    layer: ConvolverLayer
    descriptor: int
    packets: tuple[ConvolverPacket, ...]
    rounds: Rounds
    output: FeatureLayout
    mask_words: tuple[int, int]
    waiting: Buffers

    @property
    def inputs(self) -> tuple[tuple[str, FeatureLayout], ...]:
        """Maps on features_in, one after another: golden's name and the order of the pixels."""
        maps = ((self.layer.source, self.layer.input),)
        add = self.layer.add
        return (*maps, (add.source, replace(self.output, signed=add.signed))) if add else maps

    def feature_words(self, lanes: int) -> int:
        """Words on features_in."""
        return sum(layout.words(lanes) for _, layout in self.inputs)


def channel_order(entries: Int, pes: int, groups: int = 1) -> Int:
    """Order in which output channels are dealt to the PEs: channel `order[c]` goes to PE c mod `pes`.

    Channels of a round take about equally long, and every second round is reversed. Where the busiest PE then has more
    than `_WORTH_EVENING` of what it could have, channels are dealt so that PEs end together, but differ more within a
    round. The longest come first in both, since they leave most time for loading the map. Groups of at least as many
    channels as there are PEs follow each other, as the first one does not need all of the map.

    Args:
        entries: int64 [channels], entries per output channel.
        groups: of the convolution.
    """
    own = np.arange(entries.size) // (entries.size // groups)
    longest_first = np.lexsort((-entries, own if entries.size // groups >= pes else np.zeros_like(own)))
    rounds = [longest_first[start : start + pes] for start in range(0, entries.size, pes)]
    alternating = np.concatenate([r[::-1] if number % 2 else r for number, r in enumerate(rounds)])
    evened = longest_first[_evened(entries[longest_first], pes)]

    def busiest(order: Int) -> int:
        return int(np.pad(entries[order], (0, -order.size % pes)).reshape(-1, pes).sum(axis=0).max())

    return evened if busiest(alternating) > _WORTH_EVENING * busiest(evened) else alternating


_WORTH_EVENING = 1.01
"""PEs whose channels differ within a round wait for each other's words and pixels, where few of these have room."""


@numba.njit(cache=True)
def _evened(entries: Int, pes: int) -> Int:
    """Deals channels to PEs so that these end together where the first ones take a channel more than the others.

    Each channel goes to the PE that has most entries left to take for each channel that it still takes. So PEs that
    take a channel more get shorter ones.

    Args:
        entries: int64 [channels].

    Returns:
        int64 [channels], their order; of each PE as they come.
    """
    order = np.empty(entries.size, dtype=np.int64)
    taken = np.zeros(pes, dtype=np.int64)
    channels = np.array([(entries.size - 1 - pe) // pes + 1 for pe in range(pes)])
    left = np.full(pes, entries.sum() / pes)
    for channel in range(entries.size):
        most, chosen = -np.inf, 0
        for pe in range(pes):
            still = channels[pe] - taken[pe]
            if still > 0 and left[pe] / still > most:
                most, chosen = left[pe] / still, pe
        order[taken[chosen] * pes + chosen] = channel
        left[chosen] -= entries[channel]
        taken[chosen] += 1
    return order


def tile_masks(layer: ConvolverLayer, tile: int) -> Masks:
    """Where the weights of a kernel's columns, and of its rows, meet pixels of the map.

    Returns:
        For columns and for rows: bool [tiles, columns (or rows) that a kernel spans, tile], True where the position's
        pixel lies between the map's left and right (or upper and lower) edge.
    """
    y, x = np.divmod(np.arange(layer.tiles(tile) * tile).reshape(-1, 1, tile), layer.input.width)
    rows, columns = layer.reach
    column = x + np.arange(columns)[:, None] - layer.pad_left
    row = y + np.arange(rows)[:, None] - layer.pad_top
    return (column >= 0) & (column < layer.input.width), (row >= 0) & (row < layer.input.height)


def mask_stream(masks: npt.NDArray[np.bool_]) -> Words:
    """Masks (bool [tiles, columns or rows, tile]) as weight words: uint8 [words, WEIGHT_BITS / 8]."""
    places = np.zeros((*masks.shape[:2], layouts.mask_bits(masks.shape[2])), dtype=np.bool_)
    places[..., : masks.shape[2]] = masks
    return layouts.words_from_lanes(np.packbits(places.reshape(-1), bitorder="little"), 1)


def block_order(layer: ConvolverLayer, pes: int, outputs: int) -> Int:
    """Blocks of output channels in the order in which they are dealt to the PEs, as `channel_order` says of channels.

    Returns:
        int64 [packets, outputs]. Only the last packet may have fewer channels (then -1), since the order in which they
        leave tells what each PE computes.
    """
    blocks = channel_blocks(layer.weights, outputs)
    entries = np.maximum(block_entries(layer.weights, blocks).sum(axis=1), 1)
    whole = int((blocks >= 0).all(axis=1).sum())
    if whole == 0:
        return blocks
    return np.concatenate([blocks[channel_order(entries[:whole], pes, layer.groups)], blocks[whole:]])


def schedule_convolver(
    layer: ConvolverLayer,
    pes: int,
    lanes: int,
    tile: int | None = None,
    buffers: Buffers | None = None,
    outputs: int = 1,
) -> ConvolverSchedule:
    """Schedules `layer` on `pes` PEs behind feature words of `lanes` pixels.

    Args:
        tile: positions that a PE computes at once; `lanes` by default.
        buffers: of the accelerator.
        outputs: output channels that a PE computes side by side. Channels of different groups read different maps, so
            that they then take turns at the PE: weights are zero where the other group's are not.

    Raises:
        EngineError: a number exceeds its field, or a channel the room behind a PE; names the layer.
    """
    layer = layer.ungrouped() if outputs > 1 else layer
    order = block_order(layer, pes, outputs)
    channels = tuple(int(c) for c in order.reshape(-1) if c >= 0)
    output = FeatureLayout(
        channels, layer.pooled_height, layer.pooled_width, layer.output_signed, band=layer.output_band,
        part=layer.output_part,
    )  # fmt: skip
    # While one channel of a block leaves the others' pixels wait.
    together = output.channel_words(lanes) if outputs > 1 else 0
    buffers = buffers or Buffers(given=False)
    if buffers.given and together > buffers.outputs:
        raise EngineError(
            f"layer '{layer.name}': the convolver cannot run it, {outputs} channels side by side of {together} words "
            f"each need an output_depth of as many, not {buffers.outputs}"
        )
    tile, buffers = tile or lanes, replace(buffers, outputs=max(buffers.outputs, together))
    masks = tile_masks(layer, tile)
    words = [mask_stream(each) for each in masks]
    mask_words = (len(words[0]), len(words[1]))
    loading = Loading.of(layer, lanes, masks)
    full = _takes_all_weights(layer, order, pes, loading.tiles)
    try:
        packets, meanwhile = _packets(layer, order, pes, loading, full)
        waiting = _waiting(packets, meanwhile, pes, output.channel_words(lanes))
        stuck = layer.add is not None and _early_tiles(packets, pes, loading) * tile > layouts.sum_depth(lanes)
        if stuck or waiting.weights > buffers.weights or waiting.outputs > buffers.outputs:
            packets, _ = _packets(layer, order, pes, loading._replace(first=True), full)
            waiting = Buffers(2, 2)
        waiting = replace(waiting, outputs=max(waiting.outputs, together))
        rounds = deal(packets, pes, np.concatenate(words))
        descriptor = _convolver_descriptor(layer, rounds, output, (pes, lanes, tile), len(packets), mask_words, full)
    except layouts.LayoutError as error:
        raise EngineError(f"layer '{layer.name}': the convolver cannot run it, {error}") from error
    return ConvolverSchedule(layer, descriptor, tuple(packets), rounds, output, mask_words, waiting)


def _takes_all_weights(layer: ConvolverLayer, order: Int, pes: int, tiles: int) -> bool:
    """Whether packets hold all weights, zeros included: where that is not slower, nor more words.

    The decoder counts rows, columns and input channels for such packets, of one group and without dilation.
    """
    if layer.groups > 1 or layer.dilation != (1, 1):
        return False
    kernels = block_entries(layer.weights, order)
    entries = np.maximum(kernels.sum(axis=1), 1)
    heads = 0 if layer.pointwise else np.maximum(np.count_nonzero(kernels, axis=1), 1)
    weights, outputs = np.full_like(entries, layer.weights[0].size), order.shape[1]
    all_weights = clocks(weights, weights, pes, tiles, outputs, outputs)
    return all_weights <= clocks(entries, entries + heads, pes, tiles, outputs + 1, outputs)


def clocks(entries: Int, units: Int, pes: int, tiles: int, unit_bytes: int, headers: int) -> tuple[int, int]:
    """The clocks of a layer at least: of the slowest of weight stream, decoders and PEs, and of the weight stream.

    Args:
        entries, units: int64 [packets] each, in the order in which they are dealt to the PEs.
        headers: header words of a packet.
    """
    filling = -entries.size % pes
    most_entries, most_units = (
        np.pad(numbers, (0, filling)).reshape(-1, pes).max(axis=1) for numbers in (entries, units)
    )
    words = headers + -(-most_units // (layouts.WEIGHT_BITS // 8 // unit_bytes))
    stream = int(words.sum()) * pes - int(words[-1]) * filling
    return max(stream, int(most_units.sum()), int(most_entries.sum()) * tiles), stream


def _packets(
    layer: ConvolverLayer, order: Int, pes: int, loading: Loading, full: bool
) -> tuple[list[ConvolverPacket], int]:
    """The packets in order, and how many of them, from the first on, are begun while the map is loaded."""
    found = (full_units if full else layer_units)(layer, order, pes, loading)
    packets: list[ConvolverPacket] = []
    for place, (block, begin, end) in enumerate(zip(order, np.r_[0, found.ends], found.ends, strict=False)):
        is_entry = found.is_entry[begin:end]
        header = {
            "units": int(end - begin),
            "waits": int(found.waits[place]),
            "entries": int(np.count_nonzero(is_entry)),
            **_scale(layer, block[0]),
        }
        scales = [layouts.words_from_integer(layouts.PACKET.pack(**_scale(layer, each)), 1) for each in block[1:]]
        channels = tuple(int(channel) for channel in block if channel >= 0)
        words = np.concatenate([np.zeros((0, layouts.WEIGHT_BITS // 8), dtype=np.uint8), *scales])
        units, sends = found.units[begin:end], found.sends[begin:end]
        packets.append(ConvolverPacket(place % pes, channels, units, sends, is_entry, header, words))
    return packets, int(np.flatnonzero(found.begun < loading.map_words).max()) + 1


def _scale(layer: ConvolverLayer, channel: int) -> dict[str, int]:
    """Bias and scale of an output channel, as a header word has them; a multiplier of 0 where there is none (-1)."""
    if channel < 0:
        return {"multiplier": 0}
    return {
        "bias": int(layer.bias[channel]),
        "multiplier": int(layer.multiplier[channel]),
        "shift": int(layer.shift[channel]),
    }


def _waiting(packets: Sequence[ConvolverPacket], meanwhile: int, pes: int, channel_words: int) -> Buffers:
    """Room for all that the PEs take and give while the map is loaded, if they compute meanwhile.

    All PEs are sent the map at once, so that one that waits for its weights or for room keeps the others from going on.
    These must not, in turn, keep weights or pixels from passing by them.
    """
    rounds = -(-meanwhile // pes)
    starts = range(0, rounds * pes, pes)
    words = sum(1 + max(len(packet.content) for packet in packets[start : start + pes]) for start in starts)
    return Buffers(words, rounds * channel_words)


def _early_tiles(packets: Sequence[ConvolverPacket], pes: int, loading: Loading) -> int:
    """The most tiles that a PE ends before its map is loaded.

    A map that is added comes behind the input map, so that until then nobody takes the tiles' sums away.
    """
    most = 0
    for pe in range(pes):
        begun, early = 0, 0
        for packet in packets[pe::pes]:
            ends = begun + packet.first_tile - 1 + packet.entries * np.arange(loading.tiles)
            early += int(np.count_nonzero(ends < loading.map_words))
            begun = int(ends[-1]) + 1
        most = max(most, early)
    return most


def _convolver_descriptor(
    layer: ConvolverLayer,
    rounds: Rounds,
    output: FeatureLayout,
    sizes: tuple[int, int, int],
    packets: int,
    mask_words: tuple[int, int],
    full: bool,
) -> int:
    pes, lanes, tile = sizes
    pitch, pool, add = layer.input.width, layer.pool, layer.add
    map_words = layer.input.words(lanes)
    second = add or pool
    return layouts.DESCRIPTOR.pack(
        engine=0,
        words=len(rounds.words),
        feature_words=map_words + (output.words(lanes) if add else 0),
        output_words=output.words(lanes),
        rounds=packets // pes,
        remainder=packets % pes,
        channels=packets,
        input_signed=int(layer.input.signed),
        minimum=layer.minimum,
        maximum=layer.maximum,
        height=layer.input.height,
        pitch=pitch,
        map_words=map_words,
        plane_words=layer.input.channel_words(lanes),
        tiles=layer.tiles(tile),
        last_tile=layer.positions - (layer.tiles(tile) - 1) * tile,
        pad_top=layer.pad_top,
        pad_left=layer.pad_left,
        pointwise=int(layer.pointwise and not full),
        full=int(full),
        mask_columns=layer.reach[1],
        mask_rows=layer.reach[0],
        column_mask_words=mask_words[0],
        mask_words=sum(mask_words),
        stride=layer.stride,
        virtual_width=layer.virtual_width,
        positions=layer.positions,
        channel_words=output.channel_words(lanes),
        pool=pool.size,
        pool_stride=pool.stride,
        pool_top=pool.top,
        pool_left=pool.left,
        pool_average=int(pool.average),
        add=int(add is not None),
        addend_signed=int(add is not None and add.signed),
        add_multiplier=add.multiplier if add else 0,
        addend_multiplier=add.addend_multiplier if add else 0,
        # The two multipliers of an addition apply before the sum, so that the sum itself takes none.
        second_multiplier=1 if add else pool.multiplier,
        second_shift=second.shift,
        second_minimum=second.minimum,
        second_maximum=second.maximum,
    )
