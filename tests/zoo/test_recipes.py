"""The compressed networks: each description is the one that its history tells of, and keeps what it promises."""

import shlex
from math import prod

import numpy as np
import pytest

import golden
from compression.accuracy import count_correct_integers
from compression.history import Quantised
from zeroskip.commands.app import app
from zoo.accuracy import TEST_IMAGES
from zoo.history import DESCRIPTIONS
from zoo.recipes import RECIPES, command_line, layer_table, result_of, table

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


def test_a_command_line_is_one_that_zeroskip_takes(name: str) -> None:
    command, *arguments = command_line(name)
    assert command == "compress" and shlex.split(shlex.join(arguments)) == arguments
    from typer.main import get_command

    compress = get_command(app).commands["compress"]  # type: ignore[attr-defined]
    context = compress.make_context("compress", arguments)
    assert context.params["network"] == RECIPES[name].network


def test_tables_have_a_row_for_each(name: str) -> None:
    assert name in list(table().columns[0].cells)
    layers = [layer.name for layer in golden.load(DESCRIPTIONS / f"{name}.json").weighted_layers]
    assert list(layer_table(name).columns[0].cells) == layers
