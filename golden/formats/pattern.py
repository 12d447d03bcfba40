"""``conv-pattern``: intra-kernel regular pruning (Yang et al., ISMVL 2018; the storage is our reconstruction).

Each kernel names one of a few patterns and stores exactly the values under it, so that no weight needs an index and
every kernel costs the same cycles. One of the patterns may be empty: kernels that have no weight left store no value.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from golden.description import ConvPatternStorage
from golden.errors import DescriptionError
from golden.formats.bits import Bits, SectionReader, pack_bits, pack_fields
from golden.formats.encoded import Encoded, SizeBits, joined

__all__ = ["decode", "encode", "index_bits", "lower_bound", "sizes"]

Masks = NDArray[np.bool_]


def index_bits(patterns: int) -> int:
    """Bits of a pattern number: ceil(log2(patterns)), 0 for a single pattern."""
    return (patterns - 1).bit_length()


def _completed(mask: Masks, size: int) -> Masks:
    """``mask`` with its first clear positions set until ``size`` are set."""
    result = mask.copy()
    result[np.flatnonzero(~mask)[: size - int(mask.sum())]] = True
    return result


def _pattern_table(masks: Masks, size: int) -> Masks:
    """Patterns of ``size`` positions, such that every mask lies inside one; the fullest masks come first."""
    order = np.argsort(-masks.sum(axis=1), kind="stable")
    table = np.zeros(masks.shape, np.bool_)
    used = 0
    for mask in masks[order]:
        if not np.any(np.all(table[:used] >= mask, axis=1)):
            table[used] = _completed(mask, size)
            used += 1
    return table[:used]


def lower_bound(weights: NDArray[np.int8]) -> int:
    """Bits that any ``conv-pattern`` encoding of ``weights`` needs at least; far cheaper than encoding."""
    masks = weights.reshape(-1, weights.shape[2] * weights.shape[3]) != 0
    counts = masks.sum(axis=1)
    full = np.unique(np.packbits(masks[counts == counts.max()], axis=1), axis=0).shape[0]
    values = counts.max() * np.count_nonzero(counts)
    return int(8 * values + full * masks.shape[1] + index_bits(full) * masks.shape[0])


def encode(weights: NDArray[np.int8], kernel_values: int | None = None) -> Encoded:
    """Encode as ``conv-pattern``.

    Args:
        weights: int8 (output, input per group, kh, kw).
        kernel_values: values stored for each kernel; None takes the largest number of non-zeros of any kernel.

    Raises:
        DescriptionError: a kernel has more non-zeros than ``kernel_values``, or the kernel has fewer positions.
    """
    positions = weights.shape[2] * weights.shape[3]
    stack = weights.reshape(-1, positions)
    masks = stack != 0
    most = int(masks.sum(axis=1).max())
    size = most if kernel_values is None else kernel_values
    if not most <= size <= positions:
        raise DescriptionError(
            f"kernel_values is {size}, but must be {most} (the fullest kernel) to {positions} (the kernel's positions)",
            field="format",
        )
    distinct, kind = np.unique(masks, axis=0, return_inverse=True)
    table = _pattern_table(distinct, size)
    home = np.array([int(np.argmax(np.all(table >= mask, axis=1))) for mask in distinct])
    encoded = _encoded(weights, table, home[kind.reshape(-1)])
    empty = ~np.any(distinct, axis=1)
    if not size or not np.any(empty):
        return encoded
    home[empty] = len(table)
    shorter = _encoded(weights, np.vstack([table, np.zeros_like(table[:1])]), home[kind.reshape(-1)])
    return min(encoded, shorter, key=lambda each: each.storage.bits)


def _encoded(weights: NDArray[np.int8], table: Masks, number: NDArray[np.int64]) -> Encoded:
    """With these patterns, and the number of each kernel's."""
    stack = weights.reshape(len(number), -1)
    values = stack[table[number]]
    payload = joined(pack_bits(table), pack_fields(number, index_bits(len(table))), pack_fields(values, 8))
    storage = ConvPatternStorage(
        shape=weights.shape,
        nonzeros=int(np.count_nonzero(stack)),
        bits=8 * payload.size,
        patterns=len(table),
        kernel_values=int(table[0].sum()),
    )
    return Encoded(storage, payload)


def decode(storage: ConvPatternStorage, payload: Bits) -> NDArray[np.int8]:
    """The weights, int8, in ``storage.shape``."""
    kernels, positions = storage.shape[0] * storage.shape[1], storage.shape[2] * storage.shape[3]
    reader = SectionReader(payload)
    table = reader.bits("pattern table", storage.patterns * positions).reshape(storage.patterns, positions)
    number = reader.fields("pattern numbers", kernels, index_bits(storage.patterns))
    lengths = table.sum(axis=1)
    if np.any((lengths != storage.kernel_values) & (lengths != 0)):
        raise DescriptionError(f"a pattern has neither {storage.kernel_values} positions nor none", field="weights")
    if np.any(number >= storage.patterns):
        raise DescriptionError(f"a kernel names a pattern beyond the {storage.patterns} of the table", field="weights")
    values = reader.values("values", int(lengths[number].sum()))
    reader.finish()
    weights = np.zeros((kernels, positions), np.int8)
    weights[table[number]] = values
    return weights.reshape(storage.shape)


def sizes(storage: ConvPatternStorage) -> SizeBits:
    """Where the bits go. Values are all that are stored, zeros under a pattern included."""
    kernels, positions = storage.shape[0] * storage.shape[1], storage.shape[2] * storage.shape[3]
    table, index = storage.patterns * positions, kernels * index_bits(storage.patterns)
    alignment = -table % 8 + -index % 8
    values = storage.bits - table - index - alignment
    return SizeBits(values=values, index=index, codebook=table, alignment=alignment)
