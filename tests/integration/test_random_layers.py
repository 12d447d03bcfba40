"""Random layers: golden == C-sim in Vitis' order == C-sim over bounded streams == RTL, and cycles as predicted.

All layers of an accelerator differ in the words of the weight stream alone. So its C-simulation and its RTL are
compiled once, for each number of output channels that a PE computes side by side. Golden itself is held against a
dense int64 reference in tests/golden.
"""

import shutil
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator.architecture import Architecture
from golden import DescriptionBuilder, Network, Scale

from .accelerator import Accelerator
from .strategies import convolution_networks, fc_networks

_ARCHITECTURE = Architecture(
    lanes=8,
    tile=5,
    pes=3,
    fc_pes=4,
    map_words=162,  # 9 channels in 9 phases, two words each; rows of banks that are no power of two
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
_BLOCKS = {"max_entries": 768, "output_depth": 16}  # a channel of 9 x 9 pixels leaves as a whole
_SIZES = {1: {}, 2: {"pe_outputs": 2} | _BLOCKS, 4: {"pe_outputs": 4, "pes": 2} | _BLOCKS}
_SETTINGS = settings(
    deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@pytest.fixture(scope="module", params=_SIZES, ids="pe_outputs{}".format)
def accelerator(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accelerator]:
    """An accelerator whose PEs compute so many output channels side by side."""
    work = tmp_path_factory.mktemp("accelerator")
    yield Accelerator(work, _ARCHITECTURE.model_copy(update=_SIZES[request.param]))
    shutil.rmtree(work)


one_output = pytest.mark.parametrize("accelerator", [1], indirect=True, ids="pe_outputs{}".format)
"""For what is the same however many channels lie side by side."""


@settings(_SETTINGS, max_examples=20)
@given(convolution_networks(), st.integers(0, 1000))
def test_convolutions_on_c_simulation(accelerator: Accelerator, network: Network, seed: int) -> None:
    accelerator.check(network, seed, on_rtl=False)


@settings(_SETTINGS, max_examples=15)
@given(convolution_networks(dense=True), st.integers(0, 1000))
def test_dense_convolutions_on_c_simulation(accelerator: Accelerator, network: Network, seed: int) -> None:
    accelerator.check(network, seed, on_rtl=False)


@settings(_SETTINGS, max_examples=8)
@given(convolution_networks(), st.integers(0, 1000))
def test_convolutions_on_rtl(accelerator: Accelerator, network: Network, seed: int) -> None:
    accelerator.check(network, seed, on_rtl=True)


@settings(_SETTINGS, max_examples=8)
@given(convolution_networks(dense=True), st.integers(0, 1000))
def test_dense_convolutions_on_rtl(accelerator: Accelerator, network: Network, seed: int) -> None:
    accelerator.check(network, seed, on_rtl=True)


@one_output
@settings(_SETTINGS, max_examples=25)
@given(fc_networks(), st.integers(0, 1000))
def test_linear_layers_on_c_simulation(accelerator: Accelerator, network: Network, seed: int) -> None:
    accelerator.check(network, seed, on_rtl=False)


@one_output
@settings(_SETTINGS, max_examples=8)
@given(fc_networks(), st.integers(0, 1000))
def test_linear_layers_on_rtl(accelerator: Accelerator, network: Network, seed: int) -> None:
    accelerator.check(network, seed, on_rtl=True)


@one_output
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
    accelerator: Accelerator, kind: str, size: int, stride: int, padding: tuple[int, int, int, int] | int
) -> None:
    """AlexNet's and ResNet-50's first windows, an average whose windows overlap by half, and windows with gaps."""
    random = np.random.default_rng(size)
    builder = DescriptionBuilder("pooled", (2, 9, 10), "uint8", Scale(multiplier=1, shift=8))
    builder.conv("conv", random.integers(-9, 10, (4, 2, 3, 3), np.int8), [5, -5, 0, 90], padding=(1, 1), shift=5)
    options = {} if kind == "max_pool" else {"multiplier": 4096, "shift": 16}
    getattr(builder, kind)("pool", size, stride, padding, **options)
    accelerator.check(builder.build(), 3, on_rtl=True)


@one_output
@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_many_short_channels_of_one_position_on_rtl(accelerator: Accelerator, inputs: int) -> None:
    """A PE's pipeline holds several channels, which take a step or a few each."""
    random = np.random.default_rng(inputs)
    builder = DescriptionBuilder("short", (inputs, 1, 1), "uint8", Scale(multiplier=1, shift=8))
    weights = random.integers(1, 100, (40, inputs, 1, 1), np.int8)
    builder.conv("conv", weights, random.integers(-99, 99, 40, np.int32), shift=7)
    builder.flatten("vector")
    builder.linear("scores", random.integers(1, 9, (31, 40), np.int8), np.zeros(31, np.int32), shift=9)
    accelerator.check(builder.build(), 3, on_rtl=True)


def _depthwise() -> Network:
    """A depthwise layer between two others, and channels that do not fill blocks."""
    random = np.random.default_rng(1)
    builder = DescriptionBuilder("depthwise", (3, 7, 6), "uint8", Scale(multiplier=1, shift=8))
    bias = np.arange(5, dtype=np.int32)
    builder.conv("expand", random.integers(-50, 50, (5, 3, 1, 1), np.int8), bias, shift=6)
    depthwise = random.integers(-50, 50, (5, 1, 3, 3), np.int8)
    builder.conv("depthwise", depthwise, bias, padding=(1, 1), groups=5, shift=7)
    return builder.conv("project", random.integers(-50, 50, (3, 5, 1, 1), np.int8), bias[:3], shift=7).build()


def _patterned_weights(outputs: int, group: int, random: np.random.Generator) -> np.ndarray:
    """Kernels of 3 x 3 with 4 weights, in the same places for `group` neighbouring output channels."""
    places = random.permuted(np.tile(np.arange(9) < 4, (-(-outputs // group), 6, 1)), axis=2)
    mask = np.repeat(places, group, axis=0)[:outputs].reshape(outputs, 6, 3, 3)
    return (random.integers(1, 60, mask.shape) * random.choice([-1, 1], mask.shape) * mask).astype(np.int8)


def _patterned(group: int) -> Network:
    random = np.random.default_rng(2)
    builder = DescriptionBuilder("patterned", (6, 9, 9), "int8", Scale(multiplier=1, shift=8))
    bias = random.integers(-99, 99, 10, np.int32)
    return builder.conv("conv", _patterned_weights(10, group, random), bias, padding=(1, 1), shift=7).build()


@pytest.mark.parametrize("network", [_depthwise(), _patterned(4)], ids=["depthwise", "patterned"])
def test_some_layers_on_rtl(accelerator: Accelerator, network: Network) -> None:
    accelerator.check(network, 3, on_rtl=True)
