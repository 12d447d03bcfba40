"""Storage formats: what is decoded is what was encoded, every bit is counted, and a changed payload does not pass."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from golden import CscOptions, DescriptionError, PatternOptions
from golden.description import ConvPatternStorage, CscStorage
from golden.formats import CONV_FORMATS, LINEAR_FORMATS, Encoded, decode, encode, sizes
from golden.formats.bits import pack_fields
from golden.formats.csc import entries
from golden.formats.encoded import SizeBits
from tests.golden.strategies import DENSITIES, sparse

EIE_COLUMN = np.array([0, 0, 1, 2, *[0] * 18, 3], np.int8)[:, None]
TWO_KERNELS = np.array([[[[0, 5, 0], [0, 0, 0], [0, 0, -3]], [[0] * 3] * 3]], np.int8)


@st.composite
def conv_weights(draw: st.DrawFn) -> NDArray[np.int8]:
    shape = draw(st.tuples(*[st.integers(1, 5)] * 2, *[st.integers(1, 11)] * 2))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return sparse(generator, shape, draw(st.sampled_from(DENSITIES)))


@st.composite
def linear_weights(draw: st.DrawFn, distinct: int = 256) -> NDArray[np.int8]:
    shape = draw(st.tuples(st.integers(1, 200), st.integers(1, 12)))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    low = -(distinct // 2)
    return sparse(generator, shape, draw(st.sampled_from(DENSITIES)), low, low + distinct)


def check_round_trip(encoded: Encoded, weights: NDArray[np.int8]) -> None:
    np.testing.assert_array_equal(decode(encoded), weights)
    assert encoded.storage.nonzeros == np.count_nonzero(weights)
    assert sizes(encoded).total == encoded.storage.bits == 8 * encoded.payload.size


@settings(deadline=None, max_examples=150)
@given(conv_weights(), st.sampled_from([*CONV_FORMATS, "auto"]))
def test_convolution_formats_round_trip(weights: NDArray[np.int8], name: str) -> None:
    check_round_trip(encode(name, weights), weights)


@settings(deadline=None, max_examples=150)
@given(
    linear_weights(),
    st.one_of(st.none(), st.integers(1, 16)),
    st.sampled_from([1, 2, 3, 16, 64, 300]),
    st.sampled_from(["counts", "pointers"]),
)
def test_csc_round_trips(weights: NDArray[np.int8], gap_bits: int | None, elements: int, columns: str) -> None:
    check_round_trip(encode("csc", weights, CscOptions(8, gap_bits, elements, columns)), weights)


@settings(deadline=None, max_examples=80)
@given(st.sampled_from([(4, 15), (5, 31)]), st.data(), st.integers(1, 9))
def test_csc_codebooks_round_trip(codebook: tuple[int, int], data: st.DataObject, gap_bits: int) -> None:
    value_bits, distinct = codebook
    weights = data.draw(linear_weights(distinct))
    encoded = encode("csc", weights, CscOptions(value_bits, gap_bits, 3))
    check_round_trip(encoded, weights)
    assert sizes(encoded).codebook == 8 * 2**value_bits


@settings(deadline=None, max_examples=60)
@given(st.one_of(conv_weights(), linear_weights(), linear_weights(9)))
def test_auto_is_the_smallest(weights: NDArray[np.int8]) -> None:
    fitting = CONV_FORMATS if weights.ndim == 4 else LINEAR_FORMATS
    found = encode("auto", weights)
    check_round_trip(found, weights)
    candidates = [encode(name, weights) for name in fitting]
    if weights.ndim == 2:
        values = [4, 5, 8] if np.unique(weights).size <= 9 else [8]
        candidates += [encode("csc", weights, CscOptions(bits, gap)) for bits in values for gap in range(1, 17)]
    assert found.storage.bits == min(each.storage.bits for each in candidates)


@pytest.mark.parametrize("elements", [1, 64])
def test_csc_of_a_layer_as_tall_as_real_ones(elements: int) -> None:
    weights = sparse(np.random.default_rng(elements), (4096, 3), 0.001)
    for gap_bits in (2, 4, 8, 12):
        check_round_trip(encode("csc", weights, CscOptions(8, gap_bits, elements)), weights)


def test_kernels_without_weights_store_no_values_where_that_is_shorter() -> None:
    weights = np.zeros((16, 16, 3, 3), np.int8)
    weights[::4, :, 0, 1] = weights[::4, :, 2, 2] = 7
    encoded = encode("conv-pattern", weights)
    assert isinstance(encoded.storage, ConvPatternStorage) and encoded.storage.patterns == 2
    assert sizes(encoded) == SizeBits(values=8 * 2 * 64, index=256, codebook=18, alignment=6)
    check_round_trip(encoded, weights)


def test_csc_is_eies_example() -> None:
    encoded = encode("csc", EIE_COLUMN, CscOptions(8, 4))
    assert isinstance(encoded.storage, CscStorage)
    taken = entries(encoded.storage, encoded.payload)
    assert taken.values.tolist() == [1, 2, 0, 3]
    assert taken.gaps.tolist() == [2, 0, 15, 2]
    assert sizes(encoded).padding == 12


BOOK = bytes([0, 1, 2, 3, *[0] * 12])


@pytest.mark.parametrize(
    ("name", "weights", "options", "payload"),
    [
        ("conv-rc", TWO_KERNELS, None, "02 0510 fd22"),
        ("conv-mask", TWO_KERNELS, None, "020100 05fd"),
        ("conv-pattern", TWO_KERNELS, None, "0201 05fd 0000"),
        ("conv-pattern", TWO_KERNELS, PatternOptions(3), "030100 02 0005fd"),
        ("dense", EIE_COLUMN[:4], None, "00000102"),
        ("csc", EIE_COLUMN, CscOptions(8, 4), "04 012200 003f20"),
        ("csc", EIE_COLUMN, CscOptions(8, 4, 1, "pointers"), "20 012200 003f20"),
        ("csc", EIE_COLUMN, CscOptions(8, 8), "03 0102 0200 0312"),
        ("csc", EIE_COLUMN, CscOptions(4, 4), BOOK.hex() + "04 2102f023"),
        ("csc", EIE_COLUMN, CscOptions(8, 8, 2), "06 0101 0309 0201"),
    ],
)
def test_the_bits_lie_as_specified(name: str, weights: NDArray[np.int8], options: object, payload: str) -> None:
    encoded = encode(name, weights, options)
    assert encoded.payload.tobytes() == bytes.fromhex(payload)
    check_round_trip(encoded, weights)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 2**32 - 1), max_size=40), st.integers(1, 32))
def test_fields_are_packed_least_significant_bit_first(values: list[int], width: int) -> None:
    values = [value % 2**width for value in values]
    number = sum(value << (at * width) for at, value in enumerate(values))
    packed = pack_fields(np.array(values, np.int64), width)
    assert packed.tobytes() == number.to_bytes((len(values) * width + 7) // 8, "little")


@settings(deadline=None, max_examples=200)
@given(st.one_of(conv_weights(), linear_weights()), st.data())
def test_a_flipped_bit_is_refused_or_changes_the_weights(weights: NDArray[np.int8], data: st.DataObject) -> None:
    names = ["conv-rc", "conv-mask", "dense"] if weights.ndim == 4 else ["csc", "dense"]
    name = data.draw(st.sampled_from(names))
    options = CscOptions(8, 3, 2, data.draw(st.sampled_from(["counts", "pointers"]))) if name == "csc" else None
    encoded = encode(name, weights, options)
    bit = data.draw(st.integers(0, 8 * encoded.payload.size - 1))
    payload = encoded.payload.copy()
    payload[bit // 8] ^= 1 << bit % 8
    try:
        found = decode(Encoded(encoded.storage, payload))
    except DescriptionError as error:
        assert error.field in ("weights", "weights.nonzeros")
    else:
        assert np.any(found != weights)


@settings(deadline=None, max_examples=100)
@given(st.one_of(conv_weights(), linear_weights()), st.data())
def test_random_payloads_are_refused_or_decoded(weights: NDArray[np.int8], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(CONV_FORMATS if weights.ndim == 4 else LINEAR_FORMATS))
    encoded = encode(name, weights)
    payload = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1))).integers(0, 256, encoded.payload.size)
    try:
        found = decode(Encoded(encoded.storage, payload.astype(np.uint8)))
    except DescriptionError as error:
        assert error.field in ("weights", "weights.nonzeros")
    else:
        assert np.count_nonzero(found) == encoded.storage.nonzeros


def test_a_payload_of_another_length_is_refused() -> None:
    encoded = encode("csc", EIE_COLUMN, CscOptions(8, 4))
    with pytest.raises(DescriptionError, match=r"weights\.bits.*says 56, but the payload has 48 bits"):
        decode(Encoded(encoded.storage, encoded.payload[:-1]))
    shorter = encoded.storage.model_copy(update={"bits": 48})
    with pytest.raises(DescriptionError, match="ends inside its entries .* it is truncated"):
        decode(Encoded(shorter, encoded.payload[:-1]))
    longer = encoded.storage.model_copy(update={"bits": 64})
    with pytest.raises(DescriptionError, match="has 1 bytes more than its sections"):
        decode(Encoded(longer, np.append(encoded.payload, np.uint8(0))))


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ("05 012200 003f20", "ends inside its entries"),
        ("04 012200 003f30", "lead beyond the last of 23 rows"),
        ("04 002200 003f20", "value 0, but not the gap 15 of padding"),
        ("04 012200 033f00", "says 3, but the payload holds 4 non-zero weights"),
        ("0c 012200 003f20", "fill up the last byte of its counts are not zero"),
        ("04 012210 003f20", "lead beyond the last of 23 rows"),
    ],
)
def test_csc_payloads_that_break_a_rule(payload: str, message: str) -> None:
    storage = encode("csc", EIE_COLUMN, CscOptions(8, 4)).storage
    broken = Encoded(storage, np.frombuffer(bytes.fromhex(payload), np.uint8))
    with pytest.raises(DescriptionError, match=message):
        decode(broken)


def test_a_column_does_not_end_with_padding() -> None:
    column = np.zeros((40, 1), np.int8)
    column[0], column[17] = 1, 2
    encoded = encode("csc", column, CscOptions(8, 4))
    assert encoded.payload.tobytes() == bytes.fromhex("03 0100f0 0200")  # 1, padding, 2
    storage = encoded.storage.model_copy(update={"nonzeros": 1, "bits": 32})
    payload = np.frombuffer(bytes.fromhex("02 0100f0"), np.uint8)
    with pytest.raises(DescriptionError, match="a column ends with a padding entry"):
        decode(Encoded(storage, payload))


@pytest.mark.parametrize(
    ("name", "payload", "message"),
    [
        ("conv-rc", "02 fd22 0510", "not in increasing row-major order"),
        ("conv-rc", "02 0510 0510", "not in increasing row-major order"),
        ("conv-rc", "02 0500 fd32", "outside the 3x3 kernel"),
        ("conv-rc", "02 0500 fd23", "outside the 3x3 kernel"),
        ("conv-rc", "02 0010 fd22", "has the value 0"),
        ("conv-mask", "020100 0500", "has the value 0"),
        ("conv-mask", "020104 05fd", "fill up the last byte of its masks are not zero"),
        ("conv-mask", "020101 05fd", "ends inside its values"),
        ("conv-mask", "020000 05fd", "has 1 bytes more than its sections"),
    ],
)
def test_convolution_payloads_that_break_a_rule(name: str, payload: str, message: str) -> None:
    storage = encode(name, TWO_KERNELS).storage
    with pytest.raises(DescriptionError, match=message):
        decode(Encoded(storage, np.frombuffer(bytes.fromhex(payload), np.uint8)))


@pytest.mark.parametrize(
    ("name", "weights", "options", "message"),
    [
        ("csc", TWO_KERNELS, None, "csc does not store convolution weights"),
        ("conv-rc", EIE_COLUMN, None, "conv-rc does not store linear weights"),
        ("zip", EIE_COLUMN, None, "'zip' is no storage format"),
        ("csc", EIE_COLUMN, PatternOptions(1), "PatternOptions are not options of csc"),
        ("csc", EIE_COLUMN, CscOptions(8, 17), "gap_bits is 17"),
        ("csc", EIE_COLUMN, CscOptions(6), "value_bits is 6"),
        ("csc", EIE_COLUMN, CscOptions(8, 4, 0), "processing_elements is 0"),
        ("csc", np.arange(-16, 1, dtype=np.int8)[:, None], CscOptions(4), "16 different values and 0 do not fit"),
        ("conv-rc", np.ones((1, 1, 17, 1), np.int8), None, "up to 16x16, not 17x1"),
        ("conv-pattern", TWO_KERNELS, PatternOptions(1), r"kernel_values is 1, but must be 2 .* to 9"),
        ("dense", EIE_COLUMN.astype(np.int16), None, "must be int8"),
    ],
)
def test_what_a_format_does_not_take(name: str, weights: NDArray[np.int8], options: object, message: str) -> None:
    with pytest.raises(DescriptionError, match=message):
        encode(name, weights, options)
