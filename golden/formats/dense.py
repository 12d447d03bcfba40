"""``dense``: every weight, 8 bits each, row-major."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from golden.description import DenseStorage
from golden.formats.bits import Bits, SectionReader, pack_fields
from golden.formats.encoded import Encoded, SizeBits

__all__ = ["decode", "encode", "sizes"]


def encode(weights: NDArray[np.int8]) -> Encoded:
    """Encode ``weights``, int8, (rows, columns) or (output, input per group, kh, kw)."""
    storage = DenseStorage(shape=weights.shape, nonzeros=int(np.count_nonzero(weights)), bits=8 * weights.size)
    return Encoded(storage, pack_fields(weights, 8))


def decode(storage: DenseStorage, payload: Bits) -> NDArray[np.int8]:
    """The weights, int8, in ``storage.shape``."""
    reader = SectionReader(payload)
    weights = reader.values("values", int(np.prod(storage.shape)))
    reader.finish()
    return weights.reshape(storage.shape).copy()


def sizes(storage: DenseStorage) -> SizeBits:
    """Where the bits go."""
    return SizeBits(values=storage.bits)
