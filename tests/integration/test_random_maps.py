"""Layers without weights, dilation and concatenation: golden == C-sim == RTL, and cycles as predicted.

All layers run on one accelerator of all three engines, whose C-simulation and RTL are compiled once; so they do on
such with several lanes of the map engine, in which windows wider than the lanes are refused.
"""

import shutil
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator.architecture import Architecture
from generator.layers import EngineError, MapLayer
from generator.plan import engine_layers
from golden import DescriptionBuilder, Network, Scale
from golden.description import ActivationType

from .accelerator import Accelerator
from .strategies import map_networks

_ARCHITECTURE = Architecture(
    lanes=8,
    pes=2,
    fc_pes=2,
    map_words=128,
    mask_words=64,
    max_entries=128,
    max_columns=24,
    pointer_words=1,
    entry_words=1,
    fc_rows=1,
    map_columns=24,
    map_overlap=5,
    normalised_positions=256,
    normalised_channels=7,
    table_words=4,
    weight_depth=2,
    output_depth=2,
    token_depth=2,
)
_SETTINGS = settings(
    deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def _architecture(map_lanes: int) -> Architecture:
    """Strides beyond 2 have one window a strip."""
    if map_lanes == 1:
        return _ARCHITECTURE
    lanes = {"map_lanes": map_lanes, "map_strips": 24, "map_reach": map_lanes, "map_stride": 2, "map_averages": 1}
    return _ARCHITECTURE.model_copy(update=lanes)


@pytest.fixture(scope="module", params=[1, 4, 8], ids="lanes{}".format)
def accelerator(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accelerator]:
    """A map engine of so many lanes, compiled once for all networks."""
    work = tmp_path_factory.mktemp("maps")
    yield Accelerator(work, _architecture(request.param))
    shutil.rmtree(work)


def _check(accelerator: Accelerator, network: Network, seed: int, on_rtl: bool) -> None:
    """The network is exact, or a window of it has no room in the lanes, which is said."""
    lanes = accelerator.architecture.map_lanes
    layers = [layer for layer in engine_layers(network) if isinstance(layer, MapLayer)]
    if lanes == 1 or all(max(layer.kernel[1], layer.stride[1]) <= lanes for layer in layers):
        accelerator.check(network, seed, on_rtl)
        return
    with pytest.raises(EngineError, match=rf"columns at most in {lanes} lanes of the map engine \(map_lanes\), not"):
        accelerator.check(network, seed, on_rtl)


@settings(_SETTINGS, max_examples=40)
@given(map_networks(), st.integers(0, 1000))
def test_maps_on_c_simulation(accelerator: Accelerator, network: Network, seed: int) -> None:
    _check(accelerator, network, seed, on_rtl=False)


@settings(_SETTINGS, max_examples=15)
@given(map_networks(), st.integers(0, 1000))
def test_maps_on_rtl(accelerator: Accelerator, network: Network, seed: int) -> None:
    _check(accelerator, network, seed, on_rtl=True)


_TABLE = np.geomspace(65535, 300, 60).astype(np.int64)


def _lrn(builder: DescriptionBuilder, size: int, dtype: ActivationType) -> DescriptionBuilder:
    return builder.lrn("lrn", size=size, table=_TABLE, index_shift=11, shift=15, output_dtype=dtype)


@pytest.mark.parametrize(
    "add",
    [
        lambda b: b.max_pool("pool", 3, 2),
        lambda b: b.max_pool("pool", 3, 2, 1),
        lambda b: b.max_pool("pool", 3, 2, (0, 0, 1, 1)),
        lambda b: b.max_pool("pool", 2, 2),
        lambda b: b.max_pool("pool", 3, 1, 1),
        lambda b: b.max_pool("pool", 5, 1, 2),
        lambda b: b.max_pool("pool", (1, 4), (2, 3), (0, 2, 0, 3)),
        lambda b: b.average_pool("pool", 2, 2),
        lambda b: b.average_pool("pool", 4, 1, (2, 1, 3, 0)),
        lambda b: b.average_pool("pool", 1, 1, 4),
        lambda b: b.global_average_pool("pool"),
        lambda b: b.clip("clipped", -5, 77),
        lambda b: _lrn(b, 5, "int8"),
        lambda b: _lrn(b, 5, "int8").max_pool("pool", 3, 2),
        lambda b: _lrn(b, 3, "uint8").max_pool("pool", (3, 2), 1, (2, 1, 1, 0)),
        lambda b: b.lrn("lrn", size=7, table=[5], index_shift=0, shift=3, output_dtype="uint8"),
    ],
    ids=[
        *("alexnet", "resnet", "squeezenet", "vgg", "every_pixel", "five_windows", "oblong", "average"),
        *(
            "average_of_padding",
            "padded_copy",
            "global",
            "clip",
            "lrn",
            "lrn_pooled",
            "lrn_padded",
            "lrn_wider_than_the_map",
        ),
    ],
)
def test_every_kind_on_rtl(accelerator: Accelerator, add: Callable[[DescriptionBuilder], object]) -> None:
    """The windows of AlexNet, ResNet-50, SqueezeNet and VGG among them."""
    builder = DescriptionBuilder("kind", (5, 9, 10), "int8", Scale(multiplier=1, shift=8))
    add(builder)
    _check(accelerator, builder.build(), 3, on_rtl=True)


def test_one_pixel_on_rtl(accelerator: Accelerator) -> None:
    """A channel's walk is one step, so that each step reads what the one before it has written."""
    builder = DescriptionBuilder("pixel", (9, 1, 1), "uint8", Scale(multiplier=1, shift=8))
    _lrn(builder, 5, "uint8").average_pool("mean", 1)
    builder.max_pool("pool", 1, 1).lrn("again", size=3, table=_TABLE, index_shift=9, shift=15, output_dtype="uint8")
    accelerator.check(builder.build(), 4, on_rtl=True)


@pytest.mark.parametrize(
    ("kernel", "padding", "stride", "dilation"),
    [(1, (1, 1), 1, 1), (3, (0, 3), 1, 1), (3, (1, 0, 1, 4), 2, 1), (3, (6, 7), 1, (6, 5))],
    ids=["squeezenet", "wide", "right_edge", "dilated"],
)
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_padding_that_makes_a_wider_map_on_rtl(
    accelerator: Accelerator,
    kernel: int,
    padding: tuple[int, ...],
    stride: int,
    dilation: tuple[int, int] | int,
    dtype: ActivationType,
) -> None:
    random = np.random.default_rng(kernel)
    builder = DescriptionBuilder("wide", (3, 6, 5), dtype, Scale(multiplier=1, shift=8))
    weights = random.integers(-20, 21, (4, 3, kernel, kernel), np.int8)
    builder.conv(
        "conv", weights, [5, -5, 0, 90], padding=padding, stride=(stride, stride), dilation=dilation, shift=4,
        minimum=-128, maximum=127, output_dtype="int8",
    )  # fmt: skip
    network = builder.build()
    assert network.shapes["conv"][2] * stride > 5
    accelerator.check(network, 5, on_rtl=True)
