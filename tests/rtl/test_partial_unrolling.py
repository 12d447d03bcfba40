"""UNROLL with a factor: the words of the C++, and a clock for every so many iterations."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from rtl import CompileError, Report, compile_cpp, compile_with_report
from rtl.cuts import cut_at_loops
from rtl.ir import Block, Branch, Function, Instruction, Place
from rtl.report_table import print_report
from tests.rtl.simulation import Outcome, Program, compile_programs, run_cpp, run_rtl

WORD = "ap_uint<16>"
INPUTS = list(range(10))
CLOCKS = {"": None, "_200": 200.0}  # suffix of the top's name: MHz


def _ceil(number: int, factor: int) -> int:
    return -(-number // factor)


def _factor(number: int | str) -> str:
    return f"\n#pragma HLS UNROLL factor={number}\n"


_SUM = f"""
static {WORD} sum_below({WORD} n) {{
  {WORD} sum = 0;
  for ({WORD} i = 0; i < n; ++i) {{{_factor(3)}
    if (sum > 500) return sum;
    sum += i * 9;
  }}
  return sum;
}}
"""
_TEMPLATE = f"""
template <int N> {WORD} twice({WORD} x) {{
  for (int i = 0; i < N; ++i) {{
#pragma HLS UNROLL skip_exit_check factor = 2
    x = x * 5 + i;
  }}
  return x;
}}
"""
_FACTORS = f"""
#define SIDE_BY_SIDE 4
#define PRAGMA(text) _Pragma(#text)
#define UNROLLED(factor_) PRAGMA(HLS UNROLL factor = factor_)
struct Sizes {{ static constexpr int kTwo = 2; }};
template <int N> {WORD} by_factor({WORD} x) {{
  constexpr int kFactor = N > 2 ? 4 : Sizes::kTwo;
  for (int i = 0; i < 7; ++i) {{
#pragma HLS UNROLL factor=kFactor
    x = x * 5 + i;
  }}
  return x;
}}
template <typename T> void nobody_calls(T& x) {{
  for (int i = 0; i < 7; ++i) {{
#pragma HLS UNROLL factor=T::missing
    x += i;
  }}
}}
"""

# name: (body of a process that reads n, once, and writes x, once; clocks of a call; functions)
BODIES = {
    "even": (f"for (int i = 0; i < 8; ++i) {{{_factor(4)} x += i * n; }}", lambda n: 1 + 2, ""),
    "odd": (f"for (int i = 0; i < 10; ++i) {{{_factor(4)} x = x * 3 + i; }}", lambda n: 1 + 3, ""),
    "factor_above_trips": (f"for (int i = 0; i < 3; ++i) {{{_factor(8)} x += i; }}", lambda n: 1 + 1, ""),
    "factor_of_one": (f"for (int i = 0; i < 3; ++i) {{{_factor(1)} x += i; }}", lambda n: 1 + 3, ""),
    "variable": (f"for (int i = 0; i < n; ++i) {{{_factor(3)} x = x * 7 + i; }}", lambda n: 1 + _ceil(n, 3), ""),
    "break_out": (
        f"for (int i = 0; i < 20; ++i) {{{_factor(4)} if (i == n) break; x += i; }}",
        lambda n: 1 + _ceil(n + 1, 4),
        "",
    ),
    "continued": (
        f"int i = 0; while (i < n) {{{_factor(2)} ++i; if (x[0] && i % 3) {{ x += 3; continue; }} x = x * 2 + i; }}",
        lambda n: 1 + _ceil(n, 2),
        "",
    ),
    "do_while": (
        f"int i = 0; do {{{_factor(3)} ++i; x = x * 3 + i; }} while (i < n);",
        lambda n: 1 + _ceil(max(n, 1), 3),
        "",
    ),
    "while_true": (
        f"int i = 0; while (true) {{{_factor(4)} if (i == n) break; ++i; x = x * 3 + i; }}",
        lambda n: 1 + _ceil(n + 1, 4),
        "",
    ),
    "two_conditions": (
        f"for (int i = 0; i < 9 && i < n; ++i) {{{_factor(4)} x = x * 3 + i; }}",
        lambda n: 1 + _ceil(min(n, 9), 4),
        "",
    ),
    "outer_loop": (
        f"for (int i = 0; i < 5; ++i) {{{_factor(2)} for (int j = 0; j < n; ++j) x = x * 3 + i + j; }}",
        lambda n: 1 + _ceil(5, 2) + 5 * n,
        "",
    ),
    "inner_loop": (
        f"for (int i = 0; i < 3; ++i) for (int j = 0; j < n; ++j) {{{_factor(2)} x = x * 3 + i + j; }}",
        lambda n: 1 + 3 * (1 + _ceil(n, 2)),
        "",
    ),
    "both_loops": (
        f"for (int i = 0; i < 3; ++i) {{{_factor(2)} for (int j = 0; j < n; ++j) {{{_factor(4)} x += x + i * j; }} }}",
        lambda n: 1 + 2 + 3 * _ceil(n, 4),
        "",
    ),
    "memory": (
        f"static {WORD} a[16]; for (int i = 0; i < 16; ++i) {{{_factor(4)} a[i] = x + i * i; }}\n"
        f"for (int i = 0; i < n; ++i) {{{_factor(2)} a[i + 1] += a[i]; }}\n"
        f"for (int i = 0; i < 13; ++i) {{{_factor(5)} x ^= a[i] << (i & 3); }}",
        lambda n: 1 + 4 + _ceil(n, 2) + 3,
        "",
    ),
    "left_by_return": ("x = sum_below(n);", lambda n: 1 + _ceil(n, 3), _SUM),
    "used_twice": (
        "x = sum_below(n) + sum_below(n >> 1);",
        lambda n: 1 + _ceil(n, 3) + _ceil(n // 2, 3),
        _SUM,
    ),
    "templates": ("x = twice<3>(n) + twice<6>(x);", lambda n: 1 + 2 + 3, _TEMPLATE),
    "factor_of_a_template": ("x = by_factor<2>(n) + by_factor<3>(x);", lambda n: 1 + 4 + 2, _FACTORS),
    "factor_by_name": (
        f"for (int i = 0; i < 8; ++i) {{{_factor('Sizes::kTwo')} x += i * n; }}\n"
        f"for (int i = 0; i < 8; ++i) {{{_factor('SIDE_BY_SIDE')} x += i * n; }}\n"
        f"for (int i = 0; i < 8; ++i) {{{_factor('(SIDE_BY_SIDE+0x4)')} x += i * n; }}\n"
        "auto more = [&](int y) {\n"
        "constexpr int kThree = 3; for (int i = 0; i < 9; ++i) {\n#pragma HLS UNROLL factor = kThree\nx += y; } };\n"
        "more(3);",
        lambda n: 1 + 4 + 2 + 1 + 3,
        _FACTORS,
    ),
    "pragma_in_a_macro": (
        "for (int i = 0; i < 8; ++i) { UNROLLED(SIDE_BY_SIDE) x += i * n; }",
        lambda n: 1 + 2,
        _FACTORS,
    ),
    "pragma_that_clang_does_not_see": (
        f"for (int i = 0; i < 8; ++i) {{\n#if 0{_factor(4)}#pragma HLS NONSENSE\n#endif\n"
        f"/*{_factor(2)}*/ x += i * n; }}",
        lambda n: 1 + 8,
        "",
    ),
    "pragma_over_two_lines": (
        "for (int i = 0; i < 8; ++i) {\n#pragma HLS UNROLL \\\n  factor=4 // of 8\nx += i * n; }",
        lambda n: 1 + 2,
        "",
    ),
}


def _program(name: str, suffix: str) -> Program:
    body, _, functions = BODIES[name]
    top = f"{name}{suffix}"
    ports = f"hls::stream<{WORD}>& in, hls::stream<{WORD}>& out"
    source = f"""namespace {top}_ {{
{functions}
void process({ports}) {{
const {WORD} n = in.read();
{WORD} x = n;
{body}
out.write(x);
}}
}}
void {top}({ports}) {{
#pragma HLS DATAFLOW
  {top}_::process(in, out);
}}
"""
    return Program(top, source, {"in": INPUTS}, calls=len(INPUTS))


_WRITES = f"""
void writes_process(hls::stream<{WORD}>& in, hls::stream<{WORD}>& out) {{
  const {WORD} n = in.read();
  for ({WORD} i = 0; i < n; ++i) {{{_factor(2)} out.write(n * 16 + i); }}
}}
void writes(hls::stream<{WORD}>& in, hls::stream<{WORD}>& out) {{
#pragma HLS DATAFLOW
  writes_process(in, out);
}}
"""


Results = tuple[dict[str, Outcome], list[dict[str, Outcome]]]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """What the C++ gives, and the hardware without and with pauses."""
    folder = tmp_path_factory.mktemp("partial")
    programs, designs = [], {}
    for suffix, clock_mhz in CLOCKS.items():
        some = [_program(name, suffix) for name in BODIES]
        designs |= compile_programs(some, folder / f"rtl{suffix}", clock_mhz)
        programs += some
    writes = [Program("writes", _WRITES, {"in": [5, 4, 0, 1]}, calls=4)]
    designs |= compile_programs(writes, folder / "rtl_writes")
    programs += writes
    wanted = run_cpp(programs, designs, folder / "cpp")
    counts = {top: {"out": len(outcome.words["out"])} for top, outcome in wanted.items()}
    return wanted, run_rtl(programs, designs, counts, folder / "simulation", (0, 50))


@pytest.mark.parametrize("suffix", CLOCKS)
@pytest.mark.parametrize("name", BODIES)
def test_words_and_clocks(name: str, suffix: str, results: Results) -> None:
    """Numbers of iterations that the factor does not divide, bounds set at run time, all ways out of a loop."""
    wanted, runs = results
    assert len(wanted[name + suffix].words["out"]) == len(INPUTS)
    for run in runs:
        assert run[name + suffix].words == wanted[name + suffix].words
    clocks = runs[0][name + suffix].clocks["out"]
    gaps = [after - before for before, after in pairwise(clocks)]
    if suffix == "":
        assert gaps == [BODIES[name][1](n) for n in INPUTS[1:]]


def test_a_stream_is_touched_once_a_clock(results: Results) -> None:
    """Side by side or not: each word takes its clock, and the call's entry one."""
    wanted, runs = results
    assert all(run["writes"].words == wanted["writes"].words for run in runs)
    clocks = runs[0]["writes"].clocks["out"]
    assert [after - before for before, after in pairwise(clocks)] == [1, 1, 1, 1, 2, 1, 1, 1, 3]


def _report_of(pragma: str, tmp_path: Path) -> Report:
    source = tmp_path / "top.cpp"
    pragmas = f"#pragma HLS PIPELINE II = 1\n#pragma HLS UNROLL {pragma}\n"
    loop = f"  for (int i = 0; i < 10; ++i) {{\n{pragmas}    x += i;\n  }}"
    ports = f"hls::stream<{WORD}>& in, hls::stream<{WORD}>& out"
    source.write_text(
        f'#include "ap_int.h"\n#include "hls_stream.h"\nvoid process({ports}) {{\n  {WORD} x = in.read();\n{loop}\n'
        f"  out.write(x);\n}}\nvoid top({ports}) {{ process(in, out); }}\n"
    )
    return compile_with_report(source, "top", [], None, 200.0)[1]


@pytest.mark.parametrize(("pragma", "trips", "factor"), [("factor = 3", 4, 3), ("off", 10, 1)])
def test_report_counts_steps(
    pragma: str, trips: int, factor: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten iterations, three at a time, are four trips; the table says so."""
    report = _report_of(pragma, tmp_path)
    assert [(loop.trip_count, loop.unrolled_by) for loop in report.loops] == [(trips, factor)]
    print_report(report)
    assert ("by 3" in capsys.readouterr().out) == (factor == 3)


@pytest.mark.parametrize("factor", ["=0", "=N", "=-2", ""])
def test_a_factor_is_a_number(factor: str, tmp_path: Path) -> None:
    """Refused with the pragma's line."""
    with pytest.raises(CompileError) as caught:
        _report_of(f"factor{factor}", tmp_path)
    assert caught.value.line == 7 and ("factor" in caught.value.message or "'N'" in caught.value.message)


def test_a_loop_that_llvm_did_not_unroll_is_refused() -> None:
    """An iteration that comes round to itself without a cut would make the clocks wrong."""
    place = Place("file.cpp", 12)
    blocks = [Block("entry", [], Branch(None, []), False, place), Block("loop", [], Branch(None, []), False, place)]
    blocks[0].branch.targets.append(blocks[1])
    blocks[1].branch.targets.append(blocks[1])
    blocks[1].instructions.append(Instruction(0, "iteration", [], "", place))
    function = Function("f", "f", place, [], blocks, [])
    with pytest.raises(CompileError) as caught:
        cut_at_loops(function)
    assert caught.value.line == 12 and "unrolled by its factor" in caught.value.message


def test_hardware_does_not_hang_on_a_factor_of_one(tmp_path: Path) -> None:
    """It is as if the pragma were not there."""
    texts = []
    for pragma in ("\n#pragma HLS UNROLL factor=1\n", "\n#pragma HLS UNROLL off\n"):
        folder = tmp_path / str(len(texts))
        folder.mkdir()
        source = _program("even", "").source.replace(_factor(4), pragma)
        (folder / "even.cpp").write_text(f'#include "ap_int.h"\n#include "hls_stream.h"\n{source}')
        texts.append([path.read_text() for path in compile_cpp(folder / "even.cpp", "even", [], folder / "rtl").files])
    assert texts[0] == texts[1]
