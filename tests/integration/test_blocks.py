"""Random layers on PEs that compute several output channels side by side: all as in test_random_layers."""

import shutil
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator.architecture import Architecture
from golden import DescriptionBuilder, Network, Scale

from .accelerator import Accelerator
from .strategies import convolution_networks

_SETTINGS = settings(
    deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def _architecture(outputs: int) -> Architecture:
    return Architecture(
        lanes=8,
        tile=5,
        pes=3 if outputs == 2 else 2,
        pe_outputs=outputs,
        fc_pes=4,
        map_words=100,  # rows of banks that are no power of two
        max_entries=768,
        mask_words=64,
        max_columns=16,
        pointer_words=80,
        entry_words=1024,
        fc_rows=280,
        weight_depth=16,
        output_depth=16,  # a channel of 9 x 9 pixels
        token_depth=2,
    )


@pytest.fixture(scope="module", params=[2, 4])
def accelerator(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accelerator]:
    work = tmp_path_factory.mktemp("accelerator")
    yield Accelerator(work, _architecture(request.param))
    shutil.rmtree(work)


@settings(_SETTINGS, max_examples=12)
@given(convolution_networks(), st.integers(0, 1000))
def test_convolutions_on_c_simulation(accelerator: Accelerator, network: Network, seed: int) -> None:
    accelerator.check(network, seed, on_rtl=False)


@settings(_SETTINGS, max_examples=10)
@given(convolution_networks(dense=True), st.integers(0, 1000))
def test_dense_convolutions_on_c_simulation(accelerator: Accelerator, network: Network, seed: int) -> None:
    accelerator.check(network, seed, on_rtl=False)


@settings(_SETTINGS, max_examples=4)
@given(st.booleans().flatmap(convolution_networks), st.integers(0, 1000))
def test_convolutions_on_rtl(accelerator: Accelerator, network: Network, seed: int) -> None:
    accelerator.check(network, seed, on_rtl=True)


def _depthwise() -> Network:
    """A depthwise layer between two others, and channels that do not fill blocks."""
    random = np.random.default_rng(1)
    builder = DescriptionBuilder("depthwise", (3, 7, 6), "uint8", Scale(multiplier=1, shift=8))
    bias = np.arange(5, dtype=np.int32)
    builder.conv("expand", random.integers(-50, 50, (5, 3, 1, 1), np.int8), bias, shift=6)
    depthwise = random.integers(-50, 50, (5, 1, 3, 3), np.int8)
    builder.conv("depthwise", depthwise, bias, padding=(1, 1), groups=5, shift=7)
    return builder.conv("project", random.integers(-50, 50, (3, 5, 1, 1), np.int8), bias[:3], shift=7).build()


def patterned(outputs: int, group: int, random: np.random.Generator) -> np.ndarray:
    """Kernels of 3 x 3 with 4 weights, in the same places for `group` neighbouring output channels."""
    places = random.permuted(np.tile(np.arange(9) < 4, (-(-outputs // group), 6, 1)), axis=2)
    mask = np.repeat(places, group, axis=0)[:outputs].reshape(outputs, 6, 3, 3)
    return (random.integers(1, 60, mask.shape) * random.choice([-1, 1], mask.shape) * mask).astype(np.int8)


def _patterned(group: int) -> Network:
    random = np.random.default_rng(2)
    builder = DescriptionBuilder("patterned", (6, 9, 9), "int8", Scale(multiplier=1, shift=8))
    bias = random.integers(-99, 99, 10, np.int32)
    return builder.conv("conv", patterned(10, group, random), bias, padding=(1, 1), shift=7).build()


@pytest.mark.parametrize("network", [_depthwise(), _patterned(4)], ids=["depthwise", "patterned"])
def test_some_layers_on_rtl(accelerator: Accelerator, network: Network) -> None:
    accelerator.check(network, 3, on_rtl=True)
