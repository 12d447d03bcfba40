"""Accuracy of the zoo's descriptions, measured again: ``python -m zoo.accuracy lenet5_fashion``."""

import sys
from collections.abc import Callable

import golden
from compression.accuracy import count_correct_integers
from zoo import data
from zoo.data import Images
from zoo.history import DESCRIPTIONS, History

__all__ = ["TEST_IMAGES"]

TEST_IMAGES: dict[str, Callable[[], Images]] = {
    "lenet5_fashion": lambda: data.fashion_mnist("test"),
    "cifar10_cnn": lambda: data.cifar10("test"),
}
"""Network -> the test images that its accuracy is stated for."""


def main(arguments: list[str]) -> int:
    """Print the recorded stages and the accuracy measured now; exit status 1 when they differ, 2 on a wrong name."""
    if len(arguments) != 1 or arguments[0] not in TEST_IMAGES:
        print(f"usage: python -m zoo.accuracy {{{','.join(TEST_IMAGES)}}}", file=sys.stderr)
        return 2
    name = arguments[0]
    history = History.load(name)
    for stage in history.stages:
        print(stage)
    images = TEST_IMAGES[name]()
    correct = count_correct_integers(golden.load(DESCRIPTIONS / f"{name}.json"), images.pixels, images.labels)
    recorded = history.stages[-1].correct
    print(f"measured now: {correct} of {len(images)} test images ({100 * correct / len(images):.2f} %)")
    if correct != recorded:
        print(f"the recorded figure is {recorded}: description and history do not belong together", file=sys.stderr)
    return int(correct != recorded)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
