"""Accuracy of a description, by golden; needs no PyTorch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

import golden

__all__ = ["count_correct_integers"]


def count_correct_integers(
    network: golden.Network, pixels: NDArray[np.uint8], labels: NDArray[np.integer[Any]], batch: int = 500
) -> int:
    """How many images get their highest output (of equal ones the first) at their own label, by the integer model.

    Args:
        network: a description with one output, one score a class.
        pixels: uint8 (N, C, H, W) of the network's input shape.
        labels: integers (N,).
        batch: images run at once; it changes the memory needed, never the result.
    """
    correct = 0
    for first in range(0, len(pixels), batch):
        scores = golden.run(network, pixels[first : first + batch], keep="outputs")[network.outputs[0]]
        predicted = scores.reshape(len(scores), -1).argmax(axis=1)
        correct += int(np.count_nonzero(predicted == labels[first : first + batch]))
    return correct
