"""The first difference between an execution and the golden model, as every level reports it."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Difference", "first_difference", "parse_difference"]

_FIELD = re.compile(r"(\w+)=(\S+)")


@dataclass(frozen=True)
class Difference:
    """One wrong value: where it is in the layer's output and what it should have been.

    Attributes:
        layer: name of the description's layer whose output is wrong.
        image: index of the image in the batch.
        channel, row, column: place in the layer's logical output (C, H, W); row and column are 0 for (F,) outputs.
        expected: the golden model's integer.
        got: the integer that was computed.
    """

    layer: str
    image: int
    channel: int
    row: int
    column: int
    expected: int
    got: int

    def __str__(self) -> str:
        return (
            f"layer {self.layer}, image {self.image}, channel {self.channel}, row {self.row}, column {self.column}: "
            f"expected {self.expected}, got {self.got}"
        )


def first_difference(
    layer: str, expected: NDArray[np.integer], got: NDArray[np.integer], first_image: int = 0
) -> Difference | None:
    """Compares a layer's output for a batch, value by value, with no tolerance.

    Args:
        layer: the layer's name, for the report.
        expected: golden output, (N, C, H, W) or (N, F), any integer dtype.
        got: computed output of the same shape.
        first_image: index of the batch's first image in the whole run.

    Returns:
        The first difference in C order, or None when all values are equal.

    Raises:
        ValueError: the shapes differ.
    """
    if expected.shape != got.shape:
        raise ValueError(f"layer {layer}: expected an output of shape {expected.shape}, got {got.shape}.")
    wrong = np.flatnonzero((expected.astype(np.int64) != got.astype(np.int64)).reshape(-1))
    if wrong.size == 0:
        return None
    index = [int(axis) for axis in np.unravel_index(int(wrong[0]), expected.shape)]
    image, channel, row, column = index + [0] * (4 - len(index))
    place = tuple(index)
    return Difference(layer, first_image + image, channel, row, column, int(expected[place]), int(got[place]))


def parse_difference(line: str) -> Difference:
    """Reads the line that a C++ test bench prints: ``MISMATCH layer=conv1 image=0 channel=3 row=4 column=5 expected=17
    got=18``.

    Raises:
        ValueError: a field is missing or not a number.
    """
    fields = dict(_FIELD.findall(line))
    names = ("image", "channel", "row", "column", "expected", "got")
    try:
        return Difference(fields["layer"], *(int(fields[name]) for name in names))
    except (KeyError, ValueError) as error:
        raise ValueError(f"test bench printed a mismatch that cannot be read ({error}): {line.strip()!r}.") from None
