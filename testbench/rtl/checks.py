"""What a simulation that computed the right words must show besides: the stated depths, cycles and fill of FIFOs."""

from collections.abc import Mapping, Sequence

from testbench.build import BehindDdr, Build
from testbench.rtl.executor import RtlDesign
from testbench.rtl.phases import PhasedResult

__all__ = ["check_design", "check_timing"]


def check_design(design: RtlDesign, build: Build) -> str:
    """How the RTL differs from what the manifest states of it, empty when it does not.

    Args:
        design: our compiler's; nothing is known of other RTL, and nothing found.
        build: whose manifest states the depths of FIFOs and the stages of processes.
    """
    if design.depths is None:
        return ""
    fault = _check_depths(design.depths, build.manifest.stream_depths)
    if not fault and design.stages != build.manifest.stream_stages:
        return "the RTL is pipelined otherwise than when the build was generated: generate it again"
    return fault


def _check_depths(depths: Mapping[str, int], stated: Mapping[str, int]) -> str:
    if depths == stated:
        return ""
    name = sorted(name for name in {*depths, *stated} if depths.get(name) != stated.get(name))[0]
    return f"stream {name} has depth {depths.get(name)} in the RTL, {stated.get(name)} in the manifest"


def check_timing(result: PhasedResult, build: Build, images: Sequence[int], ddr: BehindDdr | None = None) -> str:
    """How an unstalled simulation differs from the schedule in cycles and fill, empty when it does not.

    Args:
        result: one run an image, none of them stalled, all of them passed.
        build: whose manifest states the schedule, for its first images; images behind those are not checked.
        images: number of the image of each run.
        ddr: what answered requests for columns, if not a memory that does so at once; the fill is not stated for it.
    """
    predictions = build.manifest.predictions
    layer_cycles = ddr.layer_cycles if ddr else predictions.layer_cycles
    for image, run in zip(images, result.runs, strict=True):
        if image >= len(layer_cycles):
            continue
        measured, predicted = tuple(run.phase_cycles()), layer_cycles[image]
        if measured != predicted:
            index = _first_unequal(measured, predicted)
            place = f"image {image}, layer {build.layers[index].output.tensor}"
            return f"{place}: {measured[index]} cycles, the schedule says {predicted[index]}"
        fetched = tuple(phase.asked_for for phase in run.phases)
        if build.streamed and fetched != predictions.fetched_words[image]:
            index = _first_unequal(fetched, predictions.fetched_words[image])
            place = f"image {image}, layer {build.layers[index].output.tensor}"
            stated = predictions.fetched_words[image][index]
            return f"{place}: {fetched[index]} column words were asked for, the schedule says {stated}"
        for name, held in run.high_water.items() if ddr is None else ():
            stated = predictions.high_water.get(name, 0)
            if held > stated:
                return f"image {image}: FIFO {name} held {held} words, the schedule says {stated}"
    return ""


def _first_unequal(measured: Sequence[int], predicted: Sequence[int]) -> int:
    return next(i for i, pair in enumerate(zip(measured, predicted, strict=True)) if pair[0] != pair[1])
