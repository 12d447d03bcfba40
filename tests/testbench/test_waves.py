"""VCD to FST: the same hierarchy and the same values at the same times, read back by GTKWave's library."""

from pathlib import Path

import pylibfst
import pytest

from testbench.rtl.waves import vcd_to_fst

_VCD = """$version made by hand $end
$timescale 1ps $end
$scope module top $end
$var wire 1 # clk $end
$scope module fifo $end
$var wire 4 $ count [3:0] $end
$var wire 1 # clk $end
$upscope $end
$upscope $end
$enddefinitions $end
#0
0#
bx $
#5
1#
b101 $
#10
0#
"""


def _changes(fst: Path) -> list[tuple[int, str, str]]:
    reader = pylibfst.lib.fstReaderOpen(str(fst).encode())
    _, signals = pylibfst.get_scopes_signals2(reader)
    names = {handle: name for name, handle in ((s.name, s.handle) for s in signals.by_name.values())}
    seen: list[tuple[int, str, str]] = []

    def note(_: object, time: int, handle: int, value: object) -> None:
        seen.append((time, names[handle], pylibfst.string(value)))

    pylibfst.lib.fstReaderSetFacProcessMaskAll(reader)
    pylibfst.fstReaderIterBlocks(reader, note)
    pylibfst.lib.fstReaderClose(reader)
    return seen


def test_values_times_and_hierarchy_survive(tmp_path: Path) -> None:
    (tmp_path / "w.vcd").write_text(_VCD)
    vcd_to_fst(tmp_path / "w.vcd", tmp_path / "w.fst")
    changes = _changes(tmp_path / "w.fst")
    count = [(time, value) for time, name, value in changes if "count" in name]
    assert count == [(0, "xxxx"), (5, "0101")]
    assert {(time, value) for time, name, value in changes if "clk" in name} == {(0, "0"), (5, "1"), (10, "0")}


def test_a_file_that_is_no_vcd_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.vcd").write_text("hello\n")
    with pytest.raises(ValueError, match="is no VCD file"):
        vcd_to_fst(tmp_path / "w.vcd", tmp_path / "w.fst")
