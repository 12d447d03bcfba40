"""The timing report of the accelerator's own engines."""

from __future__ import annotations

from pathlib import Path

import generator
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
