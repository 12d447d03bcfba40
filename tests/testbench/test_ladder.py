"""The ladder passes a right build up to its mutations, and every rung fails on the fault that it is there for."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import golden
from testbench.build import Build, BuildFileError, load_build
from testbench.ladder import Context, Options, Step, climb, rungs_of
from testbench.ladder.csim import InterleavedRung, SequentialRung
from testbench.ladder.description import DescriptionRung, OnnxRung, VectorsRung, WeightStreamRung
from testbench.ladder.mutation_rung import MutationRung
from testbench.ladder.rtl import RtlRung, StallsRung
from testbench.ladder.rung import Rung
from testbench.weight_stream import WeightStreamReader, write_bits
from tests.testbench.networks import build_of, dense_network, small_network


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build, shared by the tests so that its programs are compiled once."""
    return build_of(small_network(), tmp_path_factory.mktemp("ladder") / "build")


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A copy of the build, to be broken."""
    shutil.copytree(folder, tmp_path / "build", ignore=shutil.ignore_patterns("work"))
    return tmp_path / "build"


def context(build: Build, work: Path, **options: object) -> Context:
    return Context(build, Options(**options), work)  # type: ignore[arg-type]


def outcome(rung: Rung, copy: Path, work: Path) -> tuple[bool, str]:
    """One rung on a broken build; programs are compiled in the shared build's work folder, as the code is the same."""
    result = rung.check(context(_unchecked(copy), work))
    return result.passed, result.detail


def _unchecked(copy: Path) -> Build:
    """A build whose files may differ from the manifest's digests, which would else be noticed first."""
    edit_manifest(copy, lambda manifest: manifest.update(files={}))
    return load_build(copy)


def edit_manifest(copy: Path, change: Callable[[dict], object]) -> None:
    file = copy / "manifest.json"
    manifest = json.loads(file.read_text())
    change(manifest)
    file.write_text(json.dumps(manifest))


def test_a_right_build_passes_every_rung(folder: Path) -> None:
    options = Options()
    names: list[str] = []
    steps = climb(Context(load_build(folder), options, folder / "work"), rungs_of(options), started=names.append)
    assert [step.name for step in steps] == names == [rung.name for rung in rungs_of(options)]
    failed = [f"{step.name}: {step.outcome.detail}" for step in steps if not step.outcome.passed]
    assert not failed
    figures = {step.name: step.outcome.figures for step in steps}
    predicted = load_build(folder).manifest.predictions.layer_cycles
    assert figures["RTL == golden, cycles == schedule"]["layer_cycles"] == [list(image) for image in predicted[:2]]
    mutations = figures["mutations are caught"]
    assert mutations["mutants"] == 20
    kinds = mutations["kinds"]
    assert isinstance(kinds, dict) and len(kinds) >= 15
    assert {"weight", "row index", "gap", "bias", "shift", "depth of a stream", "dropped word"} <= set(kinds)


def test_mutations_of_packets_with_all_weights_are_caught(tmp_path: Path) -> None:
    build = load_build(build_of(dense_network(), tmp_path / "build"))
    assert {layer.engine for layer in build.layers} == {"convolver"}
    assert [part.descriptor["full"] for part in WeightStreamReader(build).layers] == [1, 1, 1, 1]
    for rung in (WeightStreamRung(), SequentialRung(), MutationRung()):
        result = rung.check(context(build, tmp_path / "work"))
        assert result.passed, result.detail
    kinds = result.figures["kinds"]
    assert isinstance(kinds, dict) and {"weight", "order of weights", "bias", "dropped word"} <= set(kinds)


def test_climbing_stops_at_the_first_rung_that_fails(copy: Path, tmp_path: Path) -> None:
    edit_manifest(copy, lambda manifest: manifest["layers"][0]["output"].update(tensor="nowhere"))
    ended: list[Step] = []
    steps = climb(context(_unchecked(copy), tmp_path), [DescriptionRung(), VectorsRung()], ended=ended.append)
    assert steps == ended
    assert [step.outcome.passed for step in steps] == [False]
    assert steps[0].outcome.detail == "layer first of the build names tensor nowhere, which is not there"


def test_a_wrong_expected_pixel_is_found_and_named(folder: Path, copy: Path) -> None:
    build = load_build(folder)
    vectors = copy / "vectors" / "images.bin"
    values = np.fromfile(vectors, np.uint8).reshape(-1, build.image_words, build.lanes)
    layer = build.layers[0]
    word = layer.input_words + layer.output.channel_words  # the second channel's first word
    values[1, word, 3] ^= 1
    values.tofile(vectors)
    got = int(values[1, word, 3])
    channel = layer.output.channel_order[1]
    place = f"layer pool, image 1, channel {channel}, row 1, column 0"
    passed, detail = outcome(VectorsRung(), copy, folder / "work")
    assert (passed, detail) == (False, f"{place}: expected {got ^ 1}, got {got}")
    # C-simulation computes the right value and says the same the other way round.
    passed, detail = outcome(SequentialRung(), copy, folder / "work")
    assert (passed, detail) == (False, f"{place}: expected {got}, got {got ^ 1}")
    passed, detail = outcome(RtlRung(), copy, folder / "work")
    assert not passed and detail.startswith(f"{place}: expected {got}, got {got ^ 1} (clock")


def test_a_wrong_weight_is_found_at_its_place(folder: Path, copy: Path) -> None:
    reader = WeightStreamReader(load_build(folder))
    part = reader.layers[1]
    entry = next(iter(reader.entries(part)))
    words = list(reader.words)
    place = reader.place(reader.unit_layout(part), "value", entry.place.word, entry.place.low)
    write_bits(words, place, reader.word_bits, -entry.value)
    raw = b"".join(word.to_bytes(reader.word_bits // 8, "little") for word in words)
    (copy / "vectors" / "weights.bin").write_bytes(raw)
    passed, detail = outcome(WeightStreamRung(), copy, folder / "work")
    assert not passed
    channel = part.layer.inputs[0].channel_order[entry.input]
    where = (entry.output, channel, entry.row, entry.column)
    assert detail == f"layer second, weight {where}: expected {entry.value}, got {-entry.value}"
    passed, detail = outcome(InterleavedRung(), copy, folder / "work")
    assert not passed and detail.startswith(f"seed 0: layer second, image 0, channel {entry.output}")


@pytest.mark.parametrize("image", [0, 1])
def test_a_cycle_more_or_less_than_predicted_fails(folder: Path, copy: Path, image: int) -> None:
    def change(manifest: dict) -> None:
        manifest["predictions"]["layer_cycles"][image][2] += 1

    edit_manifest(copy, change)
    measured = load_build(folder).manifest.predictions.layer_cycles[image][2]
    passed, detail = outcome(RtlRung(), copy, folder / "work")
    assert not passed
    assert detail == f"image {image}, layer hidden: {measured} cycles, the schedule says {measured + 1}"


def test_a_fifo_fuller_than_predicted_fails(folder: Path, copy: Path) -> None:
    edit_manifest(copy, lambda manifest: manifest["predictions"]["high_water"].update(entries_0=1))
    passed, detail = outcome(RtlRung(), copy, folder / "work")
    assert not passed and "FIFO entries_0 held" in detail and detail.endswith("the schedule says 1")


@pytest.mark.parametrize("rung", [InterleavedRung(), RtlRung()])
def test_a_stream_of_another_depth_fails(folder: Path, copy: Path, rung: Rung) -> None:
    edit_manifest(copy, lambda manifest: manifest["stream_depths"].update(tokens_1=5))
    passed, detail = outcome(rung, copy, folder / "work")
    assert (
        not passed
        and "stream tokens_1 has depth 16" in detail
        and "the manifest says 5" in detail.replace("5 in the manifest", "the manifest says 5")
    )


def test_rtl_that_is_pipelined_otherwise_than_predicted_fails(folder: Path, copy: Path) -> None:
    """As a newer compiler may do: the cycles could not agree, and this says why."""
    edit_manifest(copy, lambda manifest: manifest.update(stream_stages={"tokens_1": [7, 0]}))
    passed, detail = outcome(RtlRung(), copy, folder / "work")
    assert not passed and detail.endswith("pipelined otherwise than when the build was generated: generate it again")


def test_a_file_changed_after_the_build_is_refused(copy: Path) -> None:
    with (copy / "hls" / "top.cpp").open("a") as file:
        file.write("\n")
    with pytest.raises(BuildFileError, match=r"hls/top\.cpp was changed after the build was made"):
        load_build(copy)
    (copy / "hls" / "top.cpp").unlink()
    with pytest.raises(BuildFileError, match=r"the build's file hls/top\.cpp is missing"):
        load_build(copy)


def test_an_unreadable_manifest_is_refused(copy: Path) -> None:
    edit_manifest(copy, lambda manifest: manifest.pop("top"))
    with pytest.raises(BuildFileError, match=r"manifest\.json: top: Field required"):
        load_build(copy)


def test_golden_is_compared_with_onnxruntime(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcome(OnnxRung(), copy, tmp_path)[0]
    right = golden.run

    def wrong(*arguments: object, **options: object) -> dict[str, np.ndarray]:
        outputs = dict(right(*arguments, **options))  # type: ignore[arg-type]
        return outputs | {"hidden": outputs["hidden"] ^ 1} if "hidden" in outputs else outputs

    monkeypatch.setattr("golden.onnx_check.run", wrong)
    passed, detail = outcome(OnnxRung(), copy, tmp_path)
    assert not passed and "hidden" in detail


def test_stalls_find_what_an_unstalled_run_cannot(folder: Path, copy: Path, tmp_path: Path) -> None:
    """A port that forgets TREADY passes while the bench is always ready, and fails under back-pressure."""
    build = _unchecked(copy)
    careless = tmp_path / "careless"
    shutil.copytree(folder / "work" / "rtl", careless)
    top = careless / f"{build.manifest.top}.sv"
    text = top.read_text()
    port = "features_out_TREADY"
    changed = text.replace(f".read({port})", ".read(1'b1)")
    assert changed != text, "the port's FIFO is not where this test looks for it"
    top.write_text(changed)
    options = {"rtl": careless, "mutations": False}
    assert RtlRung().check(context(build, tmp_path / "work", **options)).passed
    assert not StallsRung().check(context(build, tmp_path / "work", **options)).passed


def test_more_images_than_the_build_holds_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BuildFileError, match="--images: 4 asked for, but there are 3"):
        context(load_build(folder), tmp_path, images=4)
    with pytest.raises(BuildFileError, match=r"--rtl .*: there is no \.v or \.sv file"):
        context(load_build(folder), tmp_path, rtl=tmp_path)
