"""Operators that are longer than the clock: the same values in small pieces, at a step a clock."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from rtl import compile_with_report
from rtl.synthesis import find_yosys, synthesise
from tests.rtl.simulation import Program, compile_programs, run_cpp, run_rtl

CLOCKS = (200.0, 500.0)  # MHz
STALLS = (0, 60)
PAIRS = 60


def _loop(first: str, second: str, result: str) -> str:
    """A loop over pairs of numbers of two types, whose bits are one word, `first` lowest."""
    return f"""
  for (int i = 0; i < {PAIRS}; ++i) {{
#pragma HLS PIPELINE II = 1
    const ap_uint<192> word = in.read();
    const {first} a = word;
    const {second} b = word >> {first}::width;
    out.write({result});
  }}"""


def _program(name: str, first: str, second: str, result: str) -> Program:
    stream = "hls::stream<ap_uint<{}>>& "
    ports = f"{stream.format(192)}in, {stream.format(256)}out"
    source = f"void {name}_process({ports}) {{{_loop(first, second, result)}\n}}\n"
    source += f"void {name}({ports}) {{ {name}_process(in, out); }}\n"
    return Program(name, source, {"in": _words(name)})


def _words(seed: str) -> list[int]:
    """Random words, with runs of zeros and ones so that the numbers in them are short, negative and extreme ones."""
    generator = random.Random(seed)
    words = [0, (1 << 192) - 1]
    while len(words) < PAIRS:
        low, high = sorted(generator.sample(range(193), 2))
        run = (1 << high) - (1 << low)
        word = generator.getrandbits(192)
        words.append(generator.choice((word, word | run, word & ~run)))
    return words


def _programs() -> list[Program]:
    programs = []
    for a, b in (("uint<64>", "uint<64>"), ("int<33>", "int<70>"), ("int<128>", "uint<20>")):
        name = re.sub(r"\W", "", f"multiply_{a}_{b}")
        programs.append(_program(name, f"ap_{a}", f"ap_{b}", "ap_uint<256>(a * b)"))
    for a, b in (("uint<32>", "uint<32>"), ("int<64>", "int<9>"), ("int<17>", "int<50>")):
        divisor = f"(b == 0 ? ap_{b}(3) : b)"
        result = f"(ap_uint<256>(ap_uint<100>(a / {divisor})) << 100) | ap_uint<100>(a % {divisor})"
        programs.append(_program(re.sub(r"\W", "", f"divide_{a}_{b}"), f"ap_{a}", f"ap_{b}", result))
    word = ("ap_int<96>", "ap_uint<96>")
    numbers = "(ap_uint<256>(ap_uint<100>(a * ap_int<64>(-6148914691236517205))) << 100) | ap_uint<100>(a % 1000007)"
    low = "(ap_uint<256>(ap_uint<64>(a) * ap_uint<64>(b)) & 0xffffffffffffffff) | ap_uint<256>(b * b * b >> 80) << 64"
    shifts = "(ap_uint<256>(b) << (a & 255)) ^ ap_uint<256>(ap_int<256>(a) >> (b & 127))"
    programs.append(_program("numbers", *word, numbers))
    # A negative number by one that is never negative: both signs are known before any clock.
    positive = "ap_int<20>((b & 255) | 1)"
    known = f"(ap_uint<256>(ap_uint<100>(ap_int<30>(-900) / {positive})) << 100)"
    programs.append(_program("known_signs", *word, f"{known} | ap_uint<100>(ap_int<30>(-901) % {positive})"))
    programs.append(_program("low_bits", *word, low))
    programs.append(_program("shifts", *word, shifts))
    return programs


@pytest.mark.parametrize("clock_mhz", CLOCKS)
def test_values_are_those_of_the_cpp(clock_mhz: float, tmp_path: Path) -> None:
    """Products and divisions of many widths, with and without signs, with constants and cut to few bits."""
    programs = _programs()
    designs = compile_programs(programs, tmp_path / "rtl", clock_mhz)
    assert all(item.stages > 1 for name in designs if name != "shifts" for item in designs[name].processes)
    wanted = run_cpp(programs, designs, tmp_path / "cpp")
    counts = {program.top: {"out": PAIRS} for program in programs}
    runs = run_rtl(programs, designs, counts, tmp_path / "simulation", STALLS)
    for program in programs:
        for run in runs:
            assert run[program.top].words == wanted[program.top].words, program.source
        clocks = runs[0][program.top].clocks["out"]
        if clock_mhz == 200.0:  # at 500 MHz the loop's counter takes two
            assert clocks == list(range(clocks[0], clocks[0] + PAIRS)), "a word a clock"


KERNELS = """#include "ap_int.h"
#include "hls_stream.h"
typedef hls::stream<ap_uint<64>> Stream;
void divide(Stream& in, Stream& out) {
  for (int i = 0; i < 100; ++i) {
#pragma HLS PIPELINE II = 1
    const ap_uint<64> word = in.read();
    out.write(ap_uint<32>(word) / ap_uint<32>(word >> 32));  // division
  }
}
void multiply(Stream& in, Stream& out) {
  for (int i = 0; i < 100; ++i) {
#pragma HLS PIPELINE II = 1
    const ap_uint<64> a = in.read();
    const ap_uint<128> product = a * (ap_uint<64>(a << 3) ^ (a >> 7));
    out.write(ap_uint<64>(product >> 64) ^ ap_uint<64>(product));
  }
}
void top(Stream& in, Stream& out) {
#pragma HLS DATAFLOW
  Stream middle;
  divide(in, middle);
  multiply(middle, out);
}
"""


def test_the_clock_is_met_with_sensible_resources(tmp_path: Path) -> None:
    """Numbers of 32 bits divided and of 64 multiplied, at II = 1 and 200 MHz; Yosys finds what was estimated."""
    (tmp_path / "top.cpp").write_text(KERNELS)
    design, report = compile_with_report(tmp_path / "top.cpp", "top", [], tmp_path / "rtl", 200.0)
    assert report.misses == []
    for loop in report.loops:
        assert (loop.ii_reached, loop.meets_clock, loop.limits) == (1, True, [])
    links = report.loops[0].chain.links
    division = next(number for number, line in enumerate(KERNELS.splitlines(), start=1) if "// division" in line)
    assert {link.line for link in links if link.operator == "add or subtract"} == {division}
    rows = {row.module: row for row in synthesise(design, report, find_yosys(), tmp_path / "yosys", 1).modules}
    assert rows["top_multiply"].each.dsp == rows["top_multiply"].estimate.dsp == 12
    assert rows["top_divide"].each.dsp == rows["top_divide"].estimate.dsp == 0
    assert rows["top_divide"].each.lut < 1.2 * 32 * 33, "a LUT a bit of the divisor and of the quotient"
    for name in ("top_divide", "top_multiply"):
        each, estimate = rows[name].each, rows[name].estimate
        assert 0.7 <= estimate.lut / each.lut <= 1.3 and 0.7 <= estimate.ff / each.ff <= 1.3, name
