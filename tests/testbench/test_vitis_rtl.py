"""The benches take Verilog as Vitis HLS exports it: a stand-in written by hand, as Vitis is not at hand."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from testbench.build import BuildFileError, load_build
from testbench.ladder import Context, Options, climb
from testbench.ladder.rtl import RtlRung, StallsRung
from tests.testbench.tiny import tiny_build, tiny_network

STAND_IN = Path(__file__).parent / "vitis_stand_in"


def exported(folder: Path, wrong: bool = False) -> Path:
    """The stand-in with its tables of weights and biases, as `export_design -format rtl` would leave them."""
    shutil.copytree(STAND_IN, folder)
    network = tiny_network()
    weights = network.weights("scores").astype(np.int64)
    weights[0] //= 1 + 3 * wrong
    tables = {"weights": (weights, 0xFF), "bias": (network.bias("scores").astype(np.int64), 0xFFFFFFFF)}
    for name, (values, mask) in tables.items():
        words = "".join(f"{int(value) & mask:x}\n" for value in values.flat)
        (folder / f"zeroskip_top_{name}_ROM_AUTO_1R.dat").write_text(words)
    return folder


def test_exported_verilog_is_judged_as_ours_is(tmp_path: Path) -> None:
    """Right words pass, unstalled and under stalls; wrong weights are found with the pixel."""
    build = load_build(tiny_build(tmp_path / "build"))
    right = Context(build, Options(rtl=exported(tmp_path / "right"), rtl_images=3), tmp_path / "work")
    unstalled, stalled = climb(right, [RtlRung(), StallsRung()])
    assert unstalled.outcome.passed, unstalled.outcome.detail
    assert stalled.outcome.passed, stalled.outcome.detail
    assert unstalled.outcome.detail.startswith("3 images, ")

    spoilt = Context(build, Options(rtl=exported(tmp_path / "wrong", wrong=True), rtl_images=3), tmp_path / "spoilt")
    (found,) = climb(spoilt, [RtlRung()])
    assert not found.outcome.passed and "layer scores" in found.outcome.detail and "channel 0" in found.outcome.detail


def test_a_folder_without_verilog_is_refused(tmp_path: Path) -> None:
    build = load_build(tiny_build(tmp_path / "build"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(BuildFileError, match=r"empty: there is no \.v or \.sv file"):
        Context(build, Options(rtl=tmp_path / "empty"), tmp_path / "work")
