"""The convolver's schedule: which PE computes which output channel, and its packets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from generator import layouts
from generator.layers import ConvolverLayer, EngineError, FeatureLayout
from generator.schedule.rounds import Int, Rounds, Words, deal

__all__ = ["ConvolverPacket", "ConvolverSchedule", "channel_order", "schedule_convolver"]


@dataclass(frozen=True)
class ConvolverPacket:
    """An output channel on the weight stream.

    Attributes:
        pe: the PE that computes it.
        units: uint16 [n], kernel and entry units in order.
        is_entry: bool [n], which of them are entries.
        header: fields of the header word.
    """

    pe: int
    units: npt.NDArray[np.uint16]
    is_entry: npt.NDArray[np.bool_]
    header: Mapping[str, int]

    @property
    def entries(self) -> int:
        """Weights that the PE multiplies with, filling entries included."""
        return int(self.is_entry.sum())

    @cached_property
    def content(self) -> Words:
        """The units as weight words: uint8 [words, WEIGHT_BITS / 8]."""
        return layouts.words_from_lanes(self.units, 2)


@dataclass(frozen=True)
class ConvolverSchedule:
    """A layer on the convolver: descriptor, packets in the order of their channels on the output stream."""

    layer: ConvolverLayer
    descriptor: int
    packets: tuple[ConvolverPacket, ...]
    rounds: Rounds
    output: FeatureLayout

    @property
    def inputs(self) -> tuple[tuple[str, FeatureLayout], ...]:
        """Maps on features_in, one after another: golden's name and the order of the pixels."""
        maps = ((self.layer.source, self.layer.input),)
        add = self.layer.add
        return (*maps, (add.source, replace(self.output, signed=add.signed))) if add else maps

    def feature_words(self, lanes: int) -> int:
        """Words on features_in."""
        return sum(layout.words(lanes) for _, layout in self.inputs)


def channel_order(entries: Int, pes: int) -> Int:
    """Order in which output channels are dealt to the PEs: channel `order[c]` goes to PE c mod `pes`.

    Channels are sorted by their number of entries, so that the `pes` channels of a round take about equally long, and
    every second round is reversed, so that no PE always gets the longest of a round.

    Args:
        entries: int64 [channels], entries per output channel.
    """
    order = np.argsort(-entries, kind="stable")
    rounds = [order[start : start + pes] for start in range(0, order.size, pes)]
    return np.concatenate([r[::-1] if number % 2 else r for number, r in enumerate(rounds)])


def _channel_units(kernels: npt.NDArray[np.int8], inputs: Int) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.bool_]]:
    """Units of one output channel, and which of them are entries.

    Args:
        kernels: int8 [input channels of its group, rows, columns].
        inputs: int64 [input channels], position of each on the feature stream.
    """
    order = np.argsort(inputs, kind="stable")
    kernel, rows, columns = np.nonzero(kernels[order])
    if not kernel.size:
        # A channel without weights still owes its biases: one entry of weight zero carries them.
        empty = [layouts.KERNEL_UNIT.pack(skip=0, count=1), layouts.ENTRY_UNIT.pack()]
        return np.array(empty, dtype=np.uint16), np.array([False, True])
    filled, counts = np.unique(kernel, return_counts=True)
    distances = np.diff(inputs[order][filled], prepend=0)
    longs = np.maximum(distances - 1, 0) // 255  # units that only skip 255 channels
    head = longs + np.cumsum(longs + 1 + counts) - (longs + 1 + counts)
    units = np.full(int((longs + 1 + counts).sum()), layouts.KERNEL_UNIT.pack(skip=255, count=0), dtype=np.int64)
    is_entry = np.ones(units.size, dtype=np.bool_)
    is_entry[head] = False
    for number in np.flatnonzero(longs):
        is_entry[head[number] - longs[number] : head[number]] = False
    units[head] = layouts.KERNEL_UNIT.pack_many(skip=distances - 255 * longs, count=counts)
    values = kernels[order[kernel], rows, columns].astype(np.int64)
    units[is_entry] = layouts.ENTRY_UNIT.pack_many(value=values, row=rows, column=columns)
    return units.astype(np.uint16), is_entry


def schedule_convolver(layer: ConvolverLayer, pes: int, lanes: int) -> ConvolverSchedule:
    """Schedules `layer` on `pes` PEs of `lanes` lanes.

    Raises:
        EngineError: a number exceeds its field; names the layer.
    """
    channels = layer.weights.shape[0]
    per_group = channels // layer.groups
    position = np.empty(layer.input.channels, dtype=np.int64)
    position[np.asarray(layer.input.order)] = np.arange(layer.input.channels)
    in_group = layer.weights.shape[1]
    coded = [
        _channel_units(layer.weights[c], position[c // per_group * in_group :][:in_group]) for c in range(channels)
    ]
    order = channel_order(np.array([int(is_entry.sum()) for _, is_entry in coded]), pes)
    output = FeatureLayout(tuple(int(c) for c in order), layer.pooled_height, layer.pooled_width, layer.output_signed)
    try:
        packets = tuple(_convolver_packet(layer, int(c), i % pes, *coded[c]) for i, c in enumerate(order))
        rounds = deal(packets, pes)
        descriptor = _convolver_descriptor(layer, rounds, output, pes, lanes)
    except layouts.LayoutError as error:
        raise EngineError(f"layer '{layer.name}': the convolver cannot run it, {error}") from error
    return ConvolverSchedule(layer, descriptor, packets, rounds, output)


def _convolver_packet(
    layer: ConvolverLayer,
    channel: int,
    pe: int,
    units: npt.NDArray[np.uint16],
    is_entry: npt.NDArray[np.bool_],
) -> ConvolverPacket:
    header = {
        "units": len(units),
        "entries": int(is_entry.sum()),
        "bias": int(layer.bias[channel]),
        "multiplier": int(layer.multiplier[channel]),
        "shift": int(layer.shift[channel]),
    }
    return ConvolverPacket(pe, units, is_entry, header)


def _convolver_descriptor(layer: ConvolverLayer, rounds: Rounds, output: FeatureLayout, pes: int, lanes: int) -> int:
    channels, pitch, pool, add = output.channels, layer.input.width, layer.pool, layer.add
    map_words = layer.input.words(lanes)
    second = add or pool
    return layouts.DESCRIPTOR.pack(
        engine=0,
        words=len(rounds.words),
        feature_words=map_words + (output.words(lanes) if add else 0),
        output_words=output.words(lanes),
        rounds=channels // pes,
        remainder=channels % pes,
        channels=channels,
        input_signed=int(layer.input.signed),
        minimum=layer.minimum,
        maximum=layer.maximum,
        height=layer.input.height,
        pitch=pitch,
        map_words=map_words,
        plane_words=layer.input.channel_words(lanes),
        tiles=layer.tiles(lanes),
        pad_top=layer.pad_top,
        pad_left=layer.pad_left,
        step_x=lanes % pitch,
        step_y=lanes // pitch,
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
