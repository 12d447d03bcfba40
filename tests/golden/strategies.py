"""Random layers: geometry from hypothesis, so that failures shrink; values from a seed, so that drawing is fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

DENSITIES = (0.0, 0.02, 0.1, 0.35, 0.7, 1.0)
RANGE = {"uint8": (0, 256), "int8": (-128, 128)}


def sparse(
    generator: np.random.Generator, shape: tuple[int, ...], density: float, low: int = -128, high: int = 128
) -> NDArray[np.int8]:
    """int8 weights of ``low`` to ``high`` - 1, each kept with the probability ``density``."""
    values = generator.integers(low, high, shape)
    return np.where(generator.random(shape) < density, values, 0).astype(np.int8)


def activations(generator: np.random.Generator, shape: tuple[int, ...], dtype: str, kind: str) -> NDArray[Any]:
    """Activations: any values, or one extreme everywhere."""
    low, high = RANGE[dtype]
    match kind:
        case "lowest":
            return np.full(shape, low, dtype)
        case "highest":
            return np.full(shape, high - 1, dtype)
        case _:
            return generator.integers(low, high, shape).astype(dtype)


@dataclass(frozen=True)
class Convolution:
    """A random convolution with its input."""

    images: NDArray[Any]
    weights: NDArray[np.int8]
    bias: NDArray[np.int32]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    dilation: tuple[int, int]
    groups: int
    multiplier: NDArray[np.int32]
    shift: NDArray[np.int32]
    output_dtype: Literal["uint8", "int8"]


@st.composite
def convolutions(draw: st.DrawFn) -> Convolution:
    """Any stride, padding, dilation, groups, density and type; weights and inputs also at their extremes."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    groups = draw(st.integers(1, 3))
    inner, outer = (1, 1) if draw(st.booleans()) else (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    kernel = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    padding = draw(st.tuples(*[st.integers(0, 3)] * 4))
    least = [max(1, dilation[axis] * (kernel[axis] - 1) + 1 - padding[axis] - padding[axis + 2]) for axis in (0, 1)]
    size = [draw(st.integers(low, low + 8)) for low in least]
    dtype = draw(st.sampled_from(["uint8", "int8"]))
    count = draw(st.sampled_from([1, 2, 5, 33, 67]))
    shape = (groups * outer, inner, *kernel)
    extreme = draw(st.sampled_from(["any", "any", "lowest", "highest"]))
    weights = sparse(generator, shape, draw(st.sampled_from(DENSITIES)))
    if extreme != "any":
        weights = np.where(weights != 0, {"lowest": -128, "highest": 127}[extreme], 0).astype(np.int8)
    wide = 30 if draw(st.booleans()) else 0  # a multiplier of 2**30 or so, and as many places more to shift
    channels = groups * outer
    # Near the middle of the output's range: what saturates everywhere would hide an error.
    reach = int(np.abs(weights.astype(int)).sum(axis=(1, 2, 3)).max()) * 128
    middle = max(0, reach.bit_length() - 9 + draw(st.integers(-2, 2)))
    return Convolution(
        images=activations(
            generator,
            (count, groups * inner, *size),
            dtype,
            draw(st.sampled_from(["any", "any", "any", "lowest", "highest"])),
        ),
        weights=weights,
        bias=generator.integers(-reach // 4 - 9, reach // 4 + 9, channels).astype(np.int32),
        stride=draw(st.tuples(st.integers(1, 4), st.integers(1, 4))),
        padding=padding,
        dilation=dilation,
        groups=groups,
        multiplier=(generator.integers(2**29, 2**31, channels) if wide else np.ones(channels)).astype(np.int32),
        shift=np.minimum(47, wide + middle + generator.integers(0, 3, channels)),
        output_dtype=draw(st.sampled_from(["uint8", "int8"])),
    )
