"""The zoo's networks on real images: golden == onnxruntime == C-sim == RTL, every layer, and cycles as predicted."""

from collections.abc import Callable
from pathlib import Path

import pytest

import golden
from generator import BuildOptions, generate
from testbench.build import load_build
from testbench.ladder import Context, Options, climb, rungs_of
from zeroskip.pipeliner import Pipeliner
from zoo.data import Images, cifar10, fashion_mnist_sample

_DESCRIPTIONS = Path(__file__).parents[2] / "zoo" / "descriptions"


@pytest.mark.parametrize(
    ("name", "images"),
    [("lenet5_fashion", fashion_mnist_sample), ("cifar10_cnn", lambda: cifar10("test"))],
    ids=["lenet5_fashion", "cifar10_cnn"],
)
def test_a_trained_network_passes_the_ladder(name: str, images: Callable[[], Images], tmp_path: Path) -> None:
    network = golden.load(_DESCRIPTIONS / f"{name}.json")
    stimuli = BuildOptions(images=images().pixels[:2], image_source="the first two test images", pipeliner=Pipeliner())
    generate(network, "zcu104", tmp_path / "build", stimuli)
    options = Options(mutations=False, rtl_images=1)
    context = Context(load_build(tmp_path / "build"), options, tmp_path / "work")
    steps = climb(context, rungs_of(options))
    assert not [f"{step.name}: {step.outcome.detail}" for step in steps if not step.outcome.passed]
    assert any("every PIPELINE loop reaches its II at 200 MHz" in step.outcome.detail for step in steps)
    assert [step.name for step in steps] == [rung.name for rung in rungs_of(options)]
