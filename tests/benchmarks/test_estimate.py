"""AlexNet's estimate against the kept figures."""

import json

from benchmarks.estimate import EXPECTED, EstimateFigures, convolutions, figures_of
from generator import EstimateOptions, estimate
from zeroskip.pipeliner import KeptStages
from zoo.synthetic import describe


def test_alexnet_s_convolutions_are_estimated_as_kept() -> None:
    on_u250, kept, by_yosys, whole = (EstimateFigures(**entry) for entry in json.loads(EXPECTED.read_text()))
    assert [each.board for each in (on_u250, kept, by_yosys, whole)] == ["u250", "zcu104", "zcu104", "zcu104"]
    assert all(each.cycles == sum(each.layer_cycles.values()) for each in (on_u250, whole))
    network = convolutions(describe("alexnet-without-lrn", "han", 0.25))
    assert figures_of(estimate(network, "zcu104", EstimateOptions(pipeliner=KeptStages()))) == kept
