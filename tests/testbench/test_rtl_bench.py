"""The phased bench on a small hand-written design: it passes the right one under stalls and catches each fault."""

from pathlib import Path

import numpy as np
import pytest

from testbench.rtl import Model, SimulationFailed, build_model, run_module
from testbench.rtl.phases import Gauge, Phase, PhasedJob, PhasedResult, Run, RunResult, Words
from testbench.rtl.simulator import lint

DESIGNS = Path(__file__).parent / "rtl_designs"
SOURCES = [DESIGNS / "fifo.sv", DESIGNS / "shifted_sum.sv"]
VISIBLE = [("fifo*", "count"), ("fifo*", "high_water")]
GAUGES = [Gauge(name=name, path=name) for name in ("weights_port", "features_port", "results")]


def build(folder: Path, fault: str | None = None, waves: bool = False) -> Model:
    folder.mkdir(parents=True, exist_ok=True)
    macros = folder.parent / f"{folder.name}_macros.sv"
    macros.write_text(f"`define FAULT_{(fault or 'none').upper()}\n")
    return build_model([macros, *SOURCES], "shifted_sum", folder, visible=VISIBLE, waves=waves)


def words(folder: Path, name: str, values: list[int]) -> Words:
    return Words.save(np.array(values, dtype="<u2").view(np.uint8).reshape(-1, 2), folder / f"{name}.bin")


def two_phases(folder: Path, pauses: dict[str, float] | None = None) -> PhasedJob:
    """Weights 100 and 60000 (which wraps), features 1..4 and 10001..10004."""
    folder.mkdir(parents=True, exist_ok=True)

    features = [[1, 2, 3, 4], [10001, 10002, 10003, 10004]]
    weights = [100, 60000]
    phases = [
        Phase(
            name=f"phase {i}",
            send={"features_in": words(folder, f"in_{i}", values)},
            expect={"features_out": words(folder, f"out_{i}", [(v + weights[i]) % 65536 for v in values])},
        )
        for i, values in enumerate(features)
    ]
    one = Run(background={"weights_in": [words(folder, "weights", weights)]}, phases=phases)
    return PhasedJob(runs=[one, one], pauses=pauses or {}, quiet_limit=200, gauges=GAUGES)


def run(model: Model, job: PhasedJob, folder: Path, seed: int = 1, waves: bool = False) -> RunResult:
    """The last run's result; every run of a job that passes is alike."""
    result = run_module(
        model, "testbench.rtl.phased_bench", job.model_dump(mode="json"), folder, seed=seed, waves=waves
    )
    runs = PhasedResult.model_validate(result).runs
    assert all(each.status == "passed" for each in runs[:-1])
    return runs[-1]


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return build(tmp_path_factory.mktemp("right") / "model")


def test_the_design_is_lint_clean(tmp_path: Path) -> None:
    macros = tmp_path / "macros.sv"
    macros.write_text("`define FAULT_NONE\n")
    assert lint([macros, *SOURCES], "shifted_sum") == ""


def test_it_passes_and_its_clocks_are_exact(right: Model, tmp_path: Path) -> None:
    result = run(right, two_phases(tmp_path), tmp_path)
    assert result.status == "passed", result
    # Clock 1: the first weight and feature are accepted. 2: the weight is taken. 3 to 6: features are added, and leave
    # one clock later, 4 to 7. Clock 8: the next feature is accepted; its weight was taken in clock 7. 9 to 12: features
    # are added, and leave in 10 to 13.
    assert result.first_background == {"weights_in": 1}
    assert [(phase.first_sent, phase.last_received) for phase in result.phases] == [(1, 7), (8, 13)]
    assert result.cycles == 13
    assert result.phase_cycles() == [7, 6]
    assert result.high_water == {"weights_port": 1, "features_port": 2, "results": 1}
    assert set(result.held.values()) == {0}


@pytest.mark.parametrize("share", [0.2, 0.7])
def test_it_passes_under_random_pauses(right: Model, tmp_path: Path, share: float) -> None:
    pauses = {"weights_in": share, "features_in": share, "features_out": share}
    results = [run(right, two_phases(tmp_path, pauses), tmp_path, seed) for seed in (1, 2, 3, 1)]
    assert all(result.status == "passed" for result in results), results
    assert all(result.cycles >= 13 for result in results)
    assert len({result.cycles for result in results}) > 1, "seeds differ"
    assert results[0] == results[3], "a seed gives the same run"


FAULTS = {
    "drop": ("mismatch", {}),
    "surplus": ("left over", {}),
    "value": ("mismatch", {}),
    "stop": ("stuck", {}),
    "unstable": ("protocol", {"features_out": 0.9}),
    "retract": ("protocol", {"features_out": 0.9}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_caught(tmp_path: Path, fault: str) -> None:
    status, pauses = FAULTS[fault]
    result = run(build(tmp_path / "model", fault), two_phases(tmp_path, pauses), tmp_path)
    assert result.status == status, result
    if fault == "value":
        assert result.wrong is not None
        assert (result.wrong.phase, result.wrong.port, result.wrong.index) == (1, "features_out", 2)
        assert (result.wrong.expected, result.wrong.got) == (f"{70003 - 65536:x}", f"{70004 - 65536:x}")
    if fault == "stop":
        assert "features_in" in result.message and "features_port holds 2" in result.message
    if fault == "surplus":
        assert result.message == "more words than expected came out of features_out"


def test_a_word_that_nobody_reads_is_left_over(right: Model, tmp_path: Path) -> None:
    job = two_phases(tmp_path)
    last = Phase(
        name="one too many",
        send={"features_in": words(tmp_path, "extra", [1, 2, 3, 4, 5])},
        expect={"features_out": words(tmp_path, "four", [60001, 60002, 60003, 60004])},
    )
    one = job.runs[0].model_copy(update={"phases": [job.runs[0].phases[0], last]})
    result = run(right, job.model_copy(update={"runs": [one]}), tmp_path)
    assert result.status == "left over"
    assert result.message == "words were left in features_port (1 words)"


def test_waves_are_recorded(tmp_path: Path) -> None:
    model = build(tmp_path / "model", waves=True)
    run(model, two_phases(tmp_path), tmp_path, waves=True)
    assert (tmp_path / "waves.fst").stat().st_size > 500


def test_an_unchanged_design_is_not_built_again(right: Model) -> None:
    program = right.folder / right.top
    before = program.stat().st_mtime_ns
    build(right.folder)
    assert program.stat().st_mtime_ns == before


def test_a_design_that_verilator_refuses_is_one_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "broken.sv"
    broken.write_text("module broken (input logic ap_clk);\n  assign nothing = ;\nendmodule\n")
    with pytest.raises(SimulationFailed, match=r"Verilator refused the design: %Error: .*broken\.sv:2:20"):
        build_model([broken], "broken", tmp_path / "model")


def test_a_bench_that_raises_is_a_failure(right: Model, tmp_path: Path) -> None:
    job = two_phases(tmp_path).model_dump(mode="json") | {"runs": []}
    with pytest.raises(SimulationFailed, match="shifted_sum"):
        run_module(right, "testbench.rtl.phased_bench", job, tmp_path)
