"""Where a change of the weight stream can show: live outputs, live inputs, and the fields between them."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbench.build import StreamLayout
from testbench.weight_stream import Entry, LayerStream, Packet, Place, WeightStreamReader, read_bits, write_bits

__all__ = ["Mutant", "Targets"]


@dataclass(frozen=True)
class Mutant:
    """A changed weight stream, or changed column words in DDR.

    Attributes:
        kind: what was changed.
        place: where, for people.
        words: all words of the stream, or of the columns.
        word_bits: bits of each.
        in_columns: whether they are columns.
    """

    kind: str
    place: str
    words: tuple[int, ...] = field(repr=False)
    word_bits: int
    in_columns: bool = False

    def bytes(self) -> bytes:
        """The words as they stand in weights.bin, or columns.bin."""
        return b"".join(word.to_bytes(self.word_bits // 8, "little") for word in self.words)


class Targets:
    """One layer's stream, and what of it can show in an output.

    Args:
        reader: the stream.
        part: the layer.
        tensors: golden's tensors, (N, ...) by name.
        draw: source of random choices.
    """

    def __init__(
        self, reader: WeightStreamReader, part: LayerStream, tensors: Mapping[str, NDArray[Any]], draw: random.Random
    ) -> None:
        self.reader = reader
        self.part = part
        self.draw = draw
        self.bits = reader.word_bits
        source, target = part.layer.inputs[0], part.layer.output
        self.source, self.target = tensors[source.tensor], tensors[target.tensor]
        # Input and output must be alive in the same image: it is the first one.
        outputs = _per_channel(self.target[0], part.layer.engine)
        inside = (outputs > outputs.min()) & (outputs < outputs.max())
        self.lively_outputs = _best(inside.mean(axis=1))
        self.lively_inputs = _best(_liveliness(source, self.source[0], part.layer.engine, reader.lanes))

    def entries(self) -> list[Entry]:
        """Weights between a lively input and a lively output."""
        found = self.reader.entries(self.part)
        return [e for e in found if e.output in self.lively_outputs and e.input in self.lively_inputs]

    def entry(self, condition: Callable[[Entry], bool]) -> Entry | None:
        """One of the heavier half of those weights that fit a condition, None if there is none."""
        found = sorted(filter(condition, self.entries()), key=lambda entry: -abs(entry.value))
        return self.draw.choice(found[: (len(found) + 1) // 2]) if found else None

    def changed_entry(
        self,
        kind: str,
        name: str,
        change: Callable[[int], int],
        condition: Callable[[Entry], bool] = lambda entry: True,
    ) -> Mutant | None:
        """A mutant with a field of one stored weight changed; None if none has the field or fits the condition."""
        entry = self.entry(condition)
        if entry is not None and entry.place.in_columns:
            return self.changed(kind, self.reader.column_field(entry.place, name), change)
        layout = self.reader.unit_layout(self.part)
        if entry is None or not self.reader.has(layout, name):
            return None
        if name == "value" and entry.value_place is not None:
            return self.changed(kind, entry.value_place, change)
        return self.changed(kind, self.field(layout, name, entry.place), change)

    def packet(self) -> Packet | None:
        """The packet of a lively weight, None if there is none."""
        entries = self.entries()
        return self.packet_of(self.draw.choice(entries).output) if entries else None

    def packet_of(self, output: int) -> Packet:
        """The packet that an output channel (convolver) belongs to, or (FC engine) that holds a row's bias."""
        if self.part.layer.engine == "convolver":
            return self.part.packets[self.reader.packet_number(self.part, output)[0]]
        return self.part.packets[output % self.part.descriptor["row_sets"]]

    def activation(self, column: int) -> int:
        """The byte at a position of the feature stream in front of an FC layer, in the first image."""
        words = self.part.layer.inputs[0].pack(self.source[0], self.reader.lanes)
        return int(words.reshape(-1)[min(column, words.size - 1)])

    def field(self, layout: str, name: str, unit: Place) -> Place:
        """Where a field of a unit lies."""
        return self.reader.place(layout, name, unit.word, unit.low)

    def changed(self, kind: str, place: Place, change: Callable[[int], int]) -> Mutant | None:
        """A mutant with one field changed; None when the change leaves it as it is."""
        before = self.reader.read(place)
        words = list(self.reader.columns if place.in_columns else self.reader.words)
        bits = self.reader.column_bits if place.in_columns else self.bits
        write_bits(words, place, bits, change(before))
        after = read_bits(words, place, bits)
        if after == before:
            return None
        word = f"column word {place.word}" if place.in_columns else f"word {place.word}"
        where = f"layer {self.part.layer.name}, {word}, bit {place.low}: {before} to {after}"
        return Mutant(kind, where, tuple(words), bits, place.in_columns)

    def with_words(self, kind: str, place: str, words: Sequence[int], in_columns: bool = False) -> Mutant:
        """A mutant with other words."""
        bits = self.reader.column_bits if in_columns else self.bits
        return Mutant(kind, place, tuple(words), bits, in_columns)


def _best(liveliness: NDArray[np.float64]) -> frozenset[int]:
    """The livelier half of all that are not dead."""
    alive = np.flatnonzero(liveliness > 0)
    if not alive.size:
        return frozenset(range(liveliness.size))
    middle = np.median(liveliness[alive])
    return frozenset(int(number) for number in alive if liveliness[number] >= middle)


def _liveliness(layout: StreamLayout, image: NDArray[Any], engine: str, lanes: int) -> NDArray[np.float64]:
    """By position on the stream: how much a channel varies (a constant one hides a moved weight); in front of an FC
    layer, how far a pixel is from zero.
    """
    words = layout.pack(image, lanes)
    values = (words.view(np.int8) if layout.signed else words).astype(np.float64)
    if engine != "convolver":
        return np.abs(values).reshape(-1)
    pixels = layout.height * layout.width
    deviations: NDArray[np.float64] = values.reshape(len(layout.channel_order), -1)[:, :pixels].std(axis=1)
    return deviations


def _per_channel(tensor: NDArray[Any], engine: str) -> NDArray[np.int64]:
    """One image's output as (channels, pixels), where every value of an FC layer is a channel."""
    return tensor.reshape(tensor.shape[0] if engine == "convolver" else tensor.size, -1).astype(np.int64)
