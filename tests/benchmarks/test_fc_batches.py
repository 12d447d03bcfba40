"""AlexNet's FC layers in batches: the kept figures are the present code's, and more images together are faster."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks import alexnet_zcu104
from benchmarks.fc_batches import BATCHES, EXPECTED, Figures, measure
from generator.architecture import Architecture
from rtl.resources import Resources

KEPT = [Figures.model_validate(entry) for entry in json.loads(EXPECTED.read_text())]


def test_clocks_bytes_and_memories_are_as_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the largest batch. Yosys takes minutes; what it found stands in for it."""
    kept = KEPT[-1]

    def synthesised(architecture: Architecture, clock_mhz: float, folder: Path) -> tuple[Resources, Resources]:
        assert architecture.fc_batch == kept.batch
        return kept.share.takes, kept.share.estimate

    monkeypatch.setattr(alexnet_zcu104, "synthesised", synthesised)
    assert measure(kept.batch) == kept


def test_more_images_together_are_faster_and_take_a_multiplier_each() -> None:
    assert [each.batch for each in KEPT] == list(BATCHES)
    slots, requantising = alexnet_zcu104.SIZES.fc_slots, 2 * alexnet_zcu104.SIZES.fc_rows_at_once
    assert [each.share.takes.dsp for each in KEPT] == [slots * batch + requantising for batch in BATCHES]
    for fewer, more in pairwise(KEPT):
        assert fewer.frames_per_second < more.frames_per_second
        assert fewer.share.megabytes < more.share.megabytes < more.batch / fewer.batch * fewer.share.megabytes
        assert fewer.share.takes.lut < more.share.takes.lut
