"""Golden against onnxruntime, an independent implementation: every layer of whole networks, every integer."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import golden
from golden import DescriptionBuilder, Network, onnx_check
from golden.onnx_check import OnnxDifference, compare_with_onnxruntime, run_onnxruntime
from golden.onnx_export import to_onnx, uses_float_requantisation
from tests.golden.networks import every_layer
from tests.golden.strategies import Convolution, activations, convolutions, sparse


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_network_of_every_layer_is_equal_in_every_integer(seed: int, dtype: str) -> None:
    network = every_layer(seed, dtype)
    generator = np.random.default_rng(seed)
    shape = network.description.input.shape
    images = [activations(generator, (40, *shape), dtype, "any")]
    images += [activations(generator, (1, *shape), dtype, kind) for kind in ("lowest", "highest")]
    assert compare_with_onnxruntime(network, np.concatenate(images)) is None
    outputs = golden.run(network, images[0], keep="all")
    assert all(len(np.unique(value)) > 5 for value in outputs.values())  # equal, and not because all is clamped


@settings(deadline=None, max_examples=60)
@given(convolutions())
def test_random_convolutions_are_equal(case: Convolution) -> None:
    builder = DescriptionBuilder("net", case.images.shape[1:], case.images.dtype.name)
    network = builder.conv(
        "conv",
        case.weights,
        case.bias,
        stride=case.stride,
        padding=case.padding,
        dilation=case.dilation,
        groups=case.groups,
        multiplier=case.multiplier,
        shift=case.shift,
        output_dtype=case.output_dtype,
    ).build()
    assert compare_with_onnxruntime(network, case.images) is None


@pytest.mark.parametrize(("inputs", "largest", "bias"), [(300, 128, 0), (300, 128, 999), (9216, 128, 0), (900, 3, 0)])
def test_linear_layers_are_equal(inputs: int, largest: int, bias: int) -> None:
    generator = np.random.default_rng(inputs)
    weights = sparse(generator, (12, inputs), 0.5, -largest, largest)
    builder = DescriptionBuilder("net", (inputs, 1, 1)).flatten("flat")
    network = builder.linear("fc", weights, np.full(12, bias), shift=11).build()
    images = activations(generator, (40, inputs, 1, 1), "uint8", "any")
    assert compare_with_onnxruntime(network, images) is None
    assert compare_with_onnxruntime(network, np.full((1, inputs, 1, 1), 255, np.uint8)) is None


def operators(network: Network) -> set[str]:
    return {node.op_type for node in to_onnx(network).graph.node}


def single(weights: np.ndarray, bias: int, shift: int) -> Network:
    builder = DescriptionBuilder("net", (weights.shape[1], 1, 1))
    return builder.conv("conv", weights, np.full(len(weights), bias), shift=shift, output_dtype="uint8").build()


def test_float_requantisation_is_used_exactly_where_it_is_proven() -> None:
    weights = np.full((1, 1, 1, 1), 1, np.int8)
    within, beyond = single(weights, 2**24 - 256, 17), single(weights, 2**24 - 255, 17)
    assert uses_float_requantisation(within, "conv") and "QLinearConv" in operators(within)
    assert not uses_float_requantisation(beyond, "conv") and "ConvInteger" in operators(beyond)


def test_beyond_float32_the_integer_path_is_the_right_one() -> None:
    """2**25 + 2**17 + 1 lies just above a tie, which float32 cannot tell from the tie itself."""
    network = single(np.full((1, 1, 1, 1), 1, np.int8), 2**25 + 2**17, 18)
    images = np.array([0, 1], np.uint8).reshape(2, 1, 1, 1)
    assert golden.run(network, images)["conv"].reshape(-1).tolist() == [128, 129]
    assert np.rint(np.float32(2**25 + 2**17 + 1) * np.float32(2.0**-18)) == 128
    assert compare_with_onnxruntime(network, images) is None


def test_mixed_signs_do_not_saturate() -> None:
    """255 times 127, pair by pair, leaves 16 bits: the case in which some kernels of other software saturate."""
    network = single(np.full((3, 64, 1, 1), 127, np.int8), 0, 13)
    images = np.full((2, 64, 1, 1), 255, np.uint8)
    assert golden.run(network, images)["conv"].reshape(-1).tolist() == [253] * 6
    assert compare_with_onnxruntime(network, images) is None


def test_outputs_of_the_exported_model_have_the_networks_types() -> None:
    network = every_layer()
    images = np.zeros((2, 3, 14, 13), np.uint8)
    for name, value in run_onnxruntime(network, images).items():
        assert value.dtype == network.dtypes[name] and value.shape == (2, *network.shapes[name])


@pytest.mark.parametrize(("layer", "place"), [("conv1", (35, 2, 3, 4)), ("fc2", (1, 8)), ("both", (0, 15, 6, 5))])
def test_the_first_difference_is_found(monkeypatch: pytest.MonkeyPatch, layer: str, place: tuple[int, ...]) -> None:
    """One wrong integer in golden's result, in whichever batch, is reported with its place and both values."""
    network = every_layer()
    images = np.random.default_rng(5).integers(0, 256, (40, 3, 14, 13)).astype(np.uint8)
    right = golden.run(network, images, keep="all")

    def wrong(network: Network, batch: np.ndarray, keep: Any) -> dict[str, np.ndarray]:
        results = golden.run(network, batch, keep)
        begin = int(np.flatnonzero((images == batch[0]).all(axis=(1, 2, 3)))[0])
        if begin <= place[0] < begin + len(batch):
            results[layer][place[0] - begin, *place[1:]] ^= 1
        return results

    monkeypatch.setattr(onnx_check, "run", wrong)
    expected = int(right[layer][place])
    image, *position = place
    found = compare_with_onnxruntime(network, images)
    assert found == OnnxDifference(layer, image, tuple(position), expected ^ 1, expected)
    assert str(found).startswith(f"layer '{layer}', image {image}, position {tuple(position)}: golden {expected ^ 1}")
