"""Pipelined processes: the same words as without a clock, under pauses, at one step a clock."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtl import Design, compile_with_report
from tests.rtl.simulation import Program, compile_programs, random_words, run_cpp, run_rtl

CLOCKS = (200.0, 500.0)  # MHz; the second one cuts nearly everywhere
STALLS = (0, 40, 75)


def _process(name: str, body: str, top_body: str = "") -> str:
    return (
        f"void {name}_process(hls::stream<ap_uint<32>>& in, hls::stream<ap_uint<32>>& out) {{\n{body}\n}}\n"
        f"void {name}(hls::stream<ap_uint<32>>& in, hls::stream<ap_uint<32>>& out) {{\n"
        f"#pragma HLS DATAFLOW\n{top_body or f'  {name}_process(in, out);'}\n}}\n"
    )


# What each element's home stage is for; every program reads 60 words a call and takes several stages at 200 MHz.
BODIES = {
    # A product before a sum that keeps its own value: the product goes ahead, the sum stays in one clock.
    "accumulate": """
  ap_uint<32> sum = 0;
  for (int i = 0; i < 60; ++i) {
    const ap_uint<32> x = in.read();
    sum += x * x * (x ^ 77);
    out.write(sum);
  }""",
    # Read, change and write of one word of a memory, neighbouring iterations at the same address.
    "histogram": """
  ap_uint<32> bins[8];
  for (int i = 0; i < 8; ++i) bins[i] = i;
  for (int i = 0; i < 60; ++i) {
    const ap_uint<32> x = in.read();
    const ap_uint<32> where = (x * x * 5) >> 29;
    bins[where & 7] += x * 3;
    out.write(bins[where & 7]);
  }
  for (int i = 0; i < 8; ++i) out.write(bins[i]);""",
    # A register that a late step writes and an early one of the next call reads.
    "carry": """
  static ap_uint<32> kept = 3;
  const ap_uint<32> first = in.read();
  for (int i = 0; i < 59; ++i) {
    const ap_uint<32> x = in.read() + kept;
    out.write(x * x * first);
    if (i == 58) kept = x * x * x * first;
  }""",
    # Whether there is another iteration hangs on a product.
    "early_exit": """
  ap_uint<32> count = 0;
  ap_uint<32> x = 1;
  while (count < 60) {
    x = in.read();
    ++count;
    if (((x * x) & 15) == 9) { out.write(x * count * 13); continue; }
    out.write(count);
  }""",
    # A memory of one word that is written at an address: the two products are equal, which the compiler cannot know.
    "one_word": """
  ap_uint<32> words[4];
  for (int i = 0; i < 30; ++i) {
    const ap_uint<32> x = in.read();
    const ap_uint<32> a = (x + 1) * (x + 6), b = x * x + 7 * x + 6;
    words[4 * ap_uint<16>(a - b)] = x;
  }
  for (int i = 0; i < 30; ++i) out.write(in.read() * words[0]);""",
    # A recurrence that takes longer than a clock: the next step has to wait.
    "square": """
  ap_uint<32> kept = 1;
  for (int i = 0; i < 60; ++i) {
    kept = kept * kept * 3 + in.read();
    kept += (kept >> 7) * 5;
    out.write(kept);
  }""",
    # The same through a memory, at addresses that hang on what was read.
    "chase": """
  ap_uint<32> table[8];
  ap_uint<32> at = 1;
  for (int i = 0; i < 8; ++i) table[i] = i * 3 + 1;
  for (int i = 0; i < 60; ++i) {
    const ap_uint<32> found = table[at & 7] * table[(at >> 3) & 7];
    table[ap_uint<32>(found * found) >> 29] = found * 5 + i;
    at = found * 3 + in.read();
    out.write(at);
  }""",
    # The same through the loop's exit.
    "slow_exit": """
  for (int i = 0; i < 4; ++i) {
    ap_uint<32> x = in.read();
    int count = 0;
    while ((x & 31) != 3 && count < 14) {
      x = x * x * 7 + in.read();
      ++count;
      out.write(x);
    }
    for (int left = count; left < 14; ++left) out.write(in.read() * x);
  }""",
    # An array that every iteration writes and reads, elsewhere and where it has just written.
    "delay_line": """
  ap_uint<32> line[300];
  for (int i = 0; i < 300; ++i) line[i] = i;
  ap_uint<9> at = 0;
  for (int i = 0; i < 60; ++i) {
    const ap_uint<32> x = in.read();
    line[at] = x * x;
    at = at == 299 ? ap_uint<9>(0) : ap_uint<9>(at + 1);
    const ap_uint<9> where = (x & 1) ? at : ap_uint<9>(i);
    out.write(line[where] + line[(x >> 5) & 255] * 3);
  }""",
    # One array in three loops, read at one address, at two, and behind a condition; a table of constants.
    "passes": """
  static const ap_uint<16> table[128] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4, 6};
  static ap_uint<32> words[128];
  for (int i = 0; i < 60; ++i) words[(i * 37) & 127] = in.read() * table[i & 31];
  for (int i = 0; i < 128; ++i) out.write(words[i] + words[127 - i] * table[words[i] & 127]);
  for (int i = 0; i < 128; ++i) {
    if (i & 1) words[i] = words[i] + 5;
    else words[i] = i;
  }
  for (int i = 0; i < 128; i += 3) {
    if (i & 4) out.write(words[i]);
  }""",
    # A stream that is only written sometimes, and when hangs on late logic.
    "seldom": """
  for (int i = 0; i < 60; ++i) {
    const ap_uint<32> x = in.read();
    const ap_uint<32> y = x * x * x * 11;
    if (y & 4) out.write(y * x);
  }
  out.write(5);""",
}


ARRAYS = ("histogram", "chase", "delay_line", "passes")


def _text(design: Design) -> str:
    return "".join(path.read_text() for path in design.files)


def _bodies() -> list[Program]:
    return [
        Program(name, _process(name, body), {"in": random_words(number, 120, 32)}, calls=2)
        for number, (name, body) in enumerate(BODIES.items())
    ]


@pytest.mark.parametrize("storage", ["by size", "block RAM"])
@pytest.mark.parametrize("clock_mhz", CLOCKS)
def test_words_are_those_of_the_cpp(
    clock_mhz: float, storage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every word of the bodies above, without pauses and with random ones; test_random_programs.py has more."""
    if storage == "block RAM":  # whatever is not written twice in a clock
        monkeypatch.setattr("rtl.pipeline.worth_block_ram", lambda memory, circular: True)
    programs = _bodies()
    designs = compile_programs(programs, tmp_path / "rtl", clock_mhz)
    assert all(any(item.stages > 1 for item in designs[name].processes) for name in BODIES)
    in_block_ram = {name for name in BODIES if 'ram_style = "block"' in _text(designs[name])}
    assert in_block_ram == ({"delay_line"} if storage == "by size" else set(ARRAYS)), in_block_ram
    wanted = run_cpp(programs, designs, tmp_path / "cpp")
    counts = {program.top: {"out": len(wanted[program.top].words["out"])} for program in programs}
    runs = run_rtl(programs, designs, counts, tmp_path / "simulation", STALLS)
    for run in runs:
        for program in programs:
            assert run[program.top].words == wanted[program.top].words, program.source


def test_one_word_a_clock(tmp_path: Path) -> None:
    """However many stages: a loop takes a clock an iteration, and the next loop begins before the stages are empty."""
    loops = "\n".join(
        f"  for (int i = 0; i < 20; ++i) {{ const ap_uint<32> x = in.read(); out.write(x * x * (x + {number})); }}"
        for number in range(3)
    )
    program = Program("three_loops", _process("three_loops", loops), {"in": random_words(9, 60, 32)})
    clocks = {}
    for clock_mhz in (None, 200.0):
        designs = compile_programs([program], tmp_path / f"rtl_{clock_mhz}", clock_mhz)
        counts = {"three_loops": {"out": 60}}
        run = run_rtl([program], designs, counts, tmp_path / f"simulation_{clock_mhz}")[0]["three_loops"]
        stages = designs["three_loops"].processes[0].stages
        clocks[stages] = run.clocks["out"]
    (one, plain), (many, pipelined) = sorted(clocks.items())
    assert (one, many > 1) == (1, True)
    assert pipelined == [clock + many - 1 for clock in plain]


def test_a_slow_recurrence_takes_its_clocks(tmp_path: Path) -> None:
    """What is computed from itself through two products: a word every so many clocks as the report says."""
    body = "#pragma HLS PIPELINE II = 3\n    x = x * x * x + in.read();\n    out.write(x);"
    loop = f"  for (int i = 0; i < 20; ++i) {{\n{body}\n  }}"
    source = _process("slow_loop", f"  ap_uint<32> x = 5;\n{loop}")
    program = Program("slow_loop", source, {"in": random_words(3, 20, 32)})
    designs = compile_programs([program], tmp_path / "rtl", 200.0)
    run = run_rtl([program], designs, {"slow_loop": {"out": 20}}, tmp_path / "simulation")[0]["slow_loop"]
    report = compile_with_report(tmp_path / "rtl" / "slow_loop.cpp", "slow_loop", [], None, 200.0)[1]
    interval = report.loops[0].ii_reached
    assert interval is not None and interval > 1 and report.misses == []
    assert f"recurrence through 'x': {interval} clocks" in report.loops[0].limits
    clocks = run.clocks["out"]
    assert [after - before for before, after in zip(clocks, clocks[1:], strict=False)] == [interval] * 19
