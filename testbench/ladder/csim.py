"""The C-simulation rungs."""

from testbench.csim.program import CsimResult, StreamUse
from testbench.ladder.rung import Context, Outcome

__all__ = ["InterleavedRung", "SequentialRung", "check_streams"]

_SEEDS = 3


class SequentialRung:
    """Processes one after another, as Vitis' C-simulation runs them: every layer's output equals golden's."""

    name = "C-sim, sequential == golden"

    def check(self, context: Context) -> Outcome:
        """All images."""
        images = context.runs
        result = context.csim.sequential(images)
        if not result.passed:
            return Outcome(False, result.explanation())
        return Outcome(True, f"{images} images, every layer", {"images": images, "seconds": result.seconds})


class InterleavedRung:
    """Processes interleaved over bounded streams: no deadlock, equal outputs, depths as the manifest states."""

    name = "C-sim, interleaved == golden"

    def check(self, context: Context) -> Outcome:
        """All images in order, then one image in several random orders."""
        images = context.runs
        seeds = range(context.options.seed, context.options.seed + _SEEDS)
        runs: list[CsimResult] = []
        for count, seed in ((images, 0), *((1, seed) for seed in seeds)):
            runs.append(context.csim.interleaved(count, seed))
            if not runs[-1].passed:
                return Outcome(False, f"seed {seed}: {runs[-1].explanation()}")
            fault = check_streams(runs[-1].streams, context.build.manifest.stream_depths)
            if fault:
                return Outcome(False, f"seed {seed}: {fault}")
        detail = f"{images} images, {_SEEDS} random orders, {len(runs[0].streams)} streams within their depths"
        return Outcome(True, detail, {"images": images, "streams": len(runs[0].streams)})


def check_streams(streams: tuple[StreamUse, ...], depths: dict[str, int]) -> str:
    """What is wrong with the streams of a run, empty when nothing is.

    Args:
        streams: from a C-simulation with bounded streams.
        depths: from the manifest, by stream.
    """
    used = {use.name: use for use in streams}
    if missing := sorted(set(depths) - set(used)):
        return f"stream {missing[0]} of the manifest is not in the simulation"
    for name, use in used.items():
        if name not in depths:
            return f"stream {name} is not in the manifest"
        if use.depth != depths[name]:
            return f"stream {name} has depth {use.depth}, the manifest says {depths[name]}"
        if use.high_water > use.depth:
            return f"stream {name} held {use.high_water} words, its depth is {use.depth}"
        if use.left_over:
            return f"stream {name} still holds {use.left_over} words at the end"
    return ""
