"""Reads a build's weight stream back: descriptors, packets and every weight, with the place of each field.

Written from the manifest's description of the stream, not from the generator's code: what it decodes must be the
description's weights, and mutations use it to find the bits that they change.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbench.build import Build, BuildLayer, StreamLayout

__all__ = ["Entry", "LayerStream", "Packet", "Place", "WeightStreamReader", "read_bits", "write_bits"]

_PADDING_GAP = 255  # of an FC entry that is no weight: it stands for 256 rows
_SKIP_ALONE = 255  # of a kernel unit without entries; another skip is a number of waiting entries


@dataclass(frozen=True)
class Place:
    """Bits of the weight stream, or of the column words in DDR: word number, lowest bit in it, number of bits."""

    word: int
    low: int
    bits: int
    in_columns: bool = False


@dataclass(frozen=True)
class Packet:
    """A packet of one round.

    Attributes:
        number: of the packet in its layer; packet number modulo PEs is its PE. On the convolver packet p has the
            channels p * n, p * n + 1, .. of those that leave, where a PE computes n of them side by side.
        words: numbers of its words in the stream: header, content, filling.
        fields: the header's fields.
    """

    number: int
    words: tuple[int, ...]
    fields: Mapping[str, int]

    @property
    def content(self) -> tuple[int, ...]:
        """Numbers of its content's words."""
        return self.words[1 : 1 + self.fields["words"]]


@dataclass(frozen=True)
class Entry:
    """A stored weight that is not padding.

    Attributes:
        output: output channel, or row of an FC layer.
        input: position on the feature stream: of the input channel, or of the pixel in front of an FC layer.
        row, column: in the kernel; 0 for an FC layer.
        value: the weight.
        place: of the whole unit in the stream, which may hold weights of several output channels.
        packet: number of the packet that holds it.
        value_place: of the weight alone, on the convolver.
    """

    output: int
    input: int
    row: int
    column: int
    value: int
    place: Place
    packet: int
    value_place: Place | None = None


@dataclass(frozen=True)
class LayerStream:
    """A layer's part of the stream.

    Attributes:
        layer: the build's layer.
        first: number of its first word.
        descriptor: its fields.
        packets: in order of their numbers.
        first_column: number of its first column word.
    """

    layer: BuildLayer
    first: int
    descriptor: Mapping[str, int]
    packets: tuple[Packet, ...]
    first_column: int


class WeightStreamReader:
    """The weight stream of one image.

    Args:
        build: manifest with the stream's layouts.
        raw: the stream's bytes; the build's own by default.

    Attributes:
        words: the words as unsigned integers.
        columns: the column words in DDR, of `column_bits` bits; none where the PEs hold the weights.
        layers: one part a layer.
        word_bits, pointer_bits, lanes: sizes of the build.
    """

    def __init__(self, build: Build, raw: bytes | None = None) -> None:
        self._build = build
        self._format = build.manifest.weight_stream
        self.word_bits = self._format.word_bits
        self.pointer_bits = self._format.pointer_bits
        self.lanes = build.lanes
        self._outputs = build.manifest.architecture.pe_outputs
        data = build.weights_file.read_bytes() if raw is None else raw
        self.words = _words(data, self._format.word_bits)
        self.column_bits = 8 * build.column_bytes
        self.columns = _words(build.columns_file.read_bytes(), self.column_bits) if build.streamed else []
        self.layers = tuple(self._layers())

    def read(self, place: Place) -> int:
        """The bits of a place."""
        if place.in_columns:
            return read_bits(self.columns, place, self.column_bits)
        return read_bits(self.words, place, self._format.word_bits)

    def has(self, layout: str, field: str) -> bool:
        """Whether a layout has a field."""
        return field in self._format.layouts[layout]

    def place(self, layout: str, field: str, word: int, low: int = 0) -> Place:
        """Where a field lies of a layout that starts in a word at a bit; it may begin words later."""
        start, bits = self._format.layouts[layout][field]
        skipped, at = divmod(low + start, self._format.word_bits)
        return Place(word + skipped, at, bits)

    def entries(self, part: LayerStream) -> Iterator[Entry]:
        """Every stored weight of a layer, padding left out; on the convolver none that is zero."""
        for packet in part.packets:
            if part.layer.engine == "convolver":
                yield from self._convolver_entries(part, packet)
            elif self._build.streamed:
                yield from self._streamed_entries(part, packet)
            else:
                yield from self._fc_entries(part, packet)

    def unit_layout(self, part: LayerStream) -> str:
        """Layout of the units that hold a layer's weights."""
        if part.layer.engine != "convolver":
            return "fc_entry"
        if part.descriptor["full"]:
            return "value_unit"
        return "pointwise_unit" if part.descriptor["pointwise"] else "entry_unit"

    def packet_number(self, part: LayerStream, output: int) -> tuple[int, int]:
        """The packet that holds an output channel of a layer on the convolver, and its number among the packet's."""
        return divmod(part.layer.output.channel_order.index(output), self._outputs)

    def scale_place(self, part: LayerStream, output: int, name: str) -> Place:
        """Where "bias", "multiplier" or "shift" of an output channel of a layer on the convolver lies."""
        packet, number = self.packet_number(part, output)
        return self.place("packet", name, part.packets[packet].words[number])

    def bias_place(self, part: LayerStream, output: int) -> Place:
        """Where the bias of an output channel or row lies."""
        if part.layer.engine == "convolver":
            return self.scale_place(part, output, "bias")
        row, pe = divmod(output, part.descriptor["row_sets"])
        packet = part.packets[pe]
        before = packet.fields["pointer_words"] + packet.fields["entry_words"] * self._build.streamed
        words = packet.content[before:]
        word, lane = divmod(row, self._format.word_bits // 32)
        return Place(words[word], 32 * lane, 32)

    def dense(
        self,
        part: LayerStream,
        shape: tuple[int, ...],
        groups: int,
        padding: Sequence[int] = (0, 0),
        dilation: tuple[int, int] = (1, 1),
    ) -> NDArray[np.int64]:
        """The weights that a layer's stream holds, in the description's shape.

        Args:
            shape: (output, input per group, kh, kw) or (output, input), also of a layer on the convolver, whose kernels
                are then of one weight.
            groups: of a convolution.
            padding: of a convolution, above and left: where the phases of its input begin.
            dilation: of a convolution, rows and columns.

        Raises:
            IndexError: a stored weight lies outside the shape, or between a dilated kernel's weights.
        """
        on_convolver = part.layer.engine == "convolver"
        weights = np.zeros((*shape, 1, 1)[:4] if on_convolver else shape, dtype=np.int64)
        layout = part.layer.inputs[0]
        pixels = layout.height * layout.width
        padded = layout.channel_words * self._build.lanes
        for entry in self.entries(part):
            if on_convolver:
                channel, row, column = _in_map(entry, layout, padding)
                channel -= entry.output // (shape[0] // groups) * shape[1]
                (row, between), (column, beside) = divmod(row, dilation[0]), divmod(column, dilation[1])
                if min(channel, row, column) < 0 or between or beside:
                    raise IndexError(f"output channel {entry.output} reads what is outside its kernels")
                weights[entry.output, channel, row, column] += entry.value
            else:
                channel, pixel = divmod(entry.input, padded)
                if pixel >= pixels:
                    raise IndexError(f"row {entry.output} reads filling of the feature stream")
                weights[entry.output, layout.channel_order[channel] * pixels + pixel] += entry.value
        return weights.reshape(shape)

    def table(self, part: LayerStream) -> NDArray[np.int64]:
        """The table of a normalisation on the map engine, filled up with zeros to whole words; empty without one."""
        first = part.first + self._format.descriptor_words
        places = [
            Place(first + word, low, 16)
            for word in range(part.descriptor["words"])
            for low in range(0, self.word_bits, 16)
        ]
        return np.array([self.read(place) for place in places], dtype=np.int64)

    def _fields(self, layout: str, word: int) -> dict[str, int]:
        return {name: self.read(self.place(layout, name, word)) for name in self._format.layouts[layout]}

    def _layers(self) -> Iterator[LayerStream]:
        first = first_column = 0
        for layer in self._build.layers:
            on_map = layer.engine == "map"
            descriptor = self._fields("map_descriptor" if on_map else "descriptor", first)
            packets: tuple[Packet, ...] = ()
            if not on_map:
                begin = first + self._format.descriptor_words + descriptor["mask_words"]
                packets = tuple(self._packets(layer, descriptor, begin))
            yield LayerStream(layer, first, descriptor, packets, first_column)
            first += layer.weight_words
            first_column += layer.column_words

    def _packets(self, layer: BuildLayer, descriptor: Mapping[str, int], first: int) -> Iterator[Packet]:
        architecture = self._build.manifest.architecture
        pes = architecture.pes if layer.engine == "convolver" else architecture.fc_pes
        sizes = [pes] * descriptor["rounds"] + [descriptor["remainder"]] * (descriptor["remainder"] > 0)
        number = 0
        for size in sizes:
            length = self.read(self.place("packet", "round_words", first))
            for turn in range(size):
                words = tuple(range(first + turn, first + size * length, size))
                yield Packet(number, words, self._fields("packet", words[0]))
                number += 1
            first += size * length

    def _convolver_entries(self, part: LayerStream, packet: Packet) -> Iterator[Entry]:
        if part.descriptor["full"]:
            yield from self._all_weights(part, packet)
            return
        position, left = 0, 0
        for unit in self._convolver_units(part, packet):
            if part.descriptor["pointwise"]:
                skip = self.read(self.place("pointwise_unit", "skip", unit.word, unit.low))
                found = list(self._values(part, packet, unit, position + skip, (0, 0)))
                position += skip if found or skip == _SKIP_ALONE else 0
                yield from found
                continue
            if left == 0:
                skip = self.read(self.place("kernel_unit", "skip", unit.word, unit.low))
                left = self.read(self.place("kernel_unit", "count", unit.word, unit.low))
                position += skip if left or skip == _SKIP_ALONE else 0
                continue
            left -= 1
            row = self.read(self.place("entry_unit", "row", unit.word, unit.low))
            column = self.read(self.place("entry_unit", "column", unit.word, unit.low))
            yield from self._values(part, packet, unit, position, (row, column))

    def _convolver_units(self, part: LayerStream, packet: Packet) -> Iterator[Place]:
        """The units behind the header words, of which there is one for each output channel."""
        bits = 8 * self._outputs if part.descriptor["full"] else 8 * (self._outputs + 1)
        words = packet.content[self._outputs - 1 :]
        return (self._unit(words, number, bits) for number in range(packet.fields["units"]))

    def _values(
        self, part: LayerStream, packet: Packet, unit: Place, position: int, at: tuple[int, int]
    ) -> Iterator[Entry]:
        """A unit's weights that are not zero: the first channel's in its field, the others' above the layout's bits."""
        layout = self.unit_layout(part)
        first = self.place(layout, "value", unit.word, unit.low)
        above = sum(bits for _, bits in self._format.layouts[layout].values())
        order = part.layer.output.channel_order
        for number in range(self._outputs):
            place = first if number == 0 else Place(unit.word, unit.low + above + 8 * (number - 1), 8)
            if value := _signed(self.read(place), 8):
                output = order[packet.number * self._outputs + number]
                yield Entry(output, position, *at, value, unit, packet.number, place)

    def _all_weights(self, part: LayerStream, packet: Packet) -> Iterator[Entry]:
        """Of a packet that holds all weights those that are not zero."""
        rows, columns = part.descriptor["mask_rows"], part.descriptor["mask_columns"]
        for number, unit in enumerate(self._convolver_units(part, packet)):
            kernel, place = divmod(number, rows * columns)
            yield from self._values(part, packet, unit, kernel, divmod(place, columns))

    def _fc_entries(self, part: LayerStream, packet: Packet) -> Iterator[Entry]:
        row_sets = part.descriptor["row_sets"]
        units = packet.content[len(packet.content) - packet.fields["entry_words"] :]
        for column, (start, end) in enumerate(self._ranges(part, packet)):
            row = -1
            for number in range(start, end):
                unit = self._unit(units, number)
                value = _signed(self.read(self.place("fc_entry", "value", unit.word, unit.low)), 8)
                gap = self.read(self.place("fc_entry", "gap", unit.word, unit.low))
                row += gap + 1
                if value == 0 and gap == _PADDING_GAP:
                    continue
                output = row * row_sets + packet.number % row_sets
                yield Entry(output, column, 0, 0, value, unit, packet.number)

    def _streamed_entries(self, part: LayerStream, packet: Packet) -> Iterator[Entry]:
        a = self._build.manifest.architecture
        bits = a.fc_value_bits + a.fc_gap_bits
        for column, (start, end) in enumerate(self._ranges(part, packet)):
            row = -1
            for number in range(start * a.fc_slots, end * a.fc_slots):
                word, slot = divmod(number, a.fc_slots)
                unit = Place(part.first_column + word, slot * bits, bits, in_columns=True)
                index, gap = self.column_field(unit, "value"), self.column_field(unit, "gap")
                row += self.read(gap) + 1
                if self.read(index):
                    value = _signed(self.weight_number(packet, self.read(index)), 8)
                    yield Entry(row, column, 0, 0, value, unit, packet.number)

    def column_field(self, unit: Place, name: str) -> Place:
        """Where "value" or "gap" of an entry of a column word lies."""
        a = self._build.manifest.architecture
        low, bits = (unit.low, a.fc_value_bits) if name == "value" else (unit.low + a.fc_value_bits, a.fc_gap_bits)
        return Place(unit.word, low, bits, in_columns=True)

    def codebook_place(self, packet: Packet, number: int) -> Place:
        """Where the weight of a number lies in a streamed layer's codebook."""
        return Place(packet.content[packet.fields["pointer_words"]], 8 * number, 8)

    def weight_number(self, packet: Packet, number: int) -> int:
        """The byte that a number stands for; with whole weights in the columns it is the weight itself."""
        whole = self._build.manifest.architecture.fc_value_bits == 8
        return number if whole else self.read(self.codebook_place(packet, number))

    def first_kernel(self, part: LayerStream, packet: Packet) -> Place:
        """The first kernel unit of a convolver's packet that has entries; waiting ones and skips may lie before it.

        Packets that hold all weights have none.
        """
        units = self._convolver_units(part, packet)
        return next(unit for unit in units if self.read(self.place("kernel_unit", "count", unit.word, unit.low)))

    def column_end(self, packet: Packet, column: int) -> Place:
        """Where an FC packet says at which entry a column ends."""
        word, number = divmod(column, self._format.pointers_per_word)
        return Place(packet.content[word], self.pointer_bits * number, self.pointer_bits)

    def _ranges(self, part: LayerStream, packet: Packet) -> Iterator[tuple[int, int]]:
        """Of each column the number of the packet's first entry and of the one behind its last."""
        base_bit = self.pointer_bits * self._format.pointers_per_word
        for column in range(part.layer.input_words // self._build.batch * self._build.lanes):
            end = self.column_end(packet, column)
            base = self.read(Place(end.word, base_bit, self.word_bits - base_bit))
            if column % self._format.pointers_per_word == 0:
                start = base
            yield start, base + self.read(end)
            start = base + self.read(end)

    def _unit(self, words: tuple[int, ...], number: int, bits: int = 0) -> Place:
        bits = bits or self._format.unit_bits
        word, index = divmod(number, self._format.word_bits // bits)
        return Place(words[word], index * bits, bits)


def _in_map(entry: Entry, layout: StreamLayout, padding: Sequence[int]) -> tuple[int, int, int]:
    """Input channel, row and column of a weight whose layer reads its input in phases, as the description has it."""
    phases = layout.phases
    channel, phase = divmod(layout.channel_order[entry.input], phases**2)
    begun = [-(-pad // phases) * phases - pad for pad in padding]  # how far the first phase begins before the padding
    row = entry.row * phases + phase // phases - begun[0]
    return channel, row, entry.column * phases + phase % phases - begun[1]


def read_bits(words: Sequence[int], place: Place, word_bits: int) -> int:
    """The bits of a place, which may end in the next word."""
    value = words[place.word] >> place.low
    if place.low + place.bits > word_bits:
        value |= words[place.word + 1] << (word_bits - place.low)
    return value & ((1 << place.bits) - 1)


def write_bits(words: list[int], place: Place, word_bits: int, value: int) -> None:
    """Sets the bits of a place, which may end in the next word; a value too large or negative is cut to its bits."""
    for bit in range(place.bits):
        word, low = divmod(place.low + bit, word_bits)
        mask = 1 << low
        words[place.word + word] &= ~mask
        words[place.word + word] |= mask if value >> bit & 1 else 0


def _words(data: bytes, bits: int) -> list[int]:
    return [int.from_bytes(data[at : at + bits // 8], "little") for at in range(0, len(data), bits // 8)]


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value
