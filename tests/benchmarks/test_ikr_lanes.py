"""The figures that are kept meet their bar, and the schedule still gives them."""

import json

from benchmarks.ikr_lanes import CASES, EXPECTED, Figures, fitted
from generator.resources import used


def _kept() -> list[Figures]:
    return [Figures(**each) for each in json.loads(EXPECTED.read_text())]


def test_patterned_kernels_use_more_lanes_of_the_same_block_ram() -> None:
    first, *others, same_lanes = _kept()
    for case, each in zip(CASES[1:], others, strict=True):
        assert (each.kernels, each.pe_outputs) == (case.name, case.pe_outputs)
        assert each.array_bram36 <= first.array_bram36
        if case.group:
            assert each.lanes >= 1.5 * first.lanes
            assert each.useful_lanes >= 1.5 * first.useful_lanes
    patterned = others[0]
    assert patterned.lanes == same_lanes.lanes
    assert patterned.utilisation_percent > same_lanes.utilisation_percent - 0.5, "as busy as with twice the memory"


def test_the_accelerators_are_as_large_as_kept() -> None:
    first, patterned, *_ = _kept()
    for case, kept in ((CASES[0], first), (CASES[1], patterned)):
        schedules, architecture = fitted(case, first.array_bram36)
        assert (architecture.pes, architecture.convolver_multipliers) == (kept.pes, kept.lanes)
        assert used(architecture).bram36 == kept.array_bram36
        macs = sum(schedule.layer.macs for schedule in schedules)
        assert kept.utilisation_percent == round(100 * macs / (kept.lanes * kept.cycles), 2)
