"""Bit layouts of every packed word that generator and kernels share.

This module is their only source: the generator packs words with it and emits the same fields as ``layouts.h`` for the
kernels. A field's position is the sum of the widths before it; widths are in bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = [
    "ADDRESS_BITS",
    "BASE_BITS",
    "BIASES_PER_WORD",
    "DESCRIPTOR",
    "DESCRIPTOR_WORDS",
    "FC_ENTRY",
    "ENTRY_UNIT",
    "KERNEL_UNIT",
    "MAP_DESCRIPTOR",
    "POINTWISE_UNIT",
    "PACKET",
    "POINTERS_PER_WORD",
    "POINTER_BITS",
    "UNITS_PER_WORD",
    "UNIT_BITS",
    "VALUE_UNIT",
    "WEIGHT_BITS",
    "WIDE_BASE_BITS",
    "Layout",
    "LayoutError",
    "PlacedField",
    "STREAM_LAYOUTS",
    "base_bits",
    "command_layouts",
    "mask_bits",
    "request_layout",
    "sum_depth",
    "words_from_integer",
    "words_from_lanes",
]

WEIGHT_BITS = 256
"""Bits of a word of the weight stream."""
UNIT_BITS = 16
UNITS_PER_WORD = WEIGHT_BITS // UNIT_BITS
BIASES_PER_WORD = WEIGHT_BITS // 32
POINTERS_PER_WORD = 16
"""Columns a pointer word serves, of each of which it says where the column ends; it begins where the one before ended,
the first one at the base, so that a range of columns is read in one access."""
POINTER_BITS = 14
"""Bits of a column pointer, which counts from its word's first entry; bounds the entries of a word's columns."""
BASE_BITS = 18
"""Bits of a pointer word's first entry, above its pointers; bounds the entries that a PE of the FC engine holds. Beside
a count of POINTER_BITS it makes a request of 4 bytes."""
WIDE_BASE_BITS = 26
"""The same of a streamed FC engine for layers of more column words: a request of 5 bytes."""
ADDRESS_BITS = 23
"""Bits of a pixel's address in a map: 65,536 words of 128 pixels."""
DESCRIPTOR_WORDS = 2


class LayoutError(ValueError):
    """A value does not fit its field."""


@dataclass(frozen=True)
class PlacedField:
    """One field: `bits` wide, its lowest bit at `low`."""

    name: str
    low: int
    bits: int


class Layout:
    """Named fields packed side by side, the first one lowest.

    Args:
        name: C++ namespace of the fields.
        purpose: one line for the emitted header.
        widths: bits per field, in order.
    """

    def __init__(self, name: str, purpose: str, widths: Mapping[str, int]) -> None:
        self.name = name
        self.purpose = purpose
        self.fields: dict[str, PlacedField] = {}
        low = 0
        for field_name, bits in widths.items():
            self.fields[field_name] = PlacedField(field_name, low, bits)
            low += bits
        self.bits = low

    def pack(self, **values: int) -> int:
        """Packs `values` (missing fields are zero) into one integer; negative values as two's complement.

        Raises:
            LayoutError: a value does not fit its field; names layout, field, value and bits.
        """
        word = 0
        for field_name, value in values.items():
            field = self.fields[field_name]
            value = int(value)
            if not -(1 << (field.bits - 1)) <= value < (1 << field.bits):
                raise LayoutError(f"{self.name}.{field_name}: {value} does not fit {field.bits} bits")
            word |= (value & ((1 << field.bits) - 1)) << field.low
        return word

    def pack_many(self, **values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Packs arrays of one shape, a word for each element, as :meth:`pack` packs numbers: int64, of 62 bits at most.

        Raises:
            LayoutError: a value does not fit its field; names layout, field, value and bits.
        """
        words = np.zeros(next(iter(values.values())).shape, dtype=np.int64)
        for field_name, array in values.items():
            field = self.fields[field_name]
            for value in (int(array.min(initial=0)), int(array.max(initial=0))):
                self.pack(**{field_name: value})
            words |= (array & ((1 << field.bits) - 1)) << field.low
        return words


DESCRIPTOR = Layout(
    "descriptor",
    "what an engine must know of a layer",
    {
        # Routing: all in the first word of the weight stream.
        "engine": 1,
        "words": 32,
        "feature_words": 32,
        "output_words": 32,
        # Both engines.
        "rounds": 12,
        "remainder": 8,
        "channels": 12,
        "input_signed": 1,
        "minimum": 9,
        "maximum": 9,
        # Convolver.
        "height": 10,
        "pitch": 10,
        "map_words": 32,
        "plane_words": 12,
        "tiles": 12,
        "last_tile": 8,
        "pad_top": 4,
        "pad_left": 4,
        "pointwise": 1,
        "full": 1,
        "mask_columns": 5,
        "mask_rows": 5,
        "column_mask_words": 17,
        "mask_words": 17,
        "stride": 3,
        "virtual_width": 10,
        "positions": 18,
        "channel_words": 12,
        "pool": 5,
        "pool_stride": 5,
        "pool_top": 5,
        "pool_left": 5,
        "pool_average": 1,
        "add": 1,
        "addend_signed": 1,
        "add_multiplier": 16,
        "addend_multiplier": 16,
        "second_multiplier": 16,
        "second_shift": 6,
        "second_minimum": 9,
        "second_maximum": 9,
        # FC engine.
        "multiplier": 16,
        "shift": 6,
        "rows": 16,
        "row_sets": 8,
    },
)
MAP_DESCRIPTOR = Layout(
    "map_descriptor",
    "what the map engine must know of a layer; routing fields lie where the other engines' lie",
    {
        # Routing: all in the first word of the weight stream.
        "engine": 1,
        "words": 31,
        "is_map": 1,
        "feature_words": 32,
        "output_words": 32,
        # The walk over each channel.
        "channels": 16,
        "pixel_channels": 16,
        "input_signed": 1,
        "first_column": 11,
        "end_column": 11,
        "last_column": 11,
        "first_row": 11,
        "end_row": 11,
        "last_row": 11,
        "last_output": 20,
        # Strips of a row, where the engine has several lanes.
        "strip_windows": 8,
        "strip_columns": 8,
        "last_strip": 10,
        "row_step": 12,
        "row_windows": 10,
        # Pooling.
        "kernel_column": 10,
        "kernel_row": 10,
        "stride_column": 10,
        "stride_row": 10,
        "end_slot_x": 4,
        "end_slot_y": 4,
        "end_phase_x": 10,
        "end_phase_y": 10,
        "average": 1,
        # Normalisation.
        "normalise": 1,
        "size": 6,
        "before": 6,
        "index_shift": 5,
        "last_index": 16,
        # Requantisation of what is not a maximum.
        "multiplier": 16,
        "shift": 6,
        "minimum": 9,
        "maximum": 9,
    },
)
PACKET = Layout(
    "packet",
    "header word of a packet of weights",
    {
        "round_words": 16,
        "words": 16,
        # Convolver.
        "units": 20,
        "waits": 20,
        "entries": 16,
        "bias": 32,
        "multiplier": 16,
        "shift": 6,
        # FC engine.
        "pointer_words": 16,
        "entry_words": 16,
    },
)
KERNEL_UNIT = Layout(
    "kernel_unit",
    "start of a kernel's entries, or of `skip` waiting entries (count 0, skip below 255)",
    {"skip": 8, "count": 8},
)
ENTRY_UNIT = Layout("entry_unit", "a non-zero weight of a kernel", {"value": 8, "row": 4, "column": 4})
POINTWISE_UNIT = Layout(
    "pointwise_unit",
    "the one weight of a kernel, `skip` input channels further on; of value 0 as a kernel unit of count 0",
    {"skip": 8, "value": 8},
)
VALUE_UNIT = Layout("value_unit", "the next weight of a packet that holds all weights, zeros included", {"value": 8})
FC_ENTRY = Layout("fc_entry", "a non-zero weight of a column", {"value": 8, "gap": 8})

_COMMANDS = (
    Layout("channel_word", "an output channel, for the PE that computes it", {"entries": 16}),
    Layout("scale_word", "an output channel's bias and requantisation", {"multiplier": 16, "shift": 6, "bias": 32}),
    Layout(
        "entry_word",
        "a decoded weight of the convolver, or none (waits); the address is a pixel's",
        {"value": 8, "row": 4, "column": 4, "address": ADDRESS_BITS, "waits": 1},
    ),
    Layout(
        "slot_word",
        "an unpacked entry of a column word; with `end`, `row` is the layer's number of rows",
        {"end": 1, "row": 16, "weight": 8, "activation": 9},
    ),
)
"""Words that only travel between processes, alike in all accelerators."""

STREAM_LAYOUTS = (DESCRIPTOR, PACKET, KERNEL_UNIT, ENTRY_UNIT, POINTWISE_UNIT, VALUE_UNIT, FC_ENTRY, MAP_DESCRIPTOR)
"""Words and units of the weight stream."""


def base_bits(entries: int) -> int:
    """Bits of the base in pointer words of a layer of so many entries, or column words.

    Raises:
        LayoutError: no base counts so far.
    """
    if entries >> WIDE_BASE_BITS:
        raise LayoutError(f"it has {entries} column words, more than {(1 << WIDE_BASE_BITS) - 1}")
    return WIDE_BASE_BITS if entries >> BASE_BITS else BASE_BITS


def request_layout(base_bits: int) -> Layout:
    """Of a request for column words."""
    purpose = "column words that are asked for: number of the first one of the layer, and how many"
    return Layout("request_word", purpose, {"first": base_bits, "count": POINTER_BITS})


def command_layouts(pair_bits: int, base_bits: int) -> tuple[Layout, ...]:
    """Of the words that only travel between processes, and of requests for columns.

    Args:
        pair_bits: of the number of a pair of columns.
        base_bits: of the number of an entry, or a column word.
    """
    activations = {"end": 1, "even": 9, "odd": 9}
    token = Layout("token_word", "two neighbouring activations, not both zero", activations | {"pair": pair_bits})
    purpose = "the entries that one PE holds of two neighbouring columns; the last `odds` of them are the odd column's"
    counts = {"first": base_bits, "count": POINTER_BITS, "odds": POINTER_BITS}
    command = Layout("command_word", purpose, activations | counts)
    return (*_COMMANDS, token, command, request_layout(base_bits))


def mask_bits(tile: int) -> int:
    """Bits of a mask of `tile` positions on the weight stream: a power of two, 8 at least."""
    return max(8, 1 << (tile - 1).bit_length())


def sum_depth(lanes: int) -> int:
    """Sums that wait behind a PE of the convolver, beside those of the tile that it holds: two tiles' at least."""
    return 2 * lanes


def words_from_integer(value: int, count: int) -> npt.NDArray[np.uint8]:
    """`value` as `count` weight words, lowest first: uint8 [count, WEIGHT_BITS / 8]."""
    raw = value.to_bytes(count * WEIGHT_BITS // 8, "little")
    return np.frombuffer(raw, dtype=np.uint8).reshape(count, WEIGHT_BITS // 8).copy()


def words_from_lanes(lanes: npt.NDArray[np.unsignedinteger], lane_bytes: int) -> npt.NDArray[np.uint8]:
    """Whole weight words holding the integers `lanes` ([n]) of `lane_bytes` bytes each, zeros behind them."""
    raw = lanes.astype(f"<u{lane_bytes}").view(np.uint8)
    count = -(-raw.size // (WEIGHT_BITS // 8))
    words = np.zeros(count * WEIGHT_BITS // 8, dtype=np.uint8)
    words[: raw.size] = raw
    return words.reshape(count, WEIGHT_BITS // 8)
