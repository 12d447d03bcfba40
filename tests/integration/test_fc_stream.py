"""The streamed FC engine: golden's arithmetic == both C-simulations == RTL, and its cycles are those of the model."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import rtl
from generator import layouts
from generator.architecture import Architecture
from generator.boards import load_board
from generator.emit import TOP, emit_project
from generator.layers import EngineError, FcLayer, FeatureLayout
from generator.schedule.fc_stream import ColumnFormat, FcStreamSchedule, schedule_fc_stream
from generator.timing.fc_stream import Ddr, predict_stream
from golden.arithmetic import requantise
from testbench.csim.compiler import compile_program
from testbench.csim.program import run_program
from testbench.rtl.phases import Phase, PhasedJob, PhasedResult, Run, Words
from testbench.rtl.simulator import build_model, run_module

LANES = 16
SHAPES = ((24, 48, 0.3, True), (64, 100, 0.09, False), (8, 16, 1.0, False), (1, 40, 0.5, False), (57, 33, 0.02, True))
"""Outputs, inputs, density of weights, whether activations are signed (and all there)."""


def _architecture(value_bits: int = 4, gap_bits: int = 5) -> Architecture:
    return Architecture(
        lanes=LANES, pes=0, fc_pes=1, map_words=2, max_entries=1, max_columns=1, pointer_words=16, entry_words=1,
        fc_rows=64, fc_slots=8, fc_value_bits=value_bits, fc_gap_bits=gap_bits,
    )  # fmt: skip


def _form(architecture: Architecture) -> ColumnFormat:
    return ColumnFormat(architecture.fc_slots, architecture.fc_value_bits, architecture.fc_gap_bits)


def _layer(number: int, outputs: int, inputs: int, density: float, signed: bool, value_bits: int) -> FcLayer:
    random = np.random.default_rng(number)
    values = np.arange(-128, 128) if value_bits == 8 else random.permutation(np.arange(-128, 128))[:15]
    weights = np.where(random.random((outputs, inputs)) < density, random.choice(values, (outputs, inputs)), 0)
    bias = random.integers(-5000, 5000, outputs).astype(np.int32)
    return FcLayer(
        f"fc{number}", "input", f"fc{number}", FeatureLayout((0,), 1, inputs, signed), weights.astype(np.int8), bias,
        13, 15, -128, 127, True,
    )  # fmt: skip


def _activations(layer: FcLayer, number: int) -> NDArray[np.int64]:
    random = np.random.default_rng([number, 1])
    inputs = layer.weights.shape[1]
    values = random.integers(-128, 128, inputs) if layer.input.signed else random.integers(0, 256, inputs)
    if not layer.input.signed:
        values *= random.random(inputs) < 0.4
    stream = np.zeros(layer.input.words(LANES) * LANES, dtype=np.int64)
    stream[:inputs] = values
    return stream


def _bytes(words: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
    """Words of `size` lanes of a byte, filled up with zeros."""
    padded = np.zeros(-(-words.size // size) * size, dtype=np.uint8)
    padded[: words.size] = words.astype(np.uint8)
    return padded.reshape(-1, size)


@dataclass
class _Case:
    schedules: list[FcStreamSchedule]
    activations: dict[str, NDArray[np.int64]]
    ports: list[dict[str, NDArray[np.uint8]]]  # of each layer

    def save(self, folder: Path) -> None:
        """The files that the C bench reads."""
        folder.mkdir()
        names = ("weights_in", "columns_in", "requests_out", "features_in", "features_out")
        for name in names:
            np.concatenate([ports[name] for ports in self.ports]).tofile(folder / f"{name}.bin")
        lines = [" ".join(str(len(ports[name])) for name in names) for ports in self.ports]
        (folder / "layers.txt").write_text("\n".join(lines) + "\n")


def _case(architecture: Architecture) -> _Case:
    schedules, activations, ports = [], {}, []
    for number, shape in enumerate(SHAPES):
        layer = _layer(number, *shape, architecture.fc_value_bits)
        schedule = schedule_fc_stream(layer, _form(architecture), LANES)
        values = _activations(layer, number)
        inputs = layer.weights.shape[1]
        sums = layer.weights.astype(np.int64) @ values[:inputs] + layer.bias
        expected = requantise(sums, np.int32(layer.multiplier), np.int32(layer.shift), -128, 127)  # type: ignore[arg-type]
        pack = next(each for each in layouts.COMMAND_LAYOUTS if each.name == "request_word").pack
        requests = [pack(first=first, count=count) for first, count in schedule.requests(values)]
        schedules.append(schedule)
        activations[layer.name] = values
        ports.append(
            {
                "weights_in": schedule.weight_words(),
                "columns_in": schedule.fetched(values),
                "requests_out": np.array(requests, dtype="<u4").view(np.uint8).reshape(-1, 4),
                "features_in": _bytes(values, LANES),
                "features_out": _bytes(expected, LANES),
            }
        )
    return _Case(schedules, activations, ports)


@pytest.fixture(scope="module", params=[(4, 5), (5, 3), (8, 4)], ids=lambda bits: f"value{bits[0]}-gap{bits[1]}")
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Architecture, Path]:
    """An accelerator and the folder of its C++."""
    folder = tmp_path_factory.mktemp("build")
    architecture = _architecture(*request.param)
    emit_project(folder, architecture, load_board("zcu104"), 200.0)
    return architecture, folder


def test_c_simulations_are_exact(built: tuple[Architecture, Path], tmp_path: Path) -> None:
    architecture, folder = built
    _case(architecture).save(tmp_path / "vectors")
    hls, bench = folder / "hls", folder / "csim" / "stream_bench.cpp"
    sequential = compile_program([hls / "top.cpp", bench], tmp_path / "sequential", include=[hls])
    result = run_program(sequential, [str(tmp_path / "vectors")])
    assert result.passed, result.explanation()
    interleaved = compile_program([bench], tmp_path / "interleaved", include=[hls], defines={"INTERLEAVED": "1"})
    for seed in ("0", "1", "2"):
        result = run_program(interleaved, [str(tmp_path / "vectors"), seed])
        assert result.passed, result.explanation()
    wrong = np.fromfile(tmp_path / "vectors" / "columns_in.bin", dtype=np.uint8)
    wrong ^= 1
    wrong.tofile(tmp_path / "vectors" / "columns_in.bin")
    assert not run_program(sequential, [str(tmp_path / "vectors")]).passed


def _job(case: _Case, folder: Path, pauses: dict[str, float]) -> PhasedJob:
    phases, background = [], []
    for number, ports in enumerate(case.ports):
        files = {
            name: Words.save(words, folder / f"{name}_{number}.bin") for name, words in ports.items() if len(words)
        }
        background.append(files.pop("weights_in"))
        out = {name: files.pop(name) for name in ("features_out", "requests_out") if name in files}
        phases.append(Phase(name=f"layer {number}", send=files, expect=out))
    return PhasedJob(runs=[Run(background={"weights_in": background}, phases=phases)], pauses=pauses)


def test_rtl_is_exact_and_takes_the_predicted_cycles(built: tuple[Architecture, Path], tmp_path: Path) -> None:
    architecture, folder = built
    case = _case(architecture)
    hls = folder / "hls"
    design, report = rtl.compile_with_report(hls / "top.cpp", TOP, [hls], tmp_path / "rtl", 200.0)
    assert not report.misses
    model = build_model(design.files, TOP, tmp_path / "model")
    job = _job(case, tmp_path, {})
    result = PhasedResult.model_validate(
        run_module(model, "testbench.rtl.phased_bench", job.model_dump(mode="json"), tmp_path / "run")
    )
    assert result.passed, result.last
    predicted = predict_stream(architecture, case.schedules, case.activations, design.stream_stages())
    assert result.last.phase_cycles() == list(predicted.layer_cycles)
    assert list(predicted.fetched_words) == [len(ports["columns_in"]) for ports in case.ports]
    ports = ("weights_in", "features_in", "features_out", "columns_in", "requests_out")
    for seed, share in ((1, 0.2), (2, 0.6)):
        job = _job(case, tmp_path, dict.fromkeys(ports, share))
        result = PhasedResult.model_validate(
            run_module(
                model, "testbench.rtl.phased_bench", job.model_dump(mode="json"), tmp_path / f"run{seed}", seed=seed
            )
        )
        assert result.passed, result.last


def test_latency_costs_once_a_layer() -> None:
    """Requests run ahead of their words."""
    architecture = _architecture()
    case = _case(architecture)
    at_once = predict_stream(architecture, case.schedules, case.activations)
    late = predict_stream(architecture, case.schedules, case.activations, ddr=Ddr(latency=100))
    slower = [after - before for before, after in zip(at_once.layer_cycles, late.layer_cycles, strict=True)]
    assert all(0 < each <= 104 for each in slower), slower


def test_too_many_weights_are_refused() -> None:
    layer = _layer(0, 24, 48, 0.5, False, 8)
    with pytest.raises(EngineError, match=r"layer 'fc0': .* different weights, and entries of 4 bits tell 15 apart"):
        schedule_fc_stream(layer, ColumnFormat(8, 4, 5), LANES)


def test_columns_are_read_back() -> None:
    """Every weight from the words in DDR, by the format's own words."""
    layer = _layer(1, *SHAPES[1], 4)
    form = ColumnFormat(8, 4, 5)
    schedule = schedule_fc_stream(layer, form, LANES)
    bits = np.unpackbits(schedule.columns, axis=1, bitorder="little").reshape(-1, 9)
    numbers, gaps = bits[:, :4] @ (1 << np.arange(4)), bits[:, 4:] @ (1 << np.arange(5))
    book = schedule.packet.content[schedule.packet.pointer_words].view(np.int8)
    weights, slot = np.zeros_like(layer.weights), 0
    for column, count in enumerate(schedule.packet.counts[: layer.weights.shape[1]]):
        row = -1
        for _ in range(int(count) * form.slots):
            row += int(gaps[slot]) + 1
            if numbers[slot]:
                weights[row, column] = book[numbers[slot]]
            slot += 1
    assert np.array_equal(weights, layer.weights)
