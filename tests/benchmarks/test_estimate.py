"""AlexNet's estimate against the kept figures."""

import json

from benchmarks.estimate import EXPECTED, EstimateFigures, convolutions, figures_of
from generator import EstimateOptions, estimate
from zeroskip.pipeliner import KeptStages
from zoo.synthetic import describe


def test_alexnet_s_convolutions_are_estimated_as_kept() -> None:
    whole, kept = (EstimateFigures(**entry) for entry in json.loads(EXPECTED.read_text()))
    assert (whole.board, kept.board) == ("u250", "zcu104") and whole.cycles == sum(whole.layer_cycles.values())
    network = convolutions(describe("alexnet-without-lrn", "han", 0.25))
    assert figures_of(estimate(network, "zcu104", EstimateOptions(pipeliner=KeptStages()))) == kept
