"""The convolver on AlexNet at full size: what is kept, and the bars that it stands for."""

import json

from benchmarks.alexnet_convolver import EXPECTED, Figures, measure


def test_alexnet_keeps_the_multipliers_as_busy_as_kept() -> None:
    sparse, dense = (Figures(**entry) for entry in json.loads(EXPECTED.read_text()))
    assert measure("han") == sparse
    assert sparse.conv2_to_conv5_percent >= 96 and dense.conv2_to_conv5_percent >= 93
