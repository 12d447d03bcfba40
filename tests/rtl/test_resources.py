"""The compiler's estimate: each kind of logic by hand, and beside what Yosys makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtl import compile_with_report, delays
from rtl.shifters import Shifter
from rtl.synthesis import find_yosys, synthesise


@pytest.mark.parametrize(
    ("shifter", "luts"),
    [
        (Shifter(False, False, 4, 4, [1, 2]), 4),  # one of four a LUT
        (Shifter(False, False, 16, 1, [1, 2, 4, 8]), 5),  # one of sixteen: four of four, and one of these
        (Shifter(True, False, 8, 128, [8, 16, 32, 64]), 128),  # a byte in a wide word: each bit one LUT
        (Shifter(False, False, 128, 8, [8, 16, 32, 64]), 40),  # a byte of a wide word
        (Shifter(False, True, 4, 4, [1, 2]), 3),  # the sign stays
        (Shifter(True, False, 1, 64, [17, 34]), 4),  # most places are never reached
    ],
)
def test_a_shifter_is_what_can_reach_each_bit(shifter: Shifter, luts: int) -> None:
    assert shifter.luts() == luts


def test_comparisons_take_three_bits_of_each_a_place() -> None:
    """Five where the other number is a constant, or has only its sign there; one LUT while six inputs suffice."""
    assert [delays.comparison_luts(width, width) for width in (1, 3, 4, 12, 32)] == [1, 1, 4, 8, 22]
    assert [delays.comparison_luts(0, width) for width in (6, 16, 50)] == [1, 8, 20]
    assert delays.comparison_luts(9, 51) == 24


_PROCESSES = {
    "clock_enable": "if (x > 7) kept = x * 3; out.write(kept);",
    "reset": "kept = x > 1000 ? ap_uint<32>(0) : ap_uint<32>(kept + x); out.write(kept);",
    "both_ways": "const bool less = x < kept; kept = less ? ap_uint<32>(kept ^ x) : x; out.write(less || x == 3);",
    "chosen_summand": "kept += x[0] ? y : ap_uint<32>(y >> 9); out.write(kept);",
    "lane": "out.write(((ap_uint<64>(x) << 32 | y) >> (ap_uint<3>(x) * 8)) & 255);",
    "product_with_a_number": "out.write(ap_int<18>(x) * 12345);",
    "single_bits": "out.write(((x >> 3) & 1) != 0 && ((y >> 17) & 1) == 0 ? x : y);",
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A region of all processes, each with two inputs."""
    lines = ['#include "ap_int.h"', '#include "hls_stream.h"', "typedef hls::stream<ap_uint<32>> Words;"]
    for name, body in _PROCESSES.items():
        lines.append(
            f"void {name}(Words& first, Words& second, Words& out) {{\n  static ap_uint<32> kept = 0;\n"
            f"  const ap_uint<32> x = first.read(), y = second.read();\n  {body}\n}}"
        )
    ports = ", ".join(f"Words& {name}_{port}" for name in _PROCESSES for port in ("x", "y", "out"))
    lines += [f"void top({ports}) {{", "#pragma HLS DATAFLOW"]
    lines += [f"  {name}({name}_x, {name}_y, {name}_out);" for name in _PROCESSES]
    path = tmp_path_factory.mktemp("resources") / "top.cpp"
    path.write_text("\n".join([*lines, "}"]) + "\n")
    return path


def test_the_estimate_is_near_what_yosys_finds(source: Path, tmp_path: Path) -> None:
    """Within 30 % of LUTs and registers, or the handful of LUTs of the handshake; DSP slices exactly."""
    design, report = compile_with_report(source, "top", [], tmp_path / "rtl", 200.0)
    rows = {row.function: row for row in synthesise(design, report, find_yosys(), tmp_path / "modules").modules}
    for name in _PROCESSES:
        found, estimate = rows[name].each, rows[name].estimate
        assert estimate.lut == pytest.approx(found.lut, rel=0.3, abs=8), name
        assert estimate.ff == pytest.approx(found.ff, rel=0.3, abs=3), name
        assert estimate.dsp == found.dsp, name


def test_branches_within_branches_become_a_tree_of_choices(tmp_path: Path) -> None:
    """One of 16 streams by the bits of its number: 5 LUTs a bit at best, a chain of choices takes 14."""

    def chosen(low: int, count: int) -> str:
        half = count // 2
        if not half:
            return f"in{low}.read()"
        return f"(place[{half.bit_length() - 1}] ? {chosen(low + half, half)} : {chosen(low, half)})"

    names = ", ".join(f"in{number}" for number in range(16))
    words = ", ".join(f"Words& in{number}" for number in range(16))
    path = tmp_path / "top.cpp"
    path.write_text(
        '#include "ap_int.h"\n#include "hls_stream.h"\ntypedef hls::stream<ap_uint<64>> Words;\n'
        f"void choose(hls::stream<ap_uint<4>>& places, {words}, Words& out) {{\n"
        f"  const ap_uint<4> place = places.read();\n  out.write({chosen(0, 16)});\n}}\n"
        f"void top(hls::stream<ap_uint<4>>& places, {words}, Words& out) {{\n"
        f"#pragma HLS DATAFLOW\n  choose(places, {names}, out);\n}}\n"
    )
    design, report = compile_with_report(path, "top", [], tmp_path / "rtl", 200.0)
    (row,) = (row for row in synthesise(design, report, find_yosys(), tmp_path / "modules").modules if row.function)
    assert row.each.lut < 64 * 10
    assert row.estimate.lut == pytest.approx(row.each.lut, rel=0.3)
