"""The pruning methods: what each proposes, checked against its rule worked out anew."""

from collections import Counter
from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from compression.methods import Step, make_method
from compression.methods.histogram import BINS, past_the_peak
from compression.methods.ikr import pattern_mask
from compression.prune import apply_masks, prunable
from compression.settings import METHODS, MethodName, PeakReading, Settings
from tests.compression.synthetic import data_set, small_network

LAYERS = ("0", "3", "7", "9")
IMAGES = data_set().training.pixels[:20]


def step(layers: tuple[str, ...], setting: float, accepted: bool) -> Step:
    return Step("any", layers, setting, accepted, 0)


@pytest.mark.parametrize("reading", ["largest-layer", "histogram"])
@pytest.mark.parametrize("name", [name for name in METHODS if name not in ("feature-map", "layerwise")])
def test_proposals_remove_something_and_end_before_a_layer_is_empty(name: MethodName, reading: PeakReading) -> None:
    model, steps = small_network(), list[Step]()
    method = make_method(name, model, Settings((name,), share=0.3, peak_reading=reading), IMAGES)
    while (proposal := method.propose(model, steps)) is not None:
        before = {layer: int(torch.count_nonzero(weights)) for layer, weights in prunable(model).items()}
        assert method.propose(model, list(steps)) is not None, "asking twice changes nothing"
        apply_masks(model, proposal.masks)
        after = {layer: int(torch.count_nonzero(weights)) for layer, weights in prunable(model).items()}
        assert set(proposal.layers) == set(proposal.masks)
        assert sum(after.values()) < sum(before.values()) and min(after.values()) > 0
        steps.append(step(proposal.layers, proposal.setting, True))
        assert len(steps) < 1000
    assert steps


def test_reversed_goes_from_the_last_layer_to_the_first_and_raises_q() -> None:
    model = small_network()
    method = make_method("reversed", model, Settings(("reversed",), q_step=0.5), IMAGES)
    steps, order = list[Step](), list[tuple[str, float]]()
    # Each layer: the first q is accepted, the second is not.
    while (proposal := method.propose(model, steps)) is not None:
        (name,) = proposal.layers
        weights = prunable(model)[name].detach().double()
        kept = weights.abs() >= proposal.setting * weights.std(correction=0)
        assert torch.equal(proposal.masks[name], kept)
        order.append((name, proposal.setting))
        steps.append(step(proposal.layers, proposal.setting, len([each for each in order if each[0] == name]) == 1))
    assert order == [(name, q) for name in reversed(LAYERS) for q in (0.5, 1.0)]


@pytest.mark.parametrize("reading", ["largest-layer", "histogram"])
@pytest.mark.parametrize("name", METHODS)
def test_layers_to_keep_are_never_touched(name: MethodName, reading: PeakReading) -> None:
    model, steps = small_network(), list[Step]()
    method = make_method(
        name, model, Settings((name,), keep=("0", "9"), peak_reading=reading), data_set().training.pixels
    )
    while len(steps) < 50 and (proposal := method.propose(model, steps)) is not None:
        assert not {"0", "9"} & {*proposal.layers, *proposal.masks, *proposal.channels}
        apply_masks(model, proposal.masks)
        steps.append(step(proposal.layers, proposal.setting, not proposal.channels))
    assert steps


def first_turns(settings: Settings) -> list[tuple[str, float]]:
    """Layer and budget of each layer's first proposal, when none is accepted."""
    model, steps, turns = small_network(), list[Step](), list[tuple[str, float]]()
    method = make_method("reversed", model, settings, IMAGES)
    while (proposal := method.propose(model, steps)) is not None:
        turns.append((proposal.layers[0], proposal.budget))
        steps.append(step(proposal.layers, proposal.setting, False))
    return turns


def test_the_conventional_order_is_the_other_way_round() -> None:
    backward = first_turns(Settings(("reversed",)))
    forward = first_turns(Settings(("reversed",), order="first-to-last"))
    assert forward == backward[::-1] == [(name, 1.0) for name in LAYERS]


def test_a_budget_by_weights_grows_with_the_weights_that_had_their_turn() -> None:
    sizes = {name: weights.numel() for name, weights in prunable(small_network()).items()}
    turns = first_turns(Settings(("reversed",), budget="by-weights"))
    assert [name for name, _ in turns] == list(reversed(LAYERS))
    for number, (_, budget) in enumerate(turns, start=1):
        done = sum(sizes[name] for name, _ in turns[:number])
        assert budget == pytest.approx(done / sum(sizes.values()))


def test_magnitude_takes_the_same_share_of_every_layer_until_the_bound() -> None:
    model = small_network()
    method = make_method("magnitude", model, Settings(("magnitude",), share=0.25), IMAGES)
    proposal = method.propose(model, [step(LAYERS, 0.75, True)])
    assert proposal is not None and proposal.setting == 0.75 * 0.75
    for name, weights in prunable(model).items():
        mask = proposal.masks[name]
        assert int(mask.sum()) == round(0.5625 * weights.numel())
        assert weights[mask].abs().min() >= weights[~mask].abs().max()
    assert method.propose(model, [step(LAYERS, 0.75, True), step(LAYERS, 0.5625, False)]) is None


def test_peak_prunes_the_layer_with_the_most_weights_left_until_the_bound() -> None:
    model = small_network()
    method = make_method("peak", model, Settings(("peak",), share=0.5), IMAGES)
    first = method.propose(model, [])
    assert first is not None and first.layers == ("7",) and int(first.masks["7"].sum()) == 96
    apply_masks(model, first.masks)
    second = method.propose(model, [step(("7",), first.setting, True)])
    assert second is not None and second.layers == ("3",) and int(second.masks["3"].sum()) == 72
    assert method.propose(model, [step(("7",), first.setting, False)]) is None


def test_the_histograms_threshold_is_past_its_fullest_bin() -> None:
    # Greatest magnitude 64: bins are 1 wide. Three values in 5..6, zeros are not counted.
    magnitudes = torch.tensor([0.0, 0, 0, 0, 0.5, 5.1, 5.2, 5.9, 7.5, 7.6, BINS])
    assert past_the_peak(magnitudes) == 6.0


def test_the_second_reading_visits_each_layer_once() -> None:
    model, steps = small_network(), list[Step]()
    method = make_method("peak", model, Settings(("peak",), peak_reading="histogram"), IMAGES)
    while (proposal := method.propose(model, steps)) is not None:
        (name,) = proposal.layers
        assert torch.equal(proposal.masks[name], prunable(model)[name].abs() >= proposal.setting)
        steps.append(step(proposal.layers, proposal.setting, False))
    assert [each.layers for each in steps] == [(name,) for name in reversed(LAYERS)]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 3))
def test_patterns_are_the_ones_of_most_energy(seed: int, size: int, patterns: int) -> None:
    weights = torch.randn(3, 2, 2, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    kernels = weights.reshape(6, 4).abs().tolist()
    choices = list(combinations(range(4), size))
    best = [max(choices, key=lambda places, k=kernel: sum(k[p] for p in places)) for kernel in kernels]
    energy = Counter[tuple[int, ...]]()
    for kernel, places in zip(kernels, best, strict=True):
        energy[places] += sum(kernel[p] ** 2 for p in places)  # type: ignore[assignment]
    table = sorted(energy, key=lambda places: -energy[places])[:patterns]
    expected = [max(table, key=lambda places, k=kernel: sum(k[p] for p in places)) for kernel in kernels]
    mask = pattern_mask(weights, size, patterns).reshape(6, 4)
    assert [tuple(row.nonzero().flatten().tolist()) for row in mask] == expected


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(2, 4), st.integers(1, 19))
def test_kernels_of_least_energy_under_their_pattern_get_the_empty_one(
    seed: int, size: int, patterns: int, kept: int
) -> None:
    weights = torch.randn(5, 4, 2, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    full = pattern_mask(weights, size, patterns - 1).reshape(20, 4)
    mask = pattern_mask(weights, size, patterns, kept / 20).reshape(20, 4)
    energy = ((weights.reshape(20, 4) * full) ** 2).sum(1).tolist()
    strongest = sorted(range(20), key=lambda kernel: -energy[kernel])[:kept]
    expected = [full[kernel].tolist() if kernel in strongest else [False] * 4 for kernel in range(20)]
    assert mask.tolist() == expected


@pytest.mark.parametrize(("group", "kept"), [(2, 1.0), (4, 0.5), (5, 1.0)])
def test_channels_of_a_group_share_their_patterns(group: int, kept: float) -> None:
    """Ten channels, so that the last group of four has two; a shared pattern is the one of the group's magnitudes."""
    weights = torch.randn(10, 3, 3, 3, generator=torch.Generator().manual_seed(group), dtype=torch.float64)
    mask = pattern_mask(weights, 4, 6, kept, group)
    sums = [weights[first : first + group].abs().sum(0) for first in range(0, 10, group)]
    for number, first in enumerate(range(0, 10, group)):
        members = mask[first : first + group]
        assert bool((members == members[0]).all()), f"channels from {first} on"
        for kernel, total in zip(members[0].flatten(1), sums[number].flatten(1), strict=True):
            assert int(kernel.sum()) in ((4,) if kept == 1 else (0, 4))
            patterns = mask.flatten(2).flatten(0, 1).unique(dim=0).double()
            if kernel.any():
                assert float(total[kernel].sum()) == pytest.approx(float((patterns @ total).max()))
    kernels = mask[::group].flatten(2).any(2)
    assert int(kernels.sum()) == max(1, round(kept * kernels.numel()))
    assert len(mask.flatten(2).flatten(0, 1).unique(dim=0)) <= 6


def test_ikr_asks_for_more_values_where_the_accuracy_does_and_leaves_1x1_and_linear_layers() -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Conv2d(3, 4, 1), nn.Conv2d(4, 3, 2), nn.Flatten(), nn.Linear(12, 2))
    method = make_method("ikr", model, Settings(("ikr",), kernel_values=2), IMAGES)
    outcomes = {("2", 2): False, ("2", 3): False, ("0", 2): False, ("0", 3): True}
    steps, asked = list[Step](), list[tuple[str, int]]()
    while (proposal := method.propose(model, steps)) is not None:
        (name,) = proposal.layers
        size = int(proposal.setting)
        assert bool((proposal.masks[name].flatten(2).sum(2) == size).all())
        asked.append((name, size))
        steps.append(step(proposal.layers, proposal.setting, outcomes[name, size]))
    assert asked == list(outcomes)
