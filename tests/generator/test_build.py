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

from .networks import branched_network, fire_network, random_weights

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
    emitted = "".join(path.read_text() for path in (tmp_path / "build" / "hls").iterdir())
    assert "map_engine" not in emitted and "map_descriptor" not in emitted
    assert not (tmp_path / "build" / "hls" / "map_engine.h").exists()


def test_a_maximum_behind_a_normalisation_is_taken_in_the_same_walk(tmp_path: Path) -> None:
    lrn = {"size": 3, "table": [9], "index_shift": 0, "shift": 3, "output_dtype": "uint8"}
    pooled = _on_map(lambda b: b.lrn("norm", **lrn).max_pool("pool", 3, 2))
    (layer,) = generate(pooled, "zcu104", tmp_path / "build", _SMALL).layers
    assert (layer.name, layer.output.tensor, layer.engine) == ("norm", "pool", "map")
    read_twice = _on_map(lambda b: b.lrn("norm", **lrn).max_pool("pool", 3, 2).clip("clipped", 0, 9, source="norm"))
    assert len(generate(read_twice, "zcu104", tmp_path / "build", _SMALL).layers) == 3


def test_a_concatenation_is_read_as_its_sources_lie_in_memory(tmp_path: Path) -> None:
    manifest = generate(fire_network(), "zcu104", tmp_path / "build", _SMALL)
    outputs = {layer.output.tensor: layer.output.channel_order for layer in manifest.layers}
    joined, padded = [layer.inputs[0] for layer in manifest.layers if layer.name == "scores"]
    order: list[int] = []
    for source in ("expand3", "expand1", "window", "expand5"):
        order += [len(order) + channel for channel in outputs[source]]
    assert joined.tensor == "joined"
    assert list(joined.channel_order) == list(padded.channel_order) == order
    assert (joined.width, padded.width, padded.left, padded.right) == (5, 7, 1, 1)


def test_pooling_goes_to_the_map_engine_only_where_the_convolver_has_no_such_windows(tmp_path: Path) -> None:
    """What overlaps neighbours at most is fused, so that networks of such layers have no map engine."""

    def engines(size: int, stride: int, padding: tuple[int, int, int, int] = (0, 0, 0, 0)) -> list[str]:
        network = _followed_by(lambda b: b.max_pool("pool", size, stride, padding))
        manifest = generate(network, "zcu104", tmp_path / "build", _SMALL)
        return [layer.engine for layer in manifest.layers]

    assert engines(3, 2) == engines(2, 2) == engines(3, 2, (1, 1, 0, 0)) == ["convolver"]
    assert engines(3, 1) == engines(3, 2, (0, 0, 1, 1)) == engines(3, 2, (2, 2, 0, 0)) == ["convolver", "map"]


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


def _on_map(add: Callable[[DescriptionBuilder], object], shape: tuple[int, int, int] = (2, 8, 8)) -> Network:
    builder = DescriptionBuilder("net", shape, "uint8", Scale(multiplier=1, shift=8))
    add(builder)
    return builder.build()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: _conv(dilation=(8, 1), padding=(8, 1)), r"layer 'first': field 'dilation': kernels reach 16 x 16"),
        (lambda: _conv(stride=(1, 2)), r"layer 'first': field 'stride': rows and columns must agree"),
        (lambda: _conv(multiplier=1 << 20, shift=30), r"layer 'first': field 'requantise.multiplier'"),
        (
            lambda: _on_map(lambda b: b.max_pool("pool", 16, 1), (1, 16, 16)),
            r"layer 'pool': field 'stride': a pixel may belong to 15 windows of a row at most, not 16",
        ),
        (
            lambda: _on_map(lambda b: b.average_pool("pool", (64, 2), (64, 2)), (1, 1025, 4)),
            r"layer 'pool': field 'source': maps have 1023 rows and columns at most, not 1025",
        ),
        (
            lambda: _on_map(lambda b: b.global_average_pool("pool"), (1, 1000, 40)),
            r"layer 'pool': field 'kernel': a sum has 32896 pixels at most, not 40000",
        ),
        (
            lambda: _on_map(lambda b: b.average_pool("pool", 2, 2, multiplier=70000, shift=20)),
            r"layer 'pool': field 'requantise.multiplier': must be 65535 at most, not 70000",
        ),
        (
            lambda: _on_map(lambda b: b.clip("scaled", multiplier=[1, 2], shift=1)),
            r"layer 'scaled': field 'requantise.multiplier': must be the same for all outputs",
        ),
        (
            lambda: _followed_by(lambda b: b.average_pool("pool", 2, 2, multiplier=1, shift=[1, 2])),
            r"layer 'pool': field 'requantise.shift': must be the same for all outputs",
        ),
        (
            lambda: _on_map(
                lambda b: b.lrn("n", size=3, table=[1], index_shift=0, shift=0, output_dtype="uint8"), (2, 65, 65)
            ),
            r"layer 'n': field 'source': channels have 4096 pixels at most, padding included, not 4225",
        ),
        (
            lambda: _on_map(
                lambda b: b.flatten("a").max_pool("p", 4, source="input").flatten("b").concat("c", ["a", "b"])
            ),
            r"layer 'c': field 'sources': lie in memory as channels of 8 x 8 and 2 x 2, which do not follow each other",
        ),
        (
            lambda: _followed_by(lambda b: b.max_pool("p", 2, 2).concat("c", ["input", "input"]).add("sum", "c", "c")),
            r"layer 'sum': field 'type'",
        ),
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
