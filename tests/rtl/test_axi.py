"""Kernels with a start, registers and memory, against g++; cocotbext-axi starts them and is their memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rtl import Design, Report, compile_cpp, compile_with_report
from rtl.report_table import print_report
from testbench.rtl.simulator import build_model, lint, run_module
from tests.rtl.axi_kernels import Kernel, Pointer, bench_module, job_of, run_reference
from tests.rtl.refusals import check_refused

_VADD = """
#pragma once
#include "ap_int.h"
void vadd(const ap_uint<32>* a, const ap_uint<32>* b, ap_uint<32>* c, int n) {
#pragma HLS INTERFACE m_axi port = a offset = slave bundle = gmem0 depth = 1024
#pragma HLS INTERFACE m_axi port = b offset = slave bundle = gmem1 depth = 1024
#pragma HLS INTERFACE m_axi port = c offset = slave bundle = gmem2 depth = 1024
#pragma HLS INTERFACE s_axilite port = n
#pragma HLS INTERFACE s_axilite port = return
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II = 1
    c[i] = a[i] + b[i];
  }
}
"""

# Reads whose addresses hang on other reads, on one port with the writes; a number both ways; two register maps.
_GATHER = """
#include "ap_int.h"
void gather(const int* index, const int* table, int* out, int n, int& sum, unsigned* last) {
#pragma HLS INTERFACE m_axi port = index bundle = gmem max_read_burst_length = 4
#pragma HLS INTERFACE m_axi port = table bundle = gmem latency = 9 num_read_outstanding = 2
#pragma HLS INTERFACE m_axi port = out bundle = gmem max_write_burst_length = 8
#pragma HLS INTERFACE s_axilite port = index bundle = data
#pragma HLS INTERFACE s_axilite port = n bundle = data
#pragma HLS INTERFACE s_axilite port = sum bundle = control
#pragma HLS INTERFACE s_axilite port = last bundle = data
#pragma HLS INTERFACE s_axilite port = return bundle = control
  for (int i = 0; i < n; ++i) {
    const int found = table[index[i]];
    if (found & 1) out[i] = found;
    sum += found;
    *last = found ^ i;
  }
}
"""

# Every address hangs on the word before it.
_CHASE = """
#include "ap_int.h"
void chase(const unsigned short* next, int start, int limit, int& steps) {
#pragma HLS INTERFACE m_axi port = next bundle = list
#pragma HLS INTERFACE s_axilite port = start
#pragma HLS INTERFACE s_axilite port = limit
#pragma HLS INTERFACE s_axilite port = steps
#pragma HLS INTERFACE s_axilite port = return
  int at = start, count = 0;
  while (at != 0 && count < limit) {
    at = next[at];
    ++count;
  }
  steps = count * 65536 + at;
}
"""

# Reads and writes of one memory, fields of its elements, in both directions.
_IN_PLACE = """
#include "ap_int.h"
struct Cell { short value; unsigned char kind, hits; };
void in_place(Cell* cells, int n) {
#pragma HLS INTERFACE m_axi port = cells
#pragma HLS INTERFACE s_axilite port = n
#pragma HLS INTERFACE s_axilite port = return
  for (int i = 1; i < n; ++i) {
    cells[i].value += cells[i - 1].value * 3;
    if (cells[i].kind & 1) cells[i].hits = i;
    if (i + 1 < n) cells[i + 1].kind ^= cells[i].hits;
  }
}
"""

# Loads, work and stores as processes, one of them in a region of its own; a number by value of an odd width.
_REGIONS = """
#include "ap_int.h"
#include "hls_stream.h"
typedef hls::stream<ap_uint<64>> Words;
void load_words(const ap_uint<64>* from, Words& out, short n) {
  for (int i = 0; i < n; ++i) out.write(from[i]);
}
void scale_words(Words& in, Words& out, ap_uint<5> factor, short n) {
  for (int i = 0; i < n; ++i) out.write(in.read() * factor + n);
}
void store_words(Words& in, ap_uint<64>* to, short n) {
  for (int i = 0; i < n; ++i) to[n - 1 - i] = in.read();
}
void load_and_scale(const ap_uint<64>* from, Words& out, ap_uint<5> factor, short n) {
#pragma HLS DATAFLOW
  Words read;
  load_words(from, read, n);
  scale_words(read, out, factor, n);
}
void regions(const ap_uint<64>* from, ap_uint<64>* to, ap_uint<5> factor, short n) {
#pragma HLS INTERFACE m_axi port = from bundle = in
#pragma HLS INTERFACE m_axi port = to bundle = out
#pragma HLS INTERFACE s_axilite port = factor bundle = ctrl
#pragma HLS INTERFACE s_axilite port = n bundle = ctrl
#pragma HLS INTERFACE s_axilite port = return bundle = ctrl
#pragma HLS DATAFLOW
  Words scaled;
  load_and_scale(from, scaled, factor, n);
  store_words(scaled, to, n);
}
"""

# Wide words; a block that is copied into an array first; bursts that meet the 4 KiB border; a loop that data ends.
_WIDE = """
#include "ap_int.h"
void wide(const ap_uint<256>* from, ap_uint<256>* to, const int* stop, int blocks) {
#pragma HLS INTERFACE m_axi port = from bundle = big max_read_burst_length = 256
#pragma HLS INTERFACE m_axi port = to bundle = big max_write_burst_length = 256
#pragma HLS INTERFACE m_axi port = stop bundle = small
#pragma HLS INTERFACE s_axilite port = blocks
#pragma HLS INTERFACE s_axilite port = return
  ap_uint<256> block[16];
  for (int k = 0; k < blocks; ++k) {
    if (stop[k] == 5) break;
    for (int i = 0; i < 16; ++i) block[i] = from[16 * k + i];
    for (int i = 0; i < 16; ++i) to[16 * k + i] = block[15 - i] ^ block[i & 3];
  }
}
"""

# Blocks that memcpy brings and takes away; two writers on a port.
_BLOCKS = """
#include <cstring>
#include "ap_int.h"
typedef ap_uint<32> Word;
void blocks(const Word* from, Word* to, Word* also, int count, short n) {
#pragma HLS INTERFACE m_axi port = from bundle = one
#pragma HLS INTERFACE m_axi port = to bundle = two
#pragma HLS INTERFACE m_axi port = also bundle = two
#pragma HLS INTERFACE s_axilite port = count
#pragma HLS INTERFACE s_axilite port = n
#pragma HLS INTERFACE s_axilite port = return
  Word block[4][16], line[64];
  for (int k = 0; k < count; ++k) {
    memcpy(block, from + 64 * k, sizeof(block));
    for (int i = 0; i < 64; ++i) line[63 - i] = block[i & 3][i >> 2] + k;
    std::memcpy(to + 64 * k, line, n * sizeof(Word));
    for (int i = 0; i < n; ++i) also[i + k] = line[i] ^ line[63 - i];
  }
}
"""

# Structures from memory into an array, from element to element, and back.
_RECORDS = """
#include "ap_int.h"
struct Item { unsigned a; unsigned short b[2]; long long c; };
void records(const Item* from, Item* to, int n) {
#pragma HLS INTERFACE m_axi port = from bundle = one
#pragma HLS INTERFACE m_axi port = to bundle = two
#pragma HLS INTERFACE s_axilite port = n
#pragma HLS INTERFACE s_axilite port = return
  Item kept[8];
  for (int i = 0; i < 8; ++i) kept[i] = from[i];
  for (int i = 0; i < n; ++i) {
    kept[i & 7] = from[i + 8];
    if (i & 1) kept[i & 3] = kept[5];
    kept[i & 7].b[1] += 3;
    to[i] = kept[(i + 3) & 7];
  }
}
"""

# No register map: start, numbers and base addresses as wires. Wide numbers; two reads of a pointer in an iteration.
_WIRES = """
#include "ap_int.h"
void wires(const int* a, int* out, ap_uint<100> key, int n, ap_uint<40>& total) {
#pragma HLS INTERFACE m_axi port = a offset = direct bundle = one
#pragma HLS INTERFACE m_axi port = out offset = direct bundle = one
#pragma HLS INTERFACE ap_ctrl_hs port = return
  ap_uint<40> sum = key >> 60;
  for (int i = 0; i < n; ++i) {
    sum += a[2 * i] * a[2 * i + 1];
    out[i] = (key ^ sum).to_uint();
  }
  total = sum;
}
"""

KERNELS = [
    Kernel(
        "vadd",
        _VADD,
        {
            "a": Pointer("ap_uint<32>", 4, 0x0F40, 1024),
            "b": Pointer("ap_uint<32>", 4, 0x2004, 1024),
            "c": Pointer("ap_uint<32>", 4, 0x4FFC, 1024),
            "n": "int",
        },
        [{"n": 1000}, {"n": 0}, {"n": 1}, {"n": 37}],
    ),
    Kernel(
        "gather",
        _GATHER,
        {
            "index": Pointer("int", 4, 0x100, 200, below=300),
            "table": Pointer("int", 4, 0x1000, 300),
            "out": Pointer("int", 4, 0x3000, 200),
            "n": "int",
            "sum": "int&",
            "last": "unsigned*",
        },
        [{"n": 200, "sum": 7}, {"n": 3, "sum": 0}],
    ),
    Kernel(
        "chase",
        _CHASE,
        {"next": Pointer("unsigned short", 2, 0x22, 500, below=500), "start": "int", "limit": "int", "steps": "int&"},
        [{"start": 3, "limit": 60}, {"start": 0, "limit": 9}, {"start": 77, "limit": 20}],
    ),
    Kernel("in_place", _IN_PLACE, {"cells": Pointer("Cell", 4, 0x80, 50), "n": "int"}, [{"n": 50}, {"n": 20}]),
    Kernel(
        "regions",
        _REGIONS,
        {
            "from": Pointer("ap_uint<64>", 8, 0x1008, 200),
            "to": Pointer("ap_uint<64>", 8, 0x4010, 200),
            "factor": "ap_uint<5>",
            "n": "short",
        },
        [{"factor": 29, "n": 200}, {"factor": 3, "n": 0}, {"factor": 2, "n": 11}],
    ),
    Kernel(
        "wide",
        _WIDE,
        {
            "from": Pointer("ap_uint<256>", 32, 0x0F20, 128),
            "to": Pointer("ap_uint<256>", 32, 0x3F60, 128),
            "stop": Pointer("int", 4, 0x10, 8, below=7),
            "blocks": "int",
        },
        [{"blocks": 8}, {"blocks": 1}],
    ),
    Kernel(
        "blocks",
        _BLOCKS,
        {
            "from": Pointer("ap_uint<32>", 4, 0x1F20, 256),
            "to": Pointer("ap_uint<32>", 4, 0x4F60, 256),
            "also": Pointer("ap_uint<32>", 4, 0x6000, 68),
            "count": "int",
            "n": "short",
        },
        [{"count": 4, "n": 64}, {"count": 2, "n": 0}, {"count": 3, "n": 23}],
    ),
    Kernel(
        "records",
        _RECORDS,
        {"from": Pointer("Item", 16, 0x0FF0, 90), "to": Pointer("Item", 16, 0x4F80, 80), "n": "int"},
        [{"n": 80}, {"n": 0}, {"n": 13}],
    ),
    Kernel(
        "wires",
        _WIRES,
        {
            "a": Pointer("int", 4, 0x1F00, 240),
            "out": Pointer("int", 4, 0x4000, 120),
            "key": "ap_uint<100>",
            "n": "int",
            "total": "ap_uint<40>&",
        },
        [{"key": 0xFEDCBA9876543210, "n": 120}, {"key": 5, "n": 0}],
    ),
]
CLOCKS = (None, 200.0)  # MHz; all kernels as they are and pipelined
CASES = [(0, 0.0), (20, 0.0), (5, 0.4), (3, 0.75)]  # clocks until memory answers, share of clocks in which it pauses
Outcome = dict[str, list[dict[str, Any]]]


def _designs(folder: Path, clock_mhz: float | None) -> dict[str, Design]:
    designs = {}
    for kernel in KERNELS:
        source = folder / f"{kernel.top}.cpp"
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(kernel.source)
        designs[kernel.top] = compile_cpp(source, kernel.top, [], folder / kernel.top, clock_mhz=clock_mhz)
    return designs


@pytest.fixture(scope="module", params=CLOCKS)
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, list[tuple[list[int], str]]], list[Outcome]]:
    """What the C++ gives, and what the hardware gives in every case."""
    folder = tmp_path_factory.mktemp("axi")
    designs = _designs(folder / "rtl", request.param)
    files = {path.name: path for design in designs.values() for path in design.files}
    for top, design in designs.items():
        assert lint(design.files, top) == ""
    bench = folder / "bench.sv"
    bench.write_text(bench_module(designs))
    driven = ["latency", *(f"{top}_*" for top in designs)]
    model = build_model([bench, *files.values()], "bench", folder / "model", driven=driven)
    jobs = {kernel.top: job_of(kernel, designs[kernel.top], 1) for kernel in KERNELS}
    found: list[Outcome] = []
    for number, (latency, pauses) in enumerate(CASES):
        job = {"kernels": jobs, "latency": latency, "pauses": pauses, "seed": number}
        result = run_module(model, "tests.rtl.axi_bench", job, folder / f"run_{number}", seed=number + 1)
        found.append(json.loads(json.dumps(result)))
    return run_reference(KERNELS, folder / "cpp", 1), found


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.top)
def test_rtl_equals_cpp(kernel: Kernel, outcomes: tuple[dict[str, list[tuple[list[int], str]]], list[Outcome]]) -> None:
    """Memory and results behind every run, whatever memory's latency and pauses."""
    wanted, found = outcomes
    for outcome in found:
        for run, (results, image) in zip(outcome[kernel.top], wanted[kernel.top], strict=True):
            assert run["results"] == [[value, 1] for value in results]
            assert run["image"] == image


def test_one_word_a_clock(outcomes: tuple[dict[str, list[tuple[list[int], str]]], list[Outcome]]) -> None:
    """Memory's latency costs a loop no clock between its words, as long as it is shorter than `latency`."""
    _, found = outcomes
    for (_, pauses), outcome in zip(CASES, found, strict=True):
        if not pauses:
            assert 1000 < outcome["vadd"][0]["clocks"] < 1000 + 100


_HEAD = '#include "ap_int.h"\n#include "hls_stream.h"\ntypedef hls::stream<int> S;\n'
_RETURN = "#pragma HLS INTERFACE s_axilite port=return\n"
_MEMORY = "#pragma HLS INTERFACE m_axi port=a\n"
_TWO = "void p(int* a, S& s) { a[0] = 1; s.write(1); }\nvoid q(int* a, S& s, S& out) { out.write(a[0] + s.read()); }\n"
_CALLS = "  p(a, s);\n  q(a, s, out);\n}\n"

# name: (source after _HEAD, line in the file, part of the message)
REFUSED = {
    "no_such_parameter": (
        f"void top(int n, S& out) {{\n#pragma HLS INTERFACE s_axilite port=m\n{_RETURN}  out.write(n);\n}}\n",
        5,
        "no parameter 'm'",
    ),
    "array_in_registers": (
        f"void top(int* a, S& out) {{\n#pragma HLS INTERFACE s_axilite port=a\n{_RETURN}"
        "  for (int i = 0; i < 4; ++i) out.write(a[i]);\n}\n",
        7,
        "'a' is an array",
    ),
    "float": (
        f"void top(float f, S& out) {{\n#pragma HLS INTERFACE s_axilite port=f\n{_RETURN}  out.write(f > 2);\n}}\n",
        4,
        "integers",
    ),
    "constant_is_written": (
        f"void top(const int* a, int n) {{\n{_MEMORY}{_RETURN}  ((int*)a)[n] = 1;\n}}\n",
        7,
        "constant elements",
    ),
    "element_of_12_bytes": (
        f"struct T {{ int a, b, c; }};\nvoid top(T* a, int n) {{\n{_MEMORY}{_RETURN}  a[n].b = 1;\n}}\n",
        6,
        "12 bytes",
    ),
    "either_pointer": (
        "void top(int* a, int* b, int n) {\n#pragma HLS INTERFACE m_axi port=b\n"
        f"{_MEMORY}{_RETURN}  int* c = n & 1 ? a : b;\n  c[n] = n;\n}}\n",
        9,
        "chosen at run time",
    ),
    "sizes_in_a_bundle": (
        "void top(int* a, char* b, int n) {\n#pragma HLS INTERFACE m_axi port=b\n"
        f"{_MEMORY}{_RETURN}  a[n] = n;\n  b[n] = n;\n}}\n",
        4,
        "different sizes",
    ),
    "burst_too_long": (
        "void top(int* a, int n) {\n#pragma HLS INTERFACE m_axi port=a max_read_burst_length=300\n"
        f"{_RETURN}  a[n] = n;\n}}\n",
        5,
        "from 1 to 256",
    ),
    "memory_between_processes": (
        f"{_TWO}void top(int* a, S& out) {{\n#pragma HLS DATAFLOW\n{_MEMORY}{_RETURN}  S s;\n{_CALLS}",
        11,
        "used by another",
    ),
    "array_between_processes": (
        f"{_TWO}void top(S& out) {{\n#pragma HLS DATAFLOW\n{_RETURN}  S s;\n  int a[4];\n{_CALLS}",
        11,
        "between processes",
    ),
    "returns": (
        f"int top(int n) {{\n#pragma HLS INTERFACE s_axilite port=n\n{_RETURN}  return n;\n}}\n",
        1,
        "by reference",
    ),
    "memory_without_pragma": ("void top(int* a, S& out) {\n  out.write(a[3]);\n}\n", 5, "m_axi"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_file_and_line(name: str, tmp_path: Path) -> None:
    """The error names the place, and no output appears."""
    text, line, message = REFUSED[name]
    check_refused(_HEAD + text, line, message, tmp_path)


def test_register_map_is_that_of_vitis(tmp_path: Path) -> None:
    """Offsets as in the driver headers that Vitis HLS writes."""
    source = tmp_path / "design.cpp"
    source.write_text(
        _HEAD + "void top(int* a, ap_uint<7> k, int& both, int& back, long n, S& out) {\n"
        f"{_MEMORY}{_RETURN}"
        + "".join(f"#pragma HLS INTERFACE s_axilite port={name}\n" for name in ("k", "both", "back", "n"))
        + "  both += a[n];\n  back = k;\n  out.write(n);\n}\n"
    )
    control = compile_cpp(source, "top", [], tmp_path / "out").control
    assert control is not None and (control.start, control.bundles) == ("registers", ["control"])
    assert [(item.name, item.offset, item.bits, item.direction) for item in control.registers] == [
        ("a", 0x10, 64, "in"),
        ("k", 0x1C, 7, "in"),
        ("both_i", 0x24, 32, "in"),
        ("both_o", 0x2C, 32, "out"),
        ("back", 0x34, 32, "out"),
        ("n", 0x44, 64, "in"),
    ]
    assert [(port.name, port.bits, port.pointers) for port in control.memories] == [("gmem", 32, ["a"])]


_SUMS = """
#include "ap_int.h"
void NAME(int n, int& sum) {
#pragma HLS INTERFACE MODE port = return
CONTROL
  static int kept = 0;
  for (int i = 0; i < n; ++i) kept += i;
  sum = kept;
}
"""
_SUM_REGISTERS = """#pragma HLS INTERFACE s_axilite port = return bundle = control
#pragma HLS INTERFACE s_axilite port = n bundle = data
#pragma HLS INTERFACE s_axilite port = sum bundle = data"""


def test_start_registers(tmp_path: Path) -> None:
    """Interrupts, auto-restart, ap_continue, as registers and as wires; two register maps."""
    designs = {}
    for name, mode, control in [
        ("plain", "ap_ctrl_hs", _SUM_REGISTERS),
        ("chained", "ap_ctrl_chain", _SUM_REGISTERS),
        ("wired", "ap_ctrl_chain", ""),
    ]:
        source = tmp_path / f"{name}.cpp"
        source.write_text(_SUMS.replace("NAME", name).replace("MODE", mode).replace("CONTROL", control))
        designs[name] = compile_cpp(source, name, [], tmp_path / name)
        assert lint(designs[name].files, name) == ""
    described = designs["chained"].control
    assert described is not None and described.chain and described.bundles == ["control", "data"]
    assert [(item.name, item.bundle, item.offset) for item in described.registers] == [
        ("n", "data", 0x10),
        ("sum", "data", 0x18),
    ]
    files = {path.name: path for design in designs.values() for path in design.files}
    bench = tmp_path / "bench.sv"
    bench.write_text(bench_module(designs))
    driven = ["latency", *(f"{top}_*" for top in designs)]
    model = build_model([bench, *files.values()], "bench", tmp_path / "model", driven=driven)
    found = run_module(model, "tests.rtl.axi_control_bench", {}, tmp_path / "run", seed=1)
    assert found == {"plain": "checked", "chained": "checked", "wired": "checked"}


def test_numbers_are_computed_on_the_way(tmp_path: Path) -> None:
    """A region may pass on constants and expressions of its own numbers."""
    source = tmp_path / "design.cpp"
    source.write_text(
        _HEAD + "void p(S& in, S& out, ap_uint<8> k, int m) { out.write(in.read() + k * m); }\n"
        "void top(S& in, S& out, ap_uint<8> k, int m) {\n#pragma HLS DATAFLOW\n"
        "#pragma HLS INTERFACE s_axilite port=k\n#pragma HLS INTERFACE s_axilite port=m\n"
        f"{_RETURN}  S s;\n  p(in, s, k + 1, 3);\n  p(s, out, 7, m * 2);\n}}\n"
    )
    design = compile_cpp(source, "top", [], tmp_path / "out")
    assert lint(design.files, "top") == ""
    assert "{32'd3, arg_k + 8'd1}" in design.files[0].read_text()


def _memory_rows(top: str, folder: Path) -> tuple[Report, list[str]]:
    """The report's rows about memory, each as words; sites as their lines in the C++."""
    source = next(kernel.source for kernel in KERNELS if kernel.top == top)
    (folder / f"{top}.cpp").write_text(source)
    report = compile_with_report(folder / f"{top}.cpp", top, [], None, 200.0)[1]
    lines = source.splitlines()
    rows = []
    for row in report.memory:
        numbers = f"{row.bits} bits, bursts of {row.burst_words}, {row.outstanding} at once, hides {row.hidden_clocks}"
        order = ", in order" if row.in_order else ""
        sites = "; ".join(lines[site.line - 1].strip() for site in row.sites)
        rows.append(f"{row.port} {row.pointer} {row.way}: {numbers}{order}: {sites}")
    return report, rows


def test_memory_in_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row for each access unit, as table and as data: what it makes of the pragma, and the lines that it serves."""
    report, rows = _memory_rows("gather", tmp_path)
    access = "const int found = table[index[i]];"
    assert rows == [
        f"m_axi_gmem index read: 32 bits, bursts of 4, 16 at once, hides 64: {access}",
        f"m_axi_gmem table read: 32 bits, bursts of 16, 2 at once, hides 9: {access}",
        "m_axi_gmem out write: 32 bits, bursts of 8, 16 at once, hides 0: if (found & 1) out[i] = found;",
    ]
    assert Report.model_validate_json(report.model_dump_json()).memory == report.memory
    print_report(report)
    printed = capsys.readouterr().out
    assert "gather: memory" in printed and all(f"gather.cpp:{row.sites[0].line}" in printed for row in report.memory)


def test_memory_that_waits_in_the_report(tmp_path: Path) -> None:
    """Where each access waits for the one before there are no bursts; without memory there are no rows."""
    _, rows = _memory_rows("in_place", tmp_path)
    assert [row.split(": ")[:2] for row in rows] == [
        [f"m_axi_gmem cells {way}", "32 bits, bursts of 1, 16 at once, hides 0, in order"] for way in ("read", "write")
    ]
    assert all(row.count(";") >= 3 for row in rows)
    assert _memory_rows("chase", tmp_path)[1][0].startswith("m_axi_list next read: 16 bits, bursts of 1,")
