"""Every wrong file gives one sentence that names file, layer and field."""

import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import golden
from golden import DescriptionBuilder, DescriptionError
from tests.golden.networks import saved

Json = dict[str, Any]
Tensors = dict[str, np.ndarray]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return saved(tmp_path)


def layer_of(raw: Json, name: str) -> Json:
    return next(layer for layer in raw["layers"] if layer["name"] == name)


def setting(layer: str | None, *path: str | int, to: Any) -> Callable[[Json], None]:
    """A change that sets one field, of a layer or of the whole description."""

    def change(raw: Json) -> None:
        place: Any = raw if layer is None else layer_of(raw, layer)
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = to

    return change


def removing(layer: str | None, field: str) -> Callable[[Json], None]:
    def change(raw: Json) -> None:
        del (raw if layer is None else layer_of(raw, layer))[field]

    return change


def refused(file: Path) -> DescriptionError:
    with pytest.raises(DescriptionError) as caught:
        golden.load(file)
    sentence = str(caught.value)
    assert "\n" not in sentence.strip() and str(file) in sentence
    return caught.value


def check(error: DescriptionError, layer: str | None, field: str | None, message: str) -> None:
    assert (error.layer, error.field) == (layer, field), str(error)
    assert message in error.message
    assert layer is None or f"layer '{layer}'" in str(error)
    assert field is None or f"field '{field}'" in str(error)


TOO_LONG = 2**31

JSON_CASES: list[tuple[Callable[[Json], None], str | None, str | None, str]] = [
    (setting(None, "format", to="other"), None, "format", "must be 'zeroskip-description'"),
    (setting(None, "version", to=2), None, "version", "is 2, but this program reads version 1"),
    (setting(None, "version", to=True), None, "version", "is True, but this program reads version 1"),
    (setting(None, "surprise", to=1), None, "surprise", "is no field of this format"),
    (setting(None, "name", to="a/b"), None, "name", "looks like a path"),
    (setting(None, "input", "shape", to=[3, 0, 13]), None, "input.shape.1", "greater than or equal to 1"),
    (setting(None, "input", "shape", to=[2**20, 2**20, 2**20]), None, "input.shape", "more than 268435456"),
    (setting(None, "input", "dtype", to="float32"), None, "input.dtype", "'uint8' or 'int8'"),
    (
        setting(None, "input", "scale", to={"multiplier": 0, "shift": 3}),
        None,
        "input.scale.multiplier",
        "or equal to 1",
    ),
    (setting(None, "input", "scale", to={"multiplier": 1, "shift": 1e9}), None, "input.scale.shift", "valid integer"),
    (setting(None, "outputs", to=[]), None, "outputs", "at least 1"),
    (setting(None, "outputs", to=["global", "nowhere"]), None, "outputs", "'nowhere' is not a layer"),
    (setting(None, "outputs", to=["global", "input"]), None, "outputs", "'input' is not a layer"),
    (setting(None, "outputs", to=["fc2", "fc2"]), None, "outputs", "twice"),
    (setting(None, "outputs", to=["fc2"]), "global", None, "neither an output nor read by any layer"),
    (setting(None, "layers", to=[]), None, "layers", "at least 1"),
    (removing(None, "payload"), None, "payload", "is missing"),
    (setting(None, "payload", "file", to="../net.safetensors"), None, "payload.file", "not a plain file name"),
    (setting(None, "payload", "file", to="other.safetensors"), None, "payload.file", "does not lie beside"),
    (setting(None, "payload", "sha256", to="0" * 64), None, "payload.sha256", "hashes to"),
    (setting("conv1", "type", to="transformer"), "conv1", "type", "does not match any of the expected tags"),
    (removing("conv1", "stride"), "conv1", "stride", "is missing"),
    (setting("conv1", "zero_point", to=3), "conv1", "zero_point", "is no field of this format"),
    (setting("conv1", "name", to=""), "number 0", "name", "at least 1 character"),
    (setting("conv1", "name", to="../up"), "../up", "name", "looks like a path"),
    (setting("conv1", "name", to="input"), "input", "name", "means the network's input"),
    (setting("relu6", "name", to="sum"), "sum", "name", "must be distinct"),
    (setting("conv1", "source", to="nowhere"), "conv1", "source", "neither 'input' nor a layer"),
    (setting("conv1", "source", to="sum"), "conv1", "source", "a cycle, or layers out of order"),
    (setting("conv1", "source", to="conv1"), "conv1", "source", "a cycle"),
    (setting("conv1", "stride", to=[0, 1]), "conv1", "stride.0", "greater than or equal to 1"),
    (setting("conv1", "stride", to=[1]), "conv1", "stride.1", "is missing"),
    (setting("conv1", "stride", to=["1", 1]), "conv1", "stride.0", "valid integer"),
    (setting("conv1", "padding", to=[-1, 0, 0, 0]), "conv1", "padding.0", "greater than or equal to 0"),
    (setting("conv1", "dilation", to=[9, 9]), "conv1", "weights.shape", "does not fit once into the padded map"),
    (setting("conv1", "groups", to=2), "conv1", "groups", "does not divide 3 inputs"),
    (setting("conv1", "requantise", "shift", to=48), "conv1", "requantise.shift", "less than or equal to 47"),
    (setting("conv1", "requantise", "multiplier", to=0), "conv1", "requantise.multiplier", "or equal to 1"),
    (setting("conv1", "requantise", "multiplier", to=TOO_LONG), "conv1", "requantise.multiplier", "less than or equal"),
    (
        setting("conv1", "requantise", "minimum", to=-129),
        "conv1",
        "requantise.minimum",
        "greater than or equal to -128",
    ),
    (setting("conv1", "requantise", "maximum", to=128), "conv1", "requantise.maximum", "for int8"),
    (setting("conv1", "requantise", "maximum", to=-101), "conv1", "requantise.maximum", "-100 (the minimum)"),
    (setting("conv1", "output", "dtype", to="int4"), "conv1", "output.dtype", "'uint8' or 'int8'"),
    (
        setting("conv1", "weight_scale", to=[{"shift": 1}] * 3),
        "conv1",
        "weight_scale",
        "3 scales for 8 output channels",
    ),
    (setting("conv1", "weights", "shape", to=[8, 3, 3]), "conv1", "weights.shape.3", "is missing"),
    (setting("conv1", "weights", "shape", to=[8, 4, 3, 3]), "conv1", "weights.shape", "the source has 3 channels"),
    (setting("fc2", "weights", "shape", to=[10, 20]), "fc2", "bias", "has 9 numbers, but the layer needs 10"),
    (
        setting("conv1", "weights", "format", to="conv-zip"),
        "conv1",
        "weights",
        "does not match any of the expected tags",
    ),
    (setting("conv1", "weights", "bits", to=8), "conv1", "weights.bits", "says 8, but the payload has"),
    (setting("conv1", "weights", "nonzeros", to=1), "conv1", "weights.nonzeros", "says 1, but the payload holds"),
    (setting("depthwise", "weights", "patterns", to=500), "depthwise", "weights", "the payload of"),
    (setting("depthwise", "weights", "kernel_values", to=1), "depthwise", "weights", "a pattern has neither"),
    (setting("fc1", "weights", "gap_bits", to=0), "fc1", "weights.gap_bits", "greater than or equal to 1"),
    (setting("fc1", "weights", "value_bits", to=7), "fc1", "weights.value_bits", "4, 5 or 8"),
    (setting("fc1", "weights", "column_bits", to=32), "fc1", "weights", "the payload of"),
    (setting("fc1", "source", to="both"), "fc1", "source", "put a flatten layer between"),
    (setting("fc1", "source", to="global"), "fc1", "source", "put a flatten layer between"),
    (setting("sum", "sources", to=["conv1"]), "sum", "sources.1", "is missing"),
    (setting("sum", "sources", to=["conv1", "input"]), "sum", "sources", "which are not equal"),
    (setting("sum", "multipliers", to=[2**30, 2**30]), "sum", "multipliers", "which 32 bits do not hold"),
    (setting("both", "sources", to=["max", "conv1"]), "both", "sources", "do not fit together"),
    (setting("lrn", "size", to=4), "lrn", "size", "must be odd"),
    (setting("lrn", "entries", to=7), "lrn", "entries", "but the layer needs 7"),
    (setting("mean", "padding", to=[0, 2**10, 0, 0]), "mean", "padding.1", "less than or equal to 1023"),
    (setting("max", "kernel", to=[30, 30]), "max", "kernel", "does not fit once"),
    (setting("max", "padding", to=[3, 0, 0, 0]), "max", "padding", "wholly outside the map"),
    (setting("mean", "requantise", "shift", to="many"), "mean", "requantise.shift", "input should be"),
]


@pytest.mark.parametrize(("change", "layer", "field", "message"), JSON_CASES)
def test_json_that_is_refused(
    file: Path, change: Callable[[Json], None], layer: str | None, field: str | None, message: str
) -> None:
    raw = json.loads(file.read_text())
    change(raw)
    file.write_text(json.dumps(raw))
    check(refused(file), layer, field, message)


@pytest.mark.parametrize(
    ("find", "put", "layer", "field", "message"),
    [
        ('"version": 1', '"version": NaN', None, None, "holds the number NaN; every number must be a finite integer"),
        ('"shift": 7 }', '"shift": Infinity }', None, None, "holds the number Infinity"),
        ('"shift": 7 }', '"shift": -Infinity }', None, None, "holds the number -Infinity"),
        ('"shift": 7 }', '"shift": 1e400 }', None, "input.scale.shift", "valid integer"),
        ('"shift": 7 }', f'"shift": {"9" * 5000} }}', None, None, "is not JSON"),
        ('"version": 1', '"version": 1, "version": 1', None, "version", "stands twice"),
        ('"groups": 2', '"groups": 2, "groups": 2', "block.conv2", "groups", "stands twice"),
        ("{", "[", None, None, "is not JSON"),
        ("{", "{" * 100000, None, None, "is not JSON"),
    ],
)
def test_text_that_is_refused(
    file: Path, find: str, put: str, layer: str | None, field: str | None, message: str
) -> None:
    text = file.read_text()
    assert find in text
    file.write_text(text.replace(find, put, 1))
    check(refused(file), layer, field, message)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b"1", b"null", b'"x"', b"[" * 200000])
def test_content_that_is_no_description(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    error = refused(file)
    assert error.message.startswith(("is not JSON", "is not a description"))


def replaced(name: str, by: Callable[[np.ndarray], np.ndarray]) -> Callable[[Tensors], None]:
    def change(tensors: Tensors) -> None:
        tensors[name] = np.ascontiguousarray(by(tensors[name].copy()))

    return change


def without(name: str) -> Callable[[Tensors], None]:
    return lambda tensors: tensors.pop(name)  # type: ignore[arg-type, return-value]


def extra(tensors: Tensors) -> None:
    tensors["conv9.weights"] = np.zeros(3, np.uint8)


def at(index: int, value: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array[index] = value
        return array

    return change


TENSOR_CASES: list[tuple[Callable[[Tensors], None], str | None, str, str]] = [
    (without("conv1.weights"), "conv1", "weights", "is missing from the payload"),
    (without("conv1.bias"), "conv1", "bias", "is missing from the payload"),
    (without("block.conv2.shift"), "block.conv2", "requantise.shift", "is missing from the payload"),
    (extra, None, "payload", "'conv9.weights' belongs to no layer"),
    (replaced("conv1.bias", lambda array: array[:-1]), "conv1", "bias", "has 7 numbers, but the layer needs 8"),
    (replaced("conv1.bias", lambda array: array.astype(np.float32)), "conv1", "bias", "must be a vector of int32"),
    (replaced("conv1.bias", lambda array: array * np.nan), "conv1", "bias", "must be a vector of int32, not float64"),
    (replaced("conv1.bias", at(3, 2**31 - 1)), "conv1", "weights", "accumulator of output channel 3 can reach"),
    (replaced("conv1.bias", at(5, -(2**31))), "conv1", "weights", "accumulator of output channel 5 can reach"),
    (replaced("conv1.weights", lambda array: array[:-1]), "conv1", "weights.bits", "but the payload has"),
    (replaced("conv1.weights", lambda array: array.reshape(2, -1)), "conv1", "weights", "must be a vector of uint8"),
    (replaced("conv1.weights", at(-1, 0xF0)), "conv1", "weights", "outside the 3x3 kernel"),
    (replaced("conv1.weights", at(0, 0xFF)), "conv1", "weights", "the payload of"),
    (replaced("block.conv2.multiplier", at(0, 0)), "block.conv2", "requantise.multiplier", "range 1 to 2147483647"),
    (replaced("block.conv2.shift", at(0, 48)), "block.conv2", "requantise.shift", "leaves the range 0 to 47"),
    (replaced("fc1.weights", at(0, 0xFF)), "fc1", "weights", "ends inside its entries"),
    (replaced("fc2.weights", at(0, 1)), "fc2", "weights", "the codebook's entry 0 is not 0"),
    (replaced("fc2.weights", at(16, 0xFF)), "fc2", "weights", "do not start at 0 or decrease"),
    (replaced("depthwise.weights", at(0, 0xFF)), "depthwise", "weights", "a pattern has neither"),
    (replaced("lrn.table", lambda array: array[:5]), "lrn", "entries", "has 5 numbers"),
]


@pytest.mark.parametrize(("change", "layer", "field", "message"), TENSOR_CASES)
def test_tensors_that_are_refused(
    file: Path, change: Callable[[Tensors], None], layer: str | None, field: str, message: str
) -> None:
    payload = file.with_suffix(".safetensors")
    tensors = safetensors.numpy.load(payload.read_bytes())
    change(tensors)
    store_with_hash(file, safetensors.numpy.save(tensors))
    check(refused(file), layer, field, message)


def store_with_hash(file: Path, content: bytes) -> None:
    file.with_suffix(".safetensors").write_bytes(content)
    raw = json.loads(file.read_text())
    raw["payload"]["sha256"] = hashlib.sha256(content).hexdigest()
    file.write_text(json.dumps(raw))


@pytest.mark.parametrize("cut", [0, 1, 7, 8, 100, -1])
def test_a_truncated_payload_is_refused_by_hash_and_by_content(file: Path, cut: int) -> None:
    content = file.with_suffix(".safetensors").read_bytes()[:cut]
    file.with_suffix(".safetensors").write_bytes(content)
    check(refused(file), None, "payload.sha256", "hashes to")
    store_with_hash(file, content)
    check(refused(file), None, "payload.file", "is not a safetensors file")


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise AssertionError('unpickled')",))


def test_a_pickle_is_never_read(file: Path) -> None:
    store_with_hash(file, pickle.dumps(Bomb()))
    check(refused(file), None, "payload.file", "is not a safetensors file")


def weights(*shape: int) -> np.ndarray:
    return np.ones(shape, np.int8)


def builder() -> DescriptionBuilder:
    return DescriptionBuilder("net", (2, 5, 5))


def wide() -> DescriptionBuilder:
    """A map of one pixel and 512 channels, which the largest padding makes too large to pad."""
    return DescriptionBuilder("net", (512, 1, 1))


BUILDER_CASES: list[tuple[Callable[[], object], str | None, str, str]] = [
    (lambda: DescriptionBuilder("", (1, 2, 2)), None, "name", "is empty"),
    (lambda: DescriptionBuilder("net", (1, 2)), None, "shape.2", "is missing"),
    (lambda: builder().conv("c", weights(1, 2, 3, 3).astype(float), [0], shift=0), "c", "weights", "must be int8"),
    (lambda: builder().conv("c", weights(1, 2, 3), [0], shift=0), "c", "weights", "of 4 dimensions"),
    (lambda: builder().conv("c", weights(1, 2, 3, 3), [0.5], shift=0), "c", "bias", "vector of integers"),
    (lambda: builder().conv("c", weights(1, 2, 3, 3), [2**31], shift=0), "c", "bias", "outside -2147483648"),
    (lambda: builder().conv("c", weights(1, 2, 3, 3), [0, 0], shift=0), "c", "bias", "has 2 numbers"),
    (lambda: builder().conv("c", weights(1, 2, 3, 3), [0], shift=-1), "c", "shift", "or equal to 0"),
    (lambda: builder().conv("c", weights(1, 2, 3, 3), [0], shift=np.array([99])), "c", "requantise.shift", "0 to 47"),
    (lambda: builder().conv("c", weights(1, 2, 3, 3), [0], shift=0, source="x"), "c", "source", "neither 'input' nor"),
    (lambda: builder().conv("c", weights(1, 2, 3, 3), [0], shift=0, format="csc"), "c", "format", "does not store"),
    (lambda: builder().linear("fc", weights(3, 50), [0] * 3, shift=0), "fc", "source", "put a flatten layer"),
    (lambda: builder().max_pool("p", 2).max_pool("p", 2), "p", "name", "must be distinct"),
    (lambda: builder().max_pool("a/b", 2), "a/b", "name", "looks like a path"),
    (lambda: builder().average_pool("p", 2, multiplier=3), "p", "requantise", "or neither"),
    (lambda: builder().average_pool("p", 2, minimum=-1), "p", "requantise.minimum", "outside 0 to 255 of uint8"),
    (lambda: wide().average_pool("p", 1024, padding=1023), "p", "padding", "makes a map of 2145387008 values"),
    (lambda: builder().build(), None, "layers", "add a layer first"),
    (lambda: builder().max_pool("p", 2).build(["q"]), None, "outputs", "'q' is not a layer"),
]


@pytest.mark.parametrize(("call", "layer", "field", "message"), BUILDER_CASES)
def test_calls_that_the_builder_refuses(
    call: Callable[[], object], layer: str | None, field: str, message: str
) -> None:
    with pytest.raises(DescriptionError) as caught:
        call()
    check(caught.value, layer, field, message)


def test_a_refused_layer_leaves_the_builder_as_it_was() -> None:
    made = builder().max_pool("pool", 2)
    with pytest.raises(DescriptionError):
        made.conv("conv", weights(1, 2, 9, 9), [0], shift=0)
    network = made.conv("conv", weights(1, 2, 2, 2), [0], shift=0).build()
    assert set(network.tensors) == {"conv.weights", "conv.bias"}


def test_the_accumulator_bound_is_the_exact_worst_case() -> None:
    """Each weight meets the activation that is worst for it; the bias takes what 32 bits leave, to the last unit."""
    kernel = np.array([[[[100, -3], [7, 0]]]], np.int8)
    room = 2**31 - 1 - 255 * 107
    DescriptionBuilder("net", (1, 2, 2)).conv("c", kernel, [room], shift=0)
    with pytest.raises(DescriptionError, match=r"output channel 0 can reach -765 to 2147483648, which 32 bits"):
        DescriptionBuilder("net", (1, 2, 2)).conv("c", kernel, [room + 1], shift=0)
    signed = DescriptionBuilder("net", (1, 2, 2), "int8")
    signed.conv("c", kernel, [-(2**31) + 128 * 107 + 3 * 127], shift=0)
    with pytest.raises(DescriptionError, match="can reach -2147483649 to"):
        signed.conv("d", kernel, [-(2**31) + 128 * 107 + 3 * 127 - 1], shift=0, source="input")
    most = 2**31 - 1 - 127 * 107 - 128 * 3
    signed.conv("e", kernel, [most], shift=0, source="input")
    with pytest.raises(DescriptionError, match="to 2147483648, which 32 bits"):
        signed.conv("f", kernel, [most + 1], shift=0, source="input")


def test_a_layer_that_does_not_exist_and_one_without_weights() -> None:
    network = builder().max_pool("pool", 2).build()
    with pytest.raises(DescriptionError, match="the network 'net' has no layer 'conv'"):
        network.weights("conv")
    with pytest.raises(DescriptionError, match="layer 'pool': is a max_pool layer, which has no weights"):
        network.weights("pool")
