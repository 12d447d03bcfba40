"""What the compiler cannot take is refused with its file and line, and nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtl import CompileError, compile_cpp
from tests.rtl.refusals import check_refused

HEAD = '#include "ap_int.h"\n#include "hls_stream.h"\ntypedef ap_uint<16> Word;\ntypedef hls::stream<Word> Stream;\n'
TOP = "void top(Stream& in, Stream& out) {\n#pragma HLS DATAFLOW\n  process(in, out);\n}\n"


def _process(*body: str) -> str:
    return "void process(Stream& in, Stream& out) {\n" + "\n".join(body) + "\n}\n" + TOP


# name: (source after HEAD, line in the file, part of the message)
REFUSED = {
    "syntax": (_process("out.write(in.read())"), 6, "expected ';'"),
    "read_nb": (_process("Word x;", "in.read_nb(x);", "out.write(x);"), 7, "non-blocking"),
    "empty": (_process("if (!in.empty()) out.write(in.read());"), 6, "non-blocking"),
    "unroll_by_a_name": (
        _process(
            "Word x = in.read();",
            "for (int i = 0; i < 8; ++i) {",
            "#pragma HLS UNROLL factor=kTwo",
            "x += i;",
            "}",
            "out.write(x);",
        ),
        8,
        "undeclared identifier 'kTwo'",
    ),
    "unroll_by_a_variable": (
        _process(
            "int x = in.read();",
            "for (int i = 0; i < 8; ++i) {",
            "#pragma HLS UNROLL factor=x",
            "x += i;",
            "}",
            "out.write(x);",
        ),
        8,
        "no constant",
    ),
    "unroll_by_a_name_without_braces": (
        _process(
            "constexpr int kTwo = 2;",
            "for (int i = 0; i < 8; ++i)",
            "#pragma HLS UNROLL factor=kTwo",
            "out.write(in.read());",
        ),
        8,
        "set braces",
    ),
    "intervals_of_templates": (
        "template <int N> int sum(int x) {\nfor (int i = 0; i < x; ++i) {\n#pragma HLS PIPELINE II=N\nx -= i;\n}\n"
        "return x;\n}\n" + _process("out.write(sum<2>(in.read()) + sum<3>(in.read()));"),
        7,
        "different instances",
    ),
    "unroll_of_unknown_count": (
        _process(
            "Word n = in.read(), x = 0;",
            "for (int i = 0; i < n; ++i) {",
            "#pragma HLS UNROLL",
            "x += i * x;",
            "}",
            "out.write(x);",
        ),
        7,
        "cannot be unrolled",
    ),
    "stream_pragma": (
        _process("#pragma HLS STREAM variable=in depth=4", "out.write(in.read());"),
        6,
        "template argument",
    ),
    "unknown_pragma": (_process("#pragma HLS CACHE", "out.write(in.read());"), 6, "CACHE"),
    "floating_point": (_process("float f = in.read().to_int();", "out.write(int(f * 1.5f));"), 6, "floating point"),
    "mixed_division": (_process("ap_int<8> a = in.read();", "out.write(Word(5) / a);"), 7, "divided"),
    "array_set_at_once": (
        _process(
            "Word a[64];",
            "__builtin_memset((void*)a, 0, sizeof(a));",
            "Word x = in.read();",
            "a[x & 63] = x;",
            "out.write(a[(x >> 8) & 63]);",
        ),
        7,
        "whole array",
    ),
    "array_copied_with_its_structure": (
        "struct Lines { unsigned short a[64], b[64]; };\n"
        + _process(
            "static Lines x, y;",
            "Word w = in.read();",
            "x.a[w & 63] = w.to_uint();",
            "y = x;",
            "out.write(y.a[(w >> 8) & 63]);",
        ),
        10,
        "whole array",
    ),
    "arrays_of_different_elements_in_a_structure": (
        "struct Both { unsigned char a[4]; int b[32]; };\n"
        + _process(
            "static Both both;",
            "const unsigned w = in.read().to_uint();",
            "both.a[w & 3] = w;",
            "both.b[w >> 2 & 7] += w;",
            "out.write(both.a[w >> 5 & 3] + both.b[w >> 8 & 7]);",
        ),
        9,
        "give each part an array of its own",
    ),
    "array_copied_that_is_taken_apart": (
        _process(
            "static Word a[2][3][4], b[2][3][4];",
            "#pragma HLS ARRAY_PARTITION variable=a dim=2 complete",
            "Word w = in.read();",
            "a[0][1][2] = w; a[1][w & 1][3] = w;",
            "__builtin_memcpy((void*)b[0], (void*)a[0], sizeof(b[0]));",
            "out.write(b[0][1][2] + a[1][w & 1][3]);",
        ),
        10,
        "whole array",
    ),
    "memcpy_of_a_part": (
        "#include <cstring>\n"
        + _process(
            "Word a[8], b[8];",
            "int x = in.read();",
            "memcpy(a, b, 8 * sizeof(Word));",
            "memcpy(a, b, x);",
            "out.write(a[x & 7]);",
        ),
        10,
        "multiple of the elements'",
    ),
    "memcpy_of_another_type": (
        "#include <cstring>\n"
        + _process("int b = in.read();", "unsigned a;", "memcpy(&a, &b, sizeof(a));", "out.write(a);"),
        9,
        "elements of one type",
    ),
    "recursion": (
        "int depth(int n) { return n < 1 ? 0 : 1 + 2 * depth(n / 2) * depth(n - 1); }\n"
        + _process("out.write(depth(in.read().to_int()));"),
        7,
        "recursion",
    ),
    "no_body": ("int elsewhere(int);\n" + _process("out.write(elsewhere(in.read().to_int()));"), 7, "no body"),
    "stream_chosen_at_run_time": (
        "void process(Stream& in, Stream (&many)[2]) {\nWord x = in.read();\nmany[x & 1].write(x);\n}\n"
        "void last(Stream& a, Stream& b, Stream& out) { out.write(a.read() + b.read()); }\n"
        "void top(Stream& in, Stream& out) {\nStream s[2];\nprocess(in, s);\nlast(s[0], s[1], out);\n}\n",
        7,
        "chosen at run time",
    ),
    "two_producers": (
        "void process(Stream& in, Stream& out) { out.write(in.read()); }\n"
        "void top(Stream& in, Stream& in2, Stream& out) {\nStream s;\n"
        "process(in, s);\nprocess(in2, s);\nprocess(s, out);\n}\n",
        9,
        "written by two",
    ),
    "no_consumer": (
        "void process(Stream& in, Stream& s, Stream& out) { Word x = in.read(); s.write(x); out.write(x); }\n"
        "void top(Stream& in, Stream& out) {\nStream s;\nprocess(in, s, out);\n}\n",
        8,
        "never read",
    ),
    "read_and_written": (_process("Word x = in.read();", "in.write(x);", "out.write(x);"), 7, "both read and written"),
    "logic_in_top": (
        "void process(Stream& in, Stream& out) { out.write(in.read()); }\n"
        "void top(Stream& in, Stream& out) {\nStream s;\nprocess(in, s);\nout.write(s.read());\n}\n",
        9,
        "only calls",
    ),
    "value_argument": (
        "void process(Stream& in, Stream& out, int n) { out.write(in.read() + n); }\n"
        "void top(Stream& in, Stream& out) {\nprocess(in, out, 3);\n}\n",
        5,
        "streams only",
    ),
    "static_in_two_instances": (
        "void process(Stream& in, Stream& out) { static Word n = 0; n += in.read(); out.write(n); }\n"
        "void top(Stream& in, Stream& out) {\nStream s;\nprocess(in, s);\nprocess(s, out);\n}\n",
        9,
        "static variable",
    ),
    "shared_variable": (
        "Word shared[8];\n"
        "void a(Stream& in, Stream& out) { Word x = in.read(); shared[x & 7] = x; out.write(x); }\n"
        "void b(Stream& in, Stream& out) { Word x = in.read(); out.write(shared[x & 7]); }\n"
        "void top(Stream& in, Stream& out) {\nStream s;\na(in, s);\nb(s, out);\n}\n",
        7,
        "share nothing",
    ),
    "stream_inside_a_process": (
        _process("static Stream s;", "s.write(in.read());", "out.write(s.read());"),
        7,
        "stream inside a process",
    ),
    "process_calls_process": (
        "void inner(Stream& in, Stream& out) { out.write(in.read()); }\n"
        "void outer(Stream& in, Stream& out) {\ninner(in, out);\n}\n"
        "void top(Stream& in, Stream& out) {\nStream s;\nouter(in, s);\ninner(s, out);\n}\n",
        7,
        "only the top function",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_file_and_line(name: str, tmp_path: Path) -> None:
    """The error names the place, and no output appears."""
    text, line, message = REFUSED[name]
    check_refused(HEAD + text, line, message, tmp_path)


def test_missing_top(tmp_path: Path) -> None:
    """A top function that is not there."""
    source = tmp_path / "design.cpp"
    source.write_text(HEAD + _process("out.write(in.read());"))
    with pytest.raises(CompileError, match="'nothing' is not defined"):
        compile_cpp(source, "nothing", [], tmp_path / "out")


def test_an_earlier_output_survives_a_refusal(tmp_path: Path) -> None:
    """The output folder is replaced only by a complete design."""
    source = tmp_path / "design.cpp"
    source.write_text(HEAD + _process("out.write(in.read());"))
    compile_cpp(source, "top", [], tmp_path / "out")
    before = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    source.write_text(HEAD + _process("out.write(in.read())"))
    with pytest.raises(CompileError):
        compile_cpp(source, "top", [], tmp_path / "out")
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == before
