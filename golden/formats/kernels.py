"""``conv-rc`` and ``conv-mask``: the non-zeros of each convolution kernel, found by coordinates or by a mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from golden.description import ConvMaskStorage, ConvRcStorage
from golden.errors import DescriptionError
from golden.formats.bits import Bits, SectionReader, pack_bits, pack_fields, width_for
from golden.formats.encoded import Encoded, SizeBits, joined

__all__ = ["decode_mask", "decode_rc", "encode_mask", "encode_rc", "mask_sizes", "rc_sizes"]

RC_LARGEST_KERNEL = 16  # rows and columns have 4 bits each


def encode_rc(weights: NDArray[np.int8]) -> Encoded:
    """Encode as ``conv-rc``: counts, then 16-bit entries.

    Args:
        weights: int8 (output, input per group, kh, kw), kh and kw at most 16.
    """
    kernels, (height, width) = int(np.prod(weights.shape[:2])), weights.shape[2:]
    if max(height, width) > RC_LARGEST_KERNEL:
        raise DescriptionError(
            f"conv-rc holds kernels up to 16x16, not {height}x{width}; choose another", field="format"
        )
    stack = weights.reshape(kernels, height, width)
    kernel, row, column = np.nonzero(stack)
    values = stack[kernel, row, column].view(np.uint8)
    entries = values.astype(np.uint32) | (row.astype(np.uint32) << 8) | (column.astype(np.uint32) << 12)
    payload = joined(
        pack_fields(np.bincount(kernel, minlength=kernels), width_for(height * width)), pack_fields(entries, 16)
    )
    storage = ConvRcStorage(shape=weights.shape, nonzeros=values.size, bits=8 * payload.size)
    return Encoded(storage, payload)


def decode_rc(storage: ConvRcStorage, payload: Bits) -> NDArray[np.int8]:
    """The weights of a ``conv-rc`` payload, int8, in ``storage.shape``."""
    kernels, (height, width) = storage.shape[0] * storage.shape[1], storage.shape[2:]
    if max(height, width) > RC_LARGEST_KERNEL:
        raise DescriptionError(f"conv-rc holds kernels up to 16x16, not {height}x{width}", field="weights.shape")
    reader = SectionReader(payload)
    counts = reader.fields("counts", kernels, width_for(height * width))
    entries = reader.fields("entries", int(counts.sum()), 16)
    reader.finish()
    values, row, column = (entries & 255).astype(np.uint8).view(np.int8), (entries >> 8) & 15, entries >> 12
    kernel = np.repeat(np.arange(kernels), counts)
    if np.any(row >= height) or np.any(column >= width):
        raise DescriptionError(f"an entry's row or column lies outside the {height}x{width} kernel", field="weights")
    place = (kernel * height + row) * width + column
    if np.any(np.diff(place) <= 0):
        raise DescriptionError("the entries of a kernel are not in increasing row-major order", field="weights")
    _refuse_zeros(values)
    weights = np.zeros(kernels * height * width, np.int8)
    weights[place] = values
    return weights.reshape(storage.shape)


def rc_sizes(storage: ConvRcStorage) -> SizeBits:
    """Where the bits of a ``conv-rc`` payload go."""
    kernels = storage.shape[0] * storage.shape[1]
    counts = kernels * width_for(storage.shape[2] * storage.shape[3])
    return SizeBits(values=8 * storage.nonzeros, index=8 * storage.nonzeros, counts=counts, alignment=-counts % 8)


def encode_mask(weights: NDArray[np.int8]) -> Encoded:
    """Encode ``weights``, int8 (output, input per group, kh, kw), as ``conv-mask``: all masks, then all values."""
    mask = weights != 0
    payload = joined(pack_bits(mask), pack_fields(weights[mask], 8))
    storage = ConvMaskStorage(shape=weights.shape, nonzeros=int(mask.sum()), bits=8 * payload.size)
    return Encoded(storage, payload)


def decode_mask(storage: ConvMaskStorage, payload: Bits) -> NDArray[np.int8]:
    """The weights of a ``conv-mask`` payload, int8, in ``storage.shape``."""
    reader = SectionReader(payload)
    mask = reader.bits("masks", int(np.prod(storage.shape)))
    values = reader.values("values", int(mask.sum()))
    reader.finish()
    _refuse_zeros(values)
    weights = np.zeros(mask.size, np.int8)
    weights[mask] = values
    return weights.reshape(storage.shape)


def mask_sizes(storage: ConvMaskStorage) -> SizeBits:
    """Where the bits of a ``conv-mask`` payload go."""
    masks = int(np.prod(storage.shape))
    return SizeBits(values=8 * storage.nonzeros, index=masks, alignment=-masks % 8)


def _refuse_zeros(values: NDArray[np.int8]) -> None:
    if np.any(values == 0):
        raise DescriptionError("an entry has the value 0, which this format never stores", field="weights")
