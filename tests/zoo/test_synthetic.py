"""Full-size descriptions: shapes and counts against published tables, weights exact in number, activations alive."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import golden
from compression.networks import find_network
from zoo.synthetic import NETWORKS, SyntheticError, describe, find_variant
from zoo.synthetic.__main__ import main
from zoo.synthetic.catalogue import ALEXNET_PAPER_NONZEROS
from zoo.synthetic.weights import channel_counts, codebook, sparse_weights

ALEXNET = [  # layer, shape, M MAC, non-zeros at Han's shares
    ("conv1", (96, 3, 11, 11), 105.4, 29_272),
    ("conv2", (256, 48, 5, 5), 223.9, 116_736),
    ("conv3", (384, 256, 3, 3), 149.5, 309_658),
    ("conv4", (384, 192, 3, 3), 112.1, 245_514),
    ("conv5", (256, 192, 3, 3), 74.8, 163_676),
    ("fc6", (4096, 9216), 37.7, 3_397_386),
    ("fc7", (4096, 4096), 16.8, 1_509_949),
    ("fc8", (1000, 4096), 4.1, 1_024_000),
]
TOTALS = {  # weights and multiplications of the dense networks, as published
    "alexnet": (60_954_656, 724_406_816),
    "vgg16": (138_344_128, 15_470_264_320),
    "resnet50": (25_502_912, 4_089_184_256),
}
BUDGETS = {
    "vgg13bn": {"paper": (75.78, 87.05)},
    "resnet101": {"paper": (85.0, 85.0)},
    "vgg16bn": {"1%": (77.10, 91.72), "2%": (89.12, 97.09), "3%": (86.31, 96.45)},
    "resnet56": {"1%": (56.27, 67.77), "2%": (72.75, 82.63), "3%": (74.02, 86.27)},
    "resnet110": {"1%": (72.43, 79.28), "2%": (81.61, 87.64), "3%": (86.52, 92.38)},
    "mobilenetv2": {"1%": (61.72, 71.47), "2%": (65.56, 75.70), "3%": (69.55, 75.16)},
}


def test_alexnet_s_table_is_the_published_one() -> None:
    variant = find_variant("alexnet", "han")
    graph = variant.build()
    nonzeros = variant.nonzeros(graph)
    found = [(each.name, each.shape, round(each.macs / 1e6, 1), nonzeros[each.name]) for each in graph.weighted]
    assert found == ALEXNET
    assert graph.shapes["pool5"] == (256, 6, 6)
    assert sum(nonzeros[each.name] * each.positions for each in graph.weighted[:5]) == pytest.approx(295.1e6, rel=1e-3)


@pytest.mark.parametrize("variant", ["paper", "paper-peak"])
def test_alexnet_at_the_paper_s_ratio_has_its_non_zeros(variant: str) -> None:
    chosen = find_variant("alexnet", variant)
    graph = chosen.build()
    assert sum(chosen.nonzeros(graph).values()) == ALEXNET_PAPER_NONZEROS
    assert graph.weights / ALEXNET_PAPER_NONZEROS == pytest.approx(14.0, abs=0.001)


@pytest.mark.parametrize("network", TOTALS)
def test_dense_totals_are_the_published_ones(network: str) -> None:
    graph = find_variant(network, "dense").build()
    assert (graph.weights, graph.macs) == TOTALS[network]


@pytest.mark.parametrize("network", ["vgg13bn", "vgg16bn", "resnet56", "resnet110", "mobilenetv2"])
def test_cifar_networks_are_those_of_the_compressor(network: str) -> None:
    """Weights and multiplications, counted independently by running the PyTorch module on no data."""
    definition, counted = find_network(network), [0, 0]

    def count(module: nn.Module, _: object, output: torch.Tensor) -> None:
        assert isinstance(module, nn.Conv2d | nn.Linear)
        counted[0] += module.weight.numel()
        counted[1] += module.weight.numel() * (output[0, 0].numel() if output.ndim == 4 else 1)

    model = definition.build().to("meta").eval()
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    model(torch.empty(1, *definition.input_shape, device="meta"))
    graph = find_variant(network, "dense").build()
    assert [graph.weights, graph.macs] == counted


@pytest.mark.parametrize(("network", "budget"), [(name, each) for name, cuts in BUDGETS.items() for each in cuts])
def test_a_budget_leaves_no_less_than_the_paper_did(network: str, budget: str) -> None:
    dense, pruned = find_variant(network, "dense").build(), find_variant(network, budget).build()
    macs_cut, weights_cut = BUDGETS[network][budget]
    assert macs_cut - 2.5 < 100 * (1 - pruned.macs / dense.macs) <= macs_cut
    assert weights_cut - 1.0 < 100 * (1 - pruned.weights / dense.weights) <= weights_cut


@pytest.mark.parametrize("spread", [0.0, 0.25])
def test_channels_get_what_they_shall(spread: float) -> None:
    counts = channel_counts(100_000, 400, 1000, spread, np.random.default_rng(1))
    assert counts.sum() == 100_000 and counts.min() >= 1 and counts.max() <= 1000
    assert counts.std() / counts.mean() == pytest.approx(0.88 * spread, abs=0.02)  # 0.88: cut off at two deviations


def test_full_channels_hand_on_what_they_cannot_hold() -> None:
    counts = channel_counts(395, 4, 100, 0.5, np.random.default_rng(3))
    assert counts.sum() == 395 and counts.max() == 100


@pytest.mark.parametrize("bits", [4, 5])
def test_shared_values_fit_their_codebook(bits: int) -> None:
    book = codebook(bits)
    assert np.unique(book).size == book.size == (1 << bits) - 1 and 0 not in book
    weights = sparse_weights((30, 40), 600, 0.0, book, np.random.default_rng(0))
    assert np.count_nonzero(weights) == 600 and set(np.unique(weights)) == {0, *book.tolist()}


@pytest.mark.parametrize("network", ["vgg16bn", "resnet56", "mobilenetv2"])
def test_activations_neither_vanish_nor_saturate(network: str) -> None:
    described = describe(network, "2%")
    images = np.random.default_rng(5).integers(0, 256, (2, 3, 32, 32)).astype(np.uint8)
    for name, output in golden.run(described, images, keep="all").items():
        layer = described.layer(name)
        if layer.type == "conv":
            assert np.mean(output != 0) > 0.03, name
            assert np.mean((output == layer.requantise.maximum) | (output == -128)) < 0.3, name


def test_seeds_and_spread_decide_everything() -> None:
    first, again, other = (describe("vgg16bn", "3%-weights", 0.25, 4, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(first.tensors[name], again.tensors[name]) for name in first.tensors)
    assert not np.array_equal(first.weights("conv3"), other.weights("conv3"))
    counts = np.count_nonzero(first.weights("conv9").reshape(512, -1), axis=1)
    assert counts.std() / counts.mean() == pytest.approx(0.22, abs=0.03)
    assert "synthetic" in first.name and "spread25" in first.name
    assert first.encoded("fc").storage.value_bits == 4  # type: ignore[union-attr]


def test_the_command_writes_alexnet_as_the_table_has_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "alexnet.json"
    assert main(["alexnet", "--variant", "han", "--spread", "25", "-o", str(output)]) == 0
    assert "the weights are synthetic" in capsys.readouterr().out
    network = golden.load(output)
    nonzeros = [(layer.name, layer.weights.shape, layer.weights.nonzeros) for layer in network.weighted_layers]
    assert nonzeros == [(name, shape, count) for name, shape, _, count in ALEXNET]
    assert network.shapes["norm2"] == (256, 27, 27) and network.shapes["fc8"] == (1000,)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["lenet9"], "there is no network 'lenet9'; choose from alexnet"),
        (["alexnet", "--variant", "70"], "alexnet is not there as '70'; choose from dense, han, paper, paper-peak"),
        (["alexnet", "--spread", "60"], "the spread is 60 %, but must be 0 to 50"),
        (["alexnet", "--seed", "-1"], "the seed is -1, but must be 0 or more"),
        (["vgg16bn", "-o", "nowhere/x.json"], "there is no folder nowhere"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = [] if "-o" in arguments else ["-o", str(tmp_path / "x.json")]
    assert main([*arguments, *target]) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_an_output_must_be_given_and_every_variant_can_be_built(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alexnet"]) == 2 and "the output is missing" in capsys.readouterr().err
    assert main([]) == 0
    listed = capsys.readouterr().out
    assert all(network in listed for network in NETWORKS)
    with pytest.raises(SyntheticError, match="values have 6 bits"):
        describe("alexnet", "han", value_bits=6)
