"""What a simulation that computed the right words must show besides: the stated depths, cycles and fill of FIFOs."""

from collections.abc import Mapping, Sequence

from testbench.build import Build
from testbench.rtl.phases import PhasedResult

__all__ = ["check_depths", "check_timing"]


def check_depths(depths: Mapping[str, int], build: Build) -> str:
    """How the depths of the RTL's FIFOs differ from the manifest's, empty when they do not.

    Args:
        depths: words, by stream.
        build: whose manifest states the depths.
    """
    stated = build.manifest.stream_depths
    if depths == stated:
        return ""
    name = sorted(name for name in {*depths, *stated} if depths.get(name) != stated.get(name))[0]
    return f"stream {name} has depth {depths.get(name)} in the RTL, {stated.get(name)} in the manifest"


def check_timing(result: PhasedResult, build: Build, images: Sequence[int]) -> str:
    """How an unstalled simulation differs from the schedule in cycles and fill, empty when it does not.

    Args:
        result: one run an image, none of them stalled, all of them passed.
        build: whose manifest states the schedule, for its first images; images behind those are not checked.
        images: number of the image of each run.
    """
    predictions = build.manifest.predictions
    for image, run in zip(images, result.runs, strict=True):
        if image >= len(predictions.layer_cycles):
            continue
        measured, predicted = tuple(run.phase_cycles()), predictions.layer_cycles[image]
        if measured != predicted:
            index = _first_unequal(measured, predicted)
            place = f"image {image}, layer {build.layers[index].output.tensor}"
            return f"{place}: {measured[index]} cycles, the schedule says {predicted[index]}"
        for name, held in run.high_water.items():
            stated = predictions.high_water.get(name, 0)
            if held > stated:
                return f"image {image}: FIFO {name} held {held} words, the schedule says {stated}"
    return ""


def _first_unequal(measured: Sequence[int], predicted: Sequence[int]) -> int:
    return next(i for i, pair in enumerate(zip(measured, predicted, strict=True)) if pair[0] != pair[1])
