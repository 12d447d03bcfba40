"""The streamed FC engine: golden == both C-simulations == RTL, cycles as predicted, alone and in whole networks."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import generator.timing
from generator import BuildError, BuildOptions, EngineError, generate, layouts
from generator.architecture import Architecture
from generator.layers import FcLayer, FeatureLayout
from generator.schedule import ColumnFormat, FcStreamSchedule, column_entries, column_format, schedule_fc_stream
from generator.timing import Ddr, predict
from golden import DescriptionBuilder, Network, Scale
from testbench.build import Build, BuildFileError, load_build
from testbench.ladder import Context, Options
from testbench.ladder.csim import InterleavedRung, SequentialRung
from testbench.ladder.description import VectorsRung, WeightStreamRung
from testbench.ladder.rtl import RtlRung
from testbench.ladder.rung import Rung
from tests.generator.networks import alexnet_like_network, pooled_fc_network, random_weights
from tests.integration.accelerator import Accelerator
from tests.integration.climbing import WITHOUT_MUTATIONS, climbed
from zeroskip.pipeliner import Pipeliner

LANES = 16
SHAPES = ((24, 48, 0.3, "int8"), (64, 100, 0.09, "uint8"), (8, 16, 1.0, "uint8"), (1, 40, 0.5, "uint8"))
"""Outputs, inputs, density of weights, type of activations."""


def _architecture(
    value_bits: int = 4, gap_bits: int = 5, rows_at_once: int = 8, sums: str = "bram", batch: int = 1
) -> Architecture:
    return Architecture(
        lanes=LANES, pes=0, fc_pes=1, map_words=2, max_entries=1, max_columns=1, pointer_words=16, entry_words=1,
        fc_rows=64, fc_slots=16, fc_value_bits=value_bits, fc_gap_bits=gap_bits,
        fc_rows_at_once=rows_at_once, fc_sums=sums, fc_batch=batch,
    )  # fmt: skip


def _weights(number: int, outputs: int, inputs: int, density: float, value_bits: int) -> np.ndarray:
    random = np.random.default_rng(number)
    values = np.arange(-128, 128) if value_bits == 8 else random.permutation(np.arange(-128, 128))[:15]
    kept = random.random((outputs, inputs)) < density
    return np.where(kept, random.choice(values, (outputs, inputs)), 0).astype(np.int8)


def _network(number: int, value_bits: int) -> Network:
    outputs, inputs, density, dtype = SHAPES[number]
    builder = DescriptionBuilder(f"fc{number}", (1, 1, inputs), dtype, Scale(multiplier=1, shift=8)).flatten("vector")
    bias = np.random.default_rng(number).integers(-5000, 5000, outputs).astype(np.int32)
    weights = _weights(number, outputs, inputs, density, value_bits)
    hidden = {"shift": 9, "minimum": 0, "maximum": 255, "output_dtype": "uint8"}
    builder.linear("fc", weights, bias, **hidden)
    # Behind it a layer of few entries, whose slots clear their sums while the first one still hands over.
    weights = _weights(number + 9, 57, outputs, 0.02, value_bits)
    builder.linear(
        "few", weights, np.zeros(57, dtype=np.int32), shift=5, minimum=-128, maximum=127, output_dtype="int8"
    )
    return builder.build()


_FORMS = [(4, 5, 8, "bram", 1), (5, 3, 2, "uram", 4), (8, 4, 1, "bram", 1), (4, 5, 4, "bram", 3)]
"""Bits of a value and of a gap, rows that are handed over at once, what sums lie in, images of a batch."""


@pytest.fixture(scope="module", params=_FORMS, ids=lambda form: "value{}-gap{}-rows{}-{}-batch{}".format(*form))
def accelerator(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Accelerator:
    return Accelerator(tmp_path_factory.mktemp("streamed"), _architecture(*request.param))


@pytest.mark.parametrize("number", range(len(SHAPES)))
def test_layers_are_exact_in_every_format(accelerator: Accelerator, number: int) -> None:
    accelerator.check(_network(number, accelerator.architecture.fc_value_bits), number, on_rtl=True)


@pytest.mark.parametrize(("rows_at_once", "clock_mhz", "stages"), [(8, 100.0, 1), (2, 250.0, 2)])
def test_cycles_are_exact_at_other_clocks(rows_at_once: int, clock_mhz: float, stages: int, tmp_path: Path) -> None:
    """A sum is written so many stages behind reading it (at 200 MHz 2, and 1), and so late the next layer begins."""
    accelerator = Accelerator(tmp_path, _architecture(rows_at_once=rows_at_once), clock_mhz)
    accelerator.check(_network(1, 4), 1, on_rtl=True)
    late = [pair for name, pair in (accelerator.stages or {}).items() if name.startswith("fc_accumulate<")]
    assert late == [(stages, 0)]


@pytest.mark.parametrize(
    ("make", "engines", "rows_at_once"),
    [(alexnet_like_network, "convolver map fc", 8), (pooled_fc_network, "map fc", 2)],
    ids=["all_three", "beside_maps"],
)
def test_it_stands_beside_the_other_engines(
    make: Callable[[], Network], engines: str, rows_at_once: int, tmp_path: Path
) -> None:
    options = BuildOptions(
        pes=2, lanes=8, fc_slots=8, fc_rows_at_once=rows_at_once, random_images=2, ddr_bytes=5.5, pipeliner=Pipeliner()
    )
    manifest = generate(make(), "zcu104", tmp_path / "build", options)
    assert manifest.architecture.fc_rows_at_once == rows_at_once
    build = load_build(tmp_path / "build")
    assert {layer.engine for layer in build.layers} == set(engines.split())
    climbed(build, tmp_path / "work")


def _shared_values_network() -> Network:
    """LeNet-5's layers, small, with linear layers of 15 values: convolver and streamed FC engine."""
    random = np.random.default_rng(5)
    unsigned = {"minimum": 0, "maximum": 255, "output_dtype": "uint8"}
    signed = {"minimum": -128, "maximum": 127, "output_dtype": "int8"}
    builder = DescriptionBuilder("shared_values", (2, 16, 16), "uint8", Scale(multiplier=1, shift=8))
    for name, inputs, outputs in (("conv1", 2, 4), ("conv2", 4, 8)):
        bias = random.integers(-500, 500, outputs).astype(np.int32)
        # Few bits, so that sums half way between two integers are frequent: that these are rounded right is checked.
        weights = random_weights(random, (outputs, inputs, 3, 3), 0.5) // 16
        builder.conv(name, weights, bias, padding=(1, 1), shift=4, **unsigned)
        builder.max_pool(f"pool_{name}", 2, 2)
    builder.flatten("vector")
    # Few weights a column, so that most are one word.
    for number, (inputs, outputs, density) in enumerate(((128, 60, 0.12), (60, 40, 0.2), (40, 10, 0.5)), 1):
        bias = random.integers(-500, 500, outputs).astype(np.int32)
        builder.linear(f"fc{number}", _weights(number, outputs, inputs, density, 4), bias, shift=8, **signed)
    return builder.build()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of a whole network."""
    folder = tmp_path_factory.mktemp("whole") / "build"
    options = BuildOptions(
        pes=2, lanes=16, fc_slots=16, random_images=2, ddr_bytes=10, ddr_latency=37, pipeliner=Pipeliner()
    )
    generate(_shared_values_network(), "zcu104", folder, options)
    return folder


def test_a_whole_network_climbs_the_ladder(whole: Path) -> None:
    """Mutations of columns, codebook and pointers included."""
    outcomes = climbed(load_build(whole), whole / "work", Options())
    on_rtl = outcomes[RtlRung.name].figures
    late = on_rtl["behind_ddr"]
    stated = load_build(whole).manifest.predictions
    assert late["layer_cycles"][0] == list(stated.behind_ddr.layer_cycles[0])
    assert sum(late["cycles"]) > sum(on_rtl["cycles"])
    word_bytes = 16 * sum(_entry_bits(whole)) // 8
    assert late["fetched_bytes"][0] == [words * word_bytes for words in stated.fetched_words[0]]
    assert not any(late["late_clocks"][0][:2]) and all(late["late_clocks"][0][2:])
    kinds = outcomes["mutations are caught"].figures["kinds"]
    assert {"weight in a column", "gap", "swapped column words", "codebook"} <= set(kinds)


def _entry_bits(whole: Path) -> tuple[int, int]:
    """Of a column entry: its value, its gap. The gap's are chosen by where the network's weights lie."""
    architecture = load_build(whole).manifest.architecture
    return architecture.fc_value_bits, architecture.fc_gap_bits


@pytest.fixture(scope="module")
def batched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of the whole network's linear layers, three images at a time."""
    folder = tmp_path_factory.mktemp("batched") / "build"
    options = BuildOptions(lanes=16, fc_slots=8, engine="fc", fc_batch=3, random_images=4, pipeliner=Pipeliner())
    generate(_shared_values_network(), "zcu104", folder, options)
    return folder


def test_a_batch_climbs_the_ladder_and_fetches_a_column_once(batched: Path, tmp_path: Path) -> None:
    build = load_build(batched)
    assert build.batch == 3 and build.manifest.vectors.images == 2
    climbed(build, batched / "work", replace(WITHOUT_MUTATIONS, rtl_images=1))
    images = load_file(batched / "vectors" / "images.safetensors")["images"]
    assert len(images) == 6
    options = BuildOptions(lanes=16, fc_slots=8, engine="fc", images=images)
    generate(_shared_values_network(), "zcu104", tmp_path / "single", options)
    single = load_build(tmp_path / "single").manifest.predictions
    for layer, fetched in enumerate(build.manifest.predictions.fetched_words[0]):
        alone = [words[layer] for words in single.fetched_words[:3]]
        assert max(alone) <= fetched <= sum(alone)
    assert sum(build.manifest.predictions.layer_cycles[0]) < sum(map(sum, single.layer_cycles[:3]))
    macs = [sum(each) for each in zip(*single.macs[:3], strict=True)]
    assert list(build.manifest.predictions.macs[0]) == macs


def test_a_wrong_value_of_a_batch_names_its_image(batched: Path, tmp_path: Path) -> None:
    """The second image's first value, in the outputs of the first layer."""
    copy = _copy(batched, tmp_path)
    build = load_build(copy)
    words = np.fromfile(build.images_file, np.uint8).reshape(-1, build.image_words, build.lanes)
    words[0, build.layers[0].input_words + 1, 0] ^= 1
    words.tofile(build.images_file)
    for rung in (VectorsRung(), SequentialRung(), RtlRung()):
        passed, detail = _outcome(rung, build, batched)
        assert not passed and "image 1, channel 0, row 0, column 0" in detail, (rung.name, detail)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fc_batch": 0}, "field 'fc_batch': must be 1 or more, not 0"),
        ({"fc_batch": 9}, "field 'fc_batch': Input should be less than or equal to 8"),
        ({"engine": None}, "field 'fc_batch': 2 images go together through the streamed FC engine alone"),
        ({"fc_slots": 0}, "field 'fc_batch': 2 images go together through the streamed FC engine alone"),
        ({"images": np.zeros((3, 2, 16, 16), dtype=np.uint8)}, "images: .* holds 3, which are no whole batches of 2"),
    ],
)
def test_batches_that_cannot_be_are_refused(options: dict[str, object], message: str, tmp_path: Path) -> None:
    wanted = BuildOptions(**{"lanes": 16, "fc_slots": 8, "engine": "fc", "fc_batch": 2, **options})
    with pytest.raises(BuildError, match=message):
        generate(_shared_values_network(), "zcu104", tmp_path / "build", wanted)
    assert not any(tmp_path.iterdir())


def _copy(whole: Path, tmp_path: Path, change: Callable[[dict], object] = lambda manifest: None) -> Path:
    """The build with a changed manifest, whose files are not checked."""
    copy = tmp_path / "build"
    shutil.copytree(whole, copy, ignore=shutil.ignore_patterns("work"))
    manifest = json.loads((copy / "manifest.json").read_text())
    change(manifest)
    (copy / "manifest.json").write_text(json.dumps(manifest | {"files": {}}))
    return copy


def _outcome(rung: Rung, build: Build, whole: Path) -> tuple[bool, str]:
    """Programs are compiled in the right build's work folder: the code is the same."""
    found = rung.check(Context(build, Options(rtl_images=1), whole / "work"))
    return found.passed, found.detail


def test_wrong_weights_in_ddr_are_found(whole: Path, tmp_path: Path) -> None:
    copy = _copy(whole, tmp_path)
    file = copy / "vectors" / "columns.bin"
    entry_bits = sum(_entry_bits(whole))
    bits = np.unpackbits(np.fromfile(file, np.uint8), bitorder="little").reshape(-1, entry_bits)  # the value first
    numbers = bits[:, :4] @ (1 << np.arange(4))
    others = np.where(numbers > 0, 16 - numbers, 0)
    bits[:, :4] = others[:, None] >> np.arange(4) & 1
    np.packbits(bits, bitorder="little").tofile(file)
    for rung in (WeightStreamRung(), SequentialRung(), InterleavedRung(), RtlRung()):
        passed, detail = _outcome(rung, load_build(copy), whole)
        assert not passed and "layer fc1" in detail, (rung.name, detail)
    np.full(file.stat().st_size, 255, dtype=np.uint8).tofile(file)
    passed, detail = _outcome(WeightStreamRung(), load_build(copy), whole)
    assert not passed and detail.startswith("layer fc1: its stored weights do not lie in its shape")


def test_a_wrong_request_is_found(whole: Path, tmp_path: Path) -> None:
    copy = _copy(whole, tmp_path)
    file = copy / "vectors" / "requests.bin"
    requests = np.fromfile(file, np.uint32)
    requests[3] += 1  # behind the counts of conv1, conv2 and fc1: fc1's first request
    requests.tofile(file)
    for rung in (SequentialRung(), InterleavedRung()):
        passed, detail = _outcome(rung, load_build(copy), whole)
        assert not passed and "WRONG REQUEST layer=fc1 image=0 number=0" in detail, (rung.name, detail)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["predictions"]["fetched_words"][0].__setitem__(2, 1), "column words were asked for, the schedule"),
        (lambda m: m["predictions"]["layer_cycles"][0].__setitem__(2, 1), "cycles, the schedule says 1"),
        (
            lambda m: m["predictions"]["behind_ddr"]["layer_cycles"][0].__setitem__(2, 1),
            "behind DDR: image 0, layer fc1: .* cycles, the schedule says 1",
        ),
        (lambda m: m["predictions"]["behind_ddr"].update(latency=38), "behind DDR: image 0, layer fc1"),
        (lambda m: m["predictions"]["behind_ddr"].update(bytes_per_clock=9.9), "behind DDR: image 0, layer fc"),
        (lambda m: m["layers"][4].update(column_words=1), "requests_out: request .* asks for words"),
    ],
)
def test_what_the_rtl_does_otherwise_than_stated_is_found(
    change: Callable[[dict], object], message: str, whole: Path, tmp_path: Path
) -> None:
    passed, detail = _outcome(RtlRung(), load_build(_copy(whole, tmp_path, change)), whole)
    assert not passed and re.search(message, detail), detail


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["architecture"].update(fc_slots=8), r"port columns_in has \d+ bits"),
        (lambda m: m["layers"][0].update(column_words=1), "layer conv1 has column_words, but no streamed FC engine"),
        (lambda m: m["predictions"].update(behind_ddr=None), "state fetched_words and behind_ddr"),
    ],
)
def test_a_manifest_at_odds_with_itself_is_refused(
    change: Callable[[dict], object], message: str, whole: Path, tmp_path: Path
) -> None:
    with pytest.raises(BuildFileError, match=message):
        load_build(_copy(whole, tmp_path, change))


def _layer(weights: np.ndarray) -> FcLayer:
    outputs, inputs = weights.shape
    bias = np.zeros(outputs, dtype=np.int32)
    return FcLayer("fc", "input", "fc", FeatureLayout((0,), 1, inputs, False), weights, bias, 13, 15, -128, 127, True)


def _schedule() -> FcStreamSchedule:
    return schedule_fc_stream(_layer(_weights(1, 64, 100, 0.09, 4)), ColumnFormat(16, 4, 5), LANES)


def test_latency_costs_once_a_layer_and_a_rate_each_word() -> None:
    """Requests run ahead of their words; a word of 18 bytes at 12 a clock takes one and a half."""
    schedule, values = _schedule(), np.ones(112, dtype=np.int64)
    at_once, late, slow = (
        predict(_architecture(), [schedule], {"fc": values}, ddr=ddr).cycles for ddr in (None, Ddr(100), Ddr(0, 12))
    )
    words = int(schedule.packet.counts[:100].sum())
    assert words == len(schedule.columns) > 90
    assert late - at_once == 100
    assert words // 2 - 4 <= slow - at_once <= words // 2
    assert Ddr(0, 12).pauses(5, 18).tolist() == [0, 1, 0, 1, 0]
    assert Ddr(0, 4).pauses(3, 18).tolist() == [3, 4, 3]
    assert Ddr(0, 20).pauses(3, 18).tolist() == [0, 0, 0]


def test_too_many_weights_are_refused(tmp_path: Path) -> None:
    layer = _layer(_weights(0, 24, 48, 0.5, 8))
    with pytest.raises(EngineError, match=r"layer 'fc': .* different weights, and entries of 4 bits tell 15 apart"):
        schedule_fc_stream(layer, ColumnFormat(8, 4, 5), LANES)
    with pytest.raises(BuildError, match="fc_slots must be a multiple of 8, not 12"):
        generate(_network(0, 4), "zcu104", tmp_path / "build", BuildOptions(lanes=16, fc_slots=12))
    for options, message in (
        ({"fc_rows_at_once": 3, "fc_slots": 8}, "'fc_rows_at_once': must be 1, 2, 4 or 8, not 3"),
        ({"fc_sums": "lutram", "fc_slots": 8}, "'fc_sums': must be bram or uram, not lutram"),
        ({"fc_rows_at_once": 2}, "'fc_rows_at_once': is the streamed FC engine's; give fc_slots, too"),
        ({"fc_sums": "uram"}, "'fc_sums': is the streamed FC engine's; give fc_slots, too"),
    ):
        with pytest.raises(BuildError, match=message):
            generate(_network(0, 4), "zcu104", tmp_path / "build", BuildOptions(lanes=16, **options))
    with pytest.raises(BuildError, match="ddr: 0 bytes a clock after 100 clocks is no memory"):
        generate(_network(0, 4), "zcu104", tmp_path / "build", BuildOptions(lanes=16, fc_slots=8, ddr_bytes=0))


def test_the_smallest_format_is_chosen() -> None:
    weights = _weights(1, 512, 100, 0.09, 8)
    entries, different = column_entries(weights)
    assert different == np.unique(weights[weights != 0]).size
    sizes = {}
    for bits in range(1, 9):
        form = ColumnFormat(8, 8, bits)
        schedule = schedule_fc_stream(_layer(weights), form, LANES)
        assert schedule.entries == entries[bits - 1].sum()
        sizes[bits] = schedule.columns.size
    chosen = column_format(8, [(entries, different)])
    assert chosen.value_bits == 8 and sizes[chosen.gap_bits] == min(sizes.values()) < max(sizes.values())
    assert [column_format(8, [(entries, each)]).value_bits for each in (15, 16, 31, 32)] == [4, 5, 5, 8]


def test_columns_are_read_back() -> None:
    """Every weight from the words in DDR, by the format's own words."""
    schedule = _schedule()
    weights = schedule.layer.weights
    bits = np.unpackbits(schedule.columns, axis=1, bitorder="little").reshape(-1, 9)
    numbers, gaps = bits[:, :4] @ (1 << np.arange(4)), bits[:, 4:] @ (1 << np.arange(5))
    book = schedule.packet.content[schedule.packet.pointer_words].view(np.int8)
    found, slot = np.zeros_like(weights), 0
    for column, count in enumerate(schedule.packet.counts[: weights.shape[1]]):
        row = -1
        for _ in range(int(count) * schedule.form.slots):
            row += int(gaps[slot]) + 1
            if numbers[slot]:
                found[row, column] = book[numbers[slot]]
            slot += 1
    assert np.array_equal(found, weights)


@pytest.mark.parametrize("early", [0, 3, 8, 11, 16])
def test_slots_that_stand_for_others_change_no_prediction(early: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some slots' entries come a stage earlier than the others'."""
    schedule, values = _schedule(), (np.random.default_rng(0).random(112) < 0.5).astype(np.int64)
    stages = {f"slot_entries_{slot}": (1 if slot < early else 2, 0) for slot in range(16)}
    layers = [schedule] * 2
    found = predict(_architecture(), layers, {"fc": values}, stages, ddr=Ddr(7, 11))
    slots, _ = generator.timing.distinct_slots(_architecture(), stages)
    assert sum(map(len, slots.values())) == {0: 1, 3: 3, 8: 2, 11: 3, 16: 1}[early]
    every = {group: list(range(8 * group, 8 * group + 8)) for group in range(2)}
    monkeypatch.setattr(generator.timing, "distinct_slots", lambda *_: (every, {}))
    assert predict(_architecture(), layers, {"fc": values}, stages, ddr=Ddr(7, 11)) == found


def _of_one_layer(folder: Path, weights: np.ndarray, image: np.ndarray, **sizes: int) -> Build:
    """A build of one linear layer behind an image, uint8 [channels, rows, columns]."""
    builder = DescriptionBuilder("large", image.shape, "uint8", Scale(multiplier=1, shift=8)).flatten("vector")
    bias = np.random.default_rng(6).integers(-5000, 5000, len(weights)).astype(np.int32)
    builder.linear("fc", weights, bias, shift=11, minimum=-128, maximum=127, output_dtype="int8")
    options = BuildOptions(lanes=128, images=image[None], pipeliner=Pipeliner(), **sizes)
    generate(builder.build(), "zcu104", folder, options)
    return load_build(folder)


def _passes_in_simulations(build: Build, work: Path) -> None:
    context = Context(build, Options(images=1), work)
    for rung in (SequentialRung(), InterleavedRung(), RtlRung()):
        outcome = rung.check(context)
        assert outcome.passed, (rung.name, outcome.detail)


def test_column_words_are_counted_beyond_18_bits(tmp_path: Path) -> None:
    """As VGG-16's first linear layer needs it; the last of 327,680 column words are asked for."""
    random = np.random.default_rng(7)
    weights = random.choice(np.array([-3, -2, -1, 1, 2, 3], dtype=np.int8), (4096, 640))
    image = np.zeros(640, dtype=np.uint8)
    image[600::5] = random.integers(1, 256, 8)
    build = _of_one_layer(tmp_path / "build", weights, image.reshape(5, 8, 16), fc_slots=8)
    assert build.layers[0].column_words > 1 << layouts.BASE_BITS
    ports = {port.name: port.bits for port in build.manifest.ports}
    assert ports["requests_out"] == layouts.WIDE_BASE_BITS + layouts.POINTER_BITS == 40
    _passes_in_simulations(build, tmp_path / "work")


@pytest.mark.parametrize("sizes", [{"fc_slots": 8}, {"fc_pes": 2}], ids=["streamed", "resident"])
def test_every_pixel_may_fill_a_feature_word(sizes: dict[str, int], tmp_path: Path) -> None:
    """As in ResNet-50's linear layer: 520 channels of one pixel are 66,560 columns in memory."""
    random = np.random.default_rng(8)
    weights = np.where(random.random((16, 520)) < 0.3, random.integers(-128, 128, (16, 520)), 0).astype(np.int8)
    image = random.integers(0, 256, (520, 1, 1)).astype(np.uint8)
    _passes_in_simulations(_of_one_layer(tmp_path / "build", weights, image, **sizes), tmp_path / "work")
