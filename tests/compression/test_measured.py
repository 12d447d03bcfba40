"""Channels that go by trying: the distance that decides, and the way to a number of multiplications."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from compression.channels import channel_groups, positions, remove_channels
from compression.loop import layer_counts
from compression.methods import Method, Step, make_method
from compression.methods.filters import importance, least_channels, macs_without
from compression.methods.measured import SMALL_STEP, Budget, ScoreDistance, _tries
from compression.networks import lenet5
from compression.settings import Settings
from tests.compression.modules import randomise
from tests.compression.synthetic import data_set
from tests.compression.test_channels import mobile
from tests.compression.test_filters import MEASURED, SHAPE, trained

IMAGES = data_set().training.pixels[:60]


def macs(model: nn.Module) -> int:
    return sum(each.macs for each in layer_counts(model, positions(model, SHAPE)).values())


def measured(model: nn.Module, **changes: Any) -> Method:
    settings: Settings = replace(MEASURED, **changes)
    return make_method("layerwise", model, settings, IMAGES)


def test_the_distance_is_the_divergence_of_the_scores() -> None:
    torch.manual_seed(0)
    dense, other = (randomise(lenet5(), seed).eval() for seed in (1, 2))
    image = torch.randint(0, 256, (1, 1, 28, 28), dtype=torch.uint8)
    images = image.repeat(9, 1, 1, 1)  # of equal images the mean does not depend on which are drawn
    with torch.no_grad():
        wanted, found = (each(image.float())[0].double().softmax(0) for each in (dense, other))
    expected = float((wanted * (wanted / found).log()).sum())
    assert ScoreDistance(dense, images).of(other) == pytest.approx(expected, rel=1e-4) and expected > 0.01
    assert ScoreDistance(dense, images).of(deepcopy(dense)) == pytest.approx(0, abs=1e-9)
    rough = ScoreDistance(dense, images, "bfloat16").of(other)
    assert rough == pytest.approx(expected, rel=0.2) and rough != pytest.approx(expected, rel=1e-6)
    with torch.no_grad():
        other.fc3.weight.fill_(float("nan"))
    assert ScoreDistance(dense, images).of(other) == float("inf")


def test_statistics_are_estimated_anew_before_scores_are_compared() -> None:
    dense, spoilt = trained(), trained()
    distance = ScoreDistance(dense, IMAGES)
    found = distance.of(deepcopy(dense))
    spoilt[2].running_mean.fill_(50)
    spoilt[2].running_var.fill_(9)
    assert distance.of(spoilt) == found < 0.2
    assert spoilt[2].momentum == 0.1 and not spoilt.training and dense.training


def test_dropout_stays_off_while_statistics_are_estimated() -> None:
    dense = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Dropout(0.5), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 4))
    distance = ScoreDistance(dense, IMAGES)
    assert distance.of(deepcopy(dense)) == distance.of(deepcopy(dense))


def test_the_channels_that_do_nothing_go_first_wherever_they_are() -> None:
    model = trained()
    with torch.no_grad():
        for norm in (model[4].bn1, model[5].bn1):  # six of twelve channels of each block's inner map
            norm.weight[::2] = norm.bias[::2] = 0
    method = measured(model, flops_cut=25.0)
    proposal = method.propose(model, [])
    assert proposal is not None and set(proposal.channels) <= {"4.conv1", "5.conv1"}
    assert all(channel % 2 == 0 for channels in proposal.channels.values() for channel in channels)


def test_the_target_is_met_by_the_least_important_and_hardly_overshot() -> None:
    model = trained()
    before, state, total = measured(model).propose(model, []), deepcopy(model.state_dict()), macs(model)
    again = measured(model)
    assert again.propose(model, []) == before == again.propose(model, []), "no state, no chance"
    assert model.training and all(torch.equal(each, state[name]) for name, each in model.state_dict().items())
    assert all(each.is_contiguous() for each in model.parameters())
    assert before is not None
    for group in channel_groups(model, SHAPE):
        gone, scores = set(before.channels.get(group.name, ())), importance(model, group).tolist()
        kept = [score for channel, score in enumerate(scores) if channel not in gone]
        assert all(scores[channel] <= min(kept) for channel in gone)
    smaller = deepcopy(model)
    remove_channels(smaller, before.channels, SHAPE)
    assert before.setting == pytest.approx(100 * (1 - macs(smaller) / total))
    # One channel of the largest group is 8 %; each group's last one was needed, or the step before had ended it.
    assert 40 <= before.setting < 40 + 8


def test_each_round_goes_its_share_of_the_way_from_where_retraining_ended() -> None:
    model = trained()
    method = measured(model, rounds=2, flops_cut=50.0)
    first = method.propose(model, [])
    assert first is not None and first.setting == pytest.approx(100 * (1 - 0.5**0.5), abs=5)
    remove_channels(model, first.channels, SHAPE)
    steps = [Step("layerwise", first.layers, first.setting, True, 0)]
    second = method.propose(model, steps)
    assert second is not None and 50 <= second.setting < 58
    resumed = measured(trained(), rounds=2, flops_cut=50.0)
    assert resumed.propose(model, steps) == second, "a run that goes on compares with the dense network, too"


def test_kept_layers_and_the_last_channels_stay() -> None:
    model = trained()
    proposal = measured(model, flops_cut=99.9, keep=("5.conv1",)).propose(model, [])
    assert proposal is not None and "5.conv1" not in proposal.channels
    remove_channels(model, proposal.channels, SHAPE)
    left = {group.name: group.channels for group in channel_groups(model, SHAPE)}
    # Where what is left to save is less than half a small step, a group may stay above its last channel.
    assert left.pop("5.conv1") == 12 and all(1 <= count <= 2 for count in left.values()), left
    model = randomise(mobile(), 1)
    images = torch.randint(0, 256, (12, 3, 8, 8), dtype=torch.uint8)
    deep = make_method("layerwise", model, replace(MEASURED, flops_cut=99.9), images).propose(model, [])
    assert deep is not None
    remove_channels(model, deep.channels, (3, 8, 8))
    assert all(group.channels >= group.least for group in channel_groups(model, (3, 8, 8)))


def test_small_steps_are_small() -> None:
    """A cut of one small step takes no more than the channels of one group."""
    model = trained()
    proposal = measured(model, flops_cut=100 * SMALL_STEP).propose(model, [])
    assert proposal is not None and len(proposal.channels) == 1


@pytest.mark.parametrize("missing", [0.2, 0.001])
def test_each_group_offers_the_fewest_channels_that_save_what_is_wanted(
    missing: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compression.methods.measured.SMALL_STEP", 0.1)
    model = trained()
    groups, used, dropped = channel_groups(model, SHAPE), positions(model, SHAPE), {"1": 3, "4.conv2": 6, "5.conv1": 10}
    dropped = {group.name: dropped.get(group.name, 0) for group in groups}
    left, dense, least = macs_without(model, groups, used, dropped), macs(model), least_channels(groups)
    wanted, expected = min(0.1, missing) * dense, []
    for group in groups:
        counts = range(1, group.channels - dropped[group.name] - least[group.name] + 1)
        more = [{**dropped, group.name: dropped[group.name] + count} for count in counts]
        saved = [left - macs_without(model, groups, used, each) for each in more]
        enough = [count for count, each in zip(counts, saved, strict=True) if each >= wanted]
        if enough or saved[-1] >= wanted / 2:
            expected.append((group.name, enough[0] if enough else counts[-1]))
    budget = Budget(dense, left - missing * dense, least, used)
    assert list(_tries(model, groups, dropped, budget)) == expected
    if missing < SMALL_STEP:
        assert [count for _, count in expected] == [1] * len(groups), "the last step takes no more than is missing"
    else:
        assert {name for name, _ in expected} < set(dropped), "some group must have had its share"
    assert not list(_tries(model, groups, dropped, replace(budget, target=float(left))))
