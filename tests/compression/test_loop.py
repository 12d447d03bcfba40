"""The loop: masks stay, accuracy is bounded, and a killed run ends in the very same files."""

import json
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import golden
from compression.accuracy import count_correct_integers
from compression.channels import positions
from compression.checkpoint import load_checkpoint
from compression.compress import Compressed, compress
from compression.errors import CompressionError
from compression.history import EpochDone, Record, StepDone
from compression.loop import Pruning, _intersect, layer_counts, required_correct
from compression.prune import prunable
from compression.settings import Settings
from compression.state import RunFiles
from compression.train import count_correct
from tests.compression.synthetic import data_set, trained

SETTINGS = Settings(
    ("reversed", "peak"), max_loss=3, epochs=2, batch=25, learning_rate=0.003, q_step=0.5, share=0.3, calibration=150
)


def run(folder: Path, settings: Settings = SETTINGS, report: Callable[[Record], None] = lambda r: None) -> Compressed:
    folder.mkdir(exist_ok=True)
    return compress(trained(), data_set(), settings, folder / "net.json", report)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "net.history.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    run(folder)
    return folder


def test_the_description_has_exactly_the_accuracy_that_is_reported(whole: Path) -> None:
    network, test = golden.load(whole / "net.json"), data_set().test
    last = events(whole)[-1]
    assert last["event"] == "quantised"
    assert count_correct_integers(network, test.pixels.numpy(), test.labels.numpy()) == last["correct"]
    assert last["images"] == len(test) and last["bits"] == network.total_bits
    assert sum(each["nonzero"] for each in last["counts"].values()) == network.nonzero_count


def test_every_accepted_step_stays_within_the_bound_and_pruned_weights_stay_pruned(whole: Path) -> None:
    started, *rest = events(whole)
    assert started["required"] == required_correct(started["correct"], 100, 3) == started["correct"] - 3
    steps = [event for event in rest if event["event"] == "step"]
    assert {step["accepted"] for step in steps} == {True, False}, "the run must meet both"
    counts = started["layers"]
    for step in steps:
        assert step["accepted"] == (step["correct"] >= started["required"])
        for name, left in step["counts"].items():
            fewer = left["nonzero"] < counts[name]["nonzero"]
            assert fewer if name in step["layers"] else left == counts[name]
        counts = step["counts"] if step["accepted"] else counts
    stopped = next(event for event in rest if event["event"] == "stopped")
    assert stopped["reason"] == "bound" and stopped["counts"] == counts


def test_retraining_at_the_end_prunes_nothing_and_does_no_harm(tmp_path: Path) -> None:
    settings = replace(SETTINGS, methods=("magnitude",), factor=1.3, final_epochs=3, epochs=1, max_loss=10)
    compressed = run(tmp_path / "final", settings)
    steps = [event for event in events(tmp_path / "final") if event["event"] == "step"]
    *pruning, last = steps
    assert [each["method"] for each in steps] == ["magnitude"] * len(pruning) + ["retrain"]
    assert last["counts"] == pruning[-1]["counts"] and compressed.outcome.accepted == len(pruning)
    assert compressed.outcome.reason == "factor" and compressed.outcome.correct >= pruning[-1]["correct"]
    epochs = [event for event in events(tmp_path / "final") if event["event"] == "epoch"]
    assert sum(each["step"] == last["step"] for each in epochs) == 3


def test_a_pruned_checkpoint_goes_on_in_another_run_and_its_zeros_stay(whole: Path, tmp_path: Path) -> None:
    model = trained()
    load_checkpoint(model, whole / "net.pruned.pt")
    zeros = {name: weights == 0 for name, weights in prunable(model).items()}
    assert count_correct(model, data_set().test) == events(whole)[-1]["float_correct"]
    settings = replace(SETTINGS, methods=(), final_epochs=2, learning_rate=1e-4)
    compress(model, data_set(), settings, tmp_path / "net.json")
    retrained = {name: weights == 0 for name, weights in prunable(model).items()}
    assert all(torch.equal(retrained[name], each) for name, each in zeros.items())
    assert [event["method"] for event in events(tmp_path) if event["event"] == "step"] == ["retrain"]


def test_a_step_may_spend_no_more_than_its_budget(tmp_path: Path) -> None:
    run(tmp_path / "spread", replace(SETTINGS, methods=("reversed",), budget="by-weights", max_loss=10))
    started, *rest = events(tmp_path / "spread")
    shares = dict(zip(reversed(started["layers"]), accumulate_shares(started["layers"]), strict=True))
    steps = [event for event in rest if event["event"] == "step"]
    for each in steps:
        share = shares[each["layers"][0]]
        assert each["accepted"] == (each["correct"] >= required_correct(started["correct"], 100, 10 * share))


def accumulate_shares(layers: dict[str, Any]) -> list[float]:
    """From the last layer on, the share of all weights that the layers so far hold."""
    sizes = [layer["weights"] for layer in reversed(layers.values())]
    return [sum(sizes[: number + 1]) / sum(sizes) for number in range(len(sizes))]


def test_masks_hold_through_retraining_and_what_is_rejected_is_undone(tmp_path: Path) -> None:
    model, data = trained(), data_set()
    pruning = Pruning(model, data.training, data.test, SETTINGS, RunFiles(tmp_path / "net.json"))
    outcome = pruning.run()
    state = pruning._state
    assert not state.steps[-1].accepted, "the run must end by going back"
    assert count_correct(model, data.test) == outcome.correct >= outcome.required
    for name, mask in state.masks.items():
        weights = model.state_dict()[f"{name}.weight"]
        assert not weights[~mask].any() and int(torch.count_nonzero(weights)) == int(mask.sum())


def test_a_later_mask_brings_no_weight_back() -> None:
    fixed = {"a": torch.tensor([True, False]), "b": torch.tensor([False, True])}
    masks = _intersect(fixed, {"a": torch.tensor([True, True]), "c": torch.tensor([False, True])})
    assert {name: mask.tolist() for name, mask in masks.items()} == {
        "a": [True, False],
        "b": [False, True],
        "c": [False, True],
    }


def test_two_runs_are_equal_and_another_seed_is_not(whole: Path, tmp_path: Path) -> None:
    run(tmp_path / "again")
    assert contents(tmp_path / "again") == contents(whole)
    run(tmp_path / "other", replace(SETTINGS, seed=2))
    assert contents(tmp_path / "other")["net.history.jsonl"] != contents(whole)["net.history.jsonl"]


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the code may handle it."""


def killer(at: int, seen: list[Record]) -> Callable[[Record], None]:
    """Notes records, and dies at the ``at``-th of them."""

    def report(record: Record) -> None:
        seen.append(record)
        if len(seen) == at:
            raise Killed

    return report


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 1.0])
def test_a_killed_run_goes_on_and_ends_in_the_same_files(whole: Path, tmp_path: Path, share: float) -> None:
    total = len(events(whole))
    at = 1 + round(share * (total - 1))
    before, after = list[Record](), list[Record]()
    with pytest.raises(Killed):
        run(tmp_path, report=killer(at, before))
    run(tmp_path, report=after.append)
    assert contents(tmp_path) == contents(whole)
    epochs = sum(isinstance(record, EpochDone) for record in (*before, *after))
    assert epochs <= 1 + sum(event["event"] == "epoch" for event in events(whole)), "at most one epoch is lost"


def test_a_run_killed_again_and_again_gets_there(whole: Path, tmp_path: Path) -> None:
    # 6 records: the start's two, the epoch that is lost or judged again, and three that are new.
    for _ in range(len(events(whole))):
        try:
            run(tmp_path, report=killer(6, []))
        except Killed:
            continue
        break
    assert contents(tmp_path) == contents(whole)


def test_nan_stops_and_keeps_the_last_good_state(tmp_path: Path) -> None:
    model, data, records = trained(), data_set(), list[Record]()

    def poison(record: Record) -> None:
        """After the first epoch that follows an accepted step."""
        kept = [each for each in records if isinstance(each, StepDone) and each.accepted]
        records.append(record)
        if isinstance(record, EpochDone) and kept:
            with torch.no_grad():
                model[0].weight[0, 0, 0, 0] = float("nan")

    result = compress(model, data, SETTINGS, tmp_path / "net.json", poison)
    last = [record for record in records if isinstance(record, StepDone)][-1]
    assert last.accepted, "the step with the bad number is never judged"
    assert result.outcome.reason == "diverged"
    assert (result.outcome.correct, layer_counts(model, positions(model, (1, 8, 8)))) == (last.correct, last.counts)
    assert count_correct(model, data.test) == last.correct
    assert "training left the finite numbers" in result.complaints[0]
    assert [event["event"] for event in events(tmp_path)][-4:] == ["diverged", "histograms", "stopped", "quantised"]
    golden.load(tmp_path / "net.json")


def test_training_that_explodes_leaves_the_dense_network(tmp_path: Path) -> None:
    result = run(tmp_path, replace(SETTINGS, learning_rate=1e30))
    assert result.outcome.reason == "diverged" and result.outcome.correct == result.outcome.dense_correct
    assert golden.load(tmp_path / "net.json").weight_count == 420


def test_the_run_stops_at_the_factor(tmp_path: Path) -> None:
    result = run(tmp_path, replace(SETTINGS, factor=1.2))
    assert result.outcome.reason == "factor" and result.quantised.factor >= 1.2
    assert not [text for text in result.complaints if "cannot be had" in text]


def test_a_factor_out_of_reach_names_the_best(tmp_path: Path) -> None:
    result = run(tmp_path, replace(SETTINGS, factor=50))
    (text,) = [text for text in result.complaints if "cannot be had" in text]
    assert text.startswith("50 times fewer weights cannot be had within 3 points; the best that was reached is")
    assert f"is {result.quantised.factor:.2f} times fewer" in text


def test_held_out_images_judge_and_are_not_trained_on(tmp_path: Path) -> None:
    settings = replace(SETTINGS, methods=("magnitude",), max_loss=10, held_out=50)
    result = run(tmp_path / "a", settings)
    assert result.outcome.images == 50 and result.quantised.images == 100
    data = data_set()
    data.training.pixels[100:] = 255 - data.training.pixels[100:]
    (tmp_path / "b").mkdir()
    compress(trained(), data, settings, tmp_path / "b" / "net.json")
    losses = [[e["loss"] for e in events(tmp_path / name) if e["event"] == "epoch" and e["step"] == 1] for name in "ab"]
    assert losses[0] == losses[1] != []
    with pytest.raises(CompressionError, match="held-out is 150, but there are 150 training images"):
        run(tmp_path / "c", replace(settings, held_out=150))


def test_the_state_of_another_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        run(tmp_path, report=killer(3, []))
    before = contents(tmp_path)
    with pytest.raises(CompressionError, match=r"net\.state\.pt: belongs to a run with another"):
        run(tmp_path, replace(SETTINGS, seed=2))
    assert contents(tmp_path) == before
    (tmp_path / "net.state.pt").write_bytes(before["net.state.pt"][:500])
    with pytest.raises(CompressionError, match=r"net\.state\.pt: is no state of a run"):
        run(tmp_path)


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file may grow beyond ``size`` bytes: writing fails as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_leaves_the_state_before(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        run(tmp_path, report=killer(3, []))
    before = contents(tmp_path)["net.state.pt"]
    with file_size_limit(6000), pytest.raises(OSError, match=r"net\.state\.pt"):
        run(tmp_path)
    assert contents(tmp_path).keys() == {"net.state.pt", "net.history.jsonl"}
    assert contents(tmp_path)["net.state.pt"] == before
    run(tmp_path)
    assert contents(tmp_path) == contents(whole)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"methods": ("peak", "peak")}, "named twice"),
        ({"methods": ("best",)}, "there is no method 'best'"),
        ({"max_loss": float("nan")}, "max-loss is nan, but must be percentage points from 0 to 100"),
        ({"factor": 1.0}, "factor is 1.0, but must be greater than 1"),
        ({"epochs": 0}, "epochs is 0"),
        ({"learning_rate": float("inf")}, "learning-rate is inf"),
        ({"share": 1.0}, "share is 1.0"),
        ({"q_step": 0.0}, "q-step is 0.0"),
        ({"patterns": 0}, "patterns is 0"),
        ({"patterns": 1, "kernels_kept": 0.5}, "patterns is 1"),
        ({"kernels_kept": 0.0}, "kernels-kept is 0.0"),
        ({"pattern_group": 0}, "pattern-group is 0, but must be at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(CompressionError, match=reason):
        replace(SETTINGS, **change)
