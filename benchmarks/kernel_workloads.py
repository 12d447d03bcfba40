"""What the example kernels are fed, and what must come out: by numpy, scipy and the standard library, not by the C++.

Words are unsigned numbers, as they travel in the streams.
"""

from __future__ import annotations

import binascii
import heapq
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate2d, firwin

__all__ = ["WORKLOADS", "Workload"]

Words = dict[str, list[int]]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Workload:
    """What a kernel is to do.

    Attributes:
        text: the workload, in words.
        calls: calls of the top function.
        inputs: words per input port.
        outputs: words per output port; for a port in `errors` the real numbers that they stand for.
        steps: clocks of all calls of the (last) process by the rules of docs/rtl.md, chapter 2.
        errors: for ports of fixed-point numbers: what 1.0 is as a word, bits of a signed word, largest error.
    """

    text: str
    calls: int
    inputs: Words
    outputs: Mapping[str, Sequence[float]]
    steps: int
    errors: Mapping[str, tuple[int, int, float]] = field(default_factory=dict)

    def wrong(self, words: Mapping[str, Sequence[int]]) -> str:
        """The first thing that is wrong with what came out, empty when all is right."""
        for port, wanted in self.outputs.items():
            found: Sequence[float] = words[port]
            bound = 0.0
            if port in self.errors:
                scale, bits, bound = self.errors[port]
                found = [_signed(word, bits) / scale for word in words[port]]
            if len(found) != len(wanted):
                return f"{len(found)} words at '{port}' instead of {len(wanted)}"
            for number, (one, other) in enumerate(zip(found, wanted, strict=True)):
                if abs(one - other) > bound:
                    return f"word {number} at '{port}' is {one} instead of {other}"
        return ""


def _signed(word: int, bits: int) -> int:
    return word - (1 << bits) if word >> (bits - 1) & 1 else word


def _words(numbers: Iterable[int], bits: int) -> list[int]:
    return [int(number) % (1 << bits) for number in numbers]


def _packed(rows: Iterable[Sequence[int]], bits: int) -> list[int]:
    """Words that hold a row each, the first element in the lowest bits."""
    return [sum((int(item) % (1 << bits)) << (bits * place) for place, item in enumerate(row)) for row in rows]


def _random(seed: int, low: int, high: int, *shape: int) -> Integers:
    return np.random.default_rng(seed).integers(low, high, shape, dtype=np.int64)


def _stream_copy() -> Workload:
    counts = [1000, 0, 1, 23]
    words = _words(_random(1, -(1 << 62), 1 << 62, sum(counts)), 64)
    text = "copies of 1000, 0, 1 and 23 words"
    return Workload(text, len(counts), {"size": counts, "in": words}, {"out": words}, sum(1 + n for n in counts))


def _vector_add() -> Workload:
    counts = [200, 0, 12]
    a, b = _random(2, -(1 << 31), 1 << 31, 2, sum(counts), 16)
    inputs = {"size": counts, "a": _packed(a, 32), "b": _packed(b, 32)}
    text = "vectors of 3200, 0 and 192 numbers"
    return Workload(text, len(counts), inputs, {"sum": _packed(a + b, 32)}, sum(1 + n for n in counts))


def _fir_filter() -> Workload:
    """The filter's coefficients are designed anew here, so that the table in the C++ is checked too."""
    taps = np.round(firwin(31, 0.2) * 2**17).astype(np.int64)
    counts = [400, 0, 250]
    noise = _random(3, -32768, 32768, 350)
    square = np.where(np.arange(300) // 25 % 2, 32767, -32768)  # overshoots, so that the result saturates
    signal = np.concatenate([noise, square])
    sums = np.convolve(signal, taps)[: len(signal)]
    result = np.clip((sums + (1 << 16)) >> 17, -32768, 32767)
    text = "a signal of 650 samples in three pieces, one of them empty; a square wave at full scale in it"
    inputs = {"size": counts, "in": _words(signal, 16)}
    return Workload(text, len(counts), inputs, {"out": _words(result, 16)}, sum(1 + n for n in counts))


def _fir_reloadable() -> Workload:
    sizes = [(31, 60), (1, 5), (64, 20), (6, 0), (10, 17)]  # taps that the factor of 4 divides and does not
    inputs: Words = {"size": [], "taps": [], "in": []}
    out: list[int] = []
    for number, (taps, samples) in enumerate(sizes):
        weights, signal = _random(50 + number, -32768, 32768, taps), _random(60 + number, -32768, 32768, samples)
        inputs["size"] += [taps, samples]
        inputs["taps"] += _words(weights, 16)
        inputs["in"] += _words(signal, 16)
        out += _words(np.convolve(signal, weights)[:samples], 38) if samples else []
    sums = [min(taps, number) for taps, samples in sizes for number in range(1, samples + 1)]  # products of each
    steps = sum(2 + taps for taps, _ in sizes) + sum(1 + -(-products // 4) for products in sums)
    text = "60, 5, 20, 0 and 17 samples with 31, 1, 64, 6 and 10 taps"
    return Workload(text, len(sizes), inputs, {"out": out}, steps)


def _convolution_3x3() -> Workload:
    kernels = [
        ([1, 2, 1, 2, 4, 2, 1, 2, 1], 4),
        ([0, -1, 0, -1, 5, -1, 0, -1, 0], 0),
        ([-1, 0, 1, -2, 0, 2, -1, 0, 1], 1),
    ]
    shapes = [(24, 40), (1, 1), (5, 7)]
    inputs: Words = {"size": [], "weights": [], "in": []}
    out: list[int] = []
    steps = 0
    for number, ((weights, shift), (rows, columns)) in enumerate(zip(kernels, shapes, strict=True)):
        image = _random(10 + number, 0, 256, rows, columns)
        kernel = np.reshape(weights, (3, 3))
        result = np.clip(correlate2d(image, kernel, mode="same") >> shift, 0, 255)
        inputs["size"] += [rows, columns, shift]
        inputs["weights"] += _words(weights, 8)
        inputs["in"] += image.flatten().tolist()
        out += result.flatten().tolist()
        steps += 3 + 9 + (rows + 1) * (1 + columns + 1)
    return Workload("images of 24 x 40, 1 x 1 and 5 x 7 pixels", len(shapes), inputs, {"out": out}, steps)


def _matrix_multiply() -> Workload:
    counts = [20, 0, 3]
    a = _random(4, -32768, 32768, sum(counts), 16)
    inputs: Words = {"size": counts, "a": _words(a.flatten(), 16), "b": []}
    rows: list[Sequence[int]] = []
    start = 0
    for number, count in enumerate(counts):
        b = _random(20 + number, -32768, 32768, 16, 16)
        inputs["b"] += _packed(b, 16)
        rows += (a[start : start + count] @ b).tolist()
        start += count
    steps = sum(1 + 16 + 17 * count for count in counts)
    text = "matrices of 20, 0 and 3 rows by 16 x 16"
    return Workload(text, len(counts), inputs, {"c": _packed(rows, 36)}, steps)


def _histogram() -> Workload:
    """Half of the samples are one of three values, so that equal ones follow each other at all distances."""
    counts = [2500, 0]
    samples = _random(5, 0, 1024, counts[0])
    few = _random(6, 0, 6, counts[0])
    samples = np.where(few < 3, few * 400, samples)
    out = [*np.bincount(samples, minlength=1024).tolist(), *[0] * 1024]
    steps = sum(1 + 1024 + n + 1024 for n in counts)
    inputs = {"size": counts, "in": samples.tolist()}
    return Workload("2500 samples, then none", len(counts), inputs, {"out": out}, steps)


def _prefix_sum() -> Workload:
    counts = [300, 0, 7]
    numbers = _random(7, 0, 1 << 32, sum(counts), 4)
    sums = [np.cumsum(part.flatten()).reshape(-1, 4) for part in np.split(numbers, np.cumsum(counts)[:-1])]
    inputs = {"size": counts, "in": _packed(numbers, 32)}
    out = _packed(np.concatenate(sums), 32)
    return Workload("1200, 0 and 28 numbers", len(counts), inputs, {"out": out}, sum(1 + n for n in counts))


def _dataflow_diamond() -> Workload:
    counts = [500, 0, 9]
    samples = _random(8, -32768, 32768, sum(counts))
    out: list[Sequence[int]] = []
    for part in np.split(samples, np.cumsum(counts)[:-1]):
        padded = np.concatenate([np.zeros(15, np.int64), part])
        windows = [padded[place : place + 16] for place in range(len(part))]
        out += [(int(np.max(np.abs(window))), int(np.sum(window)) >> 4) for window in windows]
    inputs = {"size": counts, "in": _words(samples, 16)}
    return Workload("500, 0 and 9 samples", len(counts), inputs, {"out": _packed(out, 16)}, sum(1 + n for n in counts))


def _merge_sorted() -> Workload:
    """The first keys of both sides are read in a step of their own each: a stream's second use starts one."""
    sizes = [(300, 200), (0, 5), (5, 0), (0, 0), (2, 2)]
    inputs: Words = {"sizes": [], "left": [], "right": []}
    out: list[int] = []
    for number, (left, right) in enumerate(sizes):
        sides = [
            np.sort(_random(30 + number, -1000, 1000, 2, 300)[side][:count]) for side, count in enumerate((left, right))
        ]
        inputs["sizes"] += [left, right]
        inputs["left"] += _words(sides[0], 32)
        inputs["right"] += _words(sides[1], 32)
        out += _words(heapq.merge(*sides), 32)
    steps = sum(2 + left + right for left, right in sizes)
    return Workload("500, 5, 5, 0 and 4 keys", len(sizes), inputs, {"out": out}, steps)


def _crc32() -> Workload:
    messages = [bytes(_random(9, 0, 256, 1003).tolist()), b"123456789", b"", b"abc", b"word"]
    inputs: Words = {"size": [len(message) for message in messages], "in": []}
    for message in messages:
        padded = message + bytes(b"\xa5" * (-len(message) % 4))  # what is behind the message must not matter
        inputs["in"] += np.frombuffer(padded, "<u4").tolist()
    tails = [len(message) % 4 for message in messages]  # a part word is read in a step of its own
    steps = sum(1 + len(message) // 4 + (tail > 0) + tail for message, tail in zip(messages, tails, strict=True))
    out = [binascii.crc32(message) for message in messages]
    return Workload("messages of 1003, 9, 0, 3 and 4 bytes", len(messages), inputs, {"out": out}, steps)


def _packet_checksum() -> Workload:
    """The sum of RFC 1071 over whole packets; bytes that TKEEP leaves out are not zero."""
    lengths = [1500, 1, 8, 9, 64, 1023, 20]
    packets = [bytes(_random(70 + number, 0, 256, length).tolist()) for number, length in enumerate(lengths)]
    beats, out = [], []
    for number, packet in enumerate(packets):
        tag = (number % 8) << 1 | (number * 5 % 16) << 4  # TLAST below TID below TDEST
        starts = range(0, len(packet), 8)
        for start in starts:
            part = packet[start : start + 8]
            keep = (1 << len(part)) - 1
            data = int.from_bytes(part.ljust(8, b"\x5a"), "little")
            beats.append(data | keep << 64 | keep << 72 | (tag | (start == starts[-1])) << 80)
        even = packet + bytes(len(packet) % 2)
        total = int(np.frombuffer(even, ">u2").sum(dtype=np.int64))
        checksum = 65535 - (total % 65535 or 65535)
        out.append(checksum | 0b1111 << 16 | (tag | 1) << 20)
    # The first call's entry waits for no stream, and is over when the first word has come.
    steps = sum(1 + -(-length // 8) for length in lengths) - 1
    text = "packets of 1500, 1, 8, 9, 64, 1023 and 20 bytes"
    return Workload(text, len(lengths), {"in": beats}, {"out": out}, steps)


def _cordic_atan2() -> Workload:
    """Vectors all round, longer than an eighth, those on the axes and the most negative one included."""
    angles, lengths = np.random.default_rng(10).uniform([[-math.pi], [0.13]], [[math.pi], [0.99]], (2, 400))
    x, y = (np.round(lengths * turn(angles) * 2**15).astype(np.int64) for turn in (np.cos, np.sin))
    corners = [(32767, 0), (0, 32767), (0, -32768), (-32768, 0), (-32768, -32768), (-32768, 32767), (32767, -1)]
    x, y = np.concatenate([np.stack([x, y], 1), corners]).T
    inputs = {"size": [len(x)], "x": _words(x, 16), "y": _words(y, 16)}
    outputs = {"angle": np.arctan2(y, x).tolist(), "length": (np.hypot(x, y) / 2**15).tolist()}
    errors = {"angle": (2**13, 16, 2.0**-11), "length": (2**14, 17, 2.0**-12)}  # a length of 16 bits is never negative
    return Workload("407 vectors", 1, inputs, outputs, 1 + len(x), errors)


def _bubble_sort() -> Workload:
    counts = [64, 1, 0, 17]
    parts = [_random(40 + number, -50, 50, count) * (1 << 24) for number, count in enumerate(counts)]
    out = [number for part in parts for number in _words(np.sort(part), 32)]
    inputs = {"size": counts, "in": _words(np.concatenate(parts), 32)}
    steps = sum(1 + n + sum(1 + last for last in range(2, n + 1)) + n for n in counts)
    return Workload("64, 1, 0 and 17 keys, some of them equal", len(counts), inputs, {"out": out}, steps)


WORKLOADS: dict[str, Callable[[], Workload]] = {
    "bubble_sort": _bubble_sort,
    "convolution_3x3": _convolution_3x3,
    "cordic_atan2": _cordic_atan2,
    "crc32": _crc32,
    "dataflow_diamond": _dataflow_diamond,
    "fir_filter": _fir_filter,
    "fir_reloadable": _fir_reloadable,
    "histogram": _histogram,
    "matrix_multiply": _matrix_multiply,
    "merge_sorted": _merge_sorted,
    "packet_checksum": _packet_checksum,
    "prefix_sum": _prefix_sum,
    "stream_copy": _stream_copy,
    "vector_add": _vector_add,
}
