"""Fine-tuning behind pruning: what is saved is what was trained and judged, and a killed run ends in the same files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import golden
from compression.accuracy import count_correct_integers
from compression.errors import CompressionError
from compression.history import Record, Tuned, TuningEpoch
from compression.settings import Settings
from tests.compression.synthetic import data_set
from tests.compression.test_loop import Killed, contents, events, killer, run

SETTINGS = Settings(
    ("magnitude",),
    max_loss=20,
    factor=1.2,
    epochs=1,
    batch=25,
    learning_rate=0.003,
    calibration=150,
    bias_correction=True,
    codebook=16,
    codebook_epochs=2,
    qat_epochs=2,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    run(folder, SETTINGS)
    return folder


def correct(folder: Path) -> int:
    """Test images that the saved description classifies correctly."""
    test = data_set().test
    return count_correct_integers(golden.load(folder / "net.json"), test.pixels.numpy(), test.labels.numpy())


def tuned(folder: Path) -> dict[str, dict[str, Any]]:
    return {event["stage"]: event for event in events(folder) if event["event"] == "tuned"}


def test_the_description_is_what_was_judged_last(whole: Path) -> None:
    network, stages = golden.load(whole / "net.json"), tuned(whole)
    assert list(stages) == ["codebook", "qat"]
    assert [event["stage"] for event in events(whole) if event["event"] == "tuning_epoch"] == ["codebook"] * 2 + [
        "qat"
    ] * 2
    last = events(whole)[-1]
    judged = stages["qat"]["correct" if stages["qat"]["accepted"] else "before"]
    assert last["correct"] == correct(whole) == judged, "the module in evaluation and golden agree"
    for layer in network.weighted_layers:
        weights = network.weights(layer.name)
        assert weights.ndim == 4 or np.unique(weights[weights != 0]).size <= 15
    stopped = next(event for event in events(whole) if event["event"] == "stopped")
    for name, count in stopped["counts"].items():
        assert last["counts"][name]["nonzero"] <= count["nonzero"], "pruned weights stay zero"


def test_bias_correction_alone_reaches_the_description(whole: Path, tmp_path: Path) -> None:
    plain = replace(SETTINGS, codebook=None, qat_epochs=0)
    run(tmp_path / "corrected", plain)
    run(tmp_path / "plain", replace(plain, bias_correction=False))
    biases = [golden.load(tmp_path / name / "net.json").bias("0") for name in ("corrected", "plain")]
    assert not np.array_equal(*biases) and not tuned(tmp_path / "plain")


def test_without_epochs_values_are_shared_but_not_trained(tmp_path: Path) -> None:
    run(tmp_path, replace(SETTINGS, codebook=32, codebook_epochs=0, qat_epochs=0))
    (stage,) = tuned(tmp_path).values()
    assert stage["accepted"] and stage["before"] == stage["correct"]
    weights = golden.load(tmp_path / "net.json").weights("7")
    assert 15 < np.unique(weights[weights != 0]).size <= 31


@pytest.mark.parametrize("back", range(1, 8))
def test_a_killed_run_goes_on_and_ends_in_the_same_files(whole: Path, tmp_path: Path, back: int) -> None:
    """Killed in either stage, between them, at the end of pruning, and when all but the description is done."""
    seen, after = list[Record](), list[Record]()
    with pytest.raises(Killed):
        run(tmp_path, SETTINGS, killer(len(events(whole)) - back + 1, seen))
    result = run(tmp_path, SETTINGS, after.append)
    assert contents(tmp_path) == contents(whole)
    assert sum(isinstance(each, TuningEpoch) for each in (*seen, *after)) <= 5, "at most one epoch is lost"
    assert result.outcome.reason == "factor"


def test_a_run_killed_at_every_epoch_gets_there(whole: Path, tmp_path: Path) -> None:
    def die(record: Record) -> None:
        if isinstance(record, TuningEpoch | Tuned):
            seen.append(record)
            if len(seen) == 2:
                raise Killed

    for _ in range(7):
        seen: list[Record] = []
        try:
            run(tmp_path, SETTINGS, die)
        except Killed:
            continue
        break
    assert contents(tmp_path) == contents(whole)


@pytest.mark.parametrize("stage", ["codebook", "qat"])
def test_training_that_explodes_keeps_the_network_before_it(tmp_path: Path, stage: str) -> None:
    change = {"codebook": {"codebook_learning_rate": 1e30}, "qat": {"qat_learning_rate": 1e38}}[stage]
    result = run(tmp_path, replace(SETTINGS, **change))  # type: ignore[arg-type]
    assert tuned(tmp_path)[stage]["diverged"] and not tuned(tmp_path)[stage]["accepted"]
    assert result.complaints[0] == (
        f"fine-tuning ({stage}) left the finite numbers; the description holds the network before it"
    )
    assert result.quantised.correct == correct(tmp_path) > 60


def test_training_that_does_harm_is_taken_back(tmp_path: Path) -> None:
    harmful = replace(SETTINGS, codebook=None, qat_learning_rate=3.0)
    result = run(tmp_path, harmful)
    stage = tuned(tmp_path)["qat"]
    assert not stage["accepted"] and not stage["diverged"] and stage["correct"] < stage["before"]
    assert result.quantised.correct == stage["before"] == correct(tmp_path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"codebook": 17}, "codebook is 17, but must be 16 or 32"),
        ({"codebook_epochs": -1}, "codebook-epochs is -1"),
        ({"codebook_learning_rate": 0.0}, "codebook-learning-rate is 0.0"),
        ({"qat_epochs": -1}, "qat-epochs is -1"),
        ({"qat_learning_rate": float("nan")}, "qat-learning-rate is nan"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(CompressionError, match=reason):
        replace(SETTINGS, **change)


def test_the_start_is_the_same_whatever_ran_before(whole: Path, tmp_path: Path) -> None:
    """Nothing hangs on PyTorch's own generator."""
    torch.manual_seed(99)
    run(tmp_path, SETTINGS)
    assert contents(tmp_path) == contents(whole)
