"""The compressed networks: each description is the one that its history tells of, and keeps what it promises."""

import json
import shlex
from math import prod
from pathlib import Path

import numpy as np
import pytest

import golden
from compression.accuracy import count_correct_integers
from compression.checkpoint import load_checkpoint
from compression.history import Quantised
from compression.networks import find_network
from compression.train import count_correct
from zeroskip.commands.app import application
from zoo.accuracy import TEST_IMAGES, TEST_SETS
from zoo.baselines import RECIPES as BASELINES
from zoo.baselines import make_checkpoint
from zoo.history import DESCRIPTIONS
from zoo.pipeline import as_tensors
from zoo.recipes import RECIPES, command_lines, layer_table, result_of, table

SAMPLE = 200


@pytest.fixture(params=RECIPES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_history_is_the_description_s(name: str) -> None:
    network, result = golden.load(DESCRIPTIONS / f"{name}.json"), result_of(name)
    assert result.bits == network.total_bits and result.images == len(TEST_IMAGES[name]()) == 10_000
    for layer in network.weighted_layers:
        count = result.counts[layer.name]
        assert count.weights == prod(layer.weights.shape)
        assert count.nonzero == int(np.count_nonzero(network.weights(layer.name)))


def test_golden_is_as_good_on_the_first_images(name: str) -> None:
    images, result = TEST_IMAGES[name]().first(SAMPLE), result_of(name)
    correct = count_correct_integers(golden.load(DESCRIPTIONS / f"{name}.json"), images.pixels, images.labels)
    spread = (result.correct / result.images * (1 - result.correct / result.images) / SAMPLE) ** 0.5
    assert abs(correct / SAMPLE - result.correct / result.images) < 4 * spread


def test_eight_bits_cost_little(name: str) -> None:
    result: Quantised = result_of(name)
    assert result.correct >= result.float_correct - 30


def test_command_lines_are_such_that_zeroskip_takes(name: str) -> None:
    """Each run begins with what the one before it left; the last one makes the description."""
    from typer.main import get_command

    compress = get_command(application()).commands["compress"]  # type: ignore[attr-defined]
    left: tuple[Path, ...] = ()
    for command, *arguments in command_lines(name):
        assert command == "compress" and shlex.split(shlex.join(arguments)) == arguments
        context = compress.make_context("compress", arguments)
        assert context.params["network"] == RECIPES[name].network
        assert not left or context.params["model"] in left
        left = (context.params["output"], context.params["output"].with_suffix(".pruned.pt"))
    assert context.params["output"].name == f"{name}.json"


def test_tables_have_a_row_for_each(name: str) -> None:
    assert name in list(table().columns[0].cells)
    layers = [layer.name for layer in golden.load(DESCRIPTIONS / f"{name}.json").weighted_layers]
    assert list(layer_table(name).columns[0].cells) == layers


@pytest.mark.parametrize(("network", "least"), [("lenet5", 9200), ("resnet20", 9050), ("vgg-small", 8900)])
def test_dense_networks_are_as_good_as_promised(network: str, least: int) -> None:
    checkpoint = make_checkpoint(network)
    last = json.loads(checkpoint.with_suffix(".history.jsonl").read_text().splitlines()[-1])
    assert last["epoch"] == BASELINES[network].schedule.epochs and last["correct"] >= least
    definition = find_network(network)
    model = definition.build()
    load_checkpoint(model, checkpoint)
    images = TEST_SETS[BASELINES[network].data]().first(SAMPLE)
    correct = count_correct(model, as_tensors(images))
    assert abs(correct / SAMPLE - last["correct"] / 10_000) < 4 * (0.09 / SAMPLE) ** 0.5
