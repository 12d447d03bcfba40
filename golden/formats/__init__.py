"""Storage formats of weights: encode, decode and exact size. docs/description.md gives every bit layout."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from golden.description import ConvMaskStorage, ConvPatternStorage, ConvRcStorage, CscStorage
from golden.errors import DescriptionError
from golden.formats import csc, dense, kernels, pattern
from golden.formats.csc import CscOptions
from golden.formats.encoded import Encoded, SizeBits, check_nonzeros

__all__ = [
    "CONV_FORMATS",
    "LINEAR_FORMATS",
    "CscOptions",
    "Encoded",
    "FormatName",
    "PatternOptions",
    "SizeBits",
    "decode",
    "encode",
    "sizes",
    "smallest",
]

FormatName = Literal["conv-rc", "conv-mask", "conv-pattern", "csc", "dense"]
CONV_FORMATS: tuple[FormatName, ...] = ("conv-rc", "conv-mask", "conv-pattern", "dense")
LINEAR_FORMATS: tuple[FormatName, ...] = ("csc", "dense")
MOST_WEIGHTS = 1 << 28  # of one layer, so that a few bytes of payload cannot ask for all of the memory


@dataclass(frozen=True)
class PatternOptions:
    """Options of ``conv-pattern``.

    Attributes:
        kernel_values: values stored for each kernel; None takes the fullest kernel's number.
    """

    kernel_values: int | None = None


def encode(
    name: FormatName | Literal["auto"],
    weights: NDArray[np.int8],
    options: CscOptions | PatternOptions | None = None,
) -> Encoded:
    """Encode weights; ``decode`` gives back exactly the same.

    Args:
        name: a format, or ``auto`` for the smallest.
        weights: int8; (output, input per group, kh, kw) for a convolution, (output, input) for a linear layer.
        options: of ``csc`` or ``conv-pattern``; None for the smallest.

    Raises:
        DescriptionError: the format does not take such weights or options; field ``format``.
    """
    fitting = _fitting(weights)
    if name == "auto":
        return smallest(weights, options)
    if name not in get_args(FormatName):
        raise DescriptionError(f"{name!r} is no storage format; choose auto, {', '.join(fitting)}", field="format")
    if name not in fitting:
        kind = "convolution" if weights.ndim == 4 else "linear"
        raise DescriptionError(f"{name} does not store {kind} weights; choose {', '.join(fitting)}", field="format")
    _check_options(name, options)
    match name:
        case "conv-rc":
            return kernels.encode_rc(weights)
        case "conv-mask":
            return kernels.encode_mask(weights)
        case "conv-pattern":
            return pattern.encode(weights, options.kernel_values if isinstance(options, PatternOptions) else None)
        case "csc":
            return csc.encode(weights, options if isinstance(options, CscOptions) else None)
        case _:
            return dense.encode(weights)


def _fitting(weights: NDArray[np.int8]) -> tuple[FormatName, ...]:
    if weights.dtype != np.int8 or weights.ndim not in (2, 4) or weights.size == 0:
        raise DescriptionError(
            f"must be int8 of 2 or 4 dimensions and not empty, not {weights.dtype} of shape {weights.shape}",
            field="weights",
        )
    return CONV_FORMATS if weights.ndim == 4 else LINEAR_FORMATS


def _check_options(name: str, options: CscOptions | PatternOptions | None) -> None:
    wanted = {"csc": CscOptions, "conv-pattern": PatternOptions}.get(name)
    if options is not None and (wanted is None or not isinstance(options, wanted)):
        raise DescriptionError(f"{type(options).__name__} are not options of {name}", field="format")
    if isinstance(options, CscOptions):
        if options.value_bits not in (None, 4, 5, 8):
            raise DescriptionError(f"value_bits is {options.value_bits}, but must be 4, 5 or 8", field="format")
        if options.gap_bits is not None and not 1 <= options.gap_bits <= 16:
            raise DescriptionError(f"gap_bits is {options.gap_bits}, but must be 1 to 16", field="format")
        if not 1 <= options.processing_elements <= 4096:
            raise DescriptionError(
                f"processing_elements is {options.processing_elements}, but must be 1 to 4096", field="format"
            )


def smallest(weights: NDArray[np.int8], options: CscOptions | PatternOptions | None = None) -> Encoded:
    """The smallest encoding; of equals, the first in the order of ``CONV_FORMATS`` or ``LINEAR_FORMATS``.

    Args:
        weights: as for :func:`encode`.
        options: restrict the format that they belong to, and are ignored by the others.
    """
    if weights.ndim == 2:
        of_csc = options if isinstance(options, CscOptions) else None
        candidates = [encode("csc", weights, of_csc), dense.encode(weights)]
    else:
        candidates = [kernels.encode_rc(weights)] if max(weights.shape[2:]) <= kernels.RC_LARGEST_KERNEL else []
        candidates += [kernels.encode_mask(weights)]
        if pattern.lower_bound(weights) < min(each.storage.bits for each in candidates):
            candidates += [encode("conv-pattern", weights, options if isinstance(options, PatternOptions) else None)]
        candidates += [dense.encode(weights)]
    return min(candidates, key=lambda each: each.storage.bits)


def decode(encoded: Encoded) -> NDArray[np.int8]:
    """The weights, int8, in ``encoded.storage.shape``.

    Raises:
        DescriptionError: the payload breaks a rule of its format: length, order, range, count of non-zeros.
    """
    storage, payload = encoded.storage, encoded.payload
    if storage.bits != 8 * payload.size:
        raise DescriptionError(
            f"says {storage.bits}, but the payload has {8 * payload.size} bits", field="weights.bits"
        )
    if prod(storage.shape) > MOST_WEIGHTS:
        raise DescriptionError(f"{prod(storage.shape)} weights are more than {MOST_WEIGHTS}", field="weights.shape")
    match storage:
        case ConvRcStorage():
            weights = kernels.decode_rc(storage, payload)
        case ConvMaskStorage():
            weights = kernels.decode_mask(storage, payload)
        case ConvPatternStorage():
            weights = pattern.decode(storage, payload)
        case CscStorage():
            weights = csc.decode(storage, payload)
        case _:
            weights = dense.decode(storage, payload)
    check_nonzeros(encoded, weights)
    return weights


def sizes(encoded: Encoded) -> SizeBits:
    """Where the bits of a valid encoding go; the total is its length."""
    storage = encoded.storage
    match storage:
        case ConvRcStorage():
            return kernels.rc_sizes(storage)
        case ConvMaskStorage():
            return kernels.mask_sizes(storage)
        case ConvPatternStorage():
            return pattern.sizes(storage)
        case CscStorage():
            return csc.sizes(storage, encoded.payload)
        case _:
            return dense.sizes(storage)
