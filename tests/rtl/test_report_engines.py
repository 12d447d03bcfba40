"""The timing report of the accelerator's own engines."""

from __future__ import annotations

from pathlib import Path

import pytest

import generator
from generator.architecture import Architecture
from generator.boards import load_board
from generator.emit import TOP, emit_project
from rtl import compile_with_report
from tests.testbench.networks import small_network


def test_both_engines_give_a_report(tmp_path: Path) -> None:
    """Every loop asks for II = 1 and reaches it at 200 MHz; the slowest chain is spelled out, line by line."""
    options = generator.BuildOptions(pes=1, lanes=8, fc_pes=1, random_images=1)
    generator.generate(small_network(), "zcu104", tmp_path / "build", options)
    hls = tmp_path / "build" / "hls"
    report = compile_with_report(hls / "top.cpp", "zeroskip_top", [hls], None, 200.0)[1]
    assert {Path(process.file).name for process in report.processes} >= {"convolver_post.h", "fc_engine.h"}
    assert all((loop.ii_asked, loop.ii_reached) == (1, 1) for loop in report.loops)
    slowest = max(report.processes, key=lambda process: process.chain.delay_ns)
    assert report.slowest_process == slowest.process
    assert slowest.chain.links[-1].arrival_ns == slowest.chain.delay_ns
    assert any(Path(link.file).parent == hls and link.line for link in slowest.chain.links)
    assert report.misses == []
    assert {process.stages > 1 for process in report.processes} == {False, True}


@pytest.mark.parametrize("outputs", [1, 2, 4])
def test_the_decoder_meets_the_clock_behind_deep_fifos(outputs: int, tmp_path: Path) -> None:
    """A word comes the later the deeper the LUT RAM, and says itself how many follow."""
    architecture = Architecture(
        lanes=8, pes=1, pe_outputs=outputs, fc_pes=0, map_words=64, max_entries=64, max_columns=8, pointer_words=1,
        entry_words=1, fc_rows=1, weight_depth=256,
    )  # fmt: skip
    emit_project(tmp_path, architecture, load_board("zcu104"), 200.0)
    hls = tmp_path / "hls"
    report = compile_with_report(hls / "top.cpp", TOP, [hls], None, 200.0)[1]
    assert report.misses == []
    assert all((loop.ii_asked, loop.ii_reached) == (1, 1) for loop in report.loops)
