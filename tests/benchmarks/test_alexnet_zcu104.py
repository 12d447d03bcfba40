"""AlexNet's three engines apart on one ZCU104: the kept figures are the present code's, add up, and fit."""

import json
from pathlib import Path

import pytest

from benchmarks import alexnet_zcu104
from benchmarks.alexnet_zcu104 import ENGINES, EXPECTED, SIZES, Figures
from benchmarks.zcu104 import BOARD
from generator.architecture import Architecture
from generator.boards import load_board
from rtl.resources import Resources
from zoo.synthetic import describe

[KEPT] = (Figures(**entry) for entry in json.loads(EXPECTED.read_text()))


def test_clocks_bytes_and_memories_are_as_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Yosys takes minutes; what it found of each accelerator stands in for it."""
    kept = {share.engine: (share.takes, share.estimate) for share in KEPT.shares}

    def synthesised(architecture: Architecture, clock_mhz: float, folder: Path) -> tuple[Resources, Resources]:
        engine = "convolver" if architecture.pes else "fc" if architecture.fc_slots else "map"
        takes, estimate = kept[engine]
        nothing = {"bram": 0.0, "uram": 0}
        return takes.model_copy(update=nothing), estimate.model_copy(update=nothing)

    monkeypatch.setattr(alexnet_zcu104, "synthesised", synthesised)
    assert alexnet_zcu104.measure(describe("alexnet", "han", 0.25, 4)) == KEPT


def test_the_slowest_engine_sets_the_pace_and_all_fit() -> None:
    assert tuple(share.engine for share in KEPT.shares) == ENGINES
    assert SIZES.clock_mhz
    slowest = max(share.clocks for share in KEPT.shares)
    assert KEPT.frames_per_second == round(SIZES.clock_mhz * 1e6 / slowest, 1)
    assert KEPT.frames_per_second > 900
    assert KEPT.fits


@pytest.mark.parametrize("resource", ["lut", "ff", "dsp", "bram", "uram"])
def test_what_exceeds_the_board_does_not_fit(resource: str) -> None:
    assert getattr(KEPT.total, resource) == sum(getattr(share.takes, resource) for share in KEPT.shares)
    board = load_board(BOARD)
    there = {"lut": board.luts, "ff": board.flip_flops, "dsp": board.dsps, "bram": board.bram36, "uram": board.uram}
    more = KEPT.total.model_copy(update={resource: there[resource] + 1})
    assert not KEPT.model_copy(update={"total": more}).fits
