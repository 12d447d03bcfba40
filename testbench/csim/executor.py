"""Runs a build's two C test benches: processes in sequence as Vitis does, and interleaved over bounded streams."""

from pathlib import Path

from testbench.build import Build
from testbench.csim.compiler import compile_program
from testbench.csim.program import CsimResult, run_program

__all__ = ["CsimExecutor"]


class CsimExecutor:
    """The C-simulations of one build.

    Args:
        build: its manifest gives files and sizes.
        work: folder for programs.
        source: folder with the build's `hls` and `csim`; the build itself unless the code is a changed copy.
    """

    def __init__(self, build: Build, work: Path, source: Path | None = None) -> None:
        self._build = build
        self._work = work
        self._source = source or build.folder

    def sequential(
        self,
        images: int,
        *,
        weights: Path | None = None,
        features: Path | None = None,
        columns: Path | None = None,
        timeout_seconds: float = 600,
    ) -> CsimResult:
        """One call of the top function per layer, streams unbounded.

        Args:
            images: how many of the vectors' images.
            weights, features, columns: files in place of the build's vectors.
            timeout_seconds: after which the run counts as failed.
        """
        hls, csim = self._source / "hls", self._source / "csim"
        program = compile_program(
            [hls / "top.cpp", csim / "test_bench.cpp"],
            self._work / "sequential",
            include=[hls, csim],
        )
        arguments = [*self._arguments(weights, features, images), *self._columns(columns)]
        return run_program(program, arguments, timeout_seconds=timeout_seconds)

    def interleaved(
        self,
        images: int,
        seed: int,
        *,
        weights: Path | None = None,
        features: Path | None = None,
        columns: Path | None = None,
        timeout_seconds: float = 600,
    ) -> CsimResult:
        """Processes as fibers over streams of their stated depths.

        Args:
            seed: 0 runs them in order, another number in a random order.
        """
        hls, csim = self._source / "hls", self._source / "csim"
        program = compile_program([csim / "interleaved.cpp"], self._work / "interleaved", include=[hls, csim])
        arguments = [*self._arguments(weights, features, images), str(seed), *self._columns(columns)]
        return run_program(program, arguments, timeout_seconds=timeout_seconds)

    def _arguments(self, weights: Path | None, features: Path | None, images: int) -> list[str]:
        build = self._build
        files = (build.layers_file, weights or build.weights_file, features or build.images_file)
        return [*(str(file.resolve()) for file in files), str(images)]

    def _columns(self, columns: Path | None) -> list[str]:
        """What stands between the engine and DDR reads: the column words and the expected requests."""
        build = self._build
        files = (columns or build.columns_file, build.requests_file) if build.streamed else ()
        return [str(file.resolve()) for file in files]
