"""Computing while the map is loaded: what waits meanwhile has room, or the PEs load first."""

import numpy as np
import pytest

from generator.build import BuildOptions, fit_architecture
from generator.dataflow import DeadlockError
from generator.plan import plan_network
from generator.schedule import Buffers, convolver
from generator.timing import predict
from golden import DescriptionBuilder, Network, Scale

_BUFFERS = Buffers(16, 8)


def _with_addition() -> Network:
    """Short channels, so that tiles end while the map is loaded; the map that is added comes behind it."""
    builder = DescriptionBuilder("added", (8, 4, 7), "uint8", Scale(multiplier=1, shift=8))
    kind = {"stride": (3, 3), "minimum": 0, "maximum": 255, "output_dtype": "uint8"}
    bias = np.zeros(8, dtype=np.int32)
    builder.conv("conv", np.zeros((8, 4, 1, 1), np.int8), bias, source="input", groups=2, shift=0, **kind)
    builder.conv("shortcut", np.zeros((8, 8, 1, 1), np.int8), bias, source="input", shift=5, **kind)
    sums = {"multipliers": (1, 1), "shift": 8, "minimum": 0, "maximum": 255, "output_dtype": "uint8"}
    return builder.add("sum", "conv", "shortcut", **sums).build()


def _predict() -> int:
    schedules = plan_network(_with_addition(), 3, 8, 1, tile=5, buffers=_BUFFERS)
    fitted = fit_architecture(schedules, BuildOptions(pes=3, lanes=8, tile=5))
    architecture = fitted.model_copy(
        update={"weight_depth": _BUFFERS.weights, "output_depth": _BUFFERS.outputs, "entry_depth": 8}
    )
    return predict(architecture, schedules, {}).cycles


def test_a_map_that_is_added_does_not_stop_the_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _predict() > 0
    monkeypatch.setattr(convolver, "_early_tiles", lambda *_: 0)
    with pytest.raises(DeadlockError):
        _predict()
