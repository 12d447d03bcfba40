"""Accuracy of the zoo's descriptions, measured again: ``python -m zoo.accuracy lenet5_fashion``."""

import sys
from collections.abc import Callable

import golden
from compression.accuracy import count_correct_integers
from zoo import data
from zoo.data import Images
from zoo.history import DESCRIPTIONS, History
from zoo.recipes import RECIPES, result_of

__all__ = ["TEST_IMAGES", "TEST_SETS"]

TEST_SETS: dict[str, Callable[[], Images]] = {
    "fashion-mnist": lambda: data.fashion_mnist("test"),
    "cifar-10": lambda: data.cifar10("test"),
}

TEST_IMAGES: dict[str, Callable[[], Images]] = {
    "lenet5_fashion": TEST_SETS["fashion-mnist"],
    "cifar10_cnn": TEST_SETS["cifar-10"],
    **{name: TEST_SETS[recipe.data] for name, recipe in RECIPES.items() if (DESCRIPTIONS / f"{name}.json").exists()},
}
"""Network -> the test images that its accuracy is stated for."""


def recorded_correct(name: str) -> int:
    """Prints what is on record of a network; the test images that its description classifies correctly."""
    if name in RECIPES:
        result = result_of(name)
        for stage, correct in (
            ("before", result.dense_correct),
            ("pruned, float", result.float_correct),
            ("golden", result.correct),
        ):
            print(f"{stage}: {correct} of {result.images} test images ({100 * correct / result.images:.2f} %)")
        return result.correct
    stages = History.load(name).stages
    for each in stages:
        print(each)
    return stages[-1].correct


def main(arguments: list[str]) -> int:
    """Print what is on record and the accuracy measured now; exit status 1 when they differ, 2 on a wrong name."""
    if len(arguments) != 1 or arguments[0] not in TEST_IMAGES:
        print(f"usage: python -m zoo.accuracy {{{','.join(TEST_IMAGES)}}}", file=sys.stderr)
        return 2
    name = arguments[0]
    recorded, images = recorded_correct(name), TEST_IMAGES[name]()
    correct = count_correct_integers(golden.load(DESCRIPTIONS / f"{name}.json"), images.pixels, images.labels)
    print(f"measured now: {correct} of {len(images)} test images ({100 * correct / len(images):.2f} %)")
    if correct != recorded:
        print(f"the recorded figure is {recorded}: description and history do not belong together", file=sys.stderr)
    return int(correct != recorded)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
