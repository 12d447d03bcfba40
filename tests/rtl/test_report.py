"""The timing report: chains operator by operator, loops with II, depth and trip count, and what misses the clock."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from rtl import OptionError, Report, compile_cpp, compile_with_report, delays
from rtl.__main__ import main
from rtl.report import LoopReport, ProcessReport
from tests.rtl.test_timing import SINGLE

HEAD = '#include "ap_int.h"\n#include "hls_stream.h"\ntypedef ap_uint<32> Word;\ntypedef hls::stream<Word> Stream;\n'

# Three processes in a row; the lines of the loops are found by their comments.
DESIGN = (
    HEAD
    + """
void arithmetic(Stream& in, Stream& out) {
  for (int i = 0; i < 10; ++i) {  // arithmetic
#pragma HLS PIPELINE II = 1
    const Word x = in.read();
    const Word y = x + (x >> 9);  // first sum
    const Word z = y + (y >> 3);  // second sum
    const Word product = z * (z ^ x);  // product
    out.write(product);
  }
}
template <int N>
void nested(Stream& in, Stream& out) {
  const Word n = in.read();
  for (int i = 0; i < 3; ++i) {  // outer
    for (int j = 0; j < N; ++j) {  // twice
#pragma HLS PIPELINE
      out.write(n);
      out.write(j);  // second write
    }
  }
  for (Word i = 0; i < n; ++i) {  // variable
#pragma HLS PIPELINE II = 2
    out.write(i);
  }
  for (int i = 0; i < 6; ++i) {  // around
#pragma HLS PIPELINE off
    for (Word j = 0; j < n; ++j) out.write(j);  // unknown
  }
}
void whole(Stream& in, Stream& out) {
#pragma HLS PIPELINE II = 1
  out.write(in.read());
}
void top(Stream& in, Stream& out) {
#pragma HLS DATAFLOW
  Stream first("first"), second("second");
  arithmetic(in, first);
  nested<4>(first, second);
  whole(second, out);
}
"""
)
SMALL = HEAD + (
    "void process(Stream& in, Stream& out) {\n"
    "  for (int i = 0; i < 4; ++i) {\n#pragma HLS PIPELINE II = 1\n    out.write(in.read() + 1);\n  }\n}\n"
    "void top(Stream& in, Stream& out) {\n#pragma HLS DATAFLOW\n  process(in, out);\n}\n"
)


def _line(comment: str) -> int:
    return next(n for n, line in enumerate(DESIGN.splitlines(), start=1) if line.endswith(f"// {comment}"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds design.cpp."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "design.cpp").write_text(DESIGN)
    (folder / "small.cpp").write_text(SMALL)
    return folder


@pytest.fixture(scope="module")
def report(folder: Path) -> Report:
    """The report of design.cpp at 40 MHz, where every step fits into one clock; its files are in `with`."""
    return compile_with_report(folder / "design.cpp", "top", [], folder / "with", 40.0)[1]


@pytest.fixture(scope="module")
def fast(folder: Path) -> Report:
    """The same at 200 MHz."""
    return compile_with_report(folder / "design.cpp", "top", [], None, 200.0)[1]


def _loop(report: Report, comment: str) -> LoopReport:
    return next(loop for loop in report.loops if loop.line == _line(comment))


def _process(report: Report, name: str) -> ProcessReport:
    return next(process for process in report.processes if process.process == name)


def test_a_chain_is_the_sum_of_its_parts(report: Report) -> None:
    """Two dependent sums and a product of 32 bits, between the stream's word and the stream."""
    chain = _loop(report, "arithmetic").chain
    wanted = [
        ("stream word", "", delays.stream_data(2, 32)),
        ("add", "first sum", delays.add(32)),
        ("add", "second sum", delays.add(32)),
        ("logic", "product", delays.logic(2)),
        ("multiply", "product", delays.multiply(32, 32)),
        ("into stream", "", delays.register_setup()),
    ]
    assert [link.operator for link in chain.links] == [operator for operator, _, _ in wanted]
    assert [link.delay_ns for link in chain.links] == pytest.approx([cost.delay_ns for _, _, cost in wanted], abs=1e-3)
    assert chain.delay_ns == pytest.approx(sum(cost.delay_ns for _, _, cost in wanted), abs=1e-3)
    for link, (_, comment, _) in zip(chain.links, wanted, strict=True):
        if comment:
            assert (Path(link.file).name, link.line) == ("design.cpp", _line(comment))


# comment of the loop: II asked, II reached, depth, trip count
LOOPS = {
    "arithmetic": (1, 1, 1, 10),
    "outer": (None, 1 + 4 * 2, 1 + 4 * 2, 3),
    "twice": (1, 2, 2, 4),
    "variable": (2, 1, 1, None),
    "around": (None, None, None, None),  # six times, but what runs inside it varies
    "unknown": (None, 1, 1, None),
}


@pytest.mark.parametrize("comment", LOOPS)
def test_figures_of_loops(comment: str, report: Report) -> None:
    """As docs/rtl.md counts clocks."""
    loop = _loop(report, comment)
    assert (loop.ii_asked, loop.ii_reached, loop.depth, loop.trip_count) == LOOPS[comment]


def test_what_limits_a_loop(report: Report) -> None:
    """A stream that is written twice, a loop inside; each with its line."""
    assert len(report.loops) == len(LOOPS)
    assert _loop(report, "arithmetic").limits == []
    assert f"second write of 'out' at design.cpp:{_line('second write')}" in _loop(report, "twice").limits[0]
    assert f"design.cpp:{_line('unknown')} is not unrolled" in _loop(report, "around").limits[0]
    assert _loop(report, "variable").limits == []


def test_misses_are_named(report: Report, folder: Path) -> None:
    """An II that is not reached; nothing else."""
    assert [miss.split(": ")[0] for miss in report.misses] == [f"{folder / 'design.cpp'}:{_line('twice')}"]
    assert "asks for II = 1 and reaches 2" in report.misses[0]


def test_a_faster_clock_takes_more_stages(report: Report, fast: Report) -> None:
    """What does not fit into 5 ns is spread over clocks: the same II, a greater depth, no chain beyond the clock."""
    assert _process(report, "arithmetic").stages == 1
    loop = _loop(fast, "arithmetic")
    assert (loop.ii_reached, loop.depth) == (1, _process(fast, "arithmetic").stages)
    assert loop.depth is not None and loop.depth > 1
    assert all(chain.delay_ns <= 5.0 for chain in [row.chain for row in fast.processes])
    assert fast.misses == report.misses


def test_a_recurrence_that_is_too_long_is_named(folder: Path) -> None:
    """A sum that depends on itself through a product cannot begin anew in every clock: II, and whose fault it is."""
    body = "Word sum = 1;\n  for (int i = 0; i < 9; ++i) {\n#pragma HLS PIPELINE II = 1\n    sum = sum * sum * 5 + "
    source = HEAD + f"void process(Stream& in, Stream& out) {{\n  {body}in.read();\n    out.write(sum);\n  }}\n}}\n"
    (folder / "square.cpp").write_text(source + "void top(Stream& in, Stream& out) { process(in, out); }\n")
    report = compile_with_report(folder / "square.cpp", "top", [], None, 200.0)[1]
    assert (report.loops[0].ii_asked, report.loops[0].ii_reached, report.loops[0].meets_clock) == (1, 2, True)
    assert report.loops[0].limits == ["recurrence through 'sum': 2 clocks"]
    assert [miss.split(": ", 1)[1] for miss in report.misses] == [
        "the PIPELINE loop of 'process' asks for II = 1 and reaches 2 (recurrence through 'sum': 2 clocks)"
    ]
    assert _process(report, "process").clocks_per_call == 1 + 9 * 2


def test_an_operator_that_is_too_long_misses_the_clock(folder: Path) -> None:
    """What a single DSP slice takes is not taken apart: at 600 MHz it misses the clock, with its line."""
    source = (
        HEAD + "void process(Stream& in, Stream& out) {\n  for (int i = 0; i < 9; ++i) {\n#pragma HLS PIPELINE II = 1\n"
    )
    source += "    const Word x = in.read();\n    out.write((x & 65535) * (x >> 16));\n  }\n}\n"
    (folder / "product.cpp").write_text(source + "void top(Stream& in, Stream& out) { process(in, out); }\n")
    report = compile_with_report(folder / "product.cpp", "top", [], None, 600.0)[1]
    limits = report.loops[0].limits
    assert any(limit.startswith("logic: ") and "multiply at product.cpp:9" in limit for limit in limits)
    assert any("misses 600 MHz" in miss for miss in report.misses)


def test_figures_of_processes(report: Report) -> None:
    """Clocks of a call where they are constant, the function's own PIPELINE, and the slowest process."""
    assert _process(report, "arithmetic").clocks_per_call == 1 + 10
    assert _process(report, "nested<4>").clocks_per_call is None
    whole = _process(report, "whole")
    assert (whole.ii_asked, whole.clocks_per_call, whole.limits) == (1, 1, [])
    assert report.slowest_process == "arithmetic"
    assert report.reached_mhz == _process(report, "arithmetic").chain.clock_mhz < 200


def test_clocks_of_a_call_are_those_of_the_simulation(tmp_path: Path) -> None:
    """The bodies that test_timing simulates, in a row: where their clocks are constant, the report says as many."""
    source = f"#include <string.h>\n{HEAD}"
    for name, (body, _) in SINGLE.items():
        source += f"void {name}(Stream& in, Stream& out) {{\n{body.replace('ap_uint<16>', 'Word')}\n}}\n"
    links = "".join(f"  {name}(s[{number}], s[{number + 1}]);\n" for number, name in enumerate(SINGLE))
    ends = "".join(f"void {name}(Stream& in, Stream& out) {{ out.write(in.read()); }}\n" for name in ("first", "last"))
    source += f"{ends}void top(Stream& in, Stream& out) {{\n  Stream s[{len(SINGLE) + 1}];\n  first(in, s[0]);\n{links}"
    source += f"  last(s[{len(SINGLE)}], out);\n}}\n"
    (tmp_path / "bodies.cpp").write_text(source)
    report = compile_with_report(tmp_path / "bodies.cpp", "top", [], None, 20.0)[1]
    found = {row.process: row.clocks_per_call for row in report.processes}
    for name, (_, clocks) in SINGLE.items():
        wanted = clocks[0] if len(set(clocks)) == 1 else None
        assert found[name] in ({wanted, 1 + 5} if name == "both_branches" else {wanted}), name


def test_a_slow_clock_changes_no_file(report: Report, folder: Path) -> None:
    """With a clock that every step fits into there is one file more, and it is the report."""
    compile_cpp(folder / "design.cpp", "top", [], folder / "without")
    with_clock = {path.name: path.read_text() for path in (folder / "with").iterdir()}
    without = {path.name: path.read_text() for path in (folder / "without").iterdir()}
    assert Report.model_validate_json(with_clock.pop("report.json")) == report
    for texts in (with_clock, without):
        texts.pop("design.json")
    assert with_clock == without


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["rtl", *map(str, arguments)])
    return main()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--clock", "0", "--report"], "0 MHz is no clock"),
        (["--clock", "-200", "--report"], "-200 MHz is no clock"),
        (["--clock", "nan", "--report"], "no clock"),
        (["--clock", "fast", "--report"], "'fast' is no number"),
        (["--report"], "--report needs --clock"),
        (["--relaxed", "-o", "out"], "--relaxed needs --clock"),
        (["--clock", "200"], "-o"),
        ([], "-o"),
    ],
)
def test_options_that_cannot_be(
    options: list[str],
    message: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One sentence and exit code 2."""
    assert _run(monkeypatch, folder / "small.cpp", "--top", "top", *options) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert (captured.out, captured.err.count("\n")) == ("", 1)


def test_no_clock_for_the_library() -> None:
    """The same for a program that calls the compiler."""
    with pytest.raises(OptionError, match="0 MHz is no clock"):
        compile_with_report(Path("small.cpp"), "top", [], None, 0.0)


def test_command(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The table by default, JSON by option; exit code 1 where a loop misses, and only there, unless told not to."""
    call = (folder / "small.cpp", "--top", "top", "--report", "--clock")
    assert _run(monkeypatch, *call, 200) == 0
    assert "slowest chain: process, step LINE_" in capsys.readouterr().out
    assert _run(monkeypatch, *call, 900, "--relaxed") == 0
    assert "MISSED" in capsys.readouterr().out
    assert _run(monkeypatch, *call, 900, "--json") == 1
    captured = capsys.readouterr()
    found = Report.model_validate(json.loads(captured.out))
    assert [("II = 1" in miss, "misses 900 MHz" in miss) for miss in found.misses] == [(True, False), (False, True)]
    assert found.misses[0] in captured.err
    assert not (folder / "out").exists()
