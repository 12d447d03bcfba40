"""Networks known by name: the papers' sizes, pytorchcv's definitions, and how each becomes a description."""

import subprocess
import sys
from math import prod
from pathlib import Path

import pytest
import torch
from torch import nn

import golden
from compression import networks
from compression.checkpoint import load_checkpoint
from compression.errors import CompressionError
from compression.float_graph import Convolution, Dense, FloatGraph
from compression.fold import lowered
from compression.frontend import trace
from compression.networks import NETWORKS, find_network
from compression.quantise import quantise_module
from tests.compression.modules import randomise

# Millions of parameters, of operations and how many operations a convolution's output counts beside multiplications;
# Li, Li, Meng (Electronics 2022, 11(18), 2887). Their ResNets have shortcuts without weights.
PUBLISHED = {"vgg16bn": (14.73, 314.03, 3), "mobilenetv2": (2.24, 25.55, 2)}


def operations(graph: FloatGraph, each_output: int) -> int:
    """Multiplications of all layers, and ``each_output`` for each value that a convolution puts out."""
    total = 0
    for node in graph.nodes.values():
        if isinstance(node.operation, Convolution | Dense):
            total += node.operation.weight.numel() * prod(node.shape[1:])
        if isinstance(node.operation, Convolution):
            total += each_output * prod(node.shape)
    return total


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_papers_networks_have_the_papers_sizes(name: str) -> None:
    definition = find_network(name)
    model = definition.build()
    parameters, millions, each_output = PUBLISHED[name]
    graph = trace(model, definition.input_shape)
    assert round(sum(each.numel() for each in model.parameters()) / 1e6, 2) == parameters
    assert round(operations(graph, each_output) / 1e6, 2) == millions


@pytest.mark.parametrize(
    ("name", "layers", "weights"),
    [
        ("vgg13bn", 11, 9_407_168),
        ("resnet56", 58, 851_504),
        ("resnet110", 112, 1_722_416),
        ("resnet50", 54, 23_467_712),
    ],
)
def test_the_other_networks_have_their_layers(name: str, layers: int, weights: int) -> None:
    model = find_network(name).build()
    found = [each for each in model.modules() if isinstance(each, nn.Conv2d | nn.Linear)]
    assert len(found) == layers
    assert sum(each.weight.numel() for each in found) == weights


@pytest.mark.parametrize("name", NETWORKS)
def test_every_definition_gives_a_score_for_each_class(name: str) -> None:
    definition = find_network(name)
    with torch.no_grad():
        scores = definition.build().eval()(torch.zeros(1, *definition.input_shape))
    assert scores.shape == (1, definition.classes)


def agreement(model: nn.Module, shape: tuple[int, int, int]) -> float:
    """Mean error of the description's scores against the float network's, over their spread."""
    randomise(model, 1)
    images = torch.randint(0, 256, (4, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    network = quantise_module(model, images, "network")
    (name,) = network.outputs
    scale = network.scale(name)
    assert scale is not None
    with torch.no_grad():
        expected = model(images.float())
    result = torch.from_numpy(golden.run(network, images.numpy())[name] * float(scale.fraction()))
    return float((result - expected).abs().mean() / expected.std())


@pytest.mark.parametrize(
    ("name", "own_layers"),
    [("resnet20_cifar10", 0), ("preresnet20_cifar10", 10), ("nin_cifar10", 0), ("densenet40_k12_cifar10", 39)],
)
def test_pytorchcv_networks_trace_and_fold(name: str, own_layers: int) -> None:
    definition = find_network(f"pytorchcv:{name}")
    assert (definition.input_shape, definition.classes) == ((3, 32, 32), 10)
    graph = trace(randomise(definition.build(), 1), (3, 32, 32))  # compares the graph with the module
    assert graph.fractional_length == 8
    assert len(lowered(graph)) == own_layers


def test_a_pytorchcv_network_for_imagenet_folds() -> None:
    definition = find_network("pytorchcv:mobilenetv2_wd4")
    assert (definition.input_shape, definition.classes) == ((3, 224, 224), 1000)
    graph = trace(definition.build(), (3, 224, 224))
    assert not lowered(graph)


@pytest.mark.parametrize("name", ["pytorchcv:resnet20_cifar10", "pytorchcv:preresnet20_cifar10"])
def test_pytorchcv_networks_are_near_themselves_in_eight_bits(name: str) -> None:
    assert agreement(find_network(name).build(), (3, 32, 32)) < 0.2


def test_checkpoints_of_pytorchcvs_own_module_load(tmp_path: Path) -> None:
    from pytorchcv.models.resnet_cifar import resnet20_cifar10

    bare = randomise(resnet20_cifar10(), 3)
    torch.save(bare.state_dict(), tmp_path / "bare.pt")
    torch.save(nn.DataParallel(bare).state_dict(), tmp_path / "parallel.pt")
    pixels = torch.randint(0, 256, (2, 3, 32, 32), generator=torch.Generator().manual_seed(1)).float()
    for file in ("bare.pt", "parallel.pt"):
        model = find_network("pytorchcv:resnet20_cifar10").build().eval()
        load_checkpoint(model, tmp_path / file)
        with torch.no_grad():
            assert torch.equal(model(pixels), bare(pixels / 256))


def test_one_more_word_in_front_must_be_in_front_of_all(tmp_path: Path) -> None:
    state = nn.Linear(2, 2).state_dict()
    torch.save({"module.weight": state["weight"], "bias": state["bias"]}, tmp_path / "mixed.pt")
    with pytest.raises(CompressionError, match="another network: it has no weight"):
        load_checkpoint(nn.Linear(2, 2), tmp_path / "mixed.pt")


def test_pytorchcv_loads_no_more_than_its_definition() -> None:
    code = (
        "import sys; from compression.networks import find_network; find_network('pytorchcv:preresnet20_cifar10');"
        "print([each for each in ('torchvision', 'requests', 'pytorchcv.model_provider') if each in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("vgg", "there is no network 'vgg'; choose from cifar10-cnn, .*, or pytorchcv:NAME"),
        ("pytorchcv:resnet21", "pytorchcv has no network 'resnet21'"),
        ("pytorchcv:get_resnet", "pytorchcv has no network 'get_resnet'"),
        ("pytorchcv:", "pytorchcv has no network ''"),
        ("pytorchcv:.*", r"pytorchcv has no network '\.\*'"),
        ("pytorchcv:wav2letter", "pytorchcv has no network"),
        ("pytorchcv:raft_things", "pytorchcv:raft_things: "),
        ("pytorchcv:unet_cub", "pytorchcv has no network 'unet_cub'"),
    ],
)
def test_other_names_are_refused(name: str, sentence: str) -> None:
    with pytest.raises(CompressionError, match=sentence) as refusal:
        find_network(name)
    assert str(refusal.value).endswith(".") and "\n" not in str(refusal.value)


def test_without_pytorchcv_one_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "find_spec", lambda name: None)
    with pytest.raises(CompressionError, match=r"pytorchcv is not installed; .* pip install 'zeroskip\[compression\]'"):
        find_network("pytorchcv:resnet20_cifar10")
