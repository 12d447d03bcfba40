"""The FC engine's schedule: which PE holds which weights, and its packet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from generator import layouts
from generator.layers import EngineError, FcLayer, FeatureLayout
from generator.schedule.rounds import Int, Rounds, Words, deal

__all__ = ["FcPacket", "FcSchedule", "fc_nonzeros", "pack_pointers", "schedule_fc"]


@dataclass(frozen=True)
class FcPacket:
    """A PE's part of an FC layer on the weight stream.

    Attributes:
        counts: int64 [columns], entries in each column, padding entries included.
        entries: uint16 [n], value in the low byte, gap in the high byte.
        pointer_words, entry_words, bias_words: sizes in weight words.
        content: pointers, biases, entries: uint8 [words, WEIGHT_BITS / 8].
        header: fields of the header word.
    """

    pe: int
    counts: Int
    entries: npt.NDArray[np.uint16]
    pointer_words: int
    entry_words: int
    bias_words: int
    content: Words
    header: Mapping[str, int]


@dataclass(frozen=True)
class FcSchedule:
    """A layer on the FC engine: descriptor, one packet per PE, output layout.

    Attributes:
        row_sets: row r belongs to set r mod `row_sets`, and a set to the PEs whose number mod `row_sets` is the set's.
        rows_per_pe: rows of a set, for each of which its PEs hold a sum.
    """

    layer: FcLayer
    descriptor: int
    packets: tuple[FcPacket, ...]
    rounds: Rounds
    output: FeatureLayout
    row_sets: int
    rows_per_pe: int

    @property
    def inputs(self) -> tuple[tuple[str, FeatureLayout], ...]:
        """Maps on features_in: golden's name and the order of the pixels."""
        return ((self.layer.source, self.layer.input),)

    def feature_words(self, lanes: int) -> int:
        """Words on features_in."""
        return self.layer.input.words(lanes)


@dataclass(frozen=True)
class _FcNonZeros:
    """Non-zero weights of an FC layer, column after column as they come on the stream, rows increasing.

    Attributes:
        columns, rows: int64 [n].
        values: int8 [n].
        column_count: columns on the stream, those included that only fill up a feature word.
    """

    columns: Int
    rows: Int
    values: npt.NDArray[np.int8]
    column_count: int

    def pes(self, pes: int, row_sets: int) -> npt.NDArray[np.uint16]:
        """The PE of each non-zero: the entries of a row set are dealt out in turn to the set's PEs.

        So the PEs of a set hold equally many entries, of every column and in all, but for one.
        """
        return _deal_entries(self.rows, pes, row_sets)


@numba.njit(cache=True)
def _deal_entries(rows: Int, pes: int, row_sets: int) -> npt.NDArray[np.uint16]:
    owners = np.empty(rows.size, dtype=np.uint16)
    following = np.arange(row_sets)  # of each set the PE whose turn it is
    for number in range(rows.size):
        row_set = rows[number] % row_sets
        owners[number] = following[row_set]
        following[row_set] += row_sets
        if following[row_set] >= pes:
            following[row_set] = row_set
    return owners


def fc_nonzeros(layer: FcLayer, lanes: int) -> _FcNonZeros:
    """The layer's non-zero weights in the order of its feature words of `lanes` lanes."""
    positions = layer.input.positions(lanes)
    stream = np.empty(layer.weights.shape[1], dtype=np.int64)
    stream[positions[positions >= 0]] = np.flatnonzero(positions >= 0)
    return _FcNonZeros(*_by_columns(layer.weights, stream, positions.size), positions.size)


@numba.njit(cache=True)
def _by_columns(weights: npt.NDArray[np.int8], stream: Int, column_count: int) -> tuple[Int, Int, npt.NDArray[np.int8]]:
    """Columns, rows and values of the non-zeros, by columns; `stream` (int64 [columns]) is where each one comes."""
    counts = np.zeros(stream.size, dtype=np.int64)
    for row in range(weights.shape[0]):
        for column in range(stream.size):
            counts[column] += weights[row, column] != 0
    by_place = np.zeros(column_count, dtype=np.int64)
    by_place[stream] = counts
    following = (np.cumsum(by_place) - by_place)[stream]
    columns, rows = np.repeat(np.arange(column_count), by_place), np.empty(by_place.sum(), dtype=np.int64)
    values = np.empty(rows.size, dtype=np.int8)
    for row in range(weights.shape[0]):
        for column in range(stream.size):
            if weights[row, column] != 0:
                place = following[column]
                rows[place], values[place] = row, weights[row, column]
                following[column] = place + 1
    return columns, rows, values


ACTIVE_SHARE = 0.4
"""Share of unsigned activations that are taken to be not zero when work is shared out; EIE's layers (Han et al., ISCA
2016, table III) have 0.18 to 0.41. Signed ones, that no ReLU has made, are taken to be all there."""
_NEARLY_EQUAL = 1.005
"""Of shares of work that differ by less, the one with fewer row sets is taken: its PEs differ less from column to
column, too, so that they wait for each other less often, which the estimate does not know of."""


def _fc_row_sets(nonzeros: _FcNonZeros, outputs: int, pes: int, signed: bool, most_rows: int | None) -> int:
    """Row sets of a layer: with many, PEs are uneven; with few, every PE has many sums to hand over.

    Estimated are the entries of the busiest PE, over a sample of columns of which as many are active as are taken to
    be, and one clock for each of its rows.

    Args:
        outputs: rows of the layer.
        signed: of the layer's activations.
        most_rows: rows that a PE has room for; None: any number. Without sharing as many as need be are taken.
    """
    active = np.random.default_rng(0).random(nonzeros.column_count) < (1.0 if signed else ACTIVE_SHARE)
    counted = active[nonzeros.columns]
    estimates: dict[int, int] = {}
    row_sets = pes
    while True:
        rows = -(-outputs // row_sets)
        if estimates and ((most_rows is not None and rows > most_rows) or rows > min(estimates.values())):
            break
        busiest = np.bincount(nonzeros.pes(pes, row_sets)[counted], minlength=pes).max()
        estimates[row_sets] = int(busiest) + rows
        if row_sets % 2:
            break
        row_sets //= 2
    best = min(estimates.values())
    return min(each for each, estimate in estimates.items() if estimate <= _NEARLY_EQUAL * best)


def schedule_fc(layer: FcLayer, pes: int, lanes: int, most_rows: int | None = None) -> FcSchedule:
    """Schedules `layer` on `pes` PEs behind feature words of `lanes` lanes.

    Args:
        most_rows: sums that a PE has room for, where the accelerator is given; None: as many as are best.

    Raises:
        EngineError: a number exceeds its field; names the layer.
    """
    outputs = layer.weights.shape[0]
    nonzeros = fc_nonzeros(layer, lanes)
    row_sets = _fc_row_sets(nonzeros, outputs, pes, layer.input.signed, most_rows)
    rows_per_pe = -(-outputs // row_sets)
    # The biases of a set stand in its first PE; the others' sums start at zero.
    bias = np.zeros((rows_per_pe, pes), dtype=np.int32)
    bias[:, :row_sets] = np.pad(layer.bias, (0, rows_per_pe * row_sets - outputs)).reshape(rows_per_pe, row_sets)
    output = FeatureLayout((0,), 1, outputs, layer.output_signed)
    owners = nonzeros.pes(pes, row_sets)
    entries, counts = _fc_entries(
        nonzeros.columns, nonzeros.rows // row_sets, nonzeros.values, owners, (pes, nonzeros.column_count)
    )
    own = np.split(entries, np.cumsum(counts.sum(axis=1))[:-1])
    try:
        packets = tuple(_fc_packet(pe, own[pe], counts[pe], bias[:, pe]) for pe in range(pes))
        rounds = deal(packets, pes)
        descriptor = layouts.DESCRIPTOR.pack(
            engine=1,
            words=len(rounds.words),
            rounds=1,
            feature_words=layer.input.words(lanes),
            output_words=output.words(lanes),
            input_signed=int(layer.input.signed),
            minimum=layer.minimum,
            maximum=layer.maximum,
            multiplier=layer.multiplier,
            shift=layer.shift,
            rows=rows_per_pe,
            row_sets=row_sets,
        )
    except layouts.LayoutError as error:
        raise EngineError(f"layer '{layer.name}': the FC engine cannot run it, {error}") from error
    return FcSchedule(layer, descriptor, packets, rounds, output, row_sets, rows_per_pe)


@numba.njit(cache=True)
def _fc_entries(
    columns: Int, rows: Int, values: npt.NDArray[np.int8], owners: npt.NDArray[np.uint16], shape: tuple[int, int]
) -> tuple[npt.NDArray[np.uint16], Int]:
    """CSC entries, PE after PE: uint16 [n], and entries per PE and column: int64 [pes, columns], which is `shape`.

    A gap beyond 255 gets padding entries of weight zero, each standing for 256 rows (EIE's rule, Han et al., ISCA 2016,
    section III).

    Args:
        columns, rows, values: the non-zeros, column after column, rows (of their row set) increasing.
        owners: the PE of each.
    """
    counts, gaps = np.zeros(shape, dtype=np.int64), np.empty(columns.size, dtype=np.int64)
    column_of, row_of = np.full(shape[0], -1), np.zeros(shape[0], dtype=np.int64)  # of each PE's last one
    for number, pe in enumerate(owners):
        column, row = columns[number], rows[number]
        gaps[number] = row - row_of[pe] - 1 if column == column_of[pe] else row
        counts[pe, column] += (gaps[number] >> 8) + 1
        column_of[pe], row_of[pe] = column, row
    ends = np.cumsum(counts.sum(axis=1))
    entries = np.full(counts.sum(), 255 << 8, dtype=np.uint16)
    place = ends - counts.sum(axis=1)
    for number, pe in enumerate(owners):
        place[pe] += (gaps[number] >> 8) + 1
        entries[place[pe] - 1] = np.uint8(values[number]) | (gaps[number] & 255) << 8
    return entries, counts


def _fc_packet(pe: int, entries: npt.NDArray[np.uint16], counts: Int, bias: npt.NDArray[np.int32]) -> FcPacket:
    """The packet of one PE.

    Args:
        entries, counts: as `FcPacket` has them.
        bias: int32 [rows], what its sums start from.
    """
    if entries.size >= 1 << layouts.BASE_BITS:
        raise layouts.LayoutError(
            f"PE {pe} would hold {entries.size} entries, more than {(1 << layouts.BASE_BITS) - 1}: use more PEs"
        )
    pointer_words = pack_pointers(np.concatenate([[0], np.cumsum(counts)]), pe)
    entry_words = layouts.words_from_lanes(entries, 2)
    bias_words = layouts.words_from_lanes(np.ascontiguousarray(bias).view(np.uint32), 4)
    content = np.concatenate([pointer_words, bias_words, entry_words])
    header = {"pointer_words": len(pointer_words), "entry_words": len(entry_words)}
    return FcPacket(pe, counts, entries, len(pointer_words), len(entry_words), len(bias_words), content, header)


def pack_pointers(pointers: Int, pe: int) -> Words:
    """Column pointers (int64 [columns + 1]) as words: POINTERS_PER_WORD numbers, where each column ends, and the base
    that they count from, where the first one begins."""
    group = layouts.POINTERS_PER_WORD
    words = -(-(pointers.size - 1) // group)
    padded = np.pad(pointers, (0, words * group + 1 - pointers.size), mode="edge")
    bases = padded[:-1:group]
    offsets = padded[1:].reshape(words, group) - bases[:, None]
    for number in np.flatnonzero(offsets[:, -1] >= 1 << layouts.POINTER_BITS)[:1]:
        last = min((number + 1) * group, pointers.size - 1) - 1
        raise layouts.LayoutError(
            f"PE {pe} would hold {offsets[number, -1]} entries of columns {number * group} to {last}, more "
            f"than {(1 << layouts.POINTER_BITS) - 1}: use more PEs"
        )
    offsets.reshape(-1)[pointers.size - 1 :] = 0
    bits = np.arange(layouts.POINTER_BITS)
    pointer_bits = (offsets[:, :, None] >> bits & 1).reshape(words, -1)
    base_bits = bases[:, None] >> np.arange(layouts.WEIGHT_BITS - pointer_bits.shape[1]) & 1
    return np.packbits(np.concatenate([pointer_bits, base_bits], axis=1).astype(np.uint8), axis=1, bitorder="little")
