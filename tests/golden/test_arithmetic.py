"""Requantisation: the definition against exact rational arithmetic, and the scales that go with it."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden import Scale
from golden.arithmetic import requantise, round_half_even_shift
from golden.builder import divisor
from golden.lrn import lrn_table

accumulators = st.integers(-(2**31), 2**31 - 1)


@given(accumulators, st.integers(1, 2**31 - 1), st.integers(0, 47))
def test_requantise_is_the_nearest_integer_of_the_exact_quotient(value: int, multiplier: int, shift: int) -> None:
    exact = round(Fraction(value * multiplier, 2**shift))  # Python rounds halves to even
    found = requantise(np.array([value]), np.array([multiplier]), np.array([shift]), -128, 127)
    assert found.tolist() == [max(-128, min(127, exact))]
    assert round_half_even_shift(value * multiplier, shift) == exact


@given(st.integers(-(2**20), 2**20), st.integers(1, 20))
def test_ties_go_to_the_even_neighbour(number: int, shift: int) -> None:
    tie = (2 * number + 1) << (shift - 1)
    assert round_half_even_shift(tie, shift) == number + number % 2


@pytest.mark.parametrize("area", [*range(1, 70), 127 * 127, 224 * 224])
def test_divisor_is_exact_for_powers_of_two_and_close_elsewhere(area: int) -> None:
    multiplier, shift = divisor(area)
    assert 1 <= multiplier < 2**16 and 0 <= shift <= 47
    error = abs(Fraction(multiplier, 2**shift) * area - 1)
    assert error < Fraction(1, 2**16)
    if area & (area - 1) == 0:
        assert error == 0 and multiplier == 1


def test_a_scale_is_a_rational_number() -> None:
    assert Scale(multiplier=3, shift=2).fraction() == Fraction(3, 4)
    assert Scale(shift=-3).fraction() == 8


@pytest.mark.parametrize("output_shift", [2, 4, 7])
def test_the_lrn_table_follows_the_formula(output_shift: int) -> None:
    size, alpha, beta, k = 5, 1e-2, 0.75, 2.0
    made = lrn_table(size, alpha, beta, k, Scale(shift=4), Scale(shift=output_shift))
    squares = np.arange(size * 255**2 + 1)
    exact = 2.0 ** (output_shift - 4) * (k + alpha / size * squares / 2.0**8) ** -beta
    held = made.table[squares >> made.index_shift] / 2.0**made.shift
    # Half an interval times the steepest slope, and half a unit of the table.
    slope = alpha / size / 2.0**8 * beta / k * exact[0]
    assert np.abs(held - exact).max() <= slope * 2.0**made.index_shift / 2 + 0.5 / 2.0**made.shift
    assert made.table.max() >= 2**15 and len(made.table) <= 4096
