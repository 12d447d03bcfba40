"""What arrays become: by size, by pragmas, by the ports that they need; and what cannot be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtl import CompileError, compile_with_report
from rtl.report import ArrayReport

HEAD = '#include "ap_int.h"\n#include "hls_stream.h"\ntypedef ap_uint<18> Word;\ntypedef hls::stream<Word> Stream;\n'
TOP = "void top(Stream& in, Stream& out) {\n#pragma HLS DATAFLOW\n  process(in, out);\n}\n"
# Written in one loop, read in another, at `reads` places an iteration.
PASSES = """void process(Stream& in, Stream& out) {{
  {declaration}
  for (int i = 0; i < {words}; ++i) words[i] = in.read();
  for (int i = 0; i < {words}; ++i) out.write({reads});
}}
"""


def compiled(source: str, folder: Path) -> tuple[dict[str, ArrayReport], str]:
    """The arrays by name, and the process' SystemVerilog."""
    (folder / "top.cpp").write_text(HEAD + source + TOP)
    design, report = compile_with_report(folder / "top.cpp", "top", [], folder / "out", 200.0)
    text = next(path for path in design.files if path.name == "top_process.sv").read_text()
    return {array.name: array for array in report.arrays}, text


def passes(words: int, pragma: str = "", reads: str = "words[i]") -> str:
    declaration = f"Word words[{words}];\n{f'#pragma HLS {pragma}' if pragma else ''}"
    return PASSES.format(declaration=declaration, words=words, reads=reads)


@pytest.mark.parametrize(
    ("words", "pragma", "storage", "block_rams", "ultra_rams"),
    [
        (64, "", "LUT RAM", 0, 0),
        (512, "", "block RAM", 0.5, 0),
        (1025, "", "block RAM", 1, 0),  # 2 of 2,048 x 9
        (512, "BIND_STORAGE variable=words type=ram_2p impl=lutram", "LUT RAM", 0, 0),
        (16, "BIND_STORAGE variable = words impl = BRAM", "block RAM", 0.5, 0),
        (512, "bind_storage variable=words type=ram_s2p impl=uram latency=1", "Ultra RAM", 0, 1),
        (512, "ARRAY_PARTITION variable=words complete", "registers", 0, 0),
        (512, "ARRAY_PARTITION variable=words type=complete dim=0", "registers", 0, 0),
        (512, "ARRAY_PARTITION variable=words cyclic factor=2", "block RAM", 0.5, 0),
        (512, "BIND_STORAGE variable=others impl=lutram", "block RAM", 0.5, 0),
    ],
)
def test_by_size_and_pragma(
    words: int, pragma: str, storage: str, block_rams: float, ultra_rams: int, tmp_path: Path
) -> None:
    array = compiled(passes(words, pragma), tmp_path)[0]["words"]
    assert (array.storage, array.block_rams, array.ultra_rams) == (storage, block_rams, ultra_rams)
    assert (array.words, array.bits, array.read_ports, array.write_ports) == (words, 18, 1, 1)


def test_dimensions_that_are_taken_apart(tmp_path: Path) -> None:
    """One of two gives two memories with a port each for writes; all of them registers."""
    source = PASSES.format(
        declaration="Word lines[2][512], words[1];\n#pragma HLS ARRAY_PARTITION variable=lines complete dim={dim}",
        words=512,
        reads="lines[0][511 - i] ^ lines[1][i]",
    ).replace("words[i] = in.read()", "lines[i & 1][i] = in.read()")
    arrays, text = compiled(source.replace("{dim}", "1"), tmp_path)
    for name in ("lines_0", "lines_1"):
        found = arrays[name]
        assert (found.storage, found.words, found.read_ports, found.write_ports) == ("block RAM", 512, 1, 1)
        assert f"logic [17:0] {name}[0:511];" in text
    assert compiled(source.replace("{dim}", "0"), tmp_path)[0]["lines"].storage == "registers"


def test_a_port_for_every_read_of_a_clock(tmp_path: Path) -> None:
    """Two addresses at once take two copies; two loops that read one address each share a port."""
    array, text = compiled(passes(512, reads="words[i] + words[511 - i]"), tmp_path)
    assert (array["words"].read_ports, array["words"].block_rams) == (2, 1.0)
    again = "  for (int i = 0; i < 512; ++i) out.write(words[(i * 5) & 511] ^ 3);\n}\n"
    array, text = compiled(passes(512).rstrip()[:-1] + again, tmp_path)
    assert array["words"].read_ports == 1 and text.count("words_word <= words[words_ra]") == 1
    assert '(* ram_style = "block" *) logic [17:0] words[0:511];' in text


def test_what_is_read_back_within_a_clock_stays_in_luts_unless_it_is_large(tmp_path: Path) -> None:
    """A word that is counted up would take two clocks in block RAM."""
    source = """void process(Stream& in, Stream& out) {{
  static Word words[{words}];
  for (int i = 0; i < 100; ++i) {{
#pragma HLS PIPELINE II = {interval}
    const Word x = in.read();
    words[x % {words}] += x;
    out.write(words[x % {words}]);
  }}
}}
"""
    small = compiled(source.format(words=1024, interval=1), tmp_path)[0]["words"]
    large = compiled(source.format(words=16384, interval=2), tmp_path)[0]["words"]
    assert (small.storage, large.storage, large.block_rams) == ("LUT RAM", "block RAM", 8)


def test_a_table_of_constants(tmp_path: Path) -> None:
    """Constants become a ROM, read through as many copies as there are places that read it."""
    table = f"static const Word words[512] = {{{', '.join(str(i * i) for i in range(512))}}};"
    source = f"void process(Stream& in, Stream& out) {{\n  {table}\n  out.write(words[in.read() & 511]);\n}}\n"
    array, text = compiled(source, tmp_path)
    assert (array["words"].storage, array["words"].write_ports) == ("block ROM", 0)
    assert "words[17] = 18'h121;" in text


def test_pragmas_hold_in_their_own_function(tmp_path: Path) -> None:
    """Another process' array of the same name is not meant."""
    other = passes(512, "BIND_STORAGE variable=words impl=lutram").replace("process", "other")
    (tmp_path / "top.cpp").write_text(
        HEAD
        + other
        + passes(512)
        + "void top(Stream& in, Stream& out) {\n  Stream middle;\n  other(in, middle);\n  process(middle, out);\n}\n"
    )
    report = compile_with_report(tmp_path / "top.cpp", "top", [], None, 200.0)[1]
    assert [(array.process, array.storage) for array in report.arrays] == [
        ("other", "LUT RAM"),
        ("process", "block RAM"),
    ]


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        (passes(512, "BIND_STORAGE variable=words impl=tape"), 7, "impl=tape is none of auto, bram"),
        (
            passes(512, "BIND_STORAGE variable=words impl=bram").replace("= in.read();", "= in.read(), words[0] = i;"),
            8,
            "'words' is written twice in a clock, and a block RAM has one port for writes here",
        ),
        (
            PASSES.format(
                declaration="static Word words[4] = {1, 2};\n#pragma HLS BIND_STORAGE variable=words impl=uram",
                words=4,
                reads="words[i]",
            ),
            7,
            "'words' has initial values, which UltraRAM cannot hold",
        ),
        (
            passes(512, "ARRAY_PARTITION variable=words complete dim=3")
            .replace("words[512]", "words[512][2]")
            .replace("words[i]", "words[i][i & 1]"),
            7,
            "no dimension 3",
        ),
    ],
)
def test_what_cannot_be_had_is_refused(source: str, line: int, message: str, tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="top.cpp") as caught:
        compiled(source, tmp_path)
    assert message in str(caught.value) and f"top.cpp:{line}:" in str(caught.value)
    assert not (tmp_path / "out").exists()
