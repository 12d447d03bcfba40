"""The timing contract of docs/rtl.md, clock by clock."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from tests.rtl.simulation import Outcome, Program, compile_programs, run_rtl

Word = "ap_uint<16>"


def _process(name: str, body: str, helpers: str = "") -> str:
    return f"""#include <cstring>
{helpers}
void {name}_process(hls::stream<{Word}>& in, hls::stream<{Word}>& out) {{
{body}
}}
void {name}(hls::stream<{Word}>& in, hls::stream<{Word}>& out) {{
#pragma HLS DATAFLOW
  {name}_process(in, out);
}}
"""


# name: (body of a process that reads once and writes once per call, clocks per call for the inputs 0, 1, 2, ...)
SINGLE = {
    "straight": ("out.write(in.read() + 1);", [1, 1, 1, 1]),
    "constant_loop": (
        f"{Word} x = in.read(); for (int i = 0; i < 5; ++i) x += i * 3; out.write(x);",
        [1 + 5] * 4,
    ),
    "variable_loop": (
        f"const {Word} n = in.read(); {Word} sum = 0; for ({Word} i = 0; i < n; ++i) sum += i; out.write(sum);",
        [1, 1 + 1, 1 + 2, 1 + 3],
    ),
    "while_true": (
        f"const {Word} n = in.read(); {Word} i = 0; while (true) {{ if (i == n) break; ++i; }} out.write(i);",
        [1 + 1, 1 + 2, 1 + 3, 1 + 4],
    ),
    "do_while": (
        f"const {Word} n = in.read(); {Word} i = 0; do {{ ++i; }} while (i < n); out.write(i);",
        [1 + 1, 1 + 1, 1 + 2, 1 + 3],
    ),
    "two_loops": (
        f"{Word} x = in.read(); for (int i = 0; i < 3; ++i) x += i; for (int j = 0; j < 4; ++j) x ^= j; out.write(x);",
        [1 + 3 + 4] * 4,
    ),
    "nested": (
        f"{Word} x = in.read(); for (int i = 0; i < 3; ++i) for (int j = 0; j < 4; ++j) x += i * j; out.write(x);",
        [1 + 3 * (1 + 4)] * 4,
    ),
    "nested_variable": (
        f"const {Word} n = in.read(); {Word} x = 0;"
        "for (int i = 0; i < 3; ++i) { x += 1; for (int j = 0; j < n; ++j) x += j; } out.write(x);",
        [1 + 3, 1 + 3 * 2, 1 + 3 * 3, 1 + 3 * 4],
    ),
    "memcpy": (
        f"{Word} a[8], b[8]; const {Word} n = in.read(); for (int i = 0; i < 8; ++i) a[i] = n + i;"
        f"memcpy(b, a, sizeof(b)); memcpy(a + 1, b, n * sizeof({Word})); out.write(a[n & 7]);",
        [1 + 8 + 8, 1 + 8 + 8 + 1, 1 + 8 + 8 + 2, 1 + 8 + 8 + 3],
    ),
    "unrolled": (
        f"{Word} x = in.read(); for (int i = 0; i < 8; ++i) {{\n#pragma HLS UNROLL\nx += i * x;\n}} out.write(x);",
        [1] * 4,
    ),
    "unrolled_inside": (
        f"{Word} x = in.read(); for (int i = 0; i < 3; ++i) {{ for (int j = 0; j < 4; ++j) {{\n#pragma HLS UNROLL\n"
        "x += i * j;\n} } out.write(x);",
        [1 + 3] * 4,
    ),
    "loop_around_unrolled_break": (
        f"const {Word} n = in.read(); {Word} x = 0; for (int i = 0; i < 6; ++i) {{ if (i == n) break; x += i; }}"
        "out.write(x);",
        [1 + 1, 1 + 2, 1 + 3, 1 + 4],
    ),
    "continued": (
        f"const {Word} n = in.read(); {Word} x = 0; for (int i = 0; i < 4; ++i) {{ if (i == n) continue; x += i; }}"
        "out.write(x);",
        [1 + 4] * 4,
    ),
    "memory": (
        f"static {Word} a[16]; {Word} x = in.read(); for (int i = 0; i < 16; ++i) a[i] = x + i;"
        f"{Word} y = 0; for (int i = 0; i < 16; ++i) y += a[i]; out.write(y);",
        [1 + 16 + 16] * 4,
    ),
    "both_branches": (
        f"const {Word} n = in.read(); {Word} x = n;"
        "if (n == 1) { for (int i = 0; i < 5; ++i) x += i; } else { for (int i = 0; i < 2; ++i) x -= i; }"
        "out.write(x);",
        [1 + 2, 1 + 5, 1 + 2, 1 + 2],
    ),
}

# Several reads or writes per call: clocks from each output word to the next.
SEVERAL = {
    # A second touch of a stream in one step starts a step of its own.
    "two_writes": (f"const {Word} x = in.read(); out.write(x); out.write(x + 1);", [0, 1, 2], [1, 1, 1, 1, 1]),
    "two_reads": (f"const {Word} x = in.read(); out.write(x + in.read());", [0, 1, 2, 3, 4, 5], [2, 2]),
    # The cut before the second access stands whether the first was made or not.
    "maybe_two_writes": (
        f"const {Word} x = in.read(); if (x != 1) out.write(x); out.write(x + 100);",
        [0, 1, 2],
        [1, 2, 1, 1],
    ),
    "stream_loop": (
        f"const {Word} n = in.read(); for ({Word} i = 0; i < n; ++i) out.write(i);",
        [3, 2, 0, 1],
        [1, 1, 2, 1, 3],
    ),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """All designs, simulated without pauses."""
    folder = tmp_path_factory.mktemp("timing")
    programs = [Program(name, _process(name, body), {"in": [0, 1, 2, 3]}) for name, (body, _) in SINGLE.items()]
    programs += [Program(name, _process(name, body), {"in": words}) for name, (body, words, _) in SEVERAL.items()]
    expected = {name: {"out": 4} for name in SINGLE} | {
        name: {"out": len(gaps) + 1} for name, (_, _, gaps) in SEVERAL.items()
    }
    designs = compile_programs(programs, folder / "rtl")
    return run_rtl(programs, designs, expected, folder / "simulation")[0]


@pytest.mark.parametrize("name", SINGLE)
def test_clocks_of_a_call(name: str, outcomes: dict[str, Outcome]) -> None:
    """With input waiting and room for output, calls follow each other without a gap."""
    clocks = outcomes[name].clocks["out"]
    assert len(clocks) == 4
    assert [after - before for before, after in pairwise(clocks)] == SINGLE[name][1][1:]


@pytest.mark.parametrize("name", SEVERAL)
def test_clocks_between_words(name: str, outcomes: dict[str, Outcome]) -> None:
    """Where a call touches a stream more than once."""
    clocks = outcomes[name].clocks["out"]
    assert [after - before for before, after in pairwise(clocks)] == SEVERAL[name][2]


def test_latency_from_port_to_port(outcomes: dict[str, Outcome]) -> None:
    """A word takes one clock into the input FIFO, one through a one-step process, and is then at the output."""
    assert outcomes["straight"].clocks["out"][0] == 2


def test_fifo_is_registered_both_ways(tmp_path: Path) -> None:
    """A full FIFO frees a place one clock after a read: depth 1 passes a word every other clock, depth 2 each."""
    programs = []
    for depth in (1, 2):
        name = f"depth{depth}"
        source = f"""
void {name}_a(hls::stream<{Word}>& in, hls::stream<{Word}>& out) {{ out.write(in.read()); }}
template <int N> void {name}_b(hls::stream<{Word}>& in, hls::stream<{Word}>& out) {{ out.write(in.read()); }}
void {name}(hls::stream<{Word}>& in, hls::stream<{Word}>& out) {{
  hls::stream<{Word}, {depth}> middle("middle");
  {name}_a(in, middle);
  {name}_b<0>(middle, out);
}}
"""
        programs.append(Program(name, source, {"in": list(range(12))}))
    designs = compile_programs(programs, tmp_path / "rtl")
    result = run_rtl(programs, designs, {p.top: {"out": 12} for p in programs}, tmp_path / "simulation")[0]
    for depth, gap in ((1, 2), (2, 1)):
        clocks = result[f"depth{depth}"].clocks["out"]
        assert [after - before for before, after in pairwise(clocks)] == [gap] * 11
        assert result[f"depth{depth}"].words["out"] == list(range(12))
