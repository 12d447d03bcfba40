"""Bit packing: least significant bit first, fields back to back, a section ends on a byte boundary (zeros fill it)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from golden.errors import DescriptionError

__all__ = ["Bits", "SectionReader", "bytes_for", "pack_bits", "pack_fields", "width_for"]

Bits = NDArray[np.uint8]
_CHUNK = 1 << 18  # fields at a time, a multiple of 8 so that chunks end on byte boundaries; bounds the working memory


def width_for(largest: int) -> int:
    """Bits that a field needs to hold 0..``largest``; at least 1."""
    return max(1, int(largest).bit_length())


def bytes_for(bits: int) -> int:
    """Bytes that hold ``bits`` bits."""
    return (bits + 7) // 8


def pack_bits(bits: NDArray[np.bool_]) -> Bits:
    """A section of single bits, in row-major order of ``bits``."""
    return np.packbits(bits.reshape(-1), bitorder="little")


def pack_fields(values: NDArray[Any], width: int) -> Bits:
    """A section of unsigned fields.

    Args:
        values: integers 0..2**width - 1, any shape (row-major order); int8 values are taken modulo 256 at width 8.
        width: bits a field, 0..32.
    """
    flat = values.reshape(-1)
    if width == 8:
        return flat.astype(np.uint8, casting="unsafe", copy=True)
    position = np.arange(width, dtype=np.uint32)
    chunks = [
        np.packbits((flat[at : at + _CHUNK, None].astype(np.uint32) >> position) & np.uint32(1), bitorder="little")
        for at in range(0, flat.size, _CHUNK)
    ]
    return np.concatenate(chunks) if chunks else np.zeros(0, np.uint8)


@njit(cache=True, nogil=True)
def _unpack_fields(section: Bits, count: int, width: int) -> NDArray[np.int64]:
    result = np.empty(count, np.int64)
    waiting, bits, at = np.int64(0), 0, 0  # bits of the section that belong to no field yet
    for number in range(count):
        while bits < width:
            waiting |= np.int64(section[at]) << bits
            at += 1
            bits += 8
        result[number] = waiting & ((1 << width) - 1)
        waiting >>= width
        bits -= width
    return result


class SectionReader:
    """Reads a payload section by section and refuses one that is too short, too long, or has stray bits set.

    Args:
        payload: uint8 vector.
    """

    def __init__(self, payload: Bits) -> None:
        self._payload = payload
        self._at = 0

    def _section(self, what: str, bits: int) -> Bits:
        size = bytes_for(bits)
        section = self._payload[self._at : self._at + size]
        if section.size < size:
            raise DescriptionError(
                f"the payload of {self._payload.size} bytes ends inside its {what} "
                f"(bytes {self._at} to {self._at + size - 1}); it is truncated",
                field="weights",
            )
        if bits % 8 and int(section[-1]) >> (bits % 8):
            raise DescriptionError(f"the bits that fill up the last byte of its {what} are not zero", field="weights")
        self._at += size
        return section

    def bits(self, what: str, count: int) -> NDArray[np.bool_]:
        """The next section as ``count`` single bits."""
        section = self._section(what, count)
        return np.unpackbits(section, count=count, bitorder="little").astype(np.bool_)

    def fields(self, what: str, count: int, width: int) -> NDArray[np.int64]:
        """The next section as ``count`` unsigned fields of ``width`` bits."""
        return _unpack_fields(self._section(what, count * width), count, width)

    def values(self, what: str, count: int) -> NDArray[np.int8]:
        """The next section as ``count`` signed bytes."""
        return self._section(what, 8 * count).view(np.int8)

    def finish(self) -> None:
        """Refuse what lies after the last section."""
        left = self._payload.size - self._at
        if left:
            raise DescriptionError(
                f"the payload of {self._payload.size} bytes has {left} bytes more than its sections", field="weights"
            )
