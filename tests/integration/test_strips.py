"""Maps that a PE has no room for, in strips of rows: golden == both C-simulations == RTL, and cycles as predicted.

All networks run on one accelerator, whose PEs have room for 24 feature words of 8 pixels.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from generator import EngineError
from generator.architecture import Architecture
from golden import DescriptionBuilder, Network, Scale
from testbench.build import Build, load_build
from testbench.ladder import Context, Options
from testbench.ladder.description import DescriptionRung, VectorsRung, WeightStreamRung

from .accelerator import Accelerator
from .strategies import convolution_networks

_ARCHITECTURE = Architecture(
    lanes=8,
    tile=5,
    pes=3,
    fc_pes=0,
    map_words=24,
    max_entries=256,
    mask_words=64,
    max_columns=16,
    pointer_words=1,
    entry_words=1,
    fc_rows=1,
    weight_depth=16,
    output_depth=8,
)
_UNSIGNED = {"minimum": 0, "maximum": 255, "output_dtype": "uint8"}
_SIGNED = {"minimum": -128, "maximum": 127, "output_dtype": "int8"}


@pytest.fixture(scope="module")
def accelerator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accelerator]:
    work = tmp_path_factory.mktemp("accelerator")
    yield Accelerator(work, _ARCHITECTURE)
    shutil.rmtree(work)


class _Layers:
    """Convolutions one after another, with random weights."""

    def __init__(self, channels: int, rows: int, columns: int, dtype: str = "uint8") -> None:
        self.builder = DescriptionBuilder("strips", (channels, rows, columns), dtype, Scale(multiplier=1, shift=8))
        self.random = np.random.default_rng(rows)

    def conv(self, name: str, outputs: int, inputs: int, kernel: int, output: dict[str, object], **how: object) -> None:
        shape = outputs, inputs, kernel, kernel
        weights = self.random.integers(-128, 128, shape) * (self.random.random(shape) < 0.4)
        bias = self.random.integers(-3000, 3000, outputs).astype(np.int32)
        self.builder.conv(name, weights.astype(np.int8), bias, shift=6 + kernel // 3, **how, **output)


def _padded() -> Network:
    """3x3 with padding, then 1x1, of pixels with a sign."""
    layers = _Layers(2, 21, 9, "int8")
    layers.conv("padded", 3, 2, 3, _SIGNED, padding=(1, 1))
    layers.conv("pointwise", 4, 3, 1, _UNSIGNED)
    return layers.builder.build()


def _strided() -> Network:
    """The input in phases (7x7 every 2), then 5x5 every 2 on a map that the engine has made."""
    layers = _Layers(1, 25, 16)
    layers.conv("phases", 2, 1, 7, _UNSIGNED, padding=(3, 3), stride=(2, 2))
    layers.conv("strided", 3, 2, 5, _SIGNED, padding=(2, 2), stride=(2, 2))
    return layers.builder.build()


def _grouped() -> Network:
    """Depthwise, then two groups of dilated kernels, without padding below."""
    layers = _Layers(4, 13, 9)
    layers.conv("depthwise", 4, 1, 3, _UNSIGNED, padding=(1, 1), groups=4)
    layers.conv("dilated", 4, 2, 2, _SIGNED, padding=(2, 1, 0, 1), groups=2, dilation=(2, 2))
    return layers.builder.build()


def _pooled() -> Network:
    """Maxima of windows side by side, of ones that overlap, and averages: all fused behind their convolutions."""
    layers = _Layers(2, 24, 14)
    layers.conv("first", 3, 2, 3, _UNSIGNED, padding=(1, 1))
    layers.builder.max_pool("side_by_side", 2, 2)
    layers.conv("second", 3, 3, 3, _UNSIGNED, padding=(1, 1))
    layers.conv("third", 12, 3, 3, _UNSIGNED, padding=(1, 1))
    layers.builder.max_pool("overlapping", 3, 2, (1, 1, 0, 0))
    layers.conv("fourth", 4, 12, 1, _SIGNED)
    layers.builder.average_pool("average", 3, 2, multiplier=7281, shift=16, **_SIGNED)
    return layers.builder.build()


def _residual() -> Network:
    """An addition behind a convolution, whose second map comes in strips, too."""
    layers = _Layers(3, 19, 7)
    layers.conv("before", 4, 3, 3, _UNSIGNED, padding=(1, 1))
    layers.conv("main", 4, 4, 3, _SIGNED, padding=(1, 1))
    layers.builder.add("sum", "main", "before", multipliers=(3, 5), shift=3, **_UNSIGNED)
    layers.conv("behind", 2, 4, 3, _SIGNED, padding=(1, 1))
    return layers.builder.build()


def _halves() -> Network:
    """Two groups that fit, then dilated two that do not, with an addition; then a layer that reads all channels."""
    layers = _Layers(4, 9, 9)
    layers.conv("first", 8, 2, 3, _UNSIGNED, padding=(1, 1), groups=2)
    layers.conv("second", 8, 4, 2, _SIGNED, padding=(2, 1, 0, 1), groups=2, dilation=(2, 2))
    layers.builder.add("sum", "second", "first", multipliers=(3, 5), shift=3, **_UNSIGNED)
    layers.conv("behind", 3, 8, 1, _SIGNED)
    return layers.builder.build()


@pytest.mark.parametrize(
    ("make", "strips"),
    [
        (_padded, {"padded": 3, "pointwise": 3}),
        (_strided, {"phases": 4, "strided": 2}),
        (_grouped, {"depthwise": 4, "dilated": 5}),
        (_pooled, {"first": 6, "second": 2, "third": 2, "fourth": 1}),
        (_residual, {"before": 3, "main": 5, "behind": 5}),
    ],
)
def test_strips_on_rtl(accelerator: Accelerator, make: Callable[[], Network], strips: dict[str, int]) -> None:
    accelerator.check(make(), 1, on_rtl=True)
    layers = load_build(accelerator.work / "build").layers
    assert Counter(layer.name for layer in layers if layer.engine == "convolver") == strips


@pytest.fixture(scope="module")
def side_by_side(tmp_path_factory: pytest.TempPathFactory) -> Accelerator:
    sizes = {"pes": 2, "pe_outputs": 2, "max_entries": 512, "output_depth": 32}
    return Accelerator(tmp_path_factory.mktemp("side_by_side"), _ARCHITECTURE.model_copy(update=sizes))


@pytest.mark.parametrize("make", [_padded, _strided, _grouped, _pooled, _residual])
def test_strips_of_channels_side_by_side_on_rtl(side_by_side: Accelerator, make: Callable[[], Network]) -> None:
    side_by_side.check(make(), 2, on_rtl=True)
    assert max(Counter(layer.name for layer in load_build(side_by_side.work / "build").layers).values()) > 1


@pytest.mark.parametrize("which", ["accelerator", "side_by_side"])
def test_groups_on_rtl(which: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a few output channels, so that the simulation is short."""
    monkeypatch.setattr("generator.strips._LEAST_OUTPUTS", 4)
    accelerator: Accelerator = request.getfixturevalue(which)
    accelerator.check(_halves(), 3, on_rtl=True)
    build = load_build(accelerator.work / "build")
    channels = [(layer.name, sorted(layer.output.channel_order)) for layer in build.layers]
    low, high = [0, 1, 2, 3], [4, 5, 6, 7]
    groups = [("first", low), ("first", high), *[("second", low)] * 3, *[("second", high)] * 3]
    assert channels == [*groups, *[("behind", [0, 1, 2])] * 5]
    _climb(build, accelerator.work)


def _climb(build: Build, work: Path) -> None:
    """The benches' own reading of channels, rows and weights."""
    context = Context(build, Options(), work / "ladder")
    for rung in (DescriptionRung(), WeightStreamRung(), VectorsRung()):
        outcome = rung.check(context)
        assert outcome.passed, outcome.detail


_SETTINGS = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


@settings(_SETTINGS, max_examples=25)
@given(st.booleans().flatmap(convolution_networks), st.integers(0, 1000))
def test_random_strips_on_c_simulation(accelerator: Accelerator, network: Network, seed: int) -> None:
    _check(accelerator, network, seed, on_rtl=False)


@settings(_SETTINGS, max_examples=12)
@given(st.booleans().flatmap(convolution_networks), st.integers(0, 1000))
def test_random_strips_on_rtl(accelerator: Accelerator, network: Network, seed: int) -> None:
    _check(accelerator, network, seed, on_rtl=True)


def _check(accelerator: Accelerator, network: Network, seed: int, on_rtl: bool) -> None:
    assume(any(layer.type in ("conv",) and _words(network, layer.source) > 24 for layer in network.layers))
    try:
        accelerator.check(network, seed, on_rtl)
    except EngineError as error:
        assume("even one row of its output takes" not in str(error))
        raise


def _words(network: Network, source: str) -> int:
    channels, rows, columns = network.shapes[source]
    return channels * -(-rows * columns // 8)
