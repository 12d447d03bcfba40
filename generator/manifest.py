"""The manifest of a build: everything that reproduces it, and all that a bench needs to know of it.

This module is the contract between the generator and whoever executes a build; it holds models and no logic.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from generator.architecture import Architecture

__all__ = [
    "BehindDdr",
    "DescriptionFiles",
    "LayerEntry",
    "LayoutEntry",
    "Manifest",
    "Port",
    "Predictions",
    "Vectors",
    "WeightStream",
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Port(_Strict):
    """An AXI-Stream port of the top module: NAME_TDATA, NAME_TVALID, NAME_TREADY."""

    name: str
    direction: Literal["in", "out"]
    bits: int = Field(description="width of TDATA")


class LayoutEntry(_Strict):
    """A map on a feature stream.

    Channel after channel in `channel_order`, each row after row, filled up with zeros to whole words of `lanes` pixels.
    Of the columns the first `left` and the last `right` are zeros around the tensor. `height` rows come, of the
    `map_height` that the map has, from `first_row` on: a map that is too large for the PEs comes in strips. For the
    same reason `channel_order` may hold some of the map's `map_channels` alone: those of a group of a convolution.
    A feature vector is one channel of one row. A map in phases has s * s channels for each of its own, of an s-th of
    its height and width (rounded up).
    """

    tensor: str = Field(description="golden's name of the map, 'input' for the image")
    channel_order: tuple[int, ...] = Field(description="the map's own numbers of the channels that come")
    height: int
    width: int
    first_row: int = 0
    map_height: int
    map_channels: int
    signed: bool = Field(description="pixels are int8, else uint8")
    channel_words: int = Field(description="feature words of a channel")
    left: int = 0
    right: int = 0
    batch: int = Field(default=1, description="images: of each place the first one's word comes, then the others'")
    phases: int = Field(
        default=1,
        description="s: channel (c * s + row) * s + column holds every s-th pixel from there on of the map's c",
    )


class LayerEntry(_Strict):
    """A run of an engine: a layer, or a group or a strip of rows of it; pooling or an addition may be fused into it.

    Entries of one name and engine that follow each other are one layer's: group after group, strip after strip.
    """

    name: str = Field(description="the layer in the description; of a fused one the convolution")
    engine: Literal["convolver", "fc", "map"]
    weight_words: int = Field(description="words on weights_in, descriptor included")
    input_words: int
    output_words: int
    column_words: int = Field(
        default=0, description="words of the layer in vectors/columns.bin; 0: the PEs hold weights"
    )
    inputs: tuple[LayoutEntry, ...] = Field(description="maps on features_in, one after another")
    output: LayoutEntry
    macs: int = Field(description="multiplications with non-zero weights for one image, zero activations included")
    dense_macs: int = Field(description="the same with every weight counted")
    multipliers: int = Field(description="multipliers of the engine that take weights")


class DescriptionFiles(_Strict):
    """The description that was built, copied into the build."""

    file: str = Field(description="path below the build folder")
    sha256: str = Field(description="of the JSON file, which holds the payload's")


class WeightStream(_Strict):
    """How the words of weights_in are made, so that a bench can find a field without the generator's code.

    Per layer: `descriptor_words` words of layout `descriptor`, then rounds of packets, one packet per PE and round; the
    last of a convolver layer's rounds has descriptor.remainder packets if that is not 0. All packets of a round have
    packet.round_words words, and these are interleaved: word 0 of each packet, word 1 of each packet, and so on.

    A packet is a header word of layout `packet`, `packet.words` words of content, and filling. A convolver packet's
    content is `packet.units` units of `unit_bits` bits, lowest first: a `kernel_unit`, then `kernel_unit.count` times
    an `entry_unit`, and so on; with `descriptor.pointwise` each is a `pointwise_unit`. With `descriptor.full` they are
    `value_unit`s of 8 bits: all weights of a kernel of descriptor.mask_rows x descriptor.mask_columns, row after row,
    then those of the next input channel's. With architecture.pe_outputs n > 1 packet p holds n output channels, those
    that leave as number p * n, p * n + 1, .. . Its content begins with n - 1 header words more, of which bias,
    multiplier and shift count, a multiplier of 0 standing for no channel. A unit has 8 (n - 1) bits more, in which the
    other channels' weights at the unit's place lie above the layout's bits, 8 bits each; as many units lie in a word as
    fit whole. An FC packet's content is
    `packet.pointer_words` words of pointers, then int32 biases, and in its last `packet.entry_words` words `fc_entry`
    units. A pointer word has `pointers_per_word` + 1 pointers and, in the bits above them, the number of the entry
    that they count from. Packet p holds entries of the rows r with r mod descriptor.row_sets = p mod
    descriptor.row_sets.

    With architecture.fc_slots an FC layer has one packet: `packet.pointer_words` words of pointers, which count column
    words, `packet.entry_words` words of a codebook (weight number n in byte n, number 0 being weight 0), then biases. A
    column word has fc_slots entries, lowest first, each a number of the codebook (with fc_value_bits 8: a weight) of
    fc_value_bits bits and above it a gap of fc_gap_bits bits: rows between it and the entry before it in its column.
    Words of layout `request_word` on requests_out ask for column words of the layer, from its first one on, which must
    come on columns_in in that order.

    A layer of the map engine has a descriptor of layout `map_descriptor` and no packets: behind it lies a
    normalisation's table, as uint16, or nothing.
    """

    word_bits: int
    descriptor_words: int
    unit_bits: int
    pointer_bits: int
    pointers_per_word: int
    layouts: dict[str, dict[str, tuple[int, int]]] = Field(description="layout: field: (lowest bit, bits)")


class Vectors(_Strict):
    """Stimuli and expected outputs below vectors/.

    With architecture.fc_slots: columns.bin, the column words of all layers as they lie in DDR, and requests.bin, for
    each image and layer the number of requests (uint32), then the words that requests_out shall carry.
    """

    images: int = Field(description="times that the accelerator runs: images, or batches of architecture.fc_batch")
    source: str = Field(description="the file they came from, or the seed of random ones")


class BehindDdr(_Strict):
    """What the cycle model says where a DDR answers the requests for columns, and the rule by which it does.

    Requests are answered in order. The first word of one is on offer `latency` clocks after the clock in which an
    answer could be there at the earliest, the next one. A word takes a clock; what a word has more bytes than
    `bytes_per_clock` adds up, and whenever that is `bytes_per_clock` a clock passes without a word.
    """

    bytes_per_clock: float = Field(description="to a thousandth of a byte")
    latency: int = Field(description="clocks")
    layer_cycles: tuple[tuple[int, ...], ...] = Field(description="as Predictions has them")


class Predictions(_Strict):
    """What the cycle model says, nothing stalling."""

    macs: tuple[tuple[int, ...], ...] = Field(
        description="per image and layer: products of non-zero weights, in the FC engine with non-zero activations"
    )
    layer_cycles: tuple[tuple[int, ...], ...] = Field(description="per image (the first ones) and layer: clocks")
    fetched_words: tuple[tuple[int, ...], ...] = Field(
        default=(), description="per image and layer: column words that are asked for"
    )
    behind_ddr: BehindDdr | None = Field(default=None, description="with architecture.fc_slots")
    high_water: dict[str, int] = Field(description="per stream: most words held at once, over those images")


class Manifest(_Strict):
    """manifest.json of a build folder."""

    format: Literal["zeroskip-build"] = "zeroskip-build"
    version: Literal[1] = 1
    generator: str = Field(description="version of zeroskip that made the build")
    network: str
    description: DescriptionFiles
    board: str
    clock_mhz: float
    architecture: Architecture
    top: str
    ports: tuple[Port, ...]
    stream_depths: dict[str, int]
    stream_stages: dict[str, tuple[int, int]] | None = Field(
        default=None,
        description="per stream, when the RTL is pipelined for the clock: stage of the producer in which it is "
        "written, and of the consumer in which it is read; per function that relies on a promise about an array how "
        "many stages behind reading it the array is written, and 0; None: every step takes one clock",
    )
    weight_stream: WeightStream
    layers: tuple[LayerEntry, ...]
    vectors: Vectors
    predictions: Predictions
    files: dict[str, str] = Field(description="sha256 of every file of the build but this one")
