"""Random small networks within what the engines run, corners included."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from golden import DescriptionBuilder, Network, Scale

__all__ = ["convolution_networks", "fc_networks", "map_networks"]

_DENSITIES = st.sampled_from([0.0, 0.05, 0.3, 0.7, 1.0])


@dataclass(frozen=True)
class _Type:
    """An activation type with the clamp that a drawn layer uses."""

    output_dtype: str
    minimum: int
    maximum: int


_TYPES = st.sampled_from(
    [_Type("uint8", 0, 255), _Type("int8", -128, 127), _Type("uint8", 0, 6), _Type("int8", -7, 100)]
)


def _weights(draw: st.DrawFn, random: np.random.Generator, shape: tuple[int, ...], dense: bool = False) -> np.ndarray:
    """int8 weights: random ones of a drawn density, or nothing but extremes; whole kernels may be empty.

    Dense ones have few zeros or none."""
    mask = random.random(shape) < draw(st.sampled_from([0.9, 1.0]) if dense else _DENSITIES)
    if not dense and draw(st.booleans()):
        mask &= random.random(shape[:2] + (1,) * (len(shape) - 2)) < 0.5
    values = random.choice([-128, 127], shape) if draw(st.booleans()) else random.integers(-128, 128, shape)
    return (values * mask).astype(np.int8)


def _bias(draw: st.DrawFn, random: np.random.Generator, outputs: int) -> np.ndarray:
    bound = draw(st.sampled_from([1, 5000, 2**30]))
    return random.integers(-bound, bound, outputs).astype(np.int32)


def _requantise(draw: st.DrawFn, random: np.random.Generator, outputs: int) -> dict[str, object]:
    """A power-of-two scale for the layer, one for each channel, or one with a multiplier."""
    kind = draw(st.sampled_from(["layer", "channels", "multiplier"]))
    if kind == "layer":
        return {"shift": draw(st.integers(0, 12))}
    if kind == "channels":
        return {"shift": random.integers(0, 24, outputs)}
    return {"shift": draw(st.integers(8, 40)), "multiplier": draw(st.integers(1, 65535))}


@st.composite
def convolution_networks(draw: st.DrawFn, dense: bool = False) -> Network:
    """A convolution (stride, padding, groups, any density), and pooling or an addition behind it, or nothing.

    A dense one has one group and more channels, and linear layers behind an average of the whole map."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    groups = 1 if dense else draw(st.sampled_from([1, 1, 2, 3]))
    inputs, outputs = (groups * draw(st.integers(1, 9 if dense else 3)) for _ in range(2))
    kernel = draw(st.sampled_from([k for k in (1, 2, 3, 5) if k <= min(height, width) + 2]))
    padding = draw(st.integers(0, (kernel - 1) // 2))
    if kernel > min(height, width) + 2 * padding:
        padding = (kernel - 1) // 2
        kernel = min(kernel, height + 2 * padding, width + 2 * padding)
        padding = min(padding, (kernel - 1) // 2)
        kernel = min(kernel, height + 2 * padding, width + 2 * padding)
    stride = draw(st.integers(1, 3))
    output = draw(_TYPES)
    dtype = draw(st.sampled_from(["uint8", "int8"]))
    builder = DescriptionBuilder("random", (inputs, height, width), dtype, Scale(multiplier=1, shift=8))
    builder.conv(
        "conv", _weights(draw, random, (outputs, inputs // groups, kernel, kernel), dense),
        _bias(draw, random, outputs), padding=(padding, padding), stride=(stride, stride), groups=groups,
        **_requantise(draw, random, outputs), **output.__dict__,
    )  # fmt: skip
    _, out_height, out_width = builder.build().shapes["conv"]
    behind = draw(st.sampled_from(["nothing", "max_pool", "average_pool", "global", "add"]))
    if behind == "add":
        _add_shortcut(draw, random, builder, inputs, outputs, stride)
    elif behind == "global" and out_height == out_width:
        builder.global_average_pool(
            "pool", multiplier=21845, shift=18, minimum=-128 if output.minimum else 0, maximum=100
        )
        if dense:
            _add_linear_layers(draw, random, builder.flatten("vector"), outputs)
    elif behind in ("max_pool", "average_pool"):
        options = {} if behind == "max_pool" else {"multiplier": 7281, "shift": 16}
        windows = _windows(draw, out_height, out_width)
        if windows:
            size, stride, top, left = windows
            getattr(builder, behind)("pool", size, stride, (top, left, 0, 0), **options)
    return builder.build()


def _windows(draw: st.DrawFn, height: int, width: int) -> tuple[int, int, int, int] | None:
    """Size, stride, rows above and columns before the map: side by side, apart or overlapping; None if none fits."""
    size = draw(st.integers(1, 4))
    stride = draw(st.integers(-(-size // 2), 4))
    least = max(0, size - height), max(0, size - width)
    most = min(stride - 1, size - 1)
    if max(least) > most:
        return None
    return size, stride, draw(st.integers(least[0], most)), draw(st.integers(least[1], most))


def _add_shortcut(
    draw: st.DrawFn, random: np.random.Generator, builder: DescriptionBuilder, inputs: int, outputs: int, stride: int
) -> None:
    """Beside "conv" a second convolution of the same output shape, and their sum."""
    _, out_height, out_width = builder.build().shapes["conv"]
    _, height, width = builder.build().description.input.shape
    if (-(-height // stride), -(-width // stride)) != (out_height, out_width):
        return
    builder.conv(
        "shortcut", _weights(draw, random, (outputs, inputs, 1, 1)), _bias(draw, random, outputs), source="input",
        stride=(stride, stride), shift=5, **draw(_TYPES).__dict__,
    )  # fmt: skip
    multipliers = (draw(st.integers(1, 300)), draw(st.integers(1, 300)))
    builder.add("sum", "conv", "shortcut", multipliers=multipliers, shift=8, **draw(_TYPES).__dict__)


def _add_linear_layers(draw: st.DrawFn, random: np.random.Generator, builder: DescriptionBuilder, inputs: int) -> None:
    """One or two behind a map of one pixel a channel, which the convolver runs."""
    for number in range(draw(st.integers(1, 2))):
        outputs = draw(st.integers(1, 12))
        scale = {"shift": draw(st.integers(3, 12)), "multiplier": draw(st.integers(1, 7))}
        weights = _weights(draw, random, (outputs, inputs), draw(st.sampled_from([True, True, False])))
        builder.linear(f"fc{number}", weights, _bias(draw, random, outputs), **scale, **draw(_TYPES).__dict__)
        inputs = outputs


@st.composite
def fc_networks(draw: st.DrawFn) -> Network:
    """One or two linear layers; few or many outputs, so that gaps exceed their field and columns are empty."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from(["uint8", "int8"]))
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    builder = DescriptionBuilder("random", shape, dtype, Scale(multiplier=1, shift=8)).flatten("vector")
    inputs = int(np.prod(shape))
    for number in range(draw(st.integers(1, 2))):
        outputs = draw(st.sampled_from([n for n in (1, 3, 10, 33, 1100) if n * inputs < 40_000]))
        weights = _weights(draw, random, (outputs, inputs))
        requantise = _requantise(draw, random, 1)
        requantise["shift"] = int(np.max(requantise["shift"]))
        builder.linear(
            f"fc{number}", weights, _bias(draw, random, outputs), **requantise, **draw(_TYPES).__dict__
        )  # fmt: skip
        inputs = outputs
    return builder.build()


_Source = tuple[str, tuple[int, ...], str]
"""A tensor's name, shape and type."""


@st.composite
def map_networks(draw: st.DrawFn) -> Network:
    """Up to three layers without weights; among them, or behind them, a dilated convolution joined with its source."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from(["uint8", "int8"]))
    shape = draw(st.integers(1, 5)), draw(st.integers(1, 7)), draw(st.integers(1, 7))
    builder = DescriptionBuilder("random", shape, dtype, Scale(multiplier=1, shift=8))
    source: _Source = ("input", shape, dtype)
    count, place = draw(st.integers(1, 3)), draw(st.integers(0, 4))
    for number in range(count):
        if number == place:
            source = _dilated_convolution(draw, random, builder, source)
        source = _map_layer(draw, random, builder, f"map{number}", source)
    if number + 1 == place:
        _dilated_convolution(draw, random, builder, source)
    return builder.build()


def _last(builder: DescriptionBuilder) -> _Source:
    name, tensor = list(builder.build().types.items())[-1]
    return name, tensor.shape, tensor.dtype


def _map_layer(
    draw: st.DrawFn, random: np.random.Generator, builder: DescriptionBuilder, name: str, source: _Source
) -> _Source:
    """Pooling (any windows that golden takes), a change of scale, or a normalisation."""
    output = draw(_TYPES).__dict__
    scale = {"multiplier": draw(st.integers(1, 65535)), "shift": draw(st.integers(8, 24))}
    kind = draw(st.sampled_from(["max_pool", "max_pool", "average_pool", "global", "clip", "lrn", "lrn"]))
    if kind == "clip":
        builder.clip(name, source=source[0], **scale, **output)
    elif kind == "global":
        builder.global_average_pool(name, source=source[0], **scale, **output)
    elif kind == "lrn":
        # Mostly so that the sums of squares reach all of the table and no factor saturates.
        table = random.integers(0, 65536, draw(st.sampled_from([64, 60, 17, 1])))
        shifts = {"index_shift": draw(st.sampled_from([11, 12, 0, 19])), "shift": draw(st.integers(13, 18))}
        size = draw(st.sampled_from([1, 3, 5, 7]))
        builder.lrn(name, source=source[0], size=size, table=table, **shifts, **output)
    else:
        padding = [draw(st.integers(0, 2)) for _ in range(4)]
        kernel = [draw(st.integers(1, 5)), draw(st.integers(1, 5))]
        for side, size in enumerate(source[1][1:]):
            if kind == "max_pool":
                kernel[side] = max(kernel[side], padding[side] + 1, padding[side + 2] + 1)
            kernel[side] = min(kernel[side], size + padding[side] + padding[side + 2])
        stride = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
        options = {} if kind == "max_pool" else {**scale, **output}
        getattr(builder, kind)(name, tuple(kernel), stride, tuple(padding), source=source[0], **options)
    return _last(builder)


def _dilated_convolution(
    draw: st.DrawFn, random: np.random.Generator, builder: DescriptionBuilder, source: _Source
) -> _Source:
    """A convolution that keeps the map's size, its kernel's weights apart; then the concatenation with its source.

    Or one that makes a wider map."""
    name, (inputs, *_), dtype = source
    wider = draw(st.sampled_from([0, 0, 1, 3]))
    apart, outputs = (draw(st.integers(1, 7)), draw(st.integers(1, 7))), draw(st.integers(1, 3))
    builder.conv(
        "conv", _weights(draw, random, (outputs, inputs, 3, 3)), _bias(draw, random, outputs), source=name,
        padding=(apart[0], apart[1] + wider), dilation=apart, **_requantise(draw, random, outputs),
        minimum=-128 if dtype == "int8" else 0, maximum=100, output_dtype=dtype,
    )  # fmt: skip
    if name != "input" and not wider:
        builder.concat("joined", ["conv", name])
    return _last(builder)
