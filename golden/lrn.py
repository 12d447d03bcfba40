"""The table of a local response normalisation: y = x / (k + alpha / size * sum of squares)**beta, in integers."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2

import numpy as np
from numpy.typing import NDArray

from golden.description import ActivationType, Scale
from golden.errors import DescriptionError
from golden.graph import TYPE_RANGE

__all__ = ["LrnTable", "lrn_table"]

LARGEST_SHIFT = 47


@dataclass(frozen=True)
class LrnTable:
    """What :meth:`golden.DescriptionBuilder.lrn` takes.

    Attributes:
        table: uint16.
        index_shift: index = min(sum of squares >> index_shift, last).
        shift: y = clamp(round_half_even(x * table[index] / 2**shift)).
    """

    table: NDArray[np.uint16]
    index_shift: int
    shift: int


def lrn_table(
    size: int,
    alpha: float,
    beta: float,
    k: float,
    input_scale: Scale,
    output_scale: Scale,
    input_dtype: ActivationType = "uint8",
    entries: int = 4096,
) -> LrnTable:
    """Tabulate the factor of ONNX' (and Caffe's) LRN; each entry stands for the middle of its interval.

    Args:
        size: channels in the window, odd.
        alpha: factor of the mean square.
        beta: exponent, 0 or more.
        k: constant, more than 0.
        input_scale: what one unit of the source means.
        output_scale: what one unit of the output means.
        input_dtype: type of the source; bounds the sum of squares.
        entries: greatest length of the table, 2 to 65536.

    Raises:
        DescriptionError: a parameter out of range, or a factor that 16 bits and a shift of 0..47 cannot hold.
    """
    if not (np.isfinite([alpha, beta, k]).all() and alpha >= 0 and beta >= 0 and k > 0 and 2 <= entries <= 1 << 16):
        raise DescriptionError("needs alpha and beta of 0 or more, k above 0, and 2 to 65536 entries", field="lrn")
    most = size * max(abs(bound) for bound in TYPE_RANGE[input_dtype]) ** 2
    index_shift = max(0, ceil(log2((most + 1) / entries)))
    middles = ((np.arange((most >> index_shift) + 1) + 0.5) * 2.0**index_shift) - 0.5
    unit = float(input_scale.fraction())
    factors = unit / float(output_scale.fraction()) * (k + alpha / size * middles * unit**2) ** -beta
    shift = min(LARGEST_SHIFT, 15 - int(np.floor(np.log2(factors.max()))))
    table = np.rint(factors * 2.0**shift)
    if shift < 0 or table.max() > 65535:
        shift -= 1
        table = np.rint(factors * 2.0**shift)
    if shift < 0 or table.max() == 0:
        raise DescriptionError(f"the factor {factors.max():g} does not fit a 16-bit table with a shift", field="lrn")
    return LrnTable(table.astype(np.uint16), index_shift, shift)
