"""Layers without weights, dilation and concatenation: golden == C-sim == RTL, and cycles as predicted.

All layers run on one accelerator of all three engines, whose C-simulation and RTL are compiled once; so they do on
such with several lanes of the map engine, in which windows wider than the lanes are refused.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence

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


def _has_room(accelerator: Accelerator, network: Network) -> bool:
    """Whether the windows of a network lie within the lanes."""
    lanes = accelerator.architecture.map_lanes
    layers = [layer for layer in engine_layers(network) if isinstance(layer, MapLayer)]
    return lanes == 1 or all(max(layer.kernel[1], layer.stride[1]) <= lanes for layer in layers)


def _check(accelerator: Accelerator, network: Network, seed: int, on_rtl: bool) -> None:
    """The network is exact, or a window of it has no room in the lanes, which is said."""
    if _has_room(accelerator, network):
        accelerator.check(network, seed, on_rtl)
        return
    lanes = accelerator.architecture.map_lanes
    with pytest.raises(EngineError, match=rf"columns at most in {lanes} lanes of the map engine \(map_lanes\), not"):
        accelerator.check(network, seed, on_rtl)


@settings(_SETTINGS, max_examples=25)
@given(map_networks(), st.integers(0, 1000))
def test_maps_on_c_simulation(accelerator: Accelerator, network: Network, seed: int) -> None:
    _check(accelerator, network, seed, on_rtl=False)


@settings(_SETTINGS, max_examples=10)
@given(map_networks(), st.integers(0, 1000))
def test_maps_on_rtl(accelerator: Accelerator, network: Network, seed: int) -> None:
    _check(accelerator, network, seed, on_rtl=True)


_TABLE = np.geomspace(65535, 300, 60).astype(np.int64)


def _lrn(
    builder: DescriptionBuilder, name: str, size: int, dtype: ActivationType, source: str | None = None
) -> DescriptionBuilder:
    options = {"table": _TABLE, "index_shift": 11, "shift": 15, "output_dtype": dtype, "source": source}
    return builder.lrn(name, size=size, **options)


_ADD_KIND: dict[str, Callable[[DescriptionBuilder, str], object]] = {
    "alexnet": lambda b, name: b.max_pool(name, 3, 2, source="input"),
    "resnet": lambda b, name: b.max_pool(name, 3, 2, 1, source="input"),
    "squeezenet": lambda b, name: b.max_pool(name, 3, 2, (0, 0, 1, 1), source="input"),
    "vgg": lambda b, name: b.max_pool(name, 2, 2, source="input"),
    "every_pixel": lambda b, name: b.max_pool(name, 3, 1, 1, source="input"),
    "five_windows": lambda b, name: b.max_pool(name, 5, 1, 2, source="input"),
    "oblong": lambda b, name: b.max_pool(name, (1, 4), (2, 3), (0, 2, 0, 3), source="input"),
    "average": lambda b, name: b.average_pool(name, 2, 2, source="input"),
    "average_of_padding": lambda b, name: b.average_pool(name, 4, 1, (2, 1, 3, 0), source="input"),
    "padded_copy": lambda b, name: b.average_pool(name, 1, 1, 4, source="input"),
    "global": lambda b, name: b.global_average_pool(name, source="input"),
    "clip": lambda b, name: b.clip(name, -5, 77, source="input"),
    "lrn": lambda b, name: _lrn(b, name, 5, "int8", "input"),
    "lrn_pooled": lambda b, name: _lrn(b, name, 5, "int8", "input").max_pool(f"{name}_pool", 3, 2),
    "lrn_padded": lambda b, name: _lrn(b, name, 3, "uint8", "input").max_pool(f"{name}_pool", (3, 2), 1, (2, 1, 1, 0)),
    "lrn_wider_than_the_map": lambda b, name: b.lrn(
        name, size=7, table=[5], index_shift=0, shift=3, output_dtype="uint8", source="input"
    ),
}
"""The windows of AlexNet, ResNet-50, SqueezeNet and VGG among them; each reads the network's input."""


def _kinds(names: Sequence[str]) -> Network:
    builder = DescriptionBuilder("kinds", (5, 9, 10), "int8", Scale(multiplier=1, shift=8))
    for name in names:
        _ADD_KIND[name](builder, name)
    return builder.build()


def test_every_kind_on_rtl(accelerator: Accelerator) -> None:
    """As layers of one network; those that the lanes have no room for are refused."""
    refused = [name for name in _ADD_KIND if not _has_room(accelerator, _kinds([name]))]
    assert refused == {1: [], 4: ["five_windows", "global"], 8: ["global"]}[accelerator.architecture.map_lanes]
    for name in refused:
        _check(accelerator, _kinds([name]), 3, on_rtl=False)
    accelerator.check(_kinds([name for name in _ADD_KIND if name not in refused]), 3, on_rtl=True)


def test_one_pixel_on_rtl(accelerator: Accelerator) -> None:
    """A channel's walk is one step, so that each step reads what the one before it has written."""
    builder = DescriptionBuilder("pixel", (9, 1, 1), "uint8", Scale(multiplier=1, shift=8))
    _lrn(builder, "lrn", 5, "uint8").average_pool("mean", 1)
    builder.max_pool("pool", 1, 1).lrn("again", size=3, table=_TABLE, index_shift=9, shift=15, output_dtype="uint8")
    accelerator.check(builder.build(), 4, on_rtl=True)


@pytest.mark.parametrize(
    "convolutions",
    [
        {"squeezenet": (1, (1, 1), 1, 1), "wide": (3, (0, 3), 1, 1), "dilated": (3, (6, 7), 1, (6, 5))},
        {"right_edge": (3, (1, 0, 1, 4), 2, 1)},  # alone, so that its input comes in phases
    ],
    ids="-".join,
)
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_padding_that_makes_a_wider_map_on_rtl(
    accelerator: Accelerator,
    convolutions: dict[str, tuple[int, tuple[int, ...], int, tuple[int, int] | int]],
    dtype: ActivationType,
) -> None:
    builder = DescriptionBuilder("wide", (3, 6, 5), dtype, Scale(multiplier=1, shift=8))
    for name, (kernel, padding, stride, dilation) in convolutions.items():
        weights = np.random.default_rng(kernel).integers(-20, 21, (4, 3, kernel, kernel), np.int8)
        builder.conv(
            name, weights, [5, -5, 0, 90], source="input", padding=padding, stride=(stride, stride), dilation=dilation,
            shift=4, minimum=-128, maximum=127, output_dtype="int8",
        )  # fmt: skip
    network = builder.build()
    assert all(network.shapes[name][2] * how[2] > 5 for name, how in convolutions.items())
    accelerator.check(network, 5, on_rtl=True)
