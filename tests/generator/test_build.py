"""generate: reproducible, atomic, and clear about what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from generator import BoardError, BuildError, BuildOptions, EngineError, generate
from generator.boards import load_board
from generator.manifest import Manifest
from golden import DescriptionBuilder, Network, Scale

from .networks import branched_network, random_weights

_SMALL = BuildOptions(pes=2, lanes=8, fc_pes=2, random_images=2)


@pytest.fixture(scope="module")
def network() -> Network:
    return branched_network()


def _files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_generating_twice_gives_the_same_bytes(network: Network, tmp_path: Path) -> None:
    generate(network, "zcu104", tmp_path / "one", _SMALL)
    generate(network, "zcu104", tmp_path / "two", _SMALL)
    assert _files(tmp_path / "one") == _files(tmp_path / "two")


def test_an_earlier_build_is_replaced_and_nothing_else_is_left(network: Network, tmp_path: Path) -> None:
    generate(network, "zcu104", tmp_path / "build", _SMALL)
    (tmp_path / "build" / "work").mkdir()
    generate(network, "zcu104", tmp_path / "build", _SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["build"]
    assert not (tmp_path / "build" / "work").exists()


def test_the_manifest_lists_every_file_with_its_digest(network: Network, tmp_path: Path) -> None:
    manifest = generate(network, "zcu104", tmp_path / "build", _SMALL)
    written = Manifest.model_validate_json((tmp_path / "build" / "manifest.json").read_text())
    assert written == manifest
    assert set(manifest.files) == set(_files(tmp_path / "build")) - {"manifest.json"}
    assert {"hls/top.cpp", "hls/convolver_pe.h", "csim/test_bench.cpp", "tcl/run_hls.tcl", "tcl/hls_config.cfg"} <= set(
        manifest.files
    )


def test_an_engine_without_work_is_left_out(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    builder = DescriptionBuilder("fc_only", (1, 4, 4), "uint8", Scale(multiplier=1, shift=8))
    builder.flatten("vector")
    builder.linear(
        "fc", random_weights(random, (10, 16), 0.5), np.zeros(10, dtype=np.int32),
        shift=6, minimum=-128, maximum=127, output_dtype="int8",
    )  # fmt: skip
    manifest = generate(builder.build(), "zcu104", tmp_path / "build", _SMALL)
    assert manifest.architecture.pes == 0
    assert "convolver" not in (tmp_path / "build" / "hls" / "top.cpp").read_text()
    assert not (tmp_path / "build" / "hls" / "convolver_pe.h").exists()


def _conv(**changes: object) -> Network:
    options: dict[str, object] = {"padding": (1, 1), "shift": 7, "minimum": 0, "maximum": 255, "output_dtype": "uint8"}
    options.update(changes)
    builder = DescriptionBuilder("net", (2, 8, 8), "uint8", Scale(multiplier=1, shift=8))
    builder.conv("first", np.ones((2, 2, 3, 3), dtype=np.int8), np.zeros(2, dtype=np.int32), **options)
    return builder.build()


def _followed_by(add: Callable[[DescriptionBuilder], object]) -> Network:
    builder = DescriptionBuilder("net", (2, 8, 8), "uint8", Scale(multiplier=1, shift=8))
    builder.conv(
        "first", np.ones((2, 2, 3, 3), dtype=np.int8), np.zeros(2, dtype=np.int32),
        padding=(1, 1), shift=7, minimum=0, maximum=255, output_dtype="uint8",
    )  # fmt: skip
    add(builder)
    return builder.build()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: _conv(dilation=(2, 2), padding=(2, 2)), r"layer 'first': field 'dilation'"),
        (lambda: _conv(padding=(2, 2)), r"layer 'first': field 'padding': the output must not be wider"),
        (lambda: _conv(stride=(1, 2)), r"layer 'first': field 'stride': rows and columns must agree"),
        (lambda: _conv(multiplier=1 << 20, shift=30), r"layer 'first': field 'requantise.multiplier'"),
        (
            lambda: _followed_by(lambda b: b.max_pool("pool", 3, 1)),
            r"layer 'pool': field 'stride': a window may overlap",
        ),
        (lambda: _followed_by(lambda b: b.max_pool("pool", 3, 2, 2)), r"layer 'pool': field 'padding': must be less"),
        (lambda: _followed_by(lambda b: b.max_pool("pool", (2, 2), (2, 2), (1, 1))), r"layer 'pool': field 'padding'"),
        (lambda: _followed_by(lambda b: b.max_pool("p", 2, 2).max_pool("q", 2, 2)), r"layer 'q': field 'type'"),
        (lambda: _followed_by(lambda b: b.add("sum", "first", "first")), r"layer 'sum': field 'type'"),
    ],
)
def test_a_layer_that_no_engine_runs_is_named_with_its_field(
    make: Callable[[], Network], message: str, tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match=message):
        generate(make(), "zcu104", tmp_path / "build", _SMALL)
    assert not list(tmp_path.iterdir())


def test_a_folder_with_foreign_files_is_left_as_it_is(network: Network, tmp_path: Path) -> None:
    output = tmp_path / "build"
    output.mkdir()
    (output / "thesis.tex").write_text("years of work")
    with pytest.raises(BuildError, match=r"holds 'thesis.tex', which no build made"):
        generate(network, "zcu104", output, _SMALL)
    assert _files(output) == {"thesis.tex": b"years of work"}
    (output / "thesis.tex").unlink()
    generate(network, "zcu104", output, _SMALL)
    (output / "notes.txt").write_text("mine")
    with pytest.raises(BuildError, match=r"holds 'notes.txt'"):
        generate(network, "zcu104", output, _SMALL)
    assert (output / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (BuildOptions(pes=0), r"architecture: field 'pes'"),
        (BuildOptions(lanes=-8), r"architecture: field 'lanes'"),
        (BuildOptions(fc_pes=3), r"fc_pes \(3\) must divide lanes"),
        (BuildOptions(clock_mhz=0.0), r"clock: must be positive"),
        (BuildOptions(clock_mhz=float("nan")), r"clock: must be positive"),
        (BuildOptions(pes=64, lanes=64), r"board 'zcu104' is \d+ DSP slices short"),
        (BuildOptions(images=np.zeros((1, 1, 9, 7), dtype=np.uint8), image_source="x.npy"), r"images: x.npy holds"),
    ],
)
def test_options_that_cannot_be_are_named(
    network: Network, options: BuildOptions, message: str, tmp_path: Path
) -> None:
    with pytest.raises(BuildError, match=message):
        generate(network, "zcu104", tmp_path / "build", options)
    assert not list(tmp_path.iterdir())


def test_boards_that_are_unknown_or_incomplete_are_named(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="unknown board 'zcu999': give one of kv260, u250, ultra96, zcu104"):
        load_board("zcu999")
    fields = json.loads(load_board("zcu104").model_dump_json())
    del fields["dsps"]
    (tmp_path / "mine.json").write_text(json.dumps(fields))
    with pytest.raises(BoardError, match=r"mine.json: field 'dsps'"):
        load_board(str(tmp_path / "mine.json"))
