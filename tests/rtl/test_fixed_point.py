"""Designs with ap_fixed: g++ with Xilinx' types against the SystemVerilog under Verilator, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from rtl import CompileError, compile_cpp
from tests.rtl.simulation import Outcome, Program, compile_programs, random_words, run_cpp, run_rtl

Results = tuple[dict[str, Outcome], list[dict[str, Outcome]]]

# Taps rounded from decimal constants, results rounded and saturated, samples that saturate the sum now and then.
_FIR = """
#include "ap_fixed.h"
namespace fir_ {
typedef ap_fixed<12, 3> Sample;
typedef ap_fixed<10, 0, AP_RND, AP_SAT> Tap;
typedef ap_fixed<8, 2, AP_RND, AP_SAT> Result;
const Tap kTaps[8] = {0.031, -0.113, 0.28, 0.4994, 0.4994, 0.28, -0.113, 0.031};
void receive(hls::stream<ap_uint<12>>& in, hls::stream<Sample>& samples) {
  Sample sample;
  sample.range() = in.read();
  samples.write(sample);
}
void filter(hls::stream<Sample>& samples, hls::stream<Result>& results) {
  static Sample window[8];
  for (int i = 7; i > 0; --i) {
#pragma HLS UNROLL
    window[i] = window[i - 1];
  }
  window[0] = samples.read();
  ap_fixed<25, 6> sum = 0;
  for (int i = 0; i < 8; ++i) {
#pragma HLS UNROLL
    sum += window[i] * kTaps[i];
  }
  results.write(sum);
}
void send(hls::stream<Result>& results, hls::stream<ap_uint<8>>& out) { out.write(results.read().range()); }
}
void fir(hls::stream<ap_uint<12>>& in, hls::stream<ap_uint<8>>& out) {
#pragma HLS DATAFLOW
  hls::stream<fir_::Sample> samples;
  hls::stream<fir_::Result, 4> results;
  fir_::receive(in, samples);
  fir_::filter(samples, results);
  fir_::send(results, out);
}
"""

# Cosine and sine of an angle between -pi/2 and pi/2.
_CORDIC = """
#include "ap_fixed.h"
namespace cordic_ {
typedef ap_fixed<20, 3> Number;
typedef ap_fixed<14, 2, AP_RND_CONV, AP_SAT_SYM> Result;
const Number kAngles[16] = {0.78539816339744831, 0.46364760900080609, 0.24497866312686414, 0.12435499454676144,
                            0.062418809995957350, 0.031239833430268277, 0.015623728620476831, 0.0078123410601011111,
                            0.0039062301319669718, 0.0019531225164788188, 0.00097656218955931946,
                            0.00048828121119489829, 0.00024414062014936177, 0.00012207031189367021,
                            6.1035156174208773e-05, 3.0517578115526096e-05};
void rotate(hls::stream<ap_uint<16>>& in, hls::stream<ap_uint<28>>& out) {
  ap_fixed<16, 2> angle;
  angle.range() = in.read();
  Number x = 0.60725293500888125, y = 0, z = angle;
  for (int i = 0; i < 16; ++i) {
    const Number dx = y >> i, dy = x >> i;
    const bool down = z < 0;
    x = down ? Number(x + dx) : Number(x - dx);
    y = down ? Number(y - dy) : Number(y + dy);
    z = down ? Number(z + kAngles[i]) : Number(z - kAngles[i]);
  }
  const Result cosine = x, sine = y;
  out.write((cosine.range(), sine.range()));
}
}
void cordic(hls::stream<ap_uint<16>>& in, hls::stream<ap_uint<28>>& out) {
#pragma HLS DATAFLOW
  cordic_::rotate(in, out);
}
"""

# Structures of fixed-point numbers in a stream, a memory of them, division, a constant in a comparison, an ap_int.
_STATISTICS = """
#include "ap_fixed.h"
namespace statistics_ {
struct Token { ap_ufixed<10, 4> weight; ap_fixed<7, 2, AP_TRN_ZERO> value; bool last; };
void receive(hls::stream<ap_uint<24>>& in, hls::stream<Token>& tokens) {
  const ap_uint<24> word = in.read();
  Token token;
  token.weight.range() = word.range(9, 0);
  token.value.range() = word.range(16, 10);
  token.last = word[17];
  tokens.write(token);
}
void collect(hls::stream<Token>& tokens, hls::stream<ap_uint<40>>& out) {
  static ap_fixed<16, 6, AP_RND, AP_SAT> totals[8];
  static ap_int<6> seen = 0;
  const Token token = tokens.read();
  const ap_uint<3> place = token.weight(9, 7);
  totals[place] += token.weight * token.value;
  if (token.value > 0.3) ++totals[place];
  seen += token.last ? token.weight : ap_ufixed<10, 4>(1.5);
  const ap_fixed<16, 6> total = totals[place];
  const ap_fixed<18, 10, AP_RND_INF, AP_WRAP, 2> mean = total / (token.value - 4);
  out.write((total.range(), mean.range(), seen));
}
}
void statistics(hls::stream<ap_uint<24>>& in, hls::stream<ap_uint<40>>& out) {
#pragma HLS DATAFLOW
  hls::stream<statistics_::Token> tokens;
  statistics_::receive(in, tokens);
  statistics_::collect(tokens, out);
}
"""

PROGRAMS = [
    Program("fir", _FIR, {"in": random_words(7, 60, 12)}, calls=60),
    Program("cordic", _CORDIC, {"in": [word % 51_001 - 25_500 & 0xFFFF for word in random_words(8, 40, 32)]}, calls=40),
    Program("statistics", _STATISTICS, {"in": random_words(9, 80, 24)}, calls=80),
]


@pytest.fixture(scope="module", params=[None, 200.0], ids=["a clock a step", "pipelined for 200 MHz"])
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The C++ programs' words, and the hardware's without and with pauses."""
    folder = tmp_path_factory.mktemp("fixed_point")
    designs = compile_programs(PROGRAMS, folder / "rtl", request.param)
    wanted = run_cpp(PROGRAMS, designs, folder / "cpp")
    counts = {program.top: {"out": program.calls} for program in PROGRAMS}
    return wanted, run_rtl(PROGRAMS, designs, counts, folder / "simulation", (0, 50, 80))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.top)
def test_rtl_equals_cpp(program: Program, results: Results) -> None:
    """Same words, same order, with and without pauses."""
    wanted, runs = results
    assert len(wanted[program.top].words["out"]) == program.calls
    for run in runs:
        assert run[program.top].words == wanted[program.top].words


def test_the_programs_compute_what_they_are_for(results: Results) -> None:
    """The filter's saturated extremes occur, and CORDIC's cosines and sines are those of its angles."""
    words = results[0]["fir"].words["out"]
    assert {0x7F, 0x80} <= set(words) and len(set(words)) > 20
    for angle, word in zip(PROGRAMS[1].inputs["in"], results[0]["cordic"].words["out"], strict=True):
        radians = _signed(angle, 16) / 2**14
        assert abs(_signed(word >> 14, 14) / 2**12 - math.cos(radians)) < 2**-11
        assert abs(_signed(word & 0x3FFF, 14) / 2**12 - math.sin(radians)) < 2**-11


def _signed(word: int, bits: int) -> int:
    return word - (1 << bits) if word >> (bits - 1) else word


def test_constants_leave_no_floating_point(tmp_path: Path) -> None:
    """A table of decimal constants is a ROM of their rounded bits."""
    design = compile_programs(PROGRAMS[1:2], tmp_path)["cordic"]
    text = "".join(path.read_text() for path in design.files)
    assert f"{round(math.atan(1) * 2**17 - 0.5):x}" in text.lower()


_HEAD = """#include "ap_int.h"
#include "ap_fixed.h"
#include "hls_stream.h"
typedef ap_fixed<16, 4> Number;
typedef hls::stream<Number> Stream;
void process(Stream& in, Stream& out) {
"""
_TAIL = """
}
void top(Stream& in, Stream& out) {
#pragma HLS DATAFLOW
  process(in, out);
}
"""

# name: (body of the process, whose first line is 7; line of the error; part of the message)
REFUSED = {
    "floating_point_at_run_time": ("float f = in.read().to_int();\nout.write(Number(f * 1.5f));", 7, "floating point"),
    "run_time_double": ("double d = in.read();\nout.write(Number(d));", 7, "floating point"),
    "times_a_constant": ("out.write(in.read() * 0.5);", 7, "ambiguous"),
    "infinite_constant": ("out.write(Number(1e999) + in.read());", 7, "rtl_refuse_infinite_constant"),
    "mixed_division": ("Number a = in.read();\nout.write(ap_ufixed<8, 4>(a) / a);", 8, "divided"),
    "arithmetic_on_a_range": ("Number a = in.read();\nout.write(a.range(3, 0) + 1);", 8, "invalid operands"),
    "integer_part_of_a_fraction": ("ap_fixed<8, -1> a = in.read();\nout.write(a.to_int());", 8, "I < 0"),
    "fraction_as_int": ("ap_fixed<8, -1> a = in.read();\nint i = a;\nout.write(i);", 8, "I < 0"),
    "wide_condition": ("ap_fixed<70, 4> a = in.read();\nout.write(a ? 1 : 2);", 8, "64 lowest bits"),
    "text": ('out.write(Number("0.5"));', 7, "no matching conversion"),
    "wrap_of_the_magnitude": ("out.write(ap_fixed<8, 4, AP_TRN, AP_WRAP_SM>(in.read()));", 0, "AP_WRAP_SM"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, tmp_path: Path) -> None:
    """The error names the line (0: a line of the header), and no output appears."""
    body, line, message = REFUSED[name]
    source = tmp_path / "design.cpp"
    source.write_text(_HEAD + body + _TAIL)
    with pytest.raises(CompileError) as caught:
        compile_cpp(source, "top", [], tmp_path / "out")
    assert message in caught.value.message
    assert line == 0 or (caught.value.file, caught.value.line) == (str(source), line)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["design.cpp"]
