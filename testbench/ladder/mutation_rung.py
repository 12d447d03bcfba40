"""The last rung: breaks the build on purpose, in many small ways, and expects the rungs below to notice each."""

import shutil
from collections import Counter
from pathlib import Path

from testbench.csim.executor import CsimExecutor
from testbench.ladder.csim import check_streams
from testbench.ladder.mutants import CodeMutant, Mutant, code_mutants, weight_mutants
from testbench.ladder.rung import Context, Outcome

__all__ = ["MutationRung"]

_COUNT = 20
_RTL_COUNT = 4
_IMAGES = 2


class MutationRung:
    """Every mutant must be caught: by C-simulation, and the first few by the RTL too."""

    name = "mutations are caught"

    def check(self, context: Context) -> Outcome:
        """Changed weight streams on the unchanged programs, then changed code."""
        code = code_mutants(context.build, context.options.seed)
        images = min(_IMAGES, context.runs)
        tensors = {name: tensor[: images * context.build.batch] for name, tensor in context.tensors.items()}
        weights = weight_mutants(context.build, tensors, context.options.seed, _COUNT - len(code))
        # A change that makes a simulation endless is noticed too; the unchanged one says how long is too long.
        limit = 5 + 20 * context.csim.sequential(images).seconds
        escaped = [f"{m.kind} ({m.place})" for m in weights if not _caught_by_csim(context, m, images, limit)]
        escaped += [f"{m.kind} ({m.place})" for m in code if not _caught_code(context, m, images)]
        if context.options.level == "rtl":
            escaped += [f"{m.kind} in RTL ({m.place})" for m in weights[:_RTL_COUNT] if not _caught_by_rtl(context, m)]
        kinds = Counter([mutant.kind for mutant in weights] + [mutant.kind for mutant in code])
        figures = {"mutants": len(weights) + len(code), "kinds": dict(kinds), "escaped": escaped}
        if len(weights) + len(code) < _COUNT:
            return Outcome(False, f"only {len(weights) + len(code)} mutants could be made, not {_COUNT}", figures)
        if escaped:
            return Outcome(False, f"{len(escaped)} of {_COUNT} not noticed: {escaped[0]}", figures)
        return Outcome(True, f"{_COUNT} of {_COUNT} noticed, {len(kinds)} kinds", figures)


def _changed_files(context: Context, mutant: Mutant) -> tuple[Path | None, Path | None]:
    """The files of weights and of columns that a run takes in place of the build's."""
    file = context.work / "mutants" / ("columns.bin" if mutant.in_columns else "weights.bin")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(mutant.bytes())
    return (None, file) if mutant.in_columns else (file, None)


def _caught_by_csim(context: Context, mutant: Mutant, images: int, limit: float) -> bool:
    weights, columns = _changed_files(context, mutant)
    return not context.csim.sequential(images, weights=weights, columns=columns, timeout_seconds=limit).passed


def _caught_by_rtl(context: Context, mutant: Mutant) -> bool:
    weights, columns = _changed_files(context, mutant)
    return not context.rtl.run([[0]], context.options.seed, weights=weights, columns=columns, name="mutant").passed


def _caught_code(context: Context, mutant: CodeMutant, images: int) -> bool:
    """A changed C-simulation is compiled from a copy of the code; the check is the rung that reads that file."""
    copy = context.work / "mutants" / mutant.file.stem
    shutil.rmtree(copy, ignore_errors=True)
    for folder in ("hls", "csim"):
        shutil.copytree(context.build.folder / folder, copy / folder)
    (copy / mutant.file).write_text(mutant.text)
    executor = CsimExecutor(context.build, copy, source=copy)
    if mutant.file.name != "interleaved.cpp":
        return not executor.sequential(images).passed
    result = executor.interleaved(images, 0)
    return not result.passed or bool(check_streams(result.streams, context.build.manifest.stream_depths))
