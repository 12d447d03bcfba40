"""The RTL rungs."""

import rtl
from testbench.build import BehindDdr
from testbench.ladder.rung import Context, Outcome
from testbench.rtl.checks import check_design, check_timing
from testbench.rtl.executor import RtlResult
from testbench.rtl.stalls import random_shares

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
        if fault := check_design(design, context.build):
            return Outcome(False, fault)
        images = range(context.rtl_images)
        result = context.rtl.run([[image] for image in images], context.options.seed, name="unstalled")
        if not result.passed:
            return Outcome(False, _explain(result, context))
        fault = check_timing(result.runs, context.build, images) if design.depths is not None else ""
        cycles = [run.cycles for run in result.runs.runs]
        figures = {"cycles": cycles, "layer_cycles": [run.phase_cycles() for run in result.runs.runs]}
        if fault:
            return Outcome(False, fault, figures)
        detail = f"{len(images)} images, {cycles[0]:,} cycles for the first"
        ddr = context.build.manifest.predictions.behind_ddr
        if ddr is not None:
            late = _behind_ddr(context, ddr)
            figures = {**figures, "behind_ddr": late.figures}
            if not late.passed:
                return Outcome(False, late.detail, figures)
            detail += late.detail
        return Outcome(True, f"{detail}; {design.timing}" if design.timing else detail, figures)


def _behind_ddr(context: Context, ddr: BehindDdr) -> Outcome:
    """The same with a memory that has a bandwidth and a latency: what its lateness costs is counted apart."""
    images = range(context.rtl_images)
    result = context.rtl.run([[image] for image in images], context.options.seed, ddr=ddr, name="behind_ddr")
    if not result.passed:
        return Outcome(False, f"behind DDR: {_explain(result, context)}")
    ours = context.rtl_design.depths is not None
    if fault := check_timing(result.runs, context.build, images, ddr) if ours else "":
        return Outcome(False, f"behind DDR: {fault}")
    runs = result.runs.runs
    size = context.build.column_bytes
    figures = {
        "bytes_per_clock": ddr.bytes_per_clock,
        "latency": ddr.latency,
        "cycles": [run.cycles for run in runs],
        "layer_cycles": [run.phase_cycles() for run in runs],
        "late_clocks": [[phase.late for phase in run.phases] for run in runs],
        "fetched_bytes": [[size * phase.asked_for for phase in run.phases] for run in runs],
    }
    detail = (
        f", {runs[0].cycles:,} behind DDR of {ddr.bytes_per_clock:g} bytes a clock after {ddr.latency} clocks, "
        f"which was late in {sum(phase.late for phase in runs[0].phases):,}"
    )
    return Outcome(True, detail, figures)


class StallsRung:
    """The RTL under random idle and back-pressure on every port: every word equals golden's, nothing is left over."""

    name = "RTL == golden under stalls"

    def check(self, context: Context) -> Outcome:
        """All images one after another without a reset, for several seeds."""
        images = list(range(context.rtl_images))
        executor = context.rtl
        first = context.options.seed
        for seed in range(first, first + _SEEDS):
            pauses = random_shares(seed)
            result = executor.run([images], seed, pauses=pauses, name=f"stalled_{seed}")
            if not result.passed:
                shares = ", ".join(f"{port} {share:.0%}" for port, share in pauses.items())
                return Outcome(False, f"{_explain(result, context)}, seed {seed}, pauses: {shares}")
        return Outcome(True, f"{_SEEDS} seeds, {len(images)} images each", {"seeds": _SEEDS, "images": len(images)})


def _explain(result: RtlResult, context: Context) -> str:
    if not context.options.waves:
        return f"{result.explanation} (run again with --waves to record waves)"
    return f"{result.explanation} (waves under {context.work / 'simulation'})"
