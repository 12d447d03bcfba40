"""The zoo's networks on real images: golden == onnxruntime == C-sim == RTL, every layer, and cycles as predicted."""

from collections.abc import Callable
from pathlib import Path

import pytest

import golden
from generator import BuildOptions, generate
from testbench.build import load_build
from testbench.ladder import Options
from testbench.ladder.rtl import RtlRung
from tests.integration.climbing import climbed
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
    outcomes = climbed(load_build(tmp_path / "build"), tmp_path / "work", Options(mutations=False, rtl_images=1))
    assert "every PIPELINE loop reaches its II at 200 MHz" in outcomes[RtlRung.name].detail
