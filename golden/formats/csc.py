"""``csc``: EIE's compressed columns (Han et al., ISCA 2016), in the widths of the caller's choice.

Row i belongs to processing element (PE) i mod N. For each PE, column by column, an entry holds a value and the gap:
the number of that PE's rows between the previous entry of the column and this one. A gap too long for its field is
bridged by padding entries: value 0, gap 2**G - 1, standing for 2**G rows. V = 8, G = 8 is the 16-bit FC entry of Zhang
et al. 2019; V = 4, G = 4 is EIE's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from golden.description import CscStorage
from golden.errors import DescriptionError
from golden.formats.bits import Bits, SectionReader, bytes_for, pack_fields, width_for
from golden.formats.encoded import Encoded, SizeBits, joined

__all__ = ["CscOptions", "decode", "encode", "entries", "sizes"]

Integers = NDArray[np.int64]
ColumnTable = Literal["counts", "pointers"]


@dataclass(frozen=True)
class CscOptions:
    """How to encode; None lets the encoder take the smallest.

    Attributes:
        value_bits: 8 for the value itself, 4 or 5 for an index into a codebook of 16 or 32 values (0 among them).
        gap_bits: 1 to 16.
        processing_elements: PEs that the rows are interleaved over.
        columns: entries of each column as ``counts``, or as ``pointers`` to its first entry.
    """

    value_bits: Literal[4, 5, 8] | None = None
    gap_bits: int | None = None
    processing_elements: int = 1
    columns: ColumnTable = "counts"


@dataclass(frozen=True)
class _NonZeros:
    """Non-zeros in payload order: PE after PE, column after column, rows increasing.

    Attributes:
        values: int8.
        gaps: zeros of the PE's rows before the value, int64.
        segment: PE * columns + column, int64.
        segments: PEs * columns.
    """

    values: NDArray[np.int8]
    gaps: Integers
    segment: Integers
    segments: int


def _nonzeros(weights: NDArray[np.int8], elements: int) -> _NonZeros:
    columns = weights.shape[1]
    column, row = np.nonzero(weights.T)
    segment = (row % elements) * columns + column
    order = np.argsort(segment, kind="stable")
    segment, row, column = segment[order], row[order], column[order]
    local = row // elements
    first = np.diff(segment, prepend=-1) != 0
    gaps = np.diff(local, prepend=0) - 1
    gaps[first] = local[first]
    return _NonZeros(weights[row, column], gaps, segment, elements * columns)


def _table(nonzeros: _NonZeros, gap_bits: int, elements: int, columns: ColumnTable) -> Integers:
    """Counts or pointers by (PE, column); a gap of g zeros needs g >> G padding entries."""
    weight = (nonzeros.gaps >> gap_bits) + 1
    flat = np.zeros(nonzeros.segments, np.int64)
    np.add.at(flat, nonzeros.segment, weight)
    counts: Integers = flat.reshape(elements, -1)
    return counts if columns == "counts" else np.pad(np.cumsum(counts, axis=1), ((0, 0), (1, 0)))


def _smallest_widths(nonzeros: _NonZeros, options: CscOptions) -> tuple[Literal[4, 5, 8], int]:
    """(value bits, gap bits) of the shortest payload among those that the options leave open."""
    distinct = np.unique(nonzeros.values).size
    fitting: list[Literal[4, 5, 8]] = [8]
    if distinct < 32:
        fitting.insert(0, 5)
    if distinct < 16:
        fitting.insert(0, 4)
    lengths: dict[tuple[Literal[4, 5, 8], int], int] = {}
    for gap_bits in range(1, 17) if options.gap_bits is None else [options.gap_bits]:
        table = _table(nonzeros, gap_bits, options.processing_elements, options.columns)
        total = int(nonzeros.values.size + (nonzeros.gaps >> gap_bits).sum())
        fixed = bytes_for(table.size * width_for(int(table.max())))
        for value_bits in fitting if options.value_bits is None else [options.value_bits]:
            book = 1 << value_bits if value_bits < 8 else 0
            lengths[value_bits, gap_bits] = book + fixed + bytes_for(total * (value_bits + gap_bits))
    return min(lengths, key=lengths.__getitem__)


def _codebook(values: NDArray[np.int8], value_bits: int) -> tuple[NDArray[np.int8], Integers]:
    """The codebook (0 first, then the distinct values, then zeros) and each value's index in it."""
    distinct, index = np.unique(values, return_inverse=True)
    if distinct.size >= 1 << value_bits:
        raise DescriptionError(
            f"{distinct.size} different values and 0 do not fit a codebook of {1 << value_bits}; use value_bits 8",
            field="format",
        )
    book = np.zeros(1 << value_bits, np.int8)
    book[1 : 1 + distinct.size] = distinct
    return book, index.reshape(-1).astype(np.int64) + 1


def _with_padding(nonzeros: _NonZeros, fields: Integers, gap_bits: int) -> tuple[Integers, Integers]:
    """(value fields, gaps) of all entries, with padding entries before a value whose gap is too long."""
    padding = nonzeros.gaps >> gap_bits
    place = np.cumsum(padding + 1) - 1
    total = int(place[-1]) + 1 if place.size else 0
    values = np.zeros(total, np.int64)
    gaps = np.full(total, (1 << gap_bits) - 1, np.int64)
    values[place] = fields
    gaps[place] = nonzeros.gaps & ((1 << gap_bits) - 1)
    return values, gaps


def encode(weights: NDArray[np.int8], options: CscOptions | None = None) -> Encoded:
    """Encode as ``csc``.

    Args:
        weights: int8 (rows = output features, columns = input features).
        options: widths and interleaving; None takes the smallest on one PE.

    Raises:
        DescriptionError: more distinct values than the codebook holds, or an option out of range.
    """
    options = options or CscOptions()
    elements = options.processing_elements
    nonzeros = _nonzeros(weights, elements)
    value_bits, gap_bits = _smallest_widths(nonzeros, options)
    book, fields = _codebook(nonzeros.values, value_bits) if value_bits < 8 else (np.zeros(0, np.int8), None)
    numbers = nonzeros.values.view(np.uint8).astype(np.int64) if fields is None else fields
    values, gaps = _with_padding(nonzeros, numbers, gap_bits)
    table = _table(nonzeros, gap_bits, elements, options.columns)
    column_bits = width_for(int(table.max()))
    payload = joined(
        pack_fields(book, 8),
        pack_fields(table, column_bits),
        pack_fields(values | gaps << value_bits, value_bits + gap_bits),
    )
    storage = CscStorage(
        shape=weights.shape,
        nonzeros=nonzeros.values.size,
        bits=8 * payload.size,
        value_bits=value_bits,
        gap_bits=gap_bits,
        processing_elements=elements,
        columns=options.columns,
        column_bits=column_bits,
    )
    return Encoded(storage, payload)


@dataclass(frozen=True)
class Entries:
    """The entries of a ``csc`` payload, as hardware reads them.

    Attributes:
        values: the int8 value of each entry, codebook applied.
        gaps: the gap field of each entry.
        counts: entries by (PE, column).
        codebook: int8, empty when values stand for themselves.
    """

    values: NDArray[np.int8]
    gaps: Integers
    counts: Integers
    codebook: NDArray[np.int8]


def entries(storage: CscStorage, payload: Bits) -> Entries:
    """Take a payload apart.

    Raises:
        DescriptionError: truncated or overlong payload, pointers that do not increase, a codebook without 0 in front.
    """
    elements, columns = storage.processing_elements, storage.shape[1]
    reader = SectionReader(payload)
    book = reader.values("codebook", 1 << storage.value_bits if storage.value_bits < 8 else 0)
    if book.size and book[0] != 0:
        raise DescriptionError("the codebook's entry 0 is not 0", field="weights")
    counts = _read_counts(reader, storage, elements, columns)
    total = int(counts.sum())
    fields = reader.fields("entries", total, storage.value_bits + storage.gap_bits)
    reader.finish()
    numbers = fields & ((1 << storage.value_bits) - 1)
    values = book[numbers] if book.size else numbers.astype(np.uint8).view(np.int8)
    return Entries(values, fields >> storage.value_bits, counts, book)


def _read_counts(reader: SectionReader, storage: CscStorage, elements: int, columns: int) -> Integers:
    if storage.columns == "counts":
        return reader.fields("counts", elements * columns, storage.column_bits).reshape(elements, columns)
    pointers = reader.fields("pointers", elements * (columns + 1), storage.column_bits).reshape(elements, columns + 1)
    counts = np.diff(pointers, axis=1)
    if np.any(pointers[:, 0] != 0) or np.any(counts < 0):
        raise DescriptionError("a PE's column pointers do not start at 0 or decrease", field="weights")
    return counts


def decode(storage: CscStorage, payload: Bits) -> NDArray[np.int8]:
    """The weights, int8, in ``storage.shape``."""
    taken = entries(storage, payload)
    weights = np.zeros(storage.shape, np.int8)
    if not _spread(taken.values, taken.gaps, taken.counts, weights):
        raise DescriptionError(f"an entry's gaps lead beyond the last of {len(weights)} rows", field="weights")
    _check_padding(taken, (1 << storage.gap_bits) - 1)
    return weights


@njit(cache=True, nogil=True)
def _spread(values: NDArray[np.int8], gaps: Integers, counts: Integers, weights: NDArray[np.int8]) -> bool:
    """Puts the entries into ``weights`` (rows, columns); returns whether all of them lie there."""
    elements, columns = counts.shape
    entry = 0
    for element in range(elements):
        for column in range(columns):
            row = element - elements
            for _ in range(counts[element, column]):
                row += (gaps[entry] + 1) * elements
                if row >= weights.shape[0]:
                    return False
                weights[row, column] = values[entry]
                entry += 1
    return True


def _check_padding(taken: Entries, longest_gap: int) -> None:
    """Zeros are padding: the longest gap, and another entry of the same column behind them."""
    zero = np.flatnonzero(taken.values == 0)
    if np.any(taken.gaps[zero] != longest_gap):
        raise DescriptionError(f"an entry has the value 0, but not the gap {longest_gap} of padding", field="weights")
    counts = taken.counts.reshape(-1)
    if np.any(taken.values[np.cumsum(counts)[counts > 0] - 1] == 0):
        raise DescriptionError("a column ends with a padding entry", field="weights")


def sizes(storage: CscStorage, payload: Bits) -> SizeBits:
    """Where the bits go."""
    total = int(entries(storage, payload).values.size)
    padding = total - storage.nonzeros
    width = storage.value_bits + storage.gap_bits
    pointers = storage.columns == "pointers"
    table = storage.processing_elements * (storage.shape[1] + pointers) * storage.column_bits
    return SizeBits(
        values=storage.value_bits * storage.nonzeros,
        index=storage.gap_bits * storage.nonzeros,
        counts=0 if pointers else table,
        pointers=table if pointers else 0,
        codebook=8 << storage.value_bits if storage.value_bits < 8 else 0,
        padding=width * padding,
        alignment=-table % 8 + -(total * width) % 8,
    )
