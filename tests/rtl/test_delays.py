"""The delay model: every operator is at least as slow when it is wider, and the table names its sources."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from rtl import delays
from rtl.delays import Cost

WIDTHS = [1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 18, 24, 26, 27, 28, 32, 48, 64, 65, 128, 512]

BY_WIDTH: dict[str, Callable[[int], Cost]] = {
    "logic": delays.logic,
    "add": delays.add,
    "compare": delays.compare,
    "equal": delays.equal,
    "multiplexer": delays.multiplexer,
    "constant shift": delays.constant_shift,
    "variable shift": lambda width: delays.variable_shift(width, 6),
    "shift amount": lambda width: delays.variable_shift(512, width),
    "square": lambda width: delays.multiply(width, width),
    "signed square": lambda width: delays.multiply(width, width, signed=True),
    "product with 8 bits": lambda width: delays.multiply(width, 8),
    "product with a constant": lambda width: delays.multiply_constant(width, 0b10110101),
    "divide": delays.divide,
    "population count": delays.population_count,
    "parity": delays.parity,
    "LUT RAM": lambda depth: delays.lut_ram_read(depth, 8),
    "block RAM": lambda depth: delays.block_ram_read(64 * depth, 8),
    "stream word": lambda depth: delays.stream_data(depth, 8),
    "stream flag": delays.stream_flag,
    "stream strobe": delays.stream_strobe,
}


@pytest.mark.parametrize("name", BY_WIDTH)
def test_wider_is_never_faster(name: str) -> None:
    """Delays grow with the width, the depth or the number of inputs."""
    costs = [BY_WIDTH[name](width) for width in WIDTHS]
    assert all(before.delay_ns <= after.delay_ns for before, after in pairwise(costs))
    assert all(cost.delay_ns >= 0.0 for cost in costs)


def test_costs_by_hand() -> None:
    """The figures that the table's elements add up to."""
    ns = {name: element.delay_ns for name, element in delays.TABLE.items()}
    level = ns["wire"] + ns["lut"]
    assert delays.logic(6).delay_ns == pytest.approx(level)
    assert delays.logic(7).delay_ns == pytest.approx(2 * level)
    four_groups = ns["carry_start"] + 3 * ns["carry_wire"] + 2 * ns["carry_pass"] + ns["carry_end"]
    assert delays.add(32).delay_ns == pytest.approx(level + ns["lut_to_carry"] + four_groups)
    one = ns["wire"] + ns["dsp_inputs"] + ns["dsp_multiplier"] + ns["dsp_sum"] + ns["dsp_output"]
    assert delays.multiply(27, 18, signed=True).delay_ns == pytest.approx(one)
    assert delays.multiply(27, 18).dsps == 4
    assert delays.multiply(32, 32).delay_ns == pytest.approx(one + 3 * ns["dsp_cascade"])
    assert delays.constant_shift(64).delay_ns == 0.0


def test_constant_factors_are_sums_of_their_digits() -> None:
    """A power of two is wires; 3 and 7 are one addition; 11 = 8 + 4 - 1 is two levels."""
    one_sum = delays.add(20).delay_ns
    found = [delays.multiply_constant(20, number).delay_ns for number in (8, 3, 7, 11)]
    assert found == pytest.approx([0.0, one_sum, one_sum, 2 * one_sum])


def test_a_multiplication_fits_the_data_sheet() -> None:
    """DS925: a DSP slice without its inner register runs at 410 MHz, register to register."""
    registers = delays.register_output().delay_ns + delays.register_setup().delay_ns
    assert delays.multiply(26, 17).delay_ns + registers < 1000 / 410


def test_every_figure_names_its_source() -> None:
    """What is an estimate says so."""
    names = ("Vivado", "FloPoCo", "DS925", "estimate")
    assert all(element.source.startswith(names) and element.delay_ns > 0 for element in delays.TABLE.values())
