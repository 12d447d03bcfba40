"""A strided convolution on the network's input: its maps come in phases, and the bench reads them its own way."""

from pathlib import Path

import numpy as np
import pytest

from golden import DescriptionBuilder, Scale
from testbench.build import load_build
from testbench.ladder import Context, Options
from testbench.ladder.csim import SequentialRung
from testbench.ladder.description import DescriptionRung, VectorsRung, WeightStreamRung
from tests.testbench.networks import build_of


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "phases"),
    [((11, 9), 5, 2, 2, 2), ((12, 13), 4, 3, 1, 3), ((9, 9), 2, 2, 0, 2), ((8, 8), 3, 1, 1, 1)],
)
def test_a_strided_convolution_reads_phases(
    size: tuple[int, int], kernel: int, stride: int, padding: int, phases: int, tmp_path: Path
) -> None:
    """Sizes that the stride does not divide, kernels that it does not either; grouped, two readers of one input."""
    random = np.random.default_rng(stride)
    builder = DescriptionBuilder("strided", (4, *size), "int8", Scale(multiplier=1, shift=7))
    for number, name in enumerate(("left", "right")):
        weights = random.integers(-9, 9, (6, 2, kernel, kernel)) * (random.random((6, 2, kernel, kernel)) < 0.6)
        builder.conv(
            name, weights.astype(np.int8), random.integers(-99, 99, 6).astype(np.int32), source="input",
            stride=(stride, stride), padding=(padding, padding), groups=2, shift=3, output_dtype="int8", minimum=-128,
            maximum=127 - number,
        )  # fmt: skip
    build = load_build(build_of(builder.build(), tmp_path / "build"))
    assert [layout.phases for layer in build.layers for layout in layer.inputs] == [phases, phases]
    for rung in (DescriptionRung(), VectorsRung(), WeightStreamRung(), SequentialRung()):
        result = rung.check(Context(build, Options(), tmp_path))
        assert result.passed, result.detail
