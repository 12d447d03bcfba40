"""Pruning: exact counts, the right weights, masks that stay."""

from collections import OrderedDict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from compression.prune import (
    apply_masks,
    count_weights,
    firing_shares,
    gradual_densities,
    magnitude_mask,
    magnitude_masks,
    silence,
)


def chain(seed: int = 3) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 4, 3),
            conv1_relu=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            fc1=nn.Linear(36, 5),
            fc1_relu=nn.ReLU(),
            fc2=nn.Linear(5, 3),
        )
    )


@given(
    st.lists(st.floats(-10, 10), min_size=1, max_size=40),
    st.floats(0, 1),
)
def test_a_mask_keeps_the_greatest_magnitudes(values: list[float], density: float) -> None:
    weights = torch.tensor(values, dtype=torch.float64)
    mask = magnitude_mask(weights, density)
    assert int(mask.sum()) == round(density * len(values))
    kept, pruned = weights[mask].abs(), weights[~mask].abs()
    assert not len(kept) or not len(pruned) or kept.min() >= pruned.max()


def test_of_equal_magnitudes_the_first_is_kept() -> None:
    assert magnitude_mask(torch.tensor([[1.0, -1.0], [1.0, 1.0]]), 0.5).tolist() == [[True, True], [False, False]]


@pytest.mark.parametrize("density", [-0.1, 1.1, float("nan")])
def test_a_density_outside_its_range_is_refused(density: float) -> None:
    with pytest.raises(ValueError, match=r"within 0\.\.1"):
        magnitude_mask(torch.ones(4), density)


def test_an_unknown_layer_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no layer conv9; its layers are conv1, fc1, fc2"):
        magnitude_masks(chain(), {"conv9": 0.5})


def test_masks_set_weights_to_zero_and_counts_follow() -> None:
    model = chain()
    assert count_weights(model).total == count_weights(model).nonzero == 4 * 9 + 36 * 5 + 15
    apply_masks(model, magnitude_masks(model, {"conv1": 0.5, "fc1": 0.1}))
    count = count_weights(model)
    assert (count.total, count.nonzero) == (231, 18 + 18 + 15)
    assert count.factor == 231 / 51


def test_gradual_densities_remove_the_same_share_each_step() -> None:
    first, second = (gradual_densities({"fc1": 0.04}, progress)["fc1"] for progress in (0.5, 1.0))
    assert (round(first, 12), second) == (0.2, 0.04)


def test_firing_shares_count_positive_positions() -> None:
    model = nn.Sequential(OrderedDict(fc1=nn.Linear(1, 2, bias=False), relu=nn.ReLU()))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0], [-1.0]]))
    shares = firing_shares(model, torch.tensor([[1.0], [2.0], [3.0], [-1.0]]))
    assert shares["fc1"].tolist() == [0.75, 0.25]


def test_silencing_units_that_never_fire_changes_no_output() -> None:
    model, pixels = chain(), torch.randint(0, 256, (20, 1, 8, 8), dtype=torch.uint8)
    with torch.no_grad():
        model.conv1.bias.copy_(torch.tensor([1e3, 1e3, -1e6, 1e3]))
        model.fc1.bias.copy_(torch.tensor([1e6, 1e6, 1e6, 1e6, -1e6]))
        before = model(pixels.float())
        assert silence(model, pixels, least_share=1e-9) == 2
        assert torch.equal(model(pixels.float()), before)
    assert not model.conv1.weight[2].any() and not model.conv1.bias[2].any()
    assert not model.fc1.weight[:, 18:27].any(), "the weights that read channel 2 are the inputs 18 to 26"
    assert model.fc1.weight[:4, :18].all() and not model.fc1.weight[4].any() and not model.fc2.weight[:, 4].any()
