"""AXI4-Stream side channels: hls::axis at the ports of top and between processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtl import CompileError, Design, compile_cpp
from tests.rtl.simulation import Outcome, Program, compile_programs, random_words, run_cpp, run_rtl

Results = tuple[dict[str, Design], dict[str, Outcome], list[dict[str, Outcome]]]

# All channels with widths that are no whole bytes; the words also travel between two processes.
_ALL = """
#include "ap_axi_sdata.h"
typedef ap_axiu<12, 5, 3, 2> Narrow;
typedef ap_axis<20, 5, 0, 2> Wide;
void all_first(hls::stream<Narrow>& in, hls::stream<Wide>& middle) {
  const Narrow x = in.read();
  Wide y;
  y.data = x.data * ap_int<8>(x.id) - 7;
  y.keep = x.keep;
  y.strb = ~x.strb;
  y.user = x.user ^ x.dest;
  y.last = x.get_last();
  y.id = 0;
  y.dest = x.dest + x.last;
  middle.write(y);
}
void all_second(hls::stream<Wide>& middle, hls::stream<Wide>& out) {
  static ap_uint<2> packets = 0;
  Wide y = middle.read();
  y.data = ap_int<20>(y.data + y.keep);
  y.user += packets;
  if (y.last) ++packets;
  out.write(y);
}
void all_channels(hls::stream<Narrow>& in, hls::stream<Wide>& out) {
#pragma HLS DATAFLOW
  hls::stream<Wide, 3> middle;
  all_first(in, middle);
  all_second(middle, out);
}
"""

# Built-in and fixed-point data; packets that end by TLAST, of which only every second word goes on.
_OTHERS = """
#include "ap_axi_sdata.h"
#include "ap_fixed.h"
typedef hls::axis<int, 1> Number;
typedef hls::axis<ap_fixed<13, 4>, 0, 0, 9> Fixed;
void other_process(hls::stream<Number>& in, hls::stream<Fixed>& out) {
  bool odd = false, last;
  do {
    const Number x = in.read();
    last = x.last;
    Fixed y;
    y.data = ap_fixed<13, 4>(ap_int<13>(x.data >> 3)) * ap_fixed<4, 3>(0.5);
    y.keep_all();
    y.user = y.id = 0;
    y.set_last(x.last);
    y.dest = x.data;
    if (odd || last || x.user) out.write(y);
    odd = !odd;
  } while (!last);
}
void other_data(hls::stream<Number>& in, hls::stream<Fixed>& out) {
#pragma HLS DATAFLOW
  other_process(in, out);
}
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Designs, what the C++ gives, and the hardware without and with pauses."""
    folder = tmp_path_factory.mktemp("sides")
    # int data: 32 bits, 4 of TKEEP and TSTRB each, one of TUSER, and TLAST on top; the last word ends the last packet.
    numbers = [*random_words(2, 60, 42), 1 << 41]
    calls = sum(word >> 41 for word in numbers)
    programs = [
        Program("all_channels", _ALL, {"in": random_words(1, 50, 12 + 2 + 2 + 5 + 1 + 3 + 2)}, calls=50),
        Program("other_data", _OTHERS, {"in": numbers}, calls=calls),
    ]
    designs = compile_programs(programs, folder / "rtl", 200.0)
    wanted = run_cpp(programs, designs, folder / "cpp")
    counts = {top: {"out": len(outcome.words["out"])} for top, outcome in wanted.items()}
    return designs, wanted, run_rtl(programs, designs, counts, folder / "simulation", (0, 50))


@pytest.mark.parametrize("top", ["all_channels", "other_data"])
def test_rtl_equals_cpp(top: str, results: Results) -> None:
    """Data and all side channels, with and without pauses."""
    _, wanted, runs = results
    assert len(wanted[top].words["out"]) > 30 and len(set(wanted[top].words["out"])) > 20
    for run in runs:
        assert run[top].words == wanted[top].words


def test_channels_are_signals_of_their_own(results: Results) -> None:
    """Only those that have bits, and the data alone is TDATA."""
    design = results[0]["all_channels"]
    ports = {port.name: port for port in design.ports}
    assert ports["in"].sides == {"TKEEP": 2, "TSTRB": 2, "TUSER": 5, "TLAST": 1, "TID": 3, "TDEST": 2}
    assert ports["out"].sides == {"TKEEP": 3, "TSTRB": 3, "TUSER": 5, "TLAST": 1, "TDEST": 2}
    assert (ports["in"].bits, ports["out"].bits, ports["in"].word_bits) == (12, 20, 27)
    assert {fifo.stream: fifo.bits for fifo in design.fifos} == {"in": 27, "middle": 34, "out": 34}
    text = design.files[0].read_text()
    assert "input  wire [15:0] in_TDATA" in text and "output wire out_TLAST" in text and "out_TID" not in text


def test_plain_ports_have_no_channels(tmp_path: Path) -> None:
    """As before, for an ap_uint that only looks like one."""
    source = tmp_path / "top.cpp"
    source.write_text(
        '#include "ap_int.h"\n#include "hls_stream.h"\n'
        "void process(hls::stream<ap_uint<27>>& in, hls::stream<ap_uint<27>>& out) { out.write(in.read()); }\n"
        "void top(hls::stream<ap_uint<27>>& in, hls::stream<ap_uint<27>>& out) { process(in, out); }\n"
    )
    design = compile_cpp(source, "top", [], tmp_path / "out")
    assert [(port.bits, port.sides, port.word_bits) for port in design.ports] == [(27, {}, 27)] * 2


def test_the_two_ends_have_one_type(tmp_path: Path) -> None:
    """A stream of another width behind a cast is refused."""
    source = tmp_path / "top.cpp"
    source.write_text(
        '#include "ap_axi_sdata.h"\n#include "hls_stream.h"\ntypedef ap_axiu<8, 0, 0, 0> Beat;\n'
        "void process(hls::stream<Beat>& in, hls::stream<Beat>& out) { out.write(in.read()); }\n"
        "void top(hls::stream<Beat>& in, hls::stream<Beat>& out) {\n"
        "  hls::stream<ap_uint<9>> middle;\n"
        "  process(in, reinterpret_cast<hls::stream<Beat>&>(middle));\n"
        "  process(reinterpret_cast<hls::stream<Beat>&>(middle), out);\n}\n"
    )
    with pytest.raises(CompileError) as caught:
        compile_cpp(source, "top", [], tmp_path / "out")
    assert "no stream of 11-bit words" in caught.value.message
