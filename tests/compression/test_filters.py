"""Filter pruning, from what chooses the channels to runs that are killed and methods that follow one another."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import golden
from compression.accuracy import count_correct_integers
from compression.channels import channel_groups, positions, remove_channels
from compression.compress import Compressed, compress
from compression.errors import CompressionError
from compression.frontend import trace
from compression.history import EnSparsity, Record, StepDone
from compression.loop import layer_counts
from compression.methods import Step, make_method
from compression.methods.feature_map import en_sparsity, final_maps, relative_to_fullest
from compression.methods.filters import importance, macs_without
from compression.methods.layerwise import zero_shares
from compression.networks import resnet20
from compression.prune import prunable
from compression.quantise import InputScale
from compression.settings import Settings
from compression.train import Schedule, train
from tests.compression.modules import Residual, randomise
from tests.compression.synthetic import data_set
from tests.compression.test_channels import build, mobile

SHAPE = (1, 8, 8)
BASE = Settings(
    ("layerwise",), max_loss=10, epochs=2, batch=25, learning_rate=0.01, calibration=60, flops_cut=40, penalty=0.2
)
FEATURE_MAP = replace(BASE, methods=("feature-map",), theta_low=0.2, theta_step=0.1, en_sparsity="absolute")
MEASURED = replace(BASE, allocation="measured")


def network() -> nn.Sequential:
    """A stem, a residual block with a projection and one without, normalised throughout."""
    torch.manual_seed(4)
    return nn.Sequential(
        InputScale(8), nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), Residual(8, 12, 2),
        Residual(12, 12, 1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(48, 4),
    )  # fmt: skip


@cache
def _state() -> dict[str, torch.Tensor]:
    model = network()
    train(model, data_set().training, Schedule(epochs=12, learning_rate=0.05, batch=25))
    return model.state_dict()


def trained() -> nn.Sequential:
    model = network()
    model.load_state_dict(_state())
    return model


def run(folder: Path, settings: Settings, report: Callable[[Record], None] = lambda record: None) -> Compressed:
    folder.mkdir(exist_ok=True)
    return compress(trained(), data_set(), settings, folder / "net.json", report)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "net.history.jsonl").read_text().splitlines()]


def test_en_sparsity_is_the_share_of_nearly_empty_places_in_the_maps_that_the_next_layer_reads() -> None:
    model, images = trained().eval(), data_set().training.pixels[:30]
    (stem, inner, stage, last) = channel_groups(model, SHAPE)
    assert (stem.layers, inner.layers, last.layers) == (("1",), ("4.conv1",), ("5.conv1",))
    assert stage.layers == ("4.conv2", "4.shortcut.0", "5.conv2")
    graph = trace(model, SHAPE)
    assert final_maps(graph, stage, set(prunable(model))) == ["4.add", "5.add"]
    found = en_sparsity(model, [stem, inner, stage, last], images, 0.2)
    with torch.no_grad():
        first = model[:4](images.float())
        block = model[4].relu(model[4].bn1(model[4].conv1(first)))
        maps = {"1": [first], "4.conv1": [block], "4.conv2": [model[:5](images.float()), model[:6](images.float())]}
    for name, each in maps.items():
        shares = [(m.abs() <= 0.2 * m.square().mean().sqrt()).double().mean((0, 2, 3)) for m in each]
        assert torch.allclose(found[name], torch.stack(shares).mean(0)), name


def test_maps_without_an_activation_and_depthwise_ones_count_as_they_are_read() -> None:
    model, shape = build("mobile")
    groups, graph = channel_groups(model, shape), trace(model, shape)
    found = {group.name: final_maps(graph, group, set(prunable(model))) for group in groups}
    assert found["4.up"] == ["4.up", "4.deep"]
    assert [name.rpartition(".")[2] for name in found["1"]] == ["1", "add"], "the stem, and its sum with the block"


def test_theta_is_bisected_and_the_emptiest_channels_go() -> None:
    model, images = trained(), data_set().training.pixels[:30]
    method = make_method("feature-map", model, FEATURE_MAP, images)
    proposal = method.propose(model, [])
    assert proposal is not None and set(proposal.channels) == set(proposal.layers)
    for name, shares in proposal.en_sparsity.items():
        gone = set(proposal.channels.get(name, ()))
        kept = [share for channel, share in enumerate(shares) if channel not in gone]
        assert kept and all(shares[channel] > proposal.setting for channel in gone)
        assert len(kept) == 1 or max(kept) <= proposal.setting or len(gone) == len(shares) - 1
    steps = [Step("feature-map", proposal.layers, proposal.setting, False, 0)]
    while (higher := method.propose(model, steps)) is not None:
        assert higher.setting > steps[-1].setting, "taken back: theta rises"
        steps.append(replace(steps[0], setting=higher.setting))
    steps = [replace(steps[0], accepted=True)]
    lower = method.propose(model, steps)
    assert lower is not None and lower.setting < steps[0].setting, "kept: theta falls"


def test_relative_en_sparsity_leaves_out_what_a_layers_channels_have_in_common() -> None:
    shares = torch.tensor([0.6, 0.9, 1.0], dtype=torch.float64)
    assert torch.allclose(relative_to_fullest(shares), torch.tensor([0.0, 0.75, 1.0], dtype=torch.float64))
    assert relative_to_fullest(torch.ones(2)).tolist() == [1, 1], "all channels are empty"
    model, images = trained(), data_set().training.pixels[:30]
    plain = en_sparsity(model, channel_groups(model, SHAPE), images, FEATURE_MAP.penalty)
    proposal = make_method("feature-map", model, replace(FEATURE_MAP, en_sparsity="relative"), images).propose(
        model, []
    )
    assert proposal is not None
    for name, shares in proposal.en_sparsity.items():
        assert list(shares) == relative_to_fullest(plain[name]).tolist(), "what theta is compared with is recorded"
        gone = [channel for channel, share in enumerate(shares) if share > proposal.setting]
        assert list(proposal.channels.get(name, ())) == gone and len(gone) < len(shares), "the fullest channel stays"


def test_a_round_that_removed_something_is_followed_by_another() -> None:
    images = data_set().training.pixels[:30]
    method = make_method("feature-map", trained(), replace(FEATURE_MAP, rounds=3), images)
    for accept, rounds in ((lambda steps: len(steps) in (0, 3), 3), (lambda steps: False, 1)):
        model, steps = trained(), list[Step]()
        while (proposal := method.propose(model, steps)) is not None:
            accepted = accept(steps)
            if accepted:
                remove_channels(model, proposal.channels, SHAPE)
            steps.append(Step("feature-map", proposal.layers, proposal.setting, accepted, 0))
            assert len(steps) < 30
        thetas = [step.setting for step in steps]
        starts = [theta for before, theta in zip([1.0, *thetas], thetas, strict=False) if theta == 0.6]
        assert len(starts) == rounds, thetas


def test_a_channel_is_as_important_as_its_normalisation_makes_it() -> None:
    model = randomise(network(), 3)
    stem, _, stage, _ = channel_groups(model, SHAPE)
    gamma = model[2].weight.detach().double()
    assert torch.allclose(importance(model, stem), gamma / gamma.mean())
    gammas = [norm.weight.detach().double() for norm in (model[4].bn2, model[4].shortcut[1], model[5].bn2)]
    assert torch.allclose(importance(model, stage), torch.stack([each / each.mean() for each in gammas]).mean(0))
    plain, shape = build("lenet5")
    norms = plain.conv1.weight.detach().abs().sum((1, 2, 3)).double()
    assert torch.allclose(importance(plain, channel_groups(plain, shape)[0]), norms / norms.mean())


def test_zero_shares_are_those_of_the_inputs() -> None:
    model, images = trained(), data_set().training.pixels[:30]
    groups = channel_groups(model, SHAPE)
    found = zero_shares(model, groups, images)
    with torch.no_grad():
        first = model.eval()[:4](images.float())
    assert found["1"] == pytest.approx(float((images == 0).double().mean()), abs=1e-6)
    assert found["4.conv1"] == pytest.approx(float((first == 0).double().mean()), abs=1e-3)


@pytest.mark.parametrize("name", ["resnet20", "lenet5", "mobile", "concatenated"])
def test_the_multiplications_that_are_foretold_are_left(name: str) -> None:
    model, shape = build(name)
    groups, used = channel_groups(model, shape), positions(model, shape)
    dropped = {group.name: group.channels // (2 + number % 3) for number, group in enumerate(groups)}
    foretold = macs_without(model, groups, used, dropped)
    remove_channels(model, {name: range(count) for name, count in dropped.items()}, shape)
    assert foretold == sum(each.macs for each in layer_counts(model, used).values())
    assert positions(model, shape) == used


@pytest.mark.parametrize("allocation", ["layerwise", "uniform"])
def test_the_cut_is_met_and_ratios_follow_the_inputs(allocation: Any) -> None:
    model = randomise(resnet20(), 2)
    shape, images = (3, 32, 32), torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    settings = replace(BASE, allocation=allocation, flops_cut=45.0)
    proposal = make_method("layerwise", model, settings, images).propose(model, [])
    assert proposal is not None
    groups = channel_groups(model, shape)
    shares = zero_shares(model, groups, images)
    kept = {each.name: 1 - len(proposal.channels.get(each.name, ())) / each.channels for each in groups}
    used = positions(model, shape)
    before = sum(each.macs for each in layer_counts(model, used).values())
    remove_channels(model, proposal.channels, shape)
    after = sum(each.macs for each in layer_counts(model, used).values())
    assert 45 <= proposal.setting < 48 and proposal.setting == 100 * (1 - after / before)
    ratios = [kept[name] / (1 - shares[name] if allocation == "layerwise" else 1) for name in kept if kept[name] < 0.95]
    assert max(ratios) - min(ratios) < 0.15 and min(kept.values()) < 0.8


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        (BASE, 1),
        (replace(BASE, rounds=2), 2),
        (replace(BASE, allocation="uniform"), 1),
        (replace(MEASURED, rounds=2), 2),
    ],
)
def test_layerwise_gives_a_smaller_network_that_golden_runs(tmp_path: Path, settings: Settings, steps: int) -> None:
    result = run(tmp_path, settings)
    description, test = golden.load(tmp_path / "net.json"), data_set().test
    assert result.complaints == () and result.outcome.accepted == steps
    assert count_correct_integers(description, test.pixels.numpy(), test.labels.numpy()) == result.quantised.correct
    assert result.quantised.flops_cut >= 40 - 0.1 and description.weights("5.conv1").shape[0] < 12
    assert result.outcome.macs <= 0.6 * result.outcome.dense_macs
    dense = sum(each.numel() for each in prunable(network()).values())
    assert result.quantised.factor == dense / description.nonzero_count > 1.3


def test_feature_map_records_what_it_chose_by(tmp_path: Path) -> None:
    seen = list[Record]()
    result = run(tmp_path, FEATURE_MAP, seen.append)
    steps = [each for each in seen if isinstance(each, StepDone)]
    measured = [each for each in seen if isinstance(each, EnSparsity)]
    assert [(each.step, each.theta) for each in measured] == [(each.step, each.setting) for each in steps]
    assert {each.accepted for each in steps} == {True, False}, "the run must meet both"
    assert result.outcome.macs < result.outcome.dense_macs
    last = [each for each in steps if each.accepted][-1]
    assert sum(each.macs for each in last.counts.values()) == result.outcome.macs


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the code may handle it."""


@pytest.mark.parametrize(
    "settings",
    [
        replace(FEATURE_MAP, theta_step=0.3, en_sparsity="relative"),
        replace(BASE, methods=("layerwise", "magnitude"), factor=2.5),
        replace(MEASURED, flops_cut=15, precision="bfloat16"),
    ],
)
def test_a_killed_run_goes_on_and_ends_in_the_same_files(tmp_path: Path, settings: Settings) -> None:
    run(tmp_path / "whole", settings)
    for attempt in range(100):
        seen = list[Record]()

        def die(record: Record, seen: list[Record] = seen, last: int = 7 if attempt else 5) -> None:
            seen.append(record)
            if len(seen) == last:  # at first in the second epoch of a network that has just lost channels
                raise Killed

        try:
            run(tmp_path / "cut", settings, die)
        except Killed:
            continue
        break
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


@pytest.mark.parametrize("methods", [("layerwise", "reversed"), ("ikr", "feature-map"), ("ikr", "layerwise")])
def test_methods_compose(tmp_path: Path, methods: Any) -> None:
    settings = replace(FEATURE_MAP, methods=methods, q_step=1.0, share=0.4, kernel_values=6, max_loss=15)
    result = run(tmp_path, settings)
    steps = [event for event in events(tmp_path) if event["event"] == "step" and event["accepted"]]
    assert {step["method"] for step in steps} == set(methods)
    description = golden.load(tmp_path / "net.json")
    assert description.weights("5.conv1").shape[0] < 12, "channels are gone"
    assert any(each.nonzero < 0.95 * each.weights for each in result.quantised.counts.values()), "and weights"
    for before, after in zip(steps, steps[1:], strict=False):
        for name, left in after["counts"].items():
            assert left["nonzero"] <= before["counts"][name]["nonzero"], "what is pruned stays pruned"


def test_a_cut_that_cannot_be_had_is_said(tmp_path: Path) -> None:
    result = run(tmp_path / "a", replace(BASE, flops_cut=90.0, max_loss=0, epochs=1, learning_rate=1e-6))
    assert result.complaints[0].startswith(
        "90 % fewer multiplications cannot be had within 0 points; the best that was reached is 0.00 % fewer, with"
    )
    result = run(tmp_path / "b", replace(BASE, flops_cut=99.9, max_loss=100))
    assert result.complaints[0].startswith("99.9 % fewer multiplications cannot be had within 100 points; the best")
    assert 50 < result.quantised.flops_cut < 99.9


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"flops_cut": 100.0}, "flops-cut is 100.0, but must be greater than 0 and less than 100 per cent"),
        ({"rounds": 0}, "rounds is 0"),
        ({"penalty": float("nan")}, "penalty is nan"),
        ({"theta_low": 1.0}, "theta-low is 1.0, but must be 0 or greater, and less than theta-high"),
        ({"theta_high": 1.5}, "theta-high is 1.5"),
        ({"theta_step": 0.0}, "theta-step is 0.0"),
        ({"allocation": "measured", "calibration": 9}, "calibration is 9, but must be at least 10 to measure on"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(CompressionError, match=reason):
        replace(BASE, **change)


def test_at_least_one_channel_in_twenty_stays() -> None:
    model = randomise(mobile(), 1)
    images = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
    before = deepcopy(model.state_dict())
    proposal = make_method("layerwise", model, replace(BASE, flops_cut=99.9), images).propose(model, [])
    assert proposal is not None and all(torch.equal(each, before[name]) for name, each in model.state_dict().items())
    remove_channels(model, proposal.channels, (3, 8, 8))
    left = {group.name: group.channels for group in channel_groups(model, (3, 8, 8))}
    assert left["4.up"] == left["5.up"] == 2 and left["1"] == 1, "two where a convolution is depthwise"
