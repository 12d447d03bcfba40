"""Layers as the engines see them: a convolution with what is fused behind it, and a fully-connected layer.

Feature maps travel as *feature words* of `lanes` pixels (`FeatureLayout`): channel after channel in a given order, each
channel row after row, filled up with zeros to whole words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

__all__ = ["Add", "ConvolverLayer", "EngineError", "FcLayer", "FeatureLayout", "MapLayer", "Normalisation", "Pool"]


class EngineError(ValueError):
    """No engine can run a layer; the message names the layer and the field."""


@dataclass(frozen=True)
class FeatureLayout:
    """Order of a feature map's pixels on a stream.

    A map that a convolution with a stride reads can be taken apart into phases (space-to-depth): channel
    (c * stride + row) * stride + column of what the engine sees holds every stride-th pixel of every stride-th row of
    channel c, from that row and column on, zero where the map has ended.

    Attributes:
        order: channel numbers in stream order; of a part of a map they count from its first channel.
        height, width: of a channel, pixels.
        signed: pixels are int8, else uint8.
        left, right: how many of the columns, at either side, are zeros around the map.
        whole: of a map in phases the stride, and its own height and width.
        band: of a strip of a map, the map's rows above it and all of the map's rows (in phases: rows of a phase).
        batch: images whose feature words come in turn: of each place the first image's, then the others'.
        part: of some of a map's channels, those in front of them and all of the map's channels; not of a map in phases.
    """

    order: tuple[int, ...]
    height: int
    width: int
    signed: bool
    left: int = 0
    right: int = 0
    whole: tuple[int, int, int] | None = None
    band: tuple[int, int] | None = None
    part: tuple[int, int] | None = None
    batch: int = 1

    @staticmethod
    def whole_map(pieces: Iterable[FeatureLayout]) -> FeatureLayout:
        """The map that strips and parts, in the order in which they come, make up; a part's strips have one order."""
        parts = {piece.part: piece for piece in pieces}
        order = tuple(channel for piece in parts.values() for channel in piece.channel_numbers)
        first = next(iter(parts.values()))
        return replace(first, order=order, height=first.map_height, band=None, part=None, batch=1)

    def rows(self, first: int, end: int) -> FeatureLayout:
        """The strip of the map's rows `first` to `end` - 1; itself where that is all of them."""
        return self if end - first == self.height else replace(self, height=end - first, band=(first, self.height))

    def some_channels(self, first: int, end: int) -> FeatureLayout:
        """The part of the map with channels `first` to `end` - 1, in the map's order."""
        order = tuple(channel - first for channel in self.order if first <= channel < end)
        return replace(self, order=order, part=(first, self.channels))

    @property
    def map_height(self) -> int:
        """Rows of the whole map."""
        return self.band[1] if self.band else self.height

    @property
    def map_channels(self) -> int:
        """Channels of the whole map."""
        return self.part[1] if self.part else self.channels

    @property
    def channel_numbers(self) -> tuple[int, ...]:
        """The channels in stream order, as the whole map numbers them."""
        first = self.part[0] if self.part else 0
        return tuple(first + channel for channel in self.order)

    def in_phases(self, stride: int) -> FeatureLayout:
        """The same map taken apart."""
        order = tuple(channel * stride**2 + phase for channel in self.order for phase in range(stride**2))
        rows, columns = -(-self.height // stride), -(-self.width // stride)
        return FeatureLayout(order, rows, columns, self.signed, whole=(stride, self.height, self.width))

    @property
    def channels(self) -> int:
        """Number of channels."""
        return len(self.order)

    def channel_words(self, lanes: int) -> int:
        """Feature words of one channel."""
        return -(-self.height * self.width // lanes)

    def words(self, lanes: int) -> int:
        """Feature words of the whole map, of all images of a batch."""
        return self.batch * self.channels * self.channel_words(lanes)

    def positions(self, lanes: int) -> npt.NDArray[np.int64]:
        """Each lane's pixel in (channel, row, column) order, -1 for zeros: int64 [words of an image * lanes]."""
        columns = self.width - self.left - self.right
        above, rows = self.band or (0, self.height)
        pixels = above * columns + np.arange(self.height * columns, dtype=np.int64).reshape(self.height, columns)
        channel = np.pad(pixels, ((0, 0), (self.left, self.right)), constant_values=-1).reshape(-1)
        table = np.full((self.channels, self.channel_words(lanes) * lanes), -1, dtype=np.int64)
        order = np.asarray(self.channel_numbers, dtype=np.int64)[:, None]
        if self.whole is None:
            table[:, : channel.size] = np.where(channel < 0, -1, order * rows * columns + channel)
        else:
            stride, height, width = self.whole
            row, column = np.divmod(pixels.reshape(-1), self.width)
            number, phase = np.divmod(order, stride**2)
            row, column = row * stride + phase // stride, column * stride + phase % stride
            inside = (row < height) & (column < width)
            table[:, : pixels.size] = np.where(inside, (number * height + row) * width + column, -1)
        return table.reshape(-1)


@dataclass(frozen=True)
class Pool:
    """Pooling fused behind a convolution; `size` 1 is none.

    An average is clamp(round_half_even(sum * multiplier / 2**shift), minimum, maximum).

    Attributes:
        size: rows and columns of a window.
        stride: from one window to the next, in both directions.
        top, left: how far the first window begins before the map.
    """

    size: int = 1
    stride: int = 1
    top: int = 0
    left: int = 0
    average: bool = False
    multiplier: int = 1
    shift: int = 0
    minimum: int = 0
    maximum: int = 0

    def ends(self, place: int, before: int) -> bool:
        """Whether a window ends in this row (or column); the first one begins `before` it."""
        begun = place + before + 1 - self.size
        return begun >= 0 and begun % self.stride == 0

    def windows(self, length: int, before: int) -> int:
        """Windows that end within so many rows (or columns)."""
        return max(0, (length + before - self.size) // self.stride + 1)


@dataclass(frozen=True)
class Add:
    """A map added to a convolution's output, pixel by pixel.

    clamp(round_half_even((output * multiplier + addend * addend_multiplier) / 2**shift), minimum, maximum).

    Attributes:
        source: golden's name of the addend.
        signed: the addend's pixels are int8, else uint8.
    """

    source: str
    signed: bool
    multiplier: int
    addend_multiplier: int
    shift: int
    minimum: int
    maximum: int


@dataclass(frozen=True)
class ConvolverLayer:
    """A convolution with requantisation, and pooling or an addition behind it.

    Attributes:
        name: of the convolution in the description.
        source, target: golden's names of the tensors that go in and come out.
        input: layout of the input map.
        weights: int8 [output channels, input channels per group, rows, columns].
        bias, multiplier, shift: int [output channels].
        minimum, maximum: clamp of the convolution's own output.
        out_height, out_width: of the convolution, before pooling.
        output_signed: whether pixels leave as int8.
        dilation: (rows, columns) from one weight of a kernel to the next.
        dense_weights: weights of the layer, zeros included, where `weights` holds more of them.
        output_band, output_part: of a strip, of a group: `band` and `part` as :class:`FeatureLayout` has them, of what
            leaves the engine.
        own_rows: of a strip the output rows, before pooling, that no strip above computes too; others count for no
            multiplication.
    """

    name: str
    source: str
    target: str
    input: FeatureLayout
    weights: npt.NDArray[np.int8]
    bias: npt.NDArray[np.int32]
    multiplier: npt.NDArray[np.int64]
    shift: npt.NDArray[np.int64]
    minimum: int
    maximum: int
    stride: int
    pad_top: int
    pad_left: int
    groups: int
    out_height: int
    out_width: int
    output_signed: bool
    pool: Pool
    add: Add | None = None
    dilation: tuple[int, int] = (1, 1)
    dense_weights: int | None = None
    output_band: tuple[int, int] | None = None
    output_part: tuple[int, int] | None = None
    own_rows: int | None = None

    def strip(self, first: int, end: int) -> ConvolverLayer | None:
        """The part that makes rows `first` to `end` - 1 of what leaves the engine, of the input rows that these need.

        Padding is left where the strip meets the map's edge. None where the strip would lie wholly in the padding.
        """
        pool = self.pool
        above, begin, stop = (place * pool.stride - pool.top for place in (first - 1, first, end - 1))
        begun, above, stop = max(0, begin), (above + pool.size if first else 0), stop + pool.size
        top = begun * self.stride - self.pad_top
        bottom = (stop - 1) * self.stride - self.pad_top + self.reach[0]
        if bottom <= 0 or top >= self.input.height:
            return None
        return replace(
            self,
            input=self.input.rows(max(0, top), min(self.input.height, bottom)),
            pad_top=max(0, -top),
            out_height=stop - begun,
            pool=replace(pool, top=begun - begin),
            output_band=(first, self.pooled_height),
            own_rows=(self.out_height if end == self.pooled_height else stop) - above,
        )

    def group(self, number: int) -> ConvolverLayer:
        """The part that makes a group's output channels, of the group's input channels alone."""
        outputs, inputs = len(self.weights) // self.groups, self.weights.shape[1]
        own = slice(number * outputs, (number + 1) * outputs)
        return replace(
            self,
            input=self.input.some_channels(number * inputs, (number + 1) * inputs),
            weights=self.weights[own],
            bias=self.bias[own],
            multiplier=self.multiplier[own],
            shift=self.shift[own],
            groups=1,
            dense_weights=None if self.dense_weights is None else self.dense_weights // self.groups,
            output_part=(own.start, len(self.weights)),
        )

    def in_phases(self) -> ConvolverLayer:
        """The same convolution with stride 1 on its input taken apart into phases, so that no position is in vain.

        A weight at (row, column) meets, `pad` rows above and left of the output's place times the stride, the phase
        (row - pad) mod stride, at (row - pad) div stride.
        """
        stride = self.stride
        pads = tuple(-(-pad // stride) for pad in (self.pad_top, self.pad_left))
        (rows, row_phases), (columns, column_phases) = (
            np.divmod(np.arange(size) * apart - pad, stride)
            for size, apart, pad in zip(
                self.weights.shape[2:], self.dilation, (self.pad_top, self.pad_left), strict=True
            )
        )
        rows, columns = rows + pads[0], columns + pads[1]
        outputs, inputs = self.weights.shape[:2]
        weights = np.zeros(
            (outputs, inputs, stride, stride, int(rows[-1]) + 1, int(columns[-1]) + 1), dtype=self.weights.dtype
        )
        places = (row_phases[:, None], column_phases[None, :], rows[:, None], columns[None, :])
        weights[:, :, *places] = self.weights
        return replace(
            self,
            input=self.input.in_phases(stride),
            weights=weights.reshape(outputs, inputs * stride**2, *weights.shape[4:]),
            stride=1,
            pad_top=pads[0],
            pad_left=pads[1],
            dilation=(1, 1),
            dense_weights=int(self.weights.size),
        )

    def ungrouped(self) -> ConvolverLayer:
        """The same convolution as one of one group, whose kernels are zero in the other groups' input channels."""
        if self.groups == 1:
            return self
        dense_weights = int(self.weights.size) if self.dense_weights is None else self.dense_weights
        return replace(self, weights=ungrouped(self.weights, self.groups), groups=1, dense_weights=dense_weights)

    @property
    def pointwise(self) -> bool:
        """Whether kernels are of one weight and no output channel is without weights, so that the weights alone,
        each with the input channels that it skips, say everything."""
        return self.reach == (1, 1) and bool(self.weights.any(axis=(1, 2, 3)).all())

    @property
    def reach(self) -> tuple[int, int]:
        """Rows and columns of pixels that a kernel spans."""
        rows, columns = (
            (size - 1) * apart + 1 for size, apart in zip(self.weights.shape[2:], self.dilation, strict=True)
        )
        return rows, columns

    @property
    def virtual_width(self) -> int:
        """Columns of the output grid before the stride thins it."""
        return (self.out_width - 1) * self.stride + 1

    @property
    def virtual_height(self) -> int:
        """Rows of the output grid before the stride thins it."""
        return (self.out_height - 1) * self.stride + 1

    @property
    def positions(self) -> int:
        """Positions that a PE walks per output channel: the output grid laid out at the input's pitch."""
        return (self.virtual_height - 1) * self.input.width + self.virtual_width

    def tiles(self, tile: int) -> int:
        """Tiles of `tile` positions per output channel."""
        return -(-self.positions // tile)

    @property
    def pooled_height(self) -> int:
        """Rows of what leaves the engine."""
        return self.pool.windows(self.out_height, self.pool.top)

    @property
    def pooled_width(self) -> int:
        """Columns of what leaves the engine."""
        return self.pool.windows(self.out_width, self.pool.left)

    @property
    def sum_bits(self) -> int:
        """Bits of two's complement that every sum fits, its bias added, whatever the pixels are."""
        return sum_bits(self.weights, self.bias, self.input.signed)

    @property
    def macs(self) -> int:
        """Multiplications with a weight that is not zero, for one image, padding positions included."""
        return int(np.count_nonzero(self.weights)) * self._counted_positions

    @property
    def dense_macs(self) -> int:
        """The same with every weight counted."""
        size = self.weights.size if self.dense_weights is None else self.dense_weights
        return int(size) * self._counted_positions

    @property
    def _counted_positions(self) -> int:
        return (self.out_height if self.own_rows is None else self.own_rows) * self.out_width


def ungrouped(weights: npt.NDArray[np.int8], groups: int) -> npt.NDArray[np.int8]:
    """Weights [O, I / groups, rows, columns] as those of one group, zero in the other groups' input channels."""
    outputs, inputs, rows, columns = weights.shape
    whole = np.zeros((outputs, groups, inputs, rows, columns), dtype=weights.dtype)
    channel = np.arange(outputs)
    whole[channel, channel // (outputs // groups)] = weights
    return whole.reshape(outputs, groups * inputs, rows, columns)


def sum_bits(weights: npt.NDArray[np.int8], bias: npt.NDArray[np.int32], signed: bool) -> int:
    """Bits of two's complement that hold a convolution's sums, biases added: weights [O, ..], pixels of either sign."""
    flat = weights.reshape(len(weights), -1)
    positive = np.maximum(flat, 0).sum(axis=1, dtype=np.int64)
    negative = np.minimum(flat, 0).sum(axis=1, dtype=np.int64)
    low, high = (-128, 127) if signed else (0, 255)
    greatest = int((bias + positive * high + negative * low).max())
    least = int((bias + positive * low + negative * high).min())
    return 1 + max(greatest.bit_length(), (-least - 1).bit_length())


@dataclass(frozen=True)
class FcLayer:
    """A fully-connected layer with requantisation.

    Attributes:
        weights: int8 [outputs, inputs], inputs in golden's (channel, row, column) order.
        bias: int32 [outputs].
        multiplier, shift: of all outputs.
        output_signed: whether outputs leave as int8.
    """

    name: str
    source: str
    target: str
    input: FeatureLayout
    weights: npt.NDArray[np.int8]
    bias: npt.NDArray[np.int32]
    multiplier: int
    shift: int
    minimum: int
    maximum: int
    output_signed: bool

    @property
    def macs(self) -> int:
        """Multiplications with a weight that is not zero, for one image, zero activations included."""
        return int(np.count_nonzero(self.weights))

    @property
    def dense_macs(self) -> int:
        """The same with every weight counted."""
        return int(self.weights.size)


@dataclass(frozen=True)
class Normalisation:
    """A local response normalisation, as :mod:`golden.lrn` defines it.

    Attributes:
        size: channels in the window, odd.
        index_shift: right shift from the sum of squares to the table's index.
        table: uint16 [entries].
    """

    size: int
    index_shift: int
    table: npt.NDArray[np.uint16]


@dataclass(frozen=True)
class MapLayer:
    """A map made of a map without weights: pooling, a change of scale (an average of one pixel), or a normalisation
    with a maximum behind it (of one pixel where there is none).

    An average is clamp(round_half_even(sum * multiplier / 2**shift), minimum, maximum); so is what is normalised, with
    a multiplier from the table.

    Attributes:
        name: of the layer in the description.
        source, target: golden's names of the tensors that go in and come out.
        kernel, stride: (rows, columns) of the windows, and from one to the next.
        top, left: how far the first window begins before the map; padding counts as zero in an average.
        out_height, out_width: windows down and across.
        average: windows are added up, else their maximum is taken.
        output_signed: whether pixels leave as int8.
        right: columns of zeros behind a map that is only copied, with `left` ones before it; its target is its source.
        normalisation: of the pixels, before their maximum is taken; None for pooling alone.
    """

    name: str
    source: str
    target: str
    input: FeatureLayout
    kernel: tuple[int, int]
    stride: tuple[int, int]
    top: int
    left: int
    out_height: int
    out_width: int
    average: bool
    multiplier: int
    shift: int
    minimum: int
    maximum: int
    output_signed: bool
    right: int | None = None
    normalisation: Normalisation | None = None

    @property
    def output(self) -> FeatureLayout:
        """Layout of what leaves the engine."""
        zeros = (0, 0) if self.right is None else (self.left, self.right)
        return FeatureLayout(self.input.order, self.out_height, self.out_width, self.output_signed, *zeros)

    @property
    def walk(self) -> tuple[int, int]:
        """Rows and columns that the engine walks of each channel: the map, and what of its padding windows cover."""
        rows = max(self.top + self.input.height, (self.out_height - 1) * self.stride[0] + self.kernel[0])
        columns = max(self.left + self.input.width, (self.out_width - 1) * self.stride[1] + self.kernel[1])
        return rows, columns

    @property
    def overlaps(self) -> tuple[int, int]:
        """Windows that a row, and a column, belongs to."""
        return -(-self.kernel[0] // self.stride[0]), -(-self.kernel[1] // self.stride[1])

    @property
    def before(self) -> int:
        """Channels that come in before the first one leaves."""
        return self.normalisation.size // 2 if self.normalisation else 0

    @property
    def macs(self) -> int:
        """Multiplications with weights: none."""
        return 0

    @property
    def dense_macs(self) -> int:
        """Multiplications with weights: none."""
        return 0
