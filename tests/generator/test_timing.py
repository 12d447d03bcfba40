"""The cycle model of the FC engine: what it says of a layer whose weights lie in the PEs already."""

import numpy as np
import pytest

from generator.architecture import Architecture
from generator.layers import FcLayer, FeatureLayout
from generator.schedule import FcSchedule, schedule_fc
from generator.timing import Prediction, predict

_ARCHITECTURE = Architecture(
    lanes=16, pes=0, fc_pes=8, map_words=2, max_entries=1, max_columns=1, pointer_words=32, entry_words=256, fc_rows=64
)


def _schedule(density: float) -> FcSchedule:
    random = np.random.default_rng(1)
    weights = (random.integers(1, 100, (100, 320)) * (random.random((100, 320)) < density)).astype(np.int8)
    layer = FcLayer(
        "fc", "input", "fc", FeatureLayout((0,), 1, 320, False), weights, np.zeros(100, dtype=np.int32),
        1, 4, -128, 127, True,
    )  # fmt: skip
    return schedule_fc(layer, 8, 16)


def _predict(schedule: FcSchedule, activations: np.ndarray, wait: int) -> Prediction:
    return predict(_ARCHITECTURE, [schedule], {"fc": activations}, features_wait=wait)


def test_a_long_wait_takes_loading_out_of_the_figure() -> None:
    schedule = _schedule(0.3)
    activations = (np.random.default_rng(2).random(320) < 0.4).astype(np.int64)
    short, long = (_predict(schedule, activations, wait) for wait in (4000, 5000))
    assert short.cycles - 4000 == long.cycles - 5000 < _predict(schedule, activations, 0).cycles
    assert short.accumulated["fc"] - 4000 == long.accumulated["fc"] - 5000
    active = activations != 0
    busiest = max(int(packet.counts[active].sum()) for packet in schedule.packets)
    assert busiest < short.accumulated["fc"] - 4000 < 1.15 * busiest + 20
    assert schedule.rows_per_pe <= short.cycles - short.accumulated["fc"] <= schedule.rows_per_pe + 4


@pytest.mark.parametrize(("zeros", "tokens"), [("odd", 160), ("pairs", 80)])
def test_a_pair_of_activations_costs_one_clock_however_many_of_it_are_there(zeros: str, tokens: int) -> None:
    """Without weights only the tokens take time: one a pair that is not both zero, and one clock for an empty word."""
    schedule = _schedule(0.0)
    activations = np.ones((160, 2), dtype=np.int64)
    if zeros == "odd":
        activations[:, 1] = 0
    else:
        activations[::2] = 0
    full = _predict(schedule, np.ones(320, dtype=np.int64), 2000)
    assert full.cycles - _predict(schedule, activations.reshape(-1), 2000).cycles == 160 - tokens
