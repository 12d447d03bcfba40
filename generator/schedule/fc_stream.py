"""The streamed FC engine's schedule: columns packed into words that lie in DDR, and the packet that finds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from generator import layouts
from generator.layers import EngineError, FcLayer, FeatureLayout
from generator.schedule.fc import FcPacket, fc_nonzeros, pack_pointers
from generator.schedule.rounds import Int, Rounds, Words, deal

__all__ = [
    "ColumnFormat",
    "FcStreamSchedule",
    "column_entries",
    "column_format",
    "schedule_fc_stream",
    "streamed_sizes",
]


@dataclass(frozen=True)
class ColumnFormat:
    """A column word: `slots` entries of a value and a gap, lowest bits first.

    Attributes:
        value_bits: 4 or 5: numbers of a codebook, whose number 0 is weight 0; 8: weights.
        gap_bits: rows between an entry and the one before it in its column.
    """

    slots: int
    value_bits: int
    gap_bits: int

    @property
    def word_bits(self) -> int:
        """Bits of a column word."""
        return self.slots * (self.value_bits + self.gap_bits)


@numba.njit(cache=True)
def column_entries(weights: npt.NDArray[np.int8]) -> tuple[Int, int]:
    """Entries of each column, those that bridge long gaps included, for gaps of 1 to 8 bits: int64 [8, columns].

    Args:
        weights: int8 [rows, columns].

    Returns:
        The entries, and how many different weights there are, zero apart.
    """
    rows, columns = weights.shape
    entries = np.zeros((8, columns), dtype=np.int64)
    last = np.full(columns, -1)
    seen = np.zeros(256, dtype=np.bool_)
    for row in range(rows):
        for column in range(columns):
            if weights[row, column] != 0:
                gap = row - last[column] - 1
                last[column] = row
                seen[weights[row, column] + 128] = True
                for bits in range(8):
                    entries[bits, column] += (gap >> (bits + 1)) + 1
    return entries, int(seen.sum())


def column_format(slots: int, layers: Sequence[tuple[Int, int]]) -> ColumnFormat:
    """The format with the fewest bytes of all layers; of two with equally many the one with fewer words.

    Args:
        layers: of each what :func:`column_entries` tells.
    """
    different = max((each for _, each in layers), default=0)
    value_bits = 4 if different < 16 else 5 if different < 32 else 8
    words = [sum(int((-(-entries[bits] // slots)).sum()) for entries, _ in layers) for bits in range(8)]
    forms = [ColumnFormat(slots, value_bits, bits + 1) for bits in range(8)]
    return min(zip(forms, words, strict=True), key=lambda pair: (pair[0].word_bits * pair[1], pair[1]))[0]


def streamed_sizes(
    form: ColumnFormat | None, column_words: Sequence[int], rows_at_once: int, sums: str, batch: int
) -> dict[str, Any]:
    """Fields of an :class:`generator.architecture.Architecture` for columns in this format; None: not streamed.

    Args:
        column_words: of each layer.
    """
    if form is None:
        return {}
    sizes = {"fc_slots": form.slots, "fc_value_bits": form.value_bits, "fc_gap_bits": form.gap_bits}
    sizes["fc_base_bits"] = layouts.base_bits(max(column_words, default=0))
    return sizes | {"fc_rows_at_once": rows_at_once, "fc_sums": sums, "fc_batch": batch}


@dataclass(frozen=True)
class FcStreamSchedule:
    """A layer on the streamed FC engine.

    Attributes:
        form: of the column words.
        packet: the layer's only one; its `counts` are column words.
        columns: uint8 [words, bytes], all columns as they lie in DDR.
        entries: of all columns, those that bridge long gaps included, those that fill words up not.
    """

    layer: FcLayer
    form: ColumnFormat
    descriptor: int
    packet: FcPacket
    rounds: Rounds
    output: FeatureLayout
    columns: Words
    entries: int

    @property
    def rows(self) -> int:
        """Outputs of the layer."""
        return int(self.layer.weights.shape[0])

    @property
    def packets(self) -> tuple[FcPacket, ...]:
        """Its only packet."""
        return (self.packet,)

    @property
    def rows_per_pe(self) -> int:
        """Sums that every slot has room for: for every bias of the packet, filling included."""
        return self.packet.bias_words * layouts.BIASES_PER_WORD

    @property
    def inputs(self) -> tuple[tuple[str, FeatureLayout], ...]:
        """Maps on features_in: golden's name and the order of the pixels."""
        return ((self.layer.source, replace(self.layer.input, batch=self.batch)),)

    @property
    def batch(self) -> int:
        """Images that go through the layer together."""
        return self.output.batch

    def feature_words(self, lanes: int) -> int:
        """Words on features_in."""
        return self.batch * self.layer.input.words(lanes)

    def active(self, activations: npt.NDArray[np.int64], lanes: int) -> npt.NDArray[np.bool_]:
        """Which columns come: where an image of the batch has an activation that is not zero; bool [columns].

        Args:
            activations: as they come on the stream, filling included: int [words * lanes].
        """
        found: npt.NDArray[np.bool_] = (activations.reshape(-1, self.batch, lanes) != 0).any(axis=1).reshape(-1)
        return found

    def requests(self, activations: npt.NDArray[np.int64], lanes: int) -> Int:
        """First word and words of each request: int64 [requests, 2]; arguments as of :meth:`active`."""
        starts = np.concatenate([[0], np.cumsum(self.packet.counts)])
        even, odd = self.active(activations, lanes).reshape(-1, 2).T
        first = np.where(even, starts[:-1:2], starts[1::2])
        past = np.where(odd, starts[2::2], starts[1::2])
        found: Int = np.stack([first, past - first], axis=1)[past > first]
        return found


def _codebook(weights: npt.NDArray[np.int8], value_bits: int) -> npt.NDArray[np.int8]:
    """Weights (int8 [n], none of them zero) by number, number 0 being weight 0: int8 [2**value_bits]; of no use where
    `value_bits` is 8."""
    book = np.zeros(1 << value_bits, dtype=np.int8)
    if value_bits == 8:
        return np.arange(256, dtype=np.uint8).view(np.int8)
    there = np.bincount(weights.view(np.uint8), minlength=256)
    values = np.sort(np.flatnonzero(there).astype(np.uint8).view(np.int8))
    if values.size >= book.size:
        raise layouts.LayoutError(
            f"it has {values.size} different weights, and entries of {value_bits} bits tell {book.size - 1} apart"
        )
    book[1 : 1 + values.size] = values
    return book


@numba.njit(cache=True)
def _entries(column_of: Int, row_of: Int, numbers: Int, value_bits: int, gap_bits: int) -> tuple[Int, Int]:
    """Entries int64 [n], column after column, and the column of each; weight 0 bridges a gap that is too long."""
    longest, count = 1 << gap_bits, column_of.size
    gaps = np.empty(count, dtype=np.int64)
    for number in range(count):
        begins = number == 0 or column_of[number] != column_of[number - 1]
        gaps[number] = row_of[number] - (0 if begins else row_of[number - 1] + 1)
    size = count + (gaps // longest).sum()
    entries, columns = np.full(size, (longest - 1) << value_bits), np.empty(size, dtype=np.int64)
    place = 0
    for number in range(count):
        behind = place + gaps[number] // longest + 1
        columns[place:behind] = column_of[number]
        entries[behind - 1] = numbers[number] | (gaps[number] % longest) << value_bits
        place = behind
    return entries, columns


def _packed(entries: Int, column_of: Int, columns: int, form: ColumnFormat) -> tuple[Words, Int]:
    """Column words uint8 [words, bytes], each column filled up with zeros, and the words of each column."""
    counts = -(-np.bincount(column_of, minlength=columns) // form.slots)
    starts = (np.cumsum(counts) - counts) * form.slots
    bits, words = form.value_bits + form.gap_bits, int(counts.sum())
    packed = _placed(entries, column_of, starts, bits, words * form.slots * bits // 8)
    return packed.reshape(words, -1), counts


@numba.njit(cache=True)
def _placed(entries: Int, column_of: Int, starts: Int, bits: int, size: int) -> npt.NDArray[np.uint8]:
    """Entries (int64 [n]) of so many bits, each column's one after another from its place on: uint8 [size], other
    places zero.

    Args:
        column_of: int64 [n], the column of each, ascending.
        starts: int64 [columns], places.
    """
    packed, place = np.zeros(size, dtype=np.uint8), 0
    for number in range(entries.size):
        begins = number == 0 or column_of[number] != column_of[number - 1]
        place = starts[column_of[number]] if begins else place + 1
        first = place * bits
        byte, rest = first >> 3, entries[number] << (first & 7)
        while rest:
            packed[byte] |= rest & 255
            rest >>= 8
            byte += 1
    return packed


def schedule_fc_stream(layer: FcLayer, form: ColumnFormat, lanes: int, batch: int = 1) -> FcStreamSchedule:
    """Packs `layer` for the streamed engine behind feature words of `lanes` lanes, for `batch` images together.

    Raises:
        EngineError: a number exceeds its field, or the weights are too many for the codebook; names the layer.
    """
    try:
        return _schedule(layer, form, lanes, batch)
    except layouts.LayoutError as error:
        raise EngineError(f"layer '{layer.name}': the streamed FC engine cannot run it, {error}") from error


def _schedule(layer: FcLayer, form: ColumnFormat, lanes: int, batch: int) -> FcStreamSchedule:
    nonzeros = fc_nonzeros(layer, lanes)
    book = _codebook(nonzeros.values, form.value_bits)
    number_of = np.zeros(256, dtype=np.int64)
    number_of[book.view(np.uint8)[::-1]] = np.arange(book.size)[::-1]
    numbers = number_of[nonzeros.values.view(np.uint8)]
    entries, column_of = _entries(nonzeros.columns, nonzeros.rows, numbers, form.value_bits, form.gap_bits)
    columns, counts = _packed(entries, column_of, nonzeros.column_count, form)
    layouts.base_bits(len(columns))  # refuses too many
    pointers = pack_pointers(np.concatenate([[0], np.cumsum(counts)]), 0)
    book_words = layouts.words_from_lanes(book.view(np.uint8)[:32], 1)
    bias_words = layouts.words_from_lanes(np.ascontiguousarray(layer.bias, dtype=np.int32).view(np.uint32), 4)
    content = np.concatenate([pointers, book_words, bias_words])
    header = {"pointer_words": len(pointers), "entry_words": len(book_words)}
    none = np.zeros(0, dtype=np.uint16)
    packet = FcPacket(0, counts, none, len(pointers), len(book_words), len(bias_words), content, header)
    rounds = deal([packet], 1)
    outputs = layer.weights.shape[0]
    output = FeatureLayout((0,), 1, outputs, layer.output_signed, batch=batch)
    descriptor = layouts.DESCRIPTOR.pack(
        engine=1,
        words=len(rounds.words),
        rounds=1,
        feature_words=batch * layer.input.words(lanes),
        output_words=output.words(lanes),
        input_signed=int(layer.input.signed),
        minimum=layer.minimum,
        maximum=layer.maximum,
        multiplier=layer.multiplier,
        shift=layer.shift,
        rows=outputs,
        row_sets=1,
    )
    return FcStreamSchedule(layer, form, descriptor, packet, rounds, output, columns, int(entries.size))
