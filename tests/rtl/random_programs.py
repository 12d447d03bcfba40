"""Random dataflow programs in the compiler's subset; equal seeds give equal programs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.rtl.random_processes import Part, Processes, Stream
from tests.rtl.random_statements import TEMPLATES
from tests.rtl.random_types import Integer
from tests.rtl.simulation import Program

__all__ = ["RandomProgram", "random_program"]

_MOST_WORDS = 12


@dataclass
class RandomProgram(Program):
    """A program with the seed that it came from.

    Attributes:
        constructs: how often it holds each construct.
    """

    seed: int = 0
    constructs: Counter[str] = field(default_factory=Counter)


def random_program(seed: int, calls: int = 3) -> RandomProgram:
    """A program of one to three parts, each of one to four processes, between the ports `in` and `out`."""
    name = f"program{seed}"
    writer = Processes(seed)
    first = Integer(writer.random.choice((8, 16, 32, 41, 64, 100)), False)
    source = Stream("in", first, writer.random.randint(2, 5))
    words = [writer.random.getrandbits(first.width) for _ in range(source.words * calls)]
    definitions = TEMPLATES.splitlines()
    for _ in range(writer.random.randint(0, 2)):
        definitions += writer.structure()
    for _ in range(writer.random.randint(0, 2)):
        definitions += writer.helper(writer.shared)
    parts: list[Part] = []
    streams = []
    for index in range(writer.random.choice((0, 1, 1, 2, 3))):
        name_between = f"between{index}"
        part = _part(writer, source, name_between)
        source = Stream(name_between, part.kind, part.words)
        streams.append(writer.declared_stream(name_between, part.kind, writer.random.choice((0, 1, 2, 3, 5, 8))))
        parts.append(part)
    last = Integer(writer.random.choice((8, 32, 64, 100, writer.random.choice(writer.widths))), False)
    parts.append(writer.transform(source, "out", last))
    writer.note(f"program of {sum(len(part.calls) for part in parts)} processes")
    text = _assembled(name, definitions, parts, streams, (first, last))
    return RandomProgram(name, text, {"in": words}, calls, seed=seed, constructs=writer.constructs)


def _part(writer: Processes, source: Stream, sink: str) -> Part:
    kinds = [writer.transform, writer.single, writer.block, writer.variable, writer.split, writer.fan, writer.diamond]
    weights = [5, 2, 1, 1.5, 1.5, 1.5, 2]
    if source.words * 3 <= _MOST_WORDS:
        kinds.append(writer.expand)
        weights.append(1.5)
    if writer.structures:
        kinds.append(writer.keep)
        weights.append(3)
    return writer.random.choices(kinds, weights)[0](source, sink)


def _assembled(
    name: str, definitions: list[str], parts: list[Part], streams: list[str], ends: tuple[Integer, Integer]
) -> str:
    """The file's text. A process that takes one word a call is called once per word in C++."""
    lines = [f"namespace {name}_ {{", *definitions, *(line for part in parts for line in part.text), "}"]
    lines.append(f"void {name}(hls::stream<{ends[0].text}>& in, hls::stream<{ends[1].text}>& out) {{")
    lines += [f"using namespace {name}_;", "#pragma HLS DATAFLOW"]
    lines += [stream for part in parts for stream in part.streams] + streams
    for call, times in (call for part in parts for call in part.calls):
        if times == 1:
            lines.append(call)
        else:
            lines += ["#ifdef __SYNTHESIS__", call, "#else", f"for (int t = 0; t < {times}; ++t) {call}", "#endif"]
    return "\n".join(['#include "ap_fixed.h"', *lines, "}", ""])
