"""The bench's own reader finds every weight of packets that hold several output channels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from generator import BuildOptions, generate
from golden import Network
from testbench.build import load_build
from testbench.ladder import Context, Options
from testbench.ladder.description import WeightStreamRung
from testbench.weight_stream import WeightStreamReader, write_bits
from tests.generator.networks import branched_network
from tests.testbench.networks import dense_network, small_network


def _build(network: Network, folder: Path, outputs: int) -> Path:
    generate(network, "zcu104", folder, BuildOptions(pes=2, lanes=8, fc_pes=4, pe_outputs=outputs, random_images=1))
    return folder


@pytest.mark.parametrize("outputs", [1, 2, 4])
@pytest.mark.parametrize("network", [small_network, dense_network, branched_network])
def test_the_weights_read_back_are_the_description_s(
    network: Callable[[], Network], outputs: int, tmp_path: Path
) -> None:
    build = load_build(_build(network(), tmp_path / "build", outputs))
    result = WeightStreamRung().check(Context(build, Options(), tmp_path / "work"))
    assert result.passed, result.detail


def test_a_wrong_weight_of_a_second_channel_is_found(tmp_path: Path) -> None:
    folder = _build(small_network(), tmp_path / "build", 2)
    reader = WeightStreamReader(load_build(folder))
    part = reader.layers[0]
    second = [entry for entry in reader.entries(part) if reader.packet_number(part, entry.output)[1] == 1]
    entry, words = second[0], list(reader.words)
    assert entry.value_place is not None
    assert entry.value_place.low >= entry.place.low + 16, "above the layout's bits"
    write_bits(words, entry.value_place, reader.word_bits, -entry.value)
    weights = folder / "vectors" / "weights.bin"
    weights.write_bytes(b"".join(word.to_bytes(reader.word_bits // 8, "little") for word in words))
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"files": {}}))
    result = WeightStreamRung().check(Context(load_build(folder), Options(), tmp_path / "work"))
    assert not result.passed
    assert result.detail.endswith(f"expected {entry.value}, got {-entry.value}")
