"""Which loop a pragma means: the one around it, in the functions in which clang compiles its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtl import compile_with_report

HEAD = '#include "ap_int.h"\n#include "hls_stream.h"\ntypedef ap_uint<16> Word;\ntypedef hls::stream<Word> Stream;\n'
TOP = "void top(Stream& in, Stream& out) {\n#pragma HLS DATAFLOW\n  process(in, out);\n}\n"


def _process(*body: str) -> str:
    return "void process(Stream& in, Stream& out) {\n" + "\n".join(body) + "\n}\n" + TOP


_UNROLLED = "for (int k = 0; k < 3; ++k) {\n#pragma HLS UNROLL\nx += k * x;\n}"
_READ = "Word n = in.read(), x = n;"

# name: (source after HEAD; of each loop that is left the trips, the factor and the II asked)
PLACES = {
    "in_a_discarded_branch": (
        "template <bool Wide> void run(Word n, Word& x) {\nfor (int i = 0; i < n; ++i) {\n"
        f"if constexpr (Wide) {{\n{_UNROLLED}\n}} else {{\nx ^= i;\n}}\n}}\n}}\n"
        + _process(_READ, "run<false>(n, x);", "out.write(x);"),
        [(None, 1, None)],
    ),
    "in_a_case_that_a_constant_rules_out": (
        _process(
            _READ,
            f"while (x > 3) {{\nswitch (2) {{\ncase 1:\n{{\n{_UNROLLED}\n}}\ndefault: x -= 3;\n}}\n}}",
            "out.write(x);",
        ),
        [(None, 1, None)],
    ),
    "in_a_branch_of_one_instance": (
        "template <bool Wide> Word run(Word x) {\nfor (int i = 0; i < 5; ++i) {\n"
        "if constexpr (Wide) {\n#pragma HLS UNROLL factor=2\n}\nx += i * x;\n}\nreturn x;\n}\n"
        + _process(_READ, "out.write(run<false>(n) + run<true>(x));"),
        [(5, 1, None), (3, 2, None)],
    ),
    "in_a_template_that_nobody_instantiates": (
        _process(_READ, "for (int i = 0; i < n; ++i) {\nx += i * x;\n}", "out.write(x);").replace(
            "void top", "template <int N> void nobody(Stream& in) {\n#pragma HLS PIPELINE II=1\nin.read();\n}\nvoid top"
        ),
        [(None, 1, None)],
    ),
    "for_another_loop_of_the_line": (
        "#define TWICE(body) for (int i = 0; i < n; ++i) { x += i * x; } for (int i = 0; i < 2; ++i) { body }\n"
        + _process(_READ, 'TWICE(_Pragma("HLS PIPELINE II=3") x += 5 * i * x;)', "out.write(x);"),
        [(None, 1, None), (2, 1, 3)],
    ),
    "without_braces": (
        _process(_READ, "for (int i = 0; i < 4; ++i)\n#pragma HLS UNROLL\nx += i * x;", "out.write(x);"),
        [],
    ),
    "before_an_else": (
        _process(
            _READ,
            "for (int i = 0; i < n; ++i) {\nif (x[3]) x += 3;\n#pragma HLS PIPELINE II=7\nelse x += 4;",
            _UNROLLED,
            "}",
            "out.write(x);",
        ),
        [(None, 1, 7)],
    ),
    "among_members": (
        "struct Sum {\n#pragma HLS PIPELINE II=1\nWord x;\n#pragma HLS UNROLL\n"
        f"void add(Word n) {{\nfor (int i = 0; i < n; ++i) {{\n#pragma HLS PIPELINE II=9\n{_UNROLLED}\n}}\n}}\n}};\n"
        + _process("Sum sum = {in.read()};", "sum.add(5);", "out.write(sum.x);"),
        [(5, 1, 9)],
    ),
    "in_a_lambda": (
        _process(
            _READ,
            "for (int i = 0; i < n; ++i) {",
            "auto step = [&](int y) {\n#pragma HLS PIPELINE II=5\nx += y * x;\n};",
            "step(i);\n}",
            "out.write(x);",
        ),
        [(None, 1, 5)],
    ),
    "in_a_constant_expression": (
        "constexpr int sum(int n) {\nint all = 0;\nfor (int i = 0; i < n; ++i) {\n#pragma HLS UNROLL\nall += i;\n}\n"
        "return all;\n}\n" + _process("ap_uint<sum(5)> x = in.read();", "out.write(x);"),
        [],
    ),
}


@pytest.mark.parametrize("name", PLACES)
def test_the_loop_around_it_is_meant(name: str, tmp_path: Path) -> None:
    """Wherever a pragma stands, and whether a statement can stand there or not."""
    text, wanted = PLACES[name]
    source = tmp_path / "design.cpp"
    source.write_text(HEAD + text)
    report = compile_with_report(source, "top", [], None, 100.0)[1]
    assert [(loop.trip_count, loop.unrolled_by, loop.ii_asked) for loop in report.loops] == wanted
    assert [process.ii_asked for process in report.processes] == [None]


def test_a_promise_in_a_discarded_branch_is_none(tmp_path: Path) -> None:
    """The loop around it is not taken to be promised anything."""
    text = (
        "template <bool Apart> void run(Stream& in, Stream& out) {\nstatic ap_uint<32> bins[2048];\n"
        "for (int i = 0; i < 9; ++i) {\nif constexpr (Apart) {\n#pragma HLS DEPENDENCE variable=bins inter false\n}\n"
        "const Word x = in.read();\n#pragma HLS BIND_STORAGE variable=bins impl=bram\n"
        "const ap_uint<32> old = bins[x & 2047];\nbins[x & 2047] = old * old * 7 + x;\nout.write(old);\n}\n}\n"
        "void top(Stream& in, Stream& out) {\n#pragma HLS DATAFLOW\n  run<APART>(in, out);\n}\n"
    )
    source = tmp_path / "design.cpp"
    source.write_text(HEAD + text)
    intervals = []
    for apart in ("false", "true"):
        defines = {"APART": apart}
        report = compile_with_report(source, "top", [], None, 300.0, defines=defines)[1]
        intervals.append(report.loops[0].ii_reached)
    assert intervals[0] != 1 and intervals[1] == 1


def test_a_file_by_a_relative_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pragma that no statement can stand for is told from the others there too."""
    text = "struct Members {\n#pragma HLS UNROLL\nint x;\n};\n" + PLACES["in_a_case_that_a_constant_rules_out"][0]
    (tmp_path / "design.cpp").write_text(HEAD + text)
    monkeypatch.chdir(tmp_path)
    assert len(compile_with_report(Path("design.cpp"), "top", [], None, 100.0)[1].loops) == 1
