"""Quantisation: the best power of two, and descriptions that compute what their float network does."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

import golden
from compression.quantise import FixedPoint, InputScale, QuantisationError, best_fixed_point, quantise_module


@settings(deadline=None)
@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=30), st.booleans(), st.integers(2, 8))
@example([65.0, 128.0, 128.0, -513.0], True, 2)  # the best saturates by more than two bits
@example([1024.0, *[1.0] * 3000], True, 2)  # and by ten: many small values outweigh a great one
def test_no_other_fractional_length_has_less_error(values: list[float], signed: bool, bits: int) -> None:
    tensor = torch.tensor(values) if signed else torch.tensor(values).abs()
    best = best_fixed_point(tensor, signed, bits)
    others = (FixedPoint(length, signed, bits) for length in range(-12, 31))
    assert best.error(tensor) <= min(other.error(tensor) for other in others) * (1 + 1e-12)


def test_many_values_are_judged_like_a_few_in_parts() -> None:
    """The error in float64 over all values at once decides; 2 ** 19 + 5 values are three parts."""
    values = torch.randn(2**19 + 5, generator=torch.Generator().manual_seed(3)) * 0.3
    errors = {}
    for length in range(14):
        rounded = (values.double() * 2.0**length).round().clamp(-128, 127) / 2.0**length
        errors[length] = float((values.double() - rounded).abs().sum())
        assert FixedPoint(length, True).error(values) == pytest.approx(errors[length], rel=1e-12)
    assert best_fixed_point(values, True).fractional_length == min(errors, key=errors.__getitem__)


def test_quantisation_rounds_half_to_even_and_saturates() -> None:
    number = FixedPoint(1, signed=True, bits=4)
    values = torch.tensor([0.25, 0.75, -0.25, -0.75, 3.4, 3.6, 9.0, -4.2])
    assert number.quantise(values).tolist() == [0, 2, 0, -2, 7, 7, 7, -8]


def exact_chain() -> nn.Sequential:
    """A network of small multiples of powers of two, which 8 bits hold: quantising it loses nothing."""
    generator = torch.Generator().manual_seed(9)
    model = nn.Sequential(
        OrderedDict(
            pixels=InputScale(2),
            conv1=nn.Conv2d(2, 3, 3, padding=1, stride=2),
            conv1_relu=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            dropout=nn.Dropout(0.5),
            fc1=nn.Linear(12, 4),
        )
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            limit = 3 if name.startswith("conv") else 2
            parameter.copy_(torch.randint(-limit, limit, parameter.shape, generator=generator) / 2)
    return model.eval()


def test_a_network_on_the_grid_is_quantised_without_loss() -> None:
    model = exact_chain()
    pixels = torch.randint(0, 3, (40, 2, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(4))
    network = quantise_module(model, pixels, "exact")
    with torch.no_grad():
        expected = model(pixels.float()).numpy()
    scale = network.scale("fc1")
    assert scale is not None
    scores = golden.run(network, pixels.numpy(), keep="outputs")["fc1"]
    assert np.array_equal(scores * (scale.multiplier / 2**scale.shift), expected)
    assert [layer.name for layer in network.layers] == ["conv1", "pool1", "flatten", "fc1"]
    assert (network.dtypes["conv1"], network.dtypes["fc1"]) == ("uint8", "int8")


def test_every_scale_is_a_power_of_two() -> None:
    torch.manual_seed(8)
    model = nn.Sequential(
        OrderedDict(conv1=nn.Conv2d(1, 2, 3), relu=nn.ReLU(), flatten=nn.Flatten(), fc=nn.Linear(72, 3))
    )
    network = quantise_module(model, torch.randint(0, 256, (9, 1, 8, 8), dtype=torch.uint8), "random")
    for layer in network.weighted_layers:
        assert set(network.requantise(layer.name).multiplier) == {1}
        assert len(set(network.requantise(layer.name).shift)) == 1


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        (nn.Sigmoid(), "odd: layers of the kind Sigmoid cannot be quantised here."),
        (nn.Conv2d(1, 1, 3, padding="same"), "odd: give the zero padding of a convolution as numbers."),
        (nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"), "odd: give the zero padding of a convolution as"),
    ],
)
def test_what_cannot_be_quantised_is_refused_by_name(layer: nn.Module, sentence: str) -> None:
    with pytest.raises(QuantisationError, match=sentence):
        quantise_module(nn.Sequential(OrderedDict(odd=layer)), torch.zeros(1, 1, 5, 5, dtype=torch.uint8), "bad")
