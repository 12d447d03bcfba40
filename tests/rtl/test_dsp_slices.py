"""Sums and registers in the DSP slice of their product, by the estimate and by Yosys."""

from __future__ import annotations

import pytest

from rtl import compile_with_report
from rtl.synthesis import ModuleResources, find_yosys, synthesise

# A sum goes out a step after it is complete, `early` in the step itself, so that its adder has to be beside the slice.
_SOURCE = """#include "ap_int.h"
#include "hls_stream.h"
typedef hls::stream<ap_uint<32>> Words;
void PROCESS(Words& in, Words& out) {
  ap_int<9> pixel = 0;
  ap_int<8> weight = 0;
  bool begins = false, ends = false, ended = false;
  ap_uint<24> sum = 0;
  for (int i = 0; i < 1000; ++i) {
#pragma HLS PIPELINE II = 1
    const ap_uint<32> x = in.read();
    if (ended) out.write(sum);
    sum = (begins ? ap_uint<24>(0) : sum) + ap_int<17>(pixel * weight);
    if (EARLY && ends) out.write(sum);
    ended = !EARLY && ends;
    pixel = ap_int<9>(x);
    weight = ap_int<8>(x >> 9);
    begins = x[30];
    ends = x[31];
  }
}
"""


_SMALL_AND_TOP = """
void small(Words& in, Words& out) {
  const ap_uint<32> x = in.read();
  out.write(ap_uint<4>(x) * ap_uint<4>(x >> 4));
}
void top(Words& a, Words& b, Words& c, Words& d, Words& e, Words& f) {
#pragma HLS DATAFLOW
  late(a, b);
  early(c, d);
  small(e, f);
}
"""


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModuleResources]:
    folder = tmp_path_factory.mktemp("dsp_slices")
    late, early = (
        _SOURCE.replace("PROCESS", name).replace("EARLY", str(name == "early").lower()) for name in ("late", "early")
    )
    early = early[early.index("void") :]
    (folder / "top.cpp").write_text(late + early + _SMALL_AND_TOP)
    design, report = compile_with_report(folder / "top.cpp", "top", [], folder / "rtl", 200.0)
    found = synthesise(design, report, find_yosys(), folder / "modules")
    return {row.function: row for row in found.modules}


def test_a_sum_that_goes_nowhere_else_is_in_the_slice_with_all_its_registers(
    modules: dict[str, ModuleResources],
) -> None:
    """Nor is its adder in LUTs."""
    late, early = modules["late"], modules["early"]
    assert late.each.dsp == early.each.dsp == 1
    assert late.each.lut + 20 <= early.each.lut, "no adder of 24 bits"
    assert late.each.ff + 20 <= early.each.ff, "the sum itself is no flip-flops"


@pytest.mark.parametrize("name", ["late", "early"])
def test_the_estimate_knows_it(modules: dict[str, ModuleResources], name: str) -> None:
    found, estimate = modules[name].each, modules[name].estimate
    assert estimate.dsp == found.dsp
    assert estimate.lut == pytest.approx(found.lut, abs=8)
    assert estimate.ff == pytest.approx(found.ff, abs=4)


def test_a_product_of_four_by_four_bits_is_in_luts(modules: dict[str, ModuleResources]) -> None:
    """As in Yosys' own flow for this family, and in Vivado's (UG901)."""
    assert modules["small"].each.dsp == modules["small"].estimate.dsp == 0
