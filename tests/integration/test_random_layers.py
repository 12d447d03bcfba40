"""Random layers: golden == C-sim in Vitis' order == C-sim over bounded streams == RTL, and cycles as predicted.

All layers run on one accelerator: what differs is the words of the weight stream. So its C-simulation and its RTL are
compiled once. Golden itself is held against a dense int64 reference in tests/golden.
"""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator import BuildOptions, generate
from generator.architecture import Architecture
from golden import DescriptionBuilder, Network, Scale
from testbench.build import load_build
from testbench.csim.executor import CsimExecutor
from testbench.rtl.executor import RtlDesign, RtlExecutor, compile_design
from zeroskip.pipeliner import Pipeliner

from .strategies import convolution_networks, fc_networks

_ARCHITECTURE = Architecture(
    lanes=8,
    tile=5,
    pes=3,
    fc_pes=4,
    map_words=128,
    max_entries=256,
    mask_words=64,
    max_columns=16,
    pointer_words=80,
    entry_words=1024,
    fc_rows=280,
    # With so much room some layers are computed while their maps come in, and some behind that.
    weight_depth=16,
    output_depth=8,
    token_depth=2,
)
_SETTINGS = settings(
    deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


class _Accelerator:
    """The accelerator of `_ARCHITECTURE`, ready to run any network that fits."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.design: RtlDesign | None = None
        self.stages: Mapping[str, tuple[int, int]] | None = None

    def _stages(self, hls: Path, top: str, clock_mhz: float) -> Mapping[str, tuple[int, int]]:
        """The C++ is the same for every network, so it is compiled once."""
        if self.stages is None:
            self.stages = Pipeliner()(hls, top, clock_mhz)
        return self.stages

    def check(self, network: Network, seed: int, on_rtl: bool) -> None:
        folder = self.work / "build"
        images = np.random.default_rng(seed).choice(
            _pixels(network), (2, *network.description.input.shape), p=[0.2, 0.1, 0.1, 0.3, 0.3]
        )
        options = BuildOptions(
            architecture=_ARCHITECTURE,
            images=images.astype(network.description.input.dtype),
            pipeliner=lambda hls, top, clock: self._stages(hls, top, clock),
        )
        generate(network, "zcu104", folder, options)
        build = load_build(folder)
        csim = CsimExecutor(build, self.work / "csim")
        for result in (csim.sequential(2), csim.interleaved(2, 0), csim.interleaved(2, seed + 1)):
            assert result.passed, result.explanation()
        if on_rtl:
            self._check_rtl(folder, seed)

    def _check_rtl(self, folder: Path, seed: int) -> None:
        build = load_build(folder)
        if self.design is None:
            self.design = compile_design(build, self.work / "rtl")
        simulation = RtlExecutor(build, self.design, self.work / "simulation")
        unstalled = simulation.run([[0], [1]], seed, name="unstalled")
        assert unstalled.passed, unstalled.explanation
        measured = tuple(tuple(run.phase_cycles()) for run in unstalled.runs.runs)
        assert measured == build.manifest.predictions.layer_cycles
        pauses = {"features_in": 0.3, "weights_in": 0.3, "features_out": 0.5}
        stalled = simulation.run([[0, 1]], seed, pauses=pauses, name="stalled")
        assert stalled.passed, stalled.explanation


def _pixels(network: Network) -> list[int]:
    return [0, -128, 127, 5, -3] if network.description.input.dtype == "int8" else [0, 255, 128, 5, 1]


@pytest.fixture(scope="module")
def accelerator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Accelerator]:
    work = tmp_path_factory.mktemp("accelerator")
    yield _Accelerator(work)
    shutil.rmtree(work)


@settings(_SETTINGS, max_examples=40)
@given(convolution_networks(), st.integers(0, 1000))
def test_convolutions_on_c_simulation(accelerator: _Accelerator, network: Network, seed: int) -> None:
    accelerator.check(network, seed, on_rtl=False)


@settings(_SETTINGS, max_examples=25)
@given(fc_networks(), st.integers(0, 1000))
def test_linear_layers_on_c_simulation(accelerator: _Accelerator, network: Network, seed: int) -> None:
    accelerator.check(network, seed, on_rtl=False)


@settings(_SETTINGS, max_examples=12)
@given(convolution_networks(), st.integers(0, 1000))
def test_convolutions_on_rtl(accelerator: _Accelerator, network: Network, seed: int) -> None:
    accelerator.check(network, seed, on_rtl=True)


@pytest.mark.parametrize(
    ("kind", "size", "stride", "padding"),
    [
        ("max_pool", 3, 2, 0),
        ("max_pool", 3, 2, (1, 1, 0, 0)),
        ("average_pool", 4, 2, (0, 1, 0, 0)),
        ("max_pool", 1, 2, 0),
    ],
)
def test_pooling_windows_on_rtl(
    accelerator: _Accelerator, kind: str, size: int, stride: int, padding: tuple[int, int, int, int] | int
) -> None:
    """AlexNet's and ResNet-50's first windows, an average whose windows overlap by half, and windows with gaps."""
    random = np.random.default_rng(size)
    builder = DescriptionBuilder("pooled", (2, 9, 10), "uint8", Scale(multiplier=1, shift=8))
    builder.conv("conv", random.integers(-9, 10, (4, 2, 3, 3), np.int8), [5, -5, 0, 90], padding=(1, 1), shift=5)
    options = {} if kind == "max_pool" else {"multiplier": 4096, "shift": 16}
    getattr(builder, kind)("pool", size, stride, padding, **options)
    accelerator.check(builder.build(), 3, on_rtl=True)


@settings(_SETTINGS, max_examples=8)
@given(fc_networks(), st.integers(0, 1000))
def test_linear_layers_on_rtl(accelerator: _Accelerator, network: Network, seed: int) -> None:
    accelerator.check(network, seed, on_rtl=True)
