"""Every layer of the golden model against the dense reference, on random geometries and extreme values."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import golden
from golden import DescriptionBuilder
from tests.golden import reference
from tests.golden.strategies import RANGE, Convolution, activations, convolutions, sparse

BOUNDS = {"uint8": (0, 255), "int8": (-128, 127)}
seeds = st.integers(0, 2**32 - 1)
dtypes = st.sampled_from(["uint8", "int8"])


@settings(deadline=None, max_examples=150)
@given(convolutions(), st.sampled_from(["conv-rc", "conv-mask", "conv-pattern", "dense"]))
def test_convolution_equals_the_dense_reference(case: Convolution, storage: str) -> None:
    network = (
        DescriptionBuilder("net", case.images.shape[1:], case.images.dtype.name)
        .conv(
            "conv",
            case.weights,
            case.bias,
            stride=case.stride,
            padding=case.padding,
            dilation=case.dilation,
            groups=case.groups,
            multiplier=case.multiplier,
            shift=case.shift,
            output_dtype=case.output_dtype,
            format=storage,
        )
        .build()
    )
    accumulator = reference.convolution(
        case.images, case.weights, case.bias, case.stride, case.padding, case.dilation, case.groups
    )
    expected = reference.requantise(
        accumulator,
        reference.by_channel(case.multiplier),
        reference.by_channel(case.shift),
        *BOUNDS[case.output_dtype],
    )
    found = golden.run(network, case.images)["conv"]
    assert found.dtype == case.output_dtype
    np.testing.assert_array_equal(found, expected)


@settings(deadline=None, max_examples=80)
@given(
    seeds,
    dtypes,
    st.integers(1, 70),
    st.integers(1, 40),
    st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0]),
    st.sampled_from([1, 2, 40]),
    st.sampled_from(["csc", "dense"]),
)
def test_linear_equals_the_dense_reference(
    seed: int, dtype: str, inputs: int, outputs: int, density: float, count: int, storage: str
) -> None:
    generator = np.random.default_rng(seed)
    weights = sparse(generator, (outputs, inputs), density)
    bias = generator.integers(-(2**24), 2**24, outputs)
    images = activations(generator, (count, inputs, 1, 1), dtype, "any")
    shift = int(generator.integers(0, 20))
    builder = DescriptionBuilder("net", (inputs, 1, 1), dtype).flatten("flat")
    network = builder.linear("fc", weights, bias, shift=shift, minimum=-100, maximum=99, format=storage).build()
    accumulator = images[:, :, 0, 0].astype(np.int64) @ weights.T.astype(np.int64) + bias
    expected = reference.requantise(accumulator, 1, shift, -100, 99)
    np.testing.assert_array_equal(golden.run(network, images)["fc"], expected)


window_sides = st.tuples(st.integers(1, 4), st.integers(1, 4))


@settings(deadline=None, max_examples=80)
@given(seeds, dtypes, window_sides, window_sides, st.data())
def test_max_pool_takes_the_largest_pixel_inside_the_map(
    seed: int, dtype: str, kernel: tuple[int, int], stride: tuple[int, int], data: st.DataObject
) -> None:
    rows, columns = (st.integers(0, side - 1) for side in kernel)
    padding = data.draw(st.tuples(rows, columns, rows, columns))
    size = data.draw(st.tuples(st.integers(kernel[0], 9), st.integers(kernel[1], 9)))
    generator = np.random.default_rng(seed)
    # Negative values alone: a padding value of 0 would win.
    images = generator.integers(RANGE[dtype][0], 1 if dtype == "int8" else 256, (3, 2, *size)).astype(dtype)
    network = DescriptionBuilder("net", images.shape[1:], dtype).max_pool("pool", kernel, stride, padding).build()
    expected = reference.pool(images, kernel, stride, padding, largest=True)
    np.testing.assert_array_equal(golden.run(network, images)["pool"], expected)


@settings(deadline=None, max_examples=80)
@given(seeds, dtypes, window_sides, window_sides, st.tuples(*[st.integers(0, 2)] * 4), st.integers(4, 9))
def test_average_pool_counts_padding_as_zeros(
    seed: int, dtype: str, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, ...], size: int
) -> None:
    generator = np.random.default_rng(seed)
    images = activations(generator, (35, 2, size, size), dtype, "any")
    network = DescriptionBuilder("net", (2, size, size), dtype).average_pool("pool", kernel, stride, padding).build()
    how = network.requantise("pool")
    sums = reference.pool(images, kernel, stride, padding, largest=False)
    expected = reference.requantise(sums, int(how.multiplier[0]), int(how.shift[0]), *BOUNDS[dtype])
    np.testing.assert_array_equal(golden.run(network, images)["pool"], expected)


@settings(deadline=None, max_examples=40)
@given(seeds, dtypes, st.integers(1, 9), st.integers(1, 9))
def test_global_average_is_the_rounded_mean(seed: int, dtype: str, rows: int, columns: int) -> None:
    images = activations(np.random.default_rng(seed), (7, 3, rows, columns), dtype, "any")
    network = DescriptionBuilder("net", (3, rows, columns), dtype).global_average_pool("mean").build()
    found = golden.run(network, images)["mean"]
    assert found.shape == (7, 3, 1, 1)
    sums = images.astype(np.int64).sum(axis=(2, 3))
    area = rows * columns
    exact = np.array([[round(Fraction(int(total), area)) for total in row] for row in sums])
    ties = (2 * sums) % (2 * area) == area  # the 16-bit divisor may settle an exact tie either way
    power_of_two = area & (area - 1) == 0
    difference = found[:, :, 0, 0].astype(np.int64) - exact
    assert np.all((difference == 0) | (ties & (np.abs(difference) == 1) & (not power_of_two)))


@settings(deadline=None, max_examples=60)
@given(
    seeds,
    dtypes,
    st.tuples(st.integers(1, 2**22), st.integers(1, 2**22)),
    st.integers(0, 30),
    st.sampled_from(["uint8", "int8"]),
)
def test_add_rounds_the_exact_sum_once(
    seed: int, dtype: str, multipliers: tuple[int, int], shift: int, output_dtype: str
) -> None:
    images = activations(np.random.default_rng(seed), (33, 2, 3, 5), dtype, "any")
    builder = DescriptionBuilder("net", (2, 3, 5), dtype).clip("other", -100 if dtype == "int8" else 3, 90)
    builder.add("sum", "input", "other", multipliers=multipliers, shift=shift, output_dtype=output_dtype)
    other = np.clip(images.astype(np.int64), -100 if dtype == "int8" else 3, 90)
    total = images.astype(np.int64) * multipliers[0] + other * multipliers[1]
    expected = reference.requantise(total, 1, shift, *BOUNDS[output_dtype])
    found = golden.run(builder.build(), images)["sum"]
    np.testing.assert_array_equal(found, expected)


@settings(deadline=None, max_examples=40)
@given(seeds, dtypes, st.integers(1, 2**31 - 1), st.integers(0, 47))
def test_clip_requantises_and_clamps(seed: int, dtype: str, multiplier: int, shift: int) -> None:
    images = activations(np.random.default_rng(seed), (4, 2, 3, 3), dtype, "any")
    builder = DescriptionBuilder("net", (2, 3, 3), dtype)
    builder.clip("clip", -5, 100, multiplier=multiplier, shift=shift, output_dtype="int8")
    expected = reference.requantise(images.astype(np.int64), multiplier, shift, -5, 100)
    np.testing.assert_array_equal(golden.run(builder.build(), images)["clip"], expected)


@settings(deadline=None, max_examples=40)
@given(seeds, dtypes, st.sampled_from([1, 3, 5, 9]), st.integers(1, 7), st.integers(4, 14), st.integers(0, 20))
def test_lrn_looks_its_factor_up(seed: int, dtype: str, size: int, channels: int, index_shift: int, shift: int) -> None:
    generator = np.random.default_rng(seed)
    images = activations(generator, (5, channels, 3, 4), dtype, "any")
    table = generator.integers(0, 65536, int(generator.integers(1, 300)))
    builder = DescriptionBuilder("net", (channels, 3, 4), dtype)
    builder.lrn("lrn", size=size, table=table, index_shift=index_shift, shift=shift, output_dtype="int8")
    expected = np.clip(reference.normalise(images, size, table, index_shift, shift), -128, 127)
    np.testing.assert_array_equal(golden.run(builder.build(), images)["lrn"], expected)


def test_concat_and_flatten_keep_channel_row_column_order() -> None:
    images = np.arange(2 * 3 * 2 * 2, dtype=np.uint8).reshape(2, 3, 2, 2)
    builder = DescriptionBuilder("net", (3, 2, 2)).max_pool("pool", 1).clip("clip", 0, 5, source="input")
    network = builder.concat("both", ["pool", "clip", "input"]).flatten("flat").build()
    found = golden.run(network, images, keep="all")
    both = np.concatenate([images, np.minimum(images, 5), images], axis=1)
    np.testing.assert_array_equal(found["both"], both)
    np.testing.assert_array_equal(found["flat"], both.reshape(2, -1))


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 64, 65, 130])
def test_a_batch_equals_its_images_one_by_one(count: int) -> None:
    generator = np.random.default_rng(count)
    builder = DescriptionBuilder("net", (2, 9, 7)).conv(
        "conv", sparse(generator, (5, 2, 3, 3), 0.4), np.zeros(5, int), shift=6, stride=2, padding=1
    )
    network = builder.max_pool("pool", 2).flatten("flat").build()
    images = activations(generator, (count, 2, 9, 7), "uint8", "any")
    together = golden.run(network, images, keep="all")
    assert set(together) == {"conv", "pool", "flat"}
    for at in range(count):
        alone = golden.run(network, images[at : at + 1], keep="all")
        for name, value in alone.items():
            np.testing.assert_array_equal(together[name][at], value[0])
    assert set(golden.run(network, images)) == {"flat"}


def test_a_layer_without_a_non_zero_puts_out_its_bias() -> None:
    bias = np.array([-1000, 24, 40, 1000])  # 24 / 16 and 40 / 16 are ties: to 2 and 2
    network = (
        DescriptionBuilder("net", (1, 1, 1))
        .conv("conv", np.zeros((4, 1, 1, 1), np.int8), bias, shift=4, minimum=-50, maximum=50)
        .build()
    )
    found = golden.run(network, np.full((1, 1, 1, 1), 255, np.uint8))["conv"]
    assert found[0, :, 0, 0].tolist() == [-50, 2, 2, 50]


def test_images_of_another_type_or_shape_are_refused() -> None:
    network = DescriptionBuilder("net", (1, 4, 4)).max_pool("pool", 2).build()
    with pytest.raises(golden.DescriptionError, match=r"field 'input': takes images of uint8 \(N, 1, 4, 4\), not int8"):
        golden.run(network, np.zeros((1, 1, 4, 4), np.int8))
    with pytest.raises(golden.DescriptionError, match=r"not uint8 of shape \(1, 4, 4\)"):
        golden.run(network, np.zeros((1, 4, 4), np.uint8))
