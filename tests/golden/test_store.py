"""Descriptions in files: nothing is lost, equal networks give equal bytes, nothing half written stays behind."""

import json
from pathlib import Path

import numpy as np
import pytest

import golden
from golden import Description, DescriptionError
from golden.graph import infer_graph
from golden.schema import json_schema
from tests.golden.networks import every_layer, saved

SCHEMA = Path(__file__).parents[2] / "docs" / "description.schema.json"


def test_what_is_loaded_is_what_was_saved(tmp_path: Path) -> None:
    network = every_layer()
    found = golden.load(saved(tmp_path))
    assert found.description.model_copy(update={"payload": None}) == network.description
    assert found.types == network.types and found.outputs == ("global", "fc2")
    for layer in network.weighted_layers:
        np.testing.assert_array_equal(found.weights(layer.name), network.weights(layer.name))
        np.testing.assert_array_equal(found.bias(layer.name), network.bias(layer.name))
        assert found.size(layer.name) == network.size(layer.name)
        ours, theirs = network.requantise(layer.name), found.requantise(layer.name)
        np.testing.assert_array_equal(ours.multiplier, theirs.multiplier)
        np.testing.assert_array_equal(ours.shift, theirs.shift)
    images = np.random.default_rng(1).integers(0, 256, (3, 3, 14, 13)).astype(np.uint8)
    for name, value in golden.run(network, images, keep="all").items():
        np.testing.assert_array_equal(golden.run(found, images, keep="all")[name], value)


def test_equal_networks_give_equal_bytes_and_no_other_file(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        folder.mkdir()
        saved(folder)
        saved(folder)
        assert sorted(path.name for path in folder.iterdir()) == ["net.json", "net.safetensors"]
    for name in ("net.json", "net.safetensors"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_sizes_count_everything() -> None:
    network = every_layer()
    size = network.size("block.conv2")
    assert size.weights.index == 8 * 4 * 9
    assert size.weights.values == 8 * np.count_nonzero(network.weights("block.conv2"))
    assert (size.bias, size.scales) == (8 * 32, 8 * 40)
    assert network.size("conv1").scales == 40
    assert size.total == size.weights.total + 8 * 72
    stored = sum(network.encoded(layer.name).payload.size * 8 for layer in network.weighted_layers)
    assert network.total_bits == stored + sum(
        network.size(layer.name).bias + network.size(layer.name).scales for layer in network.weighted_layers
    )
    assert network.nonzero_count < network.weight_count


def test_scales_are_handed_on_by_layers_that_keep_them() -> None:
    builder = golden.DescriptionBuilder("net", (2, 4, 4), "uint8", golden.Scale(shift=8))
    network = builder.max_pool("pool", 2).flatten("flat").clip("clip", 0, 9).build()
    assert network.scale("flat") == golden.Scale(shift=8)
    assert network.scale("clip") is None


@pytest.mark.parametrize(("name", "message"), [("net.txt", "must end in .json"), ("..json", "not a legal name")])
def test_files_that_save_refuses(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(DescriptionError, match=message):
        golden.save(every_layer(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_the_schema_in_the_documentation_is_current() -> None:
    assert SCHEMA.read_text() == json_schema()
    layers = json.loads(json_schema())["$defs"]
    for model in (value for value in layers.values() if value["type"] == "object"):
        assert model["additionalProperties"] is False


def test_the_example_in_the_documentation_is_a_description() -> None:
    text = SCHEMA.with_name("description.md").read_text().split("```json\n")[1].split("```")[0]
    example = Description.model_validate_json(text.replace("64 hexadecimal digits of the whole file", "0" * 64))
    types = infer_graph(example.input, example.layers, example.outputs)
    assert types["pool1"].shape == (6, 14, 14)
