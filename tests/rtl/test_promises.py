"""DEPENDENCE: iterations that do not read what the last ones wrote follow each other at once, and others wait."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from rtl import CompileError, Report, compile_cpp, compile_with_report
from tests.rtl.simulation import BuildError, Program, compile_programs, run_cpp, run_rtl

STALLS = (0, 40, 75)
ROUNDS = 60  # iterations of the loop with the promise
FALSE = "variable=bins inter false"
WAYS = (FALSE, "variable = bins type=inter class=array direction=RAW dependent=false", "inter false")

UPDATE = """
    const ap_uint<32> x = in.read();
    const ap_uint<32> old = bins[x & 63];
    const ap_uint<32> changed = old * old * (x ^ old) + 1;
    bins[x & 63] = changed;
    out.write(changed);"""

# What comes before and behind the loop with the promise must find all its words.
BODIES = {
    "loops": (UPDATE, "for (int i = 0; i < 64; ++i) out.write(bins[i]);"),
    "calls": (UPDATE, ""),
    "sometimes": (
        UPDATE.replace("bins[x & 63] = changed", "if (x & 64) bins[x & 63] = changed"),
        "for (int i = 0; i < 64; ++i) out.write(bins[63 - i]);",
    ),
    "chained": (
        UPDATE,
        "for (int i = 1; i < 64; ++i) bins[i] = bins[i] * bins[i - 1] + i;\n"
        "  for (int i = 0; i < 64; ++i) out.write(bins[i]);",
    ),
    "nested": (
        f"""
    for (int j = 0; j < 1; ++j) {{
#pragma HLS DEPENDENCE {FALSE}
{UPDATE}
    }}""",
        "out.write(bins[9]);\n  out.write(bins[8]);",
    ),
}


def _source(name: str, update: str, behind: str, promise: str, head: str = "") -> str:
    pragma = f"#pragma HLS DEPENDENCE {promise}" if promise else ""
    body = f"""  static ap_uint<32> bins[64];{head}
  for (int i = 0; i < 64; ++i) bins[i] = bins[i] * 5 + i + 1;
  for (int i = 0; i < {ROUNDS}; ++i) {{  // updates
#pragma HLS PIPELINE II = 1
{pragma}
{update}
  }}
  {behind}"""
    ports = "hls::stream<ap_uint<32>>& in, hls::stream<ap_uint<32>>& out"
    return f"void {name}_process({ports}) {{\n{body}\n}}\nvoid {name}({ports}) {{ {name}_process(in, out); }}\n"


def _words(distance: int, calls: int = 2) -> list[int]:
    """Random words whose lowest 6 bits differ from those of so many words before, in each call."""
    generator = random.Random(distance)
    words: list[int] = []
    for _ in range(calls):
        places: list[int] = []
        while len(places) < ROUNDS:
            place = generator.randrange(64)
            if place not in places[max(len(places) - distance, 0) :]:
                places.append(place)
                words.append(generator.getrandbits(26) << 6 | place)
    return words


def _compare(programs: Sequence[Program], clock_mhz: float, folder: Path) -> None:
    designs = compile_programs(programs, folder / "rtl", clock_mhz)
    wanted = run_cpp(programs, designs, folder / "cpp")
    counts = {program.top: {"out": len(wanted[program.top].words["out"])} for program in programs}
    for run in run_rtl(programs, designs, counts, folder / "simulation", STALLS):
        for program in programs:
            assert run[program.top].words == wanted[program.top].words, program.source


@pytest.mark.parametrize("clock_mhz", [200.0, 450.0])
def test_words_are_those_of_the_cpp(clock_mhz: float, tmp_path: Path) -> None:
    """Inputs that keep the promise, which bare distances allow to be short; loops before and behind without one."""
    programs = []
    for name, (update, behind) in BODIES.items():
        programs.append(Program(name, _source(name, update, behind, FALSE), {"in": _words(ROUNDS)}, calls=2))
    for distance in (2, 3):
        name, promise = f"distance_{distance}", f"variable=bins inter distance={distance} true"
        source = _source(name, *BODIES["loops"], promise)
        programs.append(Program(name, source, {"in": _words(distance - 1)}, calls=2))
    bound = "\n#pragma HLS BIND_STORAGE variable=bins type=ram_2p impl=bram"
    source = _source("block_ram", *BODIES["loops"], FALSE, bound)
    programs.append(Program("block_ram", source, {"in": _words(ROUNDS)}, calls=2))
    _compare(programs, clock_mhz, tmp_path)


def test_same_source_same_files(tmp_path: Path) -> None:
    """Also where a promise is about several memories, each of which is checked."""
    source = """void lanes_process(hls::stream<ap_uint<32>>& in, hls::stream<ap_uint<32>>& out) {
  static ap_uint<32> bins[8][64];
#pragma HLS ARRAY_PARTITION variable=bins complete dim=1
  for (int i = 0; i < 64; ++i) {
#pragma HLS PIPELINE II = 1
#pragma HLS DEPENDENCE variable=bins inter false
    const ap_uint<32> x = in.read();
    ap_uint<32> changed = 0;
    for (int lane = 0; lane < 8; ++lane) {
#pragma HLS UNROLL
      const ap_uint<32> old = bins[lane][x >> 3 & 63];
      if ((x & 7) == lane) bins[lane][x >> 3 & 63] = changed = old * old * (x ^ old) + 1;
    }
    out.write(changed);
  }
}
void lanes(hls::stream<ap_uint<32>>& in, hls::stream<ap_uint<32>>& out) { lanes_process(in, out); }
"""
    program = Program("lanes", source, {})
    texts = []
    for number in range(2):
        design = compile_programs([program], tmp_path / f"{number}", 200.0)["lanes"]
        texts.append([path.read_text() for path in design.files])
    assert texts[0] == texts[1]
    assert "".join(texts[0]).count("DEPENDENCE is not kept") == 8


def _report(folder: Path, update: str, behind: str, promise: str, head: str = "") -> Report:
    path = folder / "top.cpp"
    head_lines = '#include "ap_int.h"\n#include "hls_stream.h"\n'
    path.write_text(head_lines + _source("top", update, behind, promise, head))
    return compile_with_report(path, "top", [], None, 200.0)[1]


def test_design_has_the_clocks_of_steps(tmp_path: Path) -> None:
    """The loop's step follows itself in the next clock, and another one when its words are written."""
    path = tmp_path / "top.cpp"
    path.write_text('#include "ap_int.h"\n#include "hls_stream.h"\n' + _source("top", *BODIES["loops"], FALSE))
    design = compile_cpp(path, "top", [], tmp_path / "rtl", clock_mhz=200.0)
    line = next(number for number, item in enumerate(path.read_text().splitlines(), start=1) if "// updates" in item)
    step = next(step for step in design.processes[0].steps if step.line == line)
    assert step.repeat == 1 and step.interval > 2
    assert design.processes[0].steps[0].name == "ENTRY" and design.processes[0].steps[0].interval == 1


def _interval(report: Report) -> int | None:
    """II of the loop with the promise."""
    return next(loop.ii_reached for loop in report.loops if loop.ii_asked == 1)


def test_the_promise_decides_the_interval(tmp_path: Path) -> None:
    """Without it the loop waits for its words; with it a word a clock; with a distance as many as that needs."""
    without = _report(tmp_path, *BODIES["loops"], "")
    clocks = _interval(without)
    assert clocks is not None and clocks > 2 and len(without.misses) == 1
    for promise in WAYS:
        report = _report(tmp_path, *BODIES["loops"], promise)
        assert (_interval(report), report.misses) == (1, []), promise
        first, _, last = (loop.ii_reached or 0 for loop in report.loops)
        assert report.processes[0].clocks_per_call == 1 + 64 * first + (ROUNDS + clocks - 1) + 64 * last
    for distance in (2, 3, 9):
        report = _report(tmp_path, *BODIES["loops"], f"variable=bins inter distance={distance} true")
        assert _interval(report) == (clocks - 1) // distance + 1
    for promise in ("variable=bins intra false", "variable=bins inter true", "variable=bins inter WAR false"):
        assert _interval(_report(tmp_path, *BODIES["loops"], promise)) == clocks, promise
    # A word read behind the loop is read in the step of its last iteration: nobody has promised anything about it.
    assert _interval(_report(tmp_path, UPDATE, "out.write(bins[5] * 3);", FALSE)) == clocks
    bound = "\n#pragma HLS BIND_STORAGE variable=bins type=ram_2p impl=bram"
    assert _interval(_report(tmp_path, *BODIES["loops"], FALSE, bound)) == 1


def test_a_word_behind_the_loop(tmp_path: Path) -> None:
    """It runs in the step of the last iteration, and finds what all of them have written."""
    source = _source("behind", UPDATE, "out.write(bins[5] * 3);", FALSE)
    _compare([Program("behind", source, {"in": _words(0)}, calls=2)], 200.0, tmp_path)


@pytest.mark.parametrize("promise", [FALSE, "variable=bins inter distance=9 true"])
def test_a_broken_promise_is_found(promise: str, tmp_path: Path) -> None:
    """Two neighbouring iterations at one address: simulation stops with the pragma's line."""
    words = _words(ROUNDS)
    words[7] = words[6]
    program = Program("broken", _source("broken", *BODIES["loops"], promise), {"in": words}, calls=2)
    designs = compile_programs([program], tmp_path / "rtl", 200.0)
    text = (tmp_path / "rtl" / "broken.cpp").read_text().splitlines()
    line = next(number for number, item in enumerate(text, start=1) if "DEPENDENCE" in item)
    with pytest.raises(BuildError, match=rf"broken\.cpp:{line}: DEPENDENCE is not kept"):
        run_rtl([program], designs, {"broken": {"out": 200}}, tmp_path / "simulation", (40,))


@pytest.mark.parametrize(
    ("promise", "message"),
    [
        ("variable=bines inter false", "there is no variable 'bines'"),
        ("variable=bins inter distance=0 true", "distance is a number of 1 or more, not '0'"),
    ],
)
def test_refusals(promise: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "top.cpp"
    path.write_text('#include "ap_int.h"\n#include "hls_stream.h"\n' + _source("top", *BODIES["loops"], promise))
    with pytest.raises(CompileError, match=message) as caught:
        compile_cpp(path, "top", [], tmp_path / "rtl", clock_mhz=200.0)
    assert path.read_text().splitlines()[caught.value.line - 1] == f"#pragma HLS DEPENDENCE {promise}"
