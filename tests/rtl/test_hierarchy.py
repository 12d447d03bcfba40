"""Dataflow regions inside dataflow regions, and a top function that is a process itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtl import CompileError, compile_cpp
from tests.rtl.simulation import Outcome, Program, compile_programs, random_words, run_cpp, run_rtl

_DIAMONDS = """
typedef hls::stream<ap_uint<32>> Words;
template <int Times>
void scale(Words& in, Words& out) { out.write(in.read() * Times); }
void split(Words& in, Words (&ways)[2]) {
  const ap_uint<32> x = in.read();
  ways[0].write(x);
  ways[1].write(x ^ 5);
}
void join(Words& a, Words& b, Words& out) { out.write(a.read() * 3 + b.read()); }
template <int Times>
void diamond(Words& in, Words& out) {
#pragma HLS DATAFLOW
  Words ways[2];
  hls::stream<ap_uint<32>, 3> i;
  split(in, ways);
  scale<Times>(ways[0], i);
  join(i, ways[1], out);
}
void halves(Words (&from)[2], Words& left, Words& right) {
#pragma HLS DATAFLOW
  diamond<5>(from[1], right);
  diamond<7>(from[0], left);
}
void nested(Words& in, Words& out) {
#pragma HLS DATAFLOW
  Words ways[2], left, right, last;
  split(in, ways);
  halves(ways, left, right);
  join(left, right, last);
  diamond<5>(last, out);
}
"""

_OWN_LOGIC = """
void own_logic(hls::stream<ap_uint<32>>& in, hls::stream<ap_uint<32>>& out) {
  ap_uint<32> sum = in.read();
  for (int i = 0; i < 4; ++i) sum += in.read() * (i + 1);
  out.write(sum);
}
"""

PROGRAMS = [
    Program("nested", _DIAMONDS, {"in": random_words(1, 40, 32)}, calls=40),
    Program("own_logic", _OWN_LOGIC, {"in": random_words(2, 100, 32)}, calls=20),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Outcome], list[dict[str, Outcome]]]:
    """The C++ programs' words, and the hardware's without and with pauses."""
    folder = tmp_path_factory.mktemp("hierarchy")
    designs = compile_programs(PROGRAMS, folder / "rtl", 200)
    wanted = run_cpp(PROGRAMS, designs, folder / "cpp")
    counts = {program.top: {"out": len(wanted[program.top].words["out"])} for program in PROGRAMS}
    return wanted, run_rtl(PROGRAMS, designs, counts, folder / "simulation", (0, 50))


@pytest.mark.parametrize("name", ["nested", "own_logic"])
def test_rtl_equals_cpp(name: str, results: tuple[dict[str, Outcome], list[dict[str, Outcome]]]) -> None:
    """Same words, same order, with and without pauses."""
    wanted, runs = results
    assert len(wanted[name].words["out"]) in (20, 40)
    for run in runs:
        assert run[name].words == wanted[name].words


def test_names_tell_the_path(tmp_path: Path) -> None:
    """A region inside another is flat in the hardware; names begin with the calls around them, and are unique."""
    design = compile_programs(PROGRAMS[:1], tmp_path)["nested"]
    instances = {process.name: process.module for process in design.processes}
    assert len(instances) == 2 + 3 * 3
    assert instances["halves_diamond_5_scale_5_u"] == instances["diamond_5_scale_5_u"] == "nested_scale_5"
    assert instances["halves_diamond_7_split_u"] == instances["split_u"]
    fifos = {fifo.stream: fifo for fifo in design.fifos}
    assert len({fifo.name for fifo in design.fifos}) == len(fifos) == len(design.fifos)
    inner = fifos["halves_diamond_7.i"]
    assert (inner.name, inner.depth) == ("fifo_halves_diamond_7_i", 3)
    assert (inner.producer, inner.consumer) == ("halves_diamond_7_scale_7_u", "halves_diamond_7_join_u")
    assert fifos["left"].producer == "halves_diamond_7_join_u"
    assert fifos["ways[1]"].consumer == "halves_diamond_5_split_u"


_HEAD = '#include "hls_stream.h"\ntypedef hls::stream<int> S;\nvoid one(S& in, S& out) { out.write(in.read()); }\n'
_HEAD += "void two(S& in, S& out, S& more) { int x = in.read(); out.write(x); more.write(x); }\n"
REFUSED = {
    "never_read_inside": (
        "void inner(S& in, S& out) {\n#pragma HLS DATAFLOW\n  S t;\n  two(in, out, t);\n}\n",
        8,
        "'inner.t'",
    ),
    "logic_inside": (
        "void inner(S& in, S& out) {\n#pragma HLS DATAFLOW\n  S s;\n  one(in, s);\n  out.write(s.read());\n}\n",
        9,
        "only calls",
    ),
    "condition_inside": (
        "void inner(S& in, S& out) {\n#pragma HLS DATAFLOW\n  for (int i = 0; i < in.read(); ++i) one(in, out);\n}\n",
        5,
        "no loops",
    ),
    "calls_itself": (
        "void inner(S& in, S& out) {\n#pragma HLS DATAFLOW\n  S s;\n  one(in, s);\n  inner(s, out);\n}\n",
        5,
        "calls itself",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_file_and_line(name: str, tmp_path: Path) -> None:
    """What a region must not hold."""
    text, line, message = REFUSED[name]
    source = tmp_path / "design.cpp"
    source.write_text(f"{_HEAD}{text}void top(S& in, S& out) {{\n#pragma HLS DATAFLOW\n  inner(in, out);\n}}\n")
    with pytest.raises(CompileError) as caught:
        compile_cpp(source, "top", [], tmp_path / "out")
    assert message in caught.value.message
    assert (caught.value.file, caught.value.line) == (str(source), line)
