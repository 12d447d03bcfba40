"""Changed copies of a build's weight stream and code, each wrong in one small way.

Targets are drawn at random by seed among those that can show: outputs that golden neither clamps nor keeps at zero,
inputs that are not always zero. A change that no output could show would prove nothing.
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbench.build import Build
from testbench.weight_stream import Entry, LayerStream, Packet, Place, WeightStreamReader, read_bits, write_bits

__all__ = ["CodeMutant", "Mutant", "code_mutants", "weight_mutants"]


@dataclass(frozen=True)
class Mutant:
    """A changed weight stream.

    Attributes:
        kind: what was changed.
        place: where, for people.
        words: all words of the stream.
    """

    kind: str
    place: str
    words: tuple[int, ...] = field(repr=False)

    def bytes(self, word_bits: int) -> bytes:
        """The stream as it stands in weights.bin."""
        return b"".join(word.to_bytes(word_bits // 8, "little") for word in self.words)


@dataclass(frozen=True)
class CodeMutant:
    """A changed file of the emitted code.

    Attributes:
        kind: what was changed.
        place: where, for people.
        file: below the build folder.
        text: its new content.
    """

    kind: str
    place: str
    file: Path
    text: str = field(repr=False)


class _Targets:
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
        outputs = _per_channel(tensors[target.tensor], part.layer.engine)
        inside = (outputs > outputs.min()) & (outputs < outputs.max())
        self.lively_outputs = _best(inside.mean(axis=(0, 2)))
        inputs = np.stack([source.pack(image, reader.lanes) for image in tensors[source.tensor]])
        per_unit = source.channel_words * reader.lanes if part.layer.engine == "convolver" else 1
        self.lively_inputs = _best((inputs != 0).reshape(len(inputs), -1, per_unit).mean(axis=(0, 2)))
        self.source, self.target = tensors[source.tensor], tensors[target.tensor]

    def entry(self, condition: Callable[[Entry], bool] = lambda entry: True) -> Entry | None:
        """A weight between a lively input and a lively output, None if there is none."""
        found = [
            entry
            for entry in self.reader.entries(self.part)
            if entry.output in self.lively_outputs and entry.input in self.lively_inputs and condition(entry)
        ]
        return self.draw.choice(found) if found else None

    def changed_entry(
        self,
        kind: str,
        name: str,
        change: Callable[[int], int],
        condition: Callable[[Entry], bool] = lambda entry: True,
    ) -> Mutant | None:
        """A mutant with a field of one stored weight changed; None if no weight fits the condition."""
        entry = self.entry(condition)
        layout = "entry_unit" if self.part.layer.engine == "convolver" else "fc_entry"
        return None if entry is None else self.changed(kind, self.field(layout, name, entry.place), change)

    def packet(self) -> Packet:
        """The packet of a lively output channel (convolver) or row (FC engine)."""
        output = self.draw.choice(sorted(self.lively_outputs))
        if self.part.layer.engine == "convolver":
            return self.part.packets[self.part.layer.output.channel_order.index(output)]
        return self.part.packets[output % len(self.part.packets)]

    def field(self, layout: str, name: str, unit: Place) -> Place:
        """Where a field of a unit lies."""
        return self.reader.place(layout, name, unit.word, unit.low)

    def changed(self, kind: str, place: Place, change: Callable[[int], int]) -> Mutant | None:
        """A mutant with one field changed; None when the change leaves it as it is."""
        before = self.reader.read(place)
        words = list(self.reader.words)
        write_bits(words, place, self.bits, change(before))
        after = read_bits(words, place, self.bits)
        if after == before:
            return None
        where = f"layer {self.part.layer.name}, word {place.word}, bit {place.low}: {before} to {after}"
        return Mutant(kind, where, tuple(words))


def _best(liveliness: NDArray[np.float64]) -> frozenset[int]:
    """The livelier half of all that are not dead."""
    alive = np.flatnonzero(liveliness > 0)
    if not alive.size:
        return frozenset(range(liveliness.size))
    middle = np.median(liveliness[alive])
    return frozenset(int(number) for number in alive if liveliness[number] >= middle)


def _per_channel(tensor: NDArray[Any], engine: str) -> NDArray[np.int64]:
    """(N, channels, pixels), where every value of an FC layer is a channel."""
    channels = tensor.shape[1] if engine == "convolver" else int(np.prod(tensor.shape[1:]))
    return tensor.reshape(len(tensor), channels, -1).astype(np.int64)


def _weight_sign(t: _Targets) -> Mutant | None:
    return t.changed_entry("weight", "value", lambda value: value ^ 0x80)


def _weight_low_bit(t: _Targets) -> Mutant | None:
    return t.changed_entry("weight by one", "value", lambda value: value ^ 1)


def _kernel_row(t: _Targets) -> Mutant | None:
    return t.changed_entry("row index", "row", lambda row: row - 1, lambda entry: entry.row > 0)


def _kernel_column(t: _Targets) -> Mutant | None:
    return t.changed_entry("column index", "column", lambda column: column - 1, lambda entry: entry.column > 0)


def _kernel_channel(t: _Targets) -> Mutant | None:
    packet = t.packet()
    unit = Place(packet.content[0], 0, 16)
    return t.changed("input channel", t.field("kernel_unit", "skip", unit), lambda skip: skip - 1 if skip else 1)


def _kernel_count(t: _Targets) -> Mutant | None:
    unit = Place(t.packet().content[0], 0, 16)
    # One fewer, never one more: the last kernel of a packet ends with the packet, whatever its count says.
    return t.changed("entries of a kernel", t.field("kernel_unit", "count", unit), lambda count: count - 1)


def _row_gap(t: _Targets) -> Mutant | None:
    rows = t.target[0].size
    pes = len(t.part.packets)
    return t.changed_entry("gap", "gap", lambda gap: gap + 1, lambda entry: entry.output + pes < rows)


def _column_pointer(t: _Targets) -> Mutant | None:
    packet = t.packet()
    bits = t.reader.pointer_bits
    places = [
        Place(word, bits * n, bits) for word in packet.content[: packet.fields["pointer_words"]] for n in range(1, 8)
    ]
    held = [place for place in places if t.reader.read(place) > 0]
    return t.changed("column pointer", t.draw.choice(held), lambda pointer: pointer - 1) if held else None


def _bias(t: _Targets) -> Mutant | None:
    place = t.reader.bias_place(t.part, t.draw.choice(sorted(t.lively_outputs)))
    shift = t.part.descriptor["shift"] if t.part.layer.engine == "fc" else t.packet().fields["shift"]
    return t.changed("bias", place, lambda bias: bias + (1 << (shift + 1)))


def _channel_shift(t: _Targets) -> Mutant | None:
    return t.changed("shift", t.reader.place("packet", "shift", t.packet().words[0]), lambda shift: shift ^ 1)


def _layer_shift(t: _Targets) -> Mutant | None:
    return t.changed("shift", t.reader.place("descriptor", "shift", t.part.first), lambda shift: shift ^ 1)


def _clamp(t: _Targets) -> Mutant | None:
    top = int(t.target.max())
    place = t.reader.place("descriptor", "maximum", t.part.first)
    return t.changed("clamp", place, lambda maximum: top - 1) if top > int(t.target.min()) else None


def _input_sign(t: _Targets) -> Mutant | None:
    shows = bool((t.source.astype(np.int64) & 0x80).any())
    place = t.reader.place("descriptor", "input_signed", t.part.first)
    return t.changed("sign of the input", place, lambda signed: signed ^ 1) if shows else None


def _left_padding(t: _Targets) -> Mutant | None:
    place = t.reader.place("descriptor", "pad_left", t.part.first)
    return t.changed("padding", place, lambda padding: padding - 1 if padding else 1)


def _swapped_channels(t: _Targets) -> Mutant | None:
    """Two packets of a round trade places: each channel's values come out as the other's."""
    packet = t.packet()
    others = [
        other
        for other in t.part.packets
        if len(other.words) == len(packet.words)
        and abs(other.words[0] - packet.words[0]) < len(t.part.packets)
        and [t.reader.words[word] for word in other.words] != [t.reader.words[word] for word in packet.words]
    ]
    if not others:
        return None
    other = t.draw.choice(others)
    words = list(t.reader.words)
    for one, two in zip(packet.words, other.words, strict=True):
        words[one], words[two] = words[two], words[one]
    where = f"layer {t.part.layer.name}, packets {packet.number} and {other.number}"
    return Mutant("swapped channels", where, tuple(words))


def _dropped_word(t: _Targets) -> Mutant | None:
    number = t.draw.choice(t.packet().content)
    words = t.reader.words
    return Mutant("dropped word", f"word {number}", (*words[:number], *words[number + 1 :]))


def _repeated_word(t: _Targets) -> Mutant | None:
    number = t.draw.choice(t.packet().content)
    words = t.reader.words
    return Mutant("repeated word", f"word {number}", (*words[:number], words[number], *words[number:]))


_CONVOLVER = (
    *(_weight_sign, _weight_low_bit, _kernel_row, _kernel_column, _kernel_channel, _kernel_count, _bias),
    *(_channel_shift, _clamp, _input_sign, _left_padding, _swapped_channels, _dropped_word, _repeated_word),
)
_FC = (_weight_sign, _row_gap, _column_pointer, _bias, _layer_shift, _clamp, _swapped_channels, _dropped_word)


def weight_mutants(build: Build, tensors: Mapping[str, NDArray[Any]], seed: int, count: int) -> list[Mutant]:
    """Changed weight streams, as many kinds as the network allows.

    Args:
        build: the build.
        tensors: golden's tensors for the images that will be run.
        seed: of every choice.
        count: how many; kinds repeat at other places when there are more than kinds.
    """
    draw = random.Random(seed)
    mutants: list[Mutant] = []
    seen: set[tuple[int, ...]] = set()
    for mutant in _endless(WeightStreamReader(build), tensors, draw, count):
        if mutant.words not in seen:
            seen.add(mutant.words)
            mutants.append(mutant)
        if len(mutants) == count:
            break
    return mutants


def _endless(
    reader: WeightStreamReader, tensors: Mapping[str, NDArray[Any]], draw: random.Random, count: int
) -> Iterator[Mutant]:
    """Goes through all kinds again and again, each time on a layer drawn anew; `count` rounds at most."""
    engines = {"convolver": _CONVOLVER, "fc": _FC}
    for _ in range(count):
        for engine, kinds in engines.items():
            parts = [part for part in reader.layers if part.layer.engine == engine]
            for kind in kinds if parts else ():
                mutant = kind(_Targets(reader, draw.choice(parts), tensors, draw))
                if mutant is not None:
                    yield mutant


_ROUNDING = re.compile(r"dropped > half \|\| \(dropped == half && floor\[0\]\)")
_STREAM = re.compile(r"(hls::stream<.*, )(\d+)(> (\w+))")


def code_mutants(build: Build, seed: int) -> list[CodeMutant]:
    """Changed copies of emitted code: half rounded up, a shallower stream.

    Raises:
        LookupError: the code to be changed is not where it should be.
    """
    return [_rounding_mutant(build), _depth_mutant(build, seed)]


def _rounding_mutant(build: Build) -> CodeMutant:
    file = Path("hls/requantise.h")
    text, changes = _ROUNDING.subn("dropped >= half", (build.folder / file).read_text())
    if changes != 1:
        raise LookupError(f"{file}: the rounding of exact halves is not where the mutation looks for it.")
    return CodeMutant("rounding of halves", str(file), file, text)


def _depth_mutant(build: Build, seed: int) -> CodeMutant:
    file = Path("csim/interleaved.cpp")
    text = (build.folder / file).read_text()
    found = [match for match in _STREAM.finditer(text) if int(match[2]) > 1]
    if not found:
        raise LookupError(f"{file}: no stream with a depth above 1 to be made shallower.")
    match = random.Random(seed).choice(found)
    depth = int(match[2])
    shallower = f"{text[: match.start(2)]}{depth // 2}{text[match.end(2) :]}"
    return CodeMutant("depth of a stream", f"{match[4]}: {depth} to {depth // 2}", file, shallower)
