"""What every storage format produces: an encoded weight and its size, bit by bit."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from golden.description import Storage
from golden.errors import DescriptionError
from golden.formats.bits import Bits

__all__ = ["Encoded", "SizeBits", "check_nonzeros", "joined"]


@dataclass(frozen=True)
class SizeBits:
    """Where the bits of an encoded weight go; the sum is the payload's length.

    Attributes:
        values: value fields (or codebook indices) of the weights that are not padding.
        index: what says where they are: rows and columns, masks, pattern numbers, gaps.
        counts: entries a kernel or a column.
        pointers: column pointers.
        codebook: codebook or pattern table.
        padding: padding entries, value and gap, and nothing else.
        alignment: zeros that fill a section's last byte.
    """

    values: int = 0
    index: int = 0
    counts: int = 0
    pointers: int = 0
    codebook: int = 0
    padding: int = 0
    alignment: int = 0

    @property
    def total(self) -> int:
        """All of them, in bits: 8 times the payload's bytes."""
        return sum(int(getattr(self, field.name)) for field in fields(self))


@dataclass(frozen=True)
class Encoded:
    """A weight tensor in a storage format.

    Attributes:
        storage: the format and its parameters, as they stand in the description.
        payload: the encoded bits, uint8 vector.
    """

    storage: Storage
    payload: Bits


def check_nonzeros(encoded: Encoded, weights: NDArray[np.int8]) -> None:
    """Refuse a decoded weight whose non-zeros are not as many as the description says."""
    found = int(np.count_nonzero(weights))
    if found != encoded.storage.nonzeros:
        raise DescriptionError(
            f"says {encoded.storage.nonzeros}, but the payload holds {found} non-zero weights", field="weights.nonzeros"
        )


def joined(*sections: Bits) -> Bits:
    """One payload of the sections, in order."""
    return np.concatenate(sections)
