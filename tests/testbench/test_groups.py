"""The lower rungs on a build whose convolution runs group after group."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from generator import BuildOptions, generate
from testbench.build import load_build
from testbench.ladder import Context, Options
from testbench.ladder.description import DescriptionRung, VectorsRung, WeightStreamRung
from testbench.ladder.rung import Rung
from testbench.weight_stream import WeightStreamReader, write_bits
from tests.generator.networks import grouped_network


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Runs 0 and 1 are the groups, the others strips of the layer behind."""
    options = BuildOptions(pes=3, lanes=8, random_images=1, map_words=64)
    generate(grouped_network(), "zcu104", tmp_path / "build", options)
    return tmp_path / "build"


def _outcome(rung: Rung, folder: Path) -> tuple[bool, str]:
    result = rung.check(Context(load_build(folder), Options(), folder / "work"))
    return result.passed, result.detail


def _edit(folder: Path, change: Callable[[dict], object]) -> None:
    manifest = json.loads((folder / "manifest.json").read_text()) | {"files": {}}
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("rung", [DescriptionRung(), WeightStreamRung(), VectorsRung()])
def test_they_pass(rung: Rung, folder: Path) -> None:
    passed, detail = _outcome(rung, folder)
    assert passed, detail


def test_channels_that_no_run_makes_are_found(folder: Path) -> None:
    _edit(folder, lambda manifest: manifest["layers"].pop(1))
    assert _outcome(DescriptionRung(), folder) == (
        False,
        "layer grouped: 0 rows of channel 32 of pool come, it has 6",
    )


def test_channels_that_two_runs_make_are_found(folder: Path) -> None:
    first, second, *_ = load_build(folder).layers
    again = [*second.output.channel_order[:-1], first.output.channel_order[0]]
    _edit(folder, lambda manifest: manifest["layers"][1]["output"].update(channel_order=again))
    assert _outcome(DescriptionRung(), folder) == (
        False,
        "layer grouped: rows of pool come from 0 on, where row 6 is next",
    )


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_a_wrong_number_of_the_second_group_is_found_at_its_place(name: str, folder: Path) -> None:
    reader = WeightStreamReader(load_build(folder))
    part, words = reader.layers[1], list(reader.words)
    entry = next(iter(reader.entries(part)))
    assert entry.output >= 32
    if name == "weight":
        assert entry.value_place is not None
        place, value = entry.value_place, -entry.value
        channel = part.layer.inputs[0].channel_order[entry.input]
        assert channel >= 5
        expected = (
            f"layer grouped, weight {(entry.output, channel - 5, entry.row, entry.column)}: expected {entry.value}"
        )
    else:
        place, value = reader.bias_place(part, entry.output), 77
        expected = f"layer grouped, output {entry.output}: bias 0 is stored as 0x4d"
    write_bits(words, place, reader.word_bits, value)
    (folder / "vectors" / "weights.bin").write_bytes(
        b"".join(word.to_bytes(reader.word_bits // 8, "little") for word in words)
    )
    _edit(folder, lambda manifest: None)
    passed, detail = _outcome(WeightStreamRung(), folder)
    assert not passed and detail.startswith(expected)
