"""Changed copies of a build's weight stream and code, each wrong in one small way.

Targets are drawn at random by seed among those that can show: outputs that golden neither clamps nor keeps at zero,
inputs that are not always zero. A change that no output could show would prove nothing.
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbench.build import Build
from testbench.ladder.targets import Mutant, Targets
from testbench.weight_stream import WeightStreamReader

__all__ = ["CodeMutant", "Mutant", "code_mutants", "weight_mutants"]


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


def _weight_sign(t: Targets) -> Mutant | None:
    return t.changed_entry("weight", "value", lambda value: value ^ 0x80)


def _weight_bit(t: Targets) -> Mutant | None:
    return t.changed_entry("bit of a weight", "value", lambda value: value ^ 0x20)


def _kernel_row(t: Targets) -> Mutant | None:
    return t.changed_entry("row index", "row", lambda row: row - 1, lambda entry: entry.row > 0)


def _kernel_column(t: Targets) -> Mutant | None:
    return t.changed_entry("column index", "column", lambda column: column - 1, lambda entry: entry.column > 0)


def _kernel_channel(t: Targets) -> Mutant | None:
    """All kernels of a packet read the next input channel, or the one before."""
    packet = t.packet()
    if packet is None or t.part.descriptor["full"]:
        return None
    place = t.field("kernel_unit", "skip", t.reader.first_kernel(t.part, packet))
    return t.changed("input channel", place, lambda skip: skip - 1 if skip else 1)


def _kernel_count(t: Targets) -> Mutant | None:
    """One less: the kernel's last entry is then read as the start of a kernel."""
    packet = t.packet()
    if packet is None or t.part.descriptor["pointwise"] or t.part.descriptor["full"]:
        return None
    place = t.field("kernel_unit", "count", t.reader.first_kernel(t.part, packet))
    return t.changed("entries of a kernel", place, lambda count: count - 1) if t.reader.read(place) else None


def _swapped_weights(t: Targets) -> Mutant | None:
    """Two weights of a kernel's row trade places, where nothing but their order says which is which."""
    if not t.part.descriptor["full"]:
        return None
    entry = t.entry(lambda entry: entry.column > 0)
    if entry is None:
        return None
    before = replace(entry.place, low=entry.place.low - entry.place.bits)
    if before.low < 0:
        return None
    both = replace(before, bits=2 * before.bits)
    return t.changed("order of weights", both, lambda pair: pair >> before.bits | pair << before.bits)


def _row_gap(t: Targets) -> Mutant | None:
    rows = t.target[0].size
    row_sets = t.part.descriptor["row_sets"]
    return t.changed_entry("gap", "gap", lambda gap: gap + 1, lambda entry: entry.output + row_sets < rows)


def _column_pointer(t: Targets) -> Mutant | None:
    """A column ends one entry too early, and that entry is a lively one."""
    last = {(entry.packet, entry.input): entry for entry in t.reader.entries(t.part)}
    lively = [
        entry
        for entry in t.entries()
        # The entry falls to the next column: where both activations are equal, nothing need change.
        if last[entry.packet, entry.input] == entry and t.activation(entry.input) != t.activation(entry.input + 1)
    ]
    if not lively:
        return None
    entry = t.draw.choice(lively)
    place = t.reader.column_end(t.part.packets[entry.packet], entry.input)
    return t.changed("column pointer", place, lambda pointer: pointer - 1)


def _bias(t: Targets) -> Mutant | None:
    output = t.draw.choice(sorted(t.lively_outputs))
    on_fc = t.part.layer.engine == "fc"
    shift = t.part.descriptor["shift"] if on_fc else t.reader.read(t.reader.scale_place(t.part, output, "shift"))
    return t.changed("bias", t.reader.bias_place(t.part, output), lambda bias: bias + (1 << (shift + 1)))


def _channel_shift(t: Targets) -> Mutant | None:
    entries = t.entries()
    if not entries:
        return None
    place = t.reader.scale_place(t.part, t.draw.choice(entries).output, "shift")
    return t.changed("shift", place, lambda shift: shift ^ 1)


def _layer_shift(t: Targets) -> Mutant | None:
    return t.changed("shift", t.reader.place("descriptor", "shift", t.part.first), lambda shift: shift ^ 1)


def _clamp(t: Targets) -> Mutant | None:
    top = int(t.target.max())
    place = t.reader.place("descriptor", "maximum", t.part.first)
    return t.changed("clamp", place, lambda maximum: top - 1) if top > int(t.target.min()) else None


def _input_sign(t: Targets) -> Mutant | None:
    shows = bool((t.source.astype(np.int64) & 0x80).any())
    place = t.reader.place("descriptor", "input_signed", t.part.first)
    return t.changed("sign of the input", place, lambda signed: signed ^ 1) if shows else None


def _left_padding(t: Targets) -> Mutant | None:
    place = t.reader.place("descriptor", "pad_left", t.part.first)
    return t.changed("padding", place, lambda padding: padding - 1 if padding else 1)


def _swapped_channels(t: Targets) -> Mutant | None:
    """Two packets of a round trade places: each channel's values come out as the other's."""
    packet = t.packet()
    if packet is None:
        return None
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
    return t.with_words("swapped channels", where, words)


def _dropped_word(t: Targets) -> Mutant | None:
    number = t.draw.choice(t.part.packets).words[0]
    words = t.reader.words
    return t.with_words("dropped word", f"word {number}", (*words[:number], *words[number + 1 :]))


def _repeated_word(t: Targets) -> Mutant | None:
    number = t.draw.choice(t.part.packets).words[0]
    words = t.reader.words
    return t.with_words("repeated word", f"word {number}", (*words[:number], words[number], *words[number:]))


def _weight_number(t: Targets) -> Mutant | None:
    """Another weight of the codebook, half of it away; of whole weights the sign."""
    entry = t.entry(lambda entry: True)
    if entry is None:
        return None
    place = t.reader.column_field(entry.place, "value")
    return t.changed("weight in a column", place, lambda number: number ^ 1 << (place.bits - 1))


def _codebook(t: Targets) -> Mutant | None:
    """All weights of one number change their sign; whole weights have none."""
    entry = t.entry(lambda entry: True)
    if entry is None or t.reader.column_field(entry.place, "value").bits == 8:
        return None
    number = t.reader.read(t.reader.column_field(entry.place, "value"))
    place = t.reader.codebook_place(t.part.packets[entry.packet], number)
    return t.changed("codebook", place, lambda weight: weight ^ 0x80)


def _swapped_columns(t: Targets) -> Mutant | None:
    """The word of a lively weight and another one of its layer trade places in DDR."""
    entry = t.entry(lambda entry: True)
    words, first = list(t.reader.columns), t.part.first_column
    own = range(first, first + t.part.layer.column_words)
    others = [word for word in own if entry and words[word] != words[entry.place.word]]
    if entry is None or not others:
        return None
    one, two = entry.place.word, t.draw.choice(others)
    words[one], words[two] = words[two], words[one]
    return t.with_words("swapped column words", f"layer {t.part.layer.name}, {one} and {two}", words, in_columns=True)


_CONVOLVER = (
    *(_weight_sign, _weight_bit, _kernel_row, _kernel_column, _kernel_channel, _kernel_count, _swapped_weights),
    *(_bias, _channel_shift, _clamp, _input_sign, _left_padding, _swapped_channels, _dropped_word, _repeated_word),
)
_FC = (_weight_sign, _row_gap, _column_pointer, _bias, _layer_shift, _clamp, _swapped_channels, _dropped_word)
_STREAMED_FC = (
    *(_weight_number, _row_gap, _swapped_columns, _codebook),
    *(_column_pointer, _bias, _layer_shift, _clamp, _dropped_word),
)


def weight_mutants(build: Build, tensors: Mapping[str, NDArray[Any]], seed: int, count: int) -> list[Mutant]:
    """Changed weight streams and columns, as many kinds as the network allows.

    Args:
        build: the build.
        tensors: golden's tensors for the images that will be run.
        seed: of every choice.
        count: how many; kinds repeat at other places when there are more than kinds.
    """
    draw = random.Random(seed)
    mutants: list[Mutant] = []
    seen: set[tuple[int, ...]] = set()
    engines = {"convolver": _CONVOLVER, "fc": _STREAMED_FC if build.streamed else _FC}
    for mutant in _endless(WeightStreamReader(build), engines, tensors, draw, count):
        if mutant.words not in seen:
            seen.add(mutant.words)
            mutants.append(mutant)
        if len(mutants) == count:
            break
    return mutants


def _endless(
    reader: WeightStreamReader,
    engines: Mapping[str, Sequence[Callable[[Targets], Mutant | None]]],
    tensors: Mapping[str, NDArray[Any]],
    draw: random.Random,
    count: int,
) -> Iterator[Mutant]:
    """Goes through all kinds again and again, each time on a layer drawn anew; `count` rounds at most."""
    for _ in range(count):
        for engine, kinds in engines.items():
            parts = [part for part in reader.layers if part.layer.engine == engine]
            for kind in kinds if parts else ():
                mutant = kind(Targets(reader, draw.choice(parts), tensors, draw))
                if mutant is not None:
                    yield mutant


_ROUNDING = re.compile(r"odd = shift != 0 && ap_uint<50>\(product >> shift\)\[0\]")
_STREAM = re.compile(r"(hls::stream<.*, )(\d+)(> (\w+))")


def code_mutants(build: Build, seed: int) -> list[CodeMutant]:
    """Changed copies of emitted code: half rounded up, a shallower stream.

    Raises:
        LookupError: the code to be changed is not where it should be.
    """
    return [_rounding_mutant(build), _depth_mutant(build, seed)]


def _rounding_mutant(build: Build) -> CodeMutant:
    file = Path("hls/requantise.h")
    text, changes = _ROUNDING.subn("odd = shift != 0", (build.folder / file).read_text())
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
