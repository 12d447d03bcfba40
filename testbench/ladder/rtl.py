"""The RTL rungs."""

import random
from collections.abc import Mapping, Sequence

import rtl
from testbench.ladder.rung import Context, Outcome
from testbench.rtl.executor import RtlResult

__all__ = ["RtlRung", "StallsRung"]

_SEEDS = 4


class RtlRung:
    """The RTL, nothing stalling: every word equals golden's, cycles equal the schedule's, FIFOs stay within depth."""

    name = "RTL == golden, cycles == schedule"

    def check(self, context: Context) -> Outcome:
        """Each image after a reset of its own."""
        try:
            design = context.rtl_design
        except rtl.CompileError as error:
            return Outcome(False, str(error))
        if design.depths is not None and (fault := _check_depths(design.depths, context)):
            return Outcome(False, fault)
        if design.depths is not None and design.stages != context.build.manifest.stream_stages:
            return Outcome(False, "the RTL is pipelined otherwise than when the build was generated: generate it again")
        images = range(context.rtl_images)
        result = context.rtl.run([[image] for image in images], context.options.seed, name="unstalled")
        if not result.passed:
            return Outcome(False, _explain(result, context))
        fault = _check_timing(result, context) if design.depths is not None else ""
        cycles = [run.cycles for run in result.runs.runs]
        figures = {"cycles": cycles, "layer_cycles": [run.phase_cycles() for run in result.runs.runs]}
        if fault:
            return Outcome(False, fault, figures)
        timing = f"; {design.timing}" if design.timing else ""
        return Outcome(True, f"{len(images)} images, {cycles[0]:,} cycles for the first{timing}", figures)


class StallsRung:
    """The RTL under random idle and back-pressure on every port: every word equals golden's, nothing is left over."""

    name = "RTL == golden under stalls"

    def check(self, context: Context) -> Outcome:
        """All images one after another without a reset, for several seeds."""
        images = list(range(context.rtl_images))
        executor = context.rtl
        first = context.options.seed
        for seed in range(first, first + _SEEDS):
            pauses = _pauses(seed)
            result = executor.run([images], seed, pauses=pauses, name=f"stalled_{seed}")
            if not result.passed:
                shares = ", ".join(f"{port} {share:.0%}" for port, share in pauses.items())
                return Outcome(False, f"{_explain(result, context)}, seed {seed}, pauses: {shares}")
        return Outcome(True, f"{_SEEDS} seeds, {len(images)} images each", {"seeds": _SEEDS, "images": len(images)})


def _pauses(seed: int) -> dict[str, float]:
    """Every seed stalls other ports, from not at all to most of the time."""
    draw = random.Random(seed)
    return {port: draw.choice((0.0, 0.2, 0.5, 0.8)) for port in ("features_in", "weights_in", "features_out")}


def _explain(result: RtlResult, context: Context) -> str:
    if not context.options.waves:
        return f"{result.explanation} (run again with --waves to record waves)"
    return f"{result.explanation} (waves under {context.work / 'simulation'})"


def _check_depths(depths: Mapping[str, int], context: Context) -> str:
    stated = context.build.manifest.stream_depths
    if depths == stated:
        return ""
    name = sorted(name for name in {*depths, *stated} if depths.get(name) != stated.get(name))[0]
    return f"stream {name} has depth {depths.get(name)} in the RTL, {stated.get(name)} in the manifest"


def _check_timing(result: RtlResult, context: Context) -> str:
    predictions = context.build.manifest.predictions
    for image, (run, predicted) in enumerate(zip(result.runs.runs, predictions.layer_cycles, strict=False)):
        measured = tuple(run.phase_cycles())
        if measured != predicted:
            index = _first_unequal(measured, predicted)
            layer = context.build.layers[index]
            place = f"image {image}, layer {layer.output.tensor}"
            return f"{place}: {measured[index]} cycles, the schedule says {predicted[index]}"
        for name, held in run.high_water.items():
            if held > predictions.high_water.get(name, 0):
                return (
                    f"image {image}: FIFO {name} held {held} words, "
                    f"the schedule says {predictions.high_water.get(name, 0)}"
                )
    return ""


def _first_unequal(measured: Sequence[int], predicted: Sequence[int]) -> int:
    return next(i for i, pair in enumerate(zip(measured, predicted, strict=True)) if pair[0] != pair[1])
