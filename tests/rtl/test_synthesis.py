"""What Yosys finds in compiled designs, and the compiler's estimate beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtl import Design, OptionError, Report, compile_with_report
from rtl.synthesis import SynthesisError, Yosys, find_yosys, synthesise

SOURCE = """#include "ap_int.h"
#include "hls_stream.h"
typedef hls::stream<ap_int<18>> Stream;
void multiply(Stream& in, Stream& out) {
  static ap_int<18> words[1024];
  for (int i = 0; i < 1024; ++i) words[i] = in.read();
  for (int i = 0; i < 1024; ++i) {
#pragma HLS PIPELINE II = 1
    out.write(words[i] * ap_int<18>(words[1023 - i] ^ 5));
  }
}
void add(Stream& in, Stream& out) {
  const ap_int<18> x = in.read();
  out.write(x + (x >> 3));
}
void top(Stream& in, Stream& out) {
#pragma HLS DATAFLOW
  Stream first, second;
  add(in, first);
  multiply(first, second);
  add(second, out);
}
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Design, Report]:
    folder = tmp_path_factory.mktemp("synthesis")
    (folder / "top.cpp").write_text(
        SOURCE.replace("add(second", "add_again(second").replace(
            "void top", "void add_again(Stream& in, Stream& out) { out.write(in.read() ^ 7); }\nvoid top"
        )
    )
    return compile_with_report(folder / "top.cpp", "top", [], folder / "rtl", 200.0)


def test_memories_and_products_land_where_they_belong(compiled: tuple[Design, Report], tmp_path: Path) -> None:
    """Two copies of 1,024 words of 18 bits, one product of 18 bits; sums beside them are a few LUTs."""
    design, report = compiled
    told: list[tuple[int, int]] = []
    result = synthesise(
        design, report, find_yosys(), tmp_path, 1, lambda done, count, module: told.append((done, count))
    )
    rows = {row.module: row for row in result.modules}
    product = rows["top_multiply"]
    assert (product.each.bram, product.each.dsp, product.instances) == (1.0, 1, 1)
    assert (product.estimate.bram, product.estimate.dsp) == (1.0, 1)
    assert rows["rtl_fifo 2 x 18"].instances == 4 and rows["rtl_fifo 2 x 18"].each.ff >= 4
    assert 17 <= rows["top_add"].each.lut <= 24 and rows["top_add"].each.ff == 0
    total = result.total
    assert total.lut == sum(row.each.lut * row.instances for row in result.modules)
    assert 0.7 <= result.estimate.lut / total.lut <= 1.3 and 0.7 <= result.estimate.ff / total.ff <= 1.3
    assert told[-1] == (4, 4)

    absent = Yosys(("false",), find_yosys().version)
    assert synthesise(design, report, absent, tmp_path).modules == result.modules, "kept from the first run"
    with pytest.raises(SynthesisError, match=r"\.sv: Yosys does not take it: it ended with 1"):
        synthesise(design, report, absent, tmp_path / "empty")


def test_what_yosys_refuses_is_said(compiled: tuple[Design, Report], tmp_path: Path) -> None:
    design, report = compiled
    broken = tmp_path / "top_add.sv"
    broken.write_text("module top_add (input wire a)\nendmodule\n")
    files = [broken if path.name == broken.name else path for path in design.files]
    with pytest.raises(SynthesisError, match=r"top_add\.sv: Yosys does not take it: .*ERROR"):
        synthesise(design.model_copy(update={"files": files}), report, find_yosys(), tmp_path / "modules")


def test_options_that_cannot_be(
    compiled: tuple[Design, Report], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OptionError, match="--jobs: 0 modules at a time are none"):
        synthesise(*compiled, find_yosys(), tmp_path, jobs=0)
    with pytest.raises(SynthesisError, match="nowhere/yosys does not run: No such file"):
        find_yosys(str(tmp_path / "nowhere" / "yosys"))
    with pytest.raises(SynthesisError, match="is no Yosys"):
        find_yosys("true")
    monkeypatch.setattr("rtl.synthesis.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SynthesisError, match=r"pip install 'zeroskip\[synth\]'"):
        find_yosys()
