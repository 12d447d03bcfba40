"""One accelerator for many networks: its C-simulation and its RTL are compiled once, and only the words differ."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from generator import BuildOptions, generate
from generator.architecture import Architecture
from golden import Network
from testbench.build import load_build
from testbench.csim.executor import CsimExecutor
from testbench.rtl.executor import RtlDesign, RtlExecutor, compile_design
from zeroskip.pipeliner import Pipeliner

__all__ = ["Accelerator"]


class Accelerator:
    """An accelerator of the given sizes, ready to run any network that fits; the clock is the board's by default."""

    def __init__(self, work: Path, architecture: Architecture, clock_mhz: float | None = None) -> None:
        self.architecture = architecture
        self.clock_mhz = clock_mhz
        self.work = work
        self.design: RtlDesign | None = None
        self.stages: Mapping[str, tuple[int, int]] | None = None

    def _stages(self, hls: Path, top: str, clock_mhz: float) -> Mapping[str, tuple[int, int]]:
        """The C++ is the same for every network, so it is compiled once."""
        if self.stages is None:
            self.stages = Pipeliner()(hls, top, clock_mhz)
        return self.stages

    def check(self, network: Network, seed: int, on_rtl: bool) -> None:
        """golden == C-sim in Vitis' order == interleaved (== RTL, cycles as predicted, then under stalls), two runs."""
        folder = self.work / "build"
        images = np.random.default_rng(seed).choice(
            _pixels(network),
            (2 * self.architecture.fc_batch, *network.description.input.shape),
            p=[0.2, 0.1, 0.1, 0.3, 0.3],
        )
        options = BuildOptions(
            architecture=self.architecture,
            clock_mhz=self.clock_mhz,
            images=images.astype(network.description.input.dtype),
            pipeliner=lambda hls, top, clock: self._stages(hls, top, clock),
        )
        generate(network, "zcu104", folder, options)
        build = load_build(folder)
        csim = CsimExecutor(build, self.work / "csim")
        for result in (csim.sequential(2), csim.interleaved(2, 0), csim.interleaved(2, seed + 1)):
            assert result.passed, result.explanation()
        if on_rtl:
            self._check_rtl(folder, seed)

    def _check_rtl(self, folder: Path, seed: int) -> None:
        build = load_build(folder)
        if self.design is None:
            self.design = compile_design(build, self.work / "rtl")
        simulation = RtlExecutor(build, self.design, self.work / "simulation")
        unstalled = simulation.run([[0], [1]], seed, name="unstalled")
        assert unstalled.passed, unstalled.explanation
        measured = tuple(tuple(run.phase_cycles()) for run in unstalled.runs.runs)
        assert measured == build.manifest.predictions.layer_cycles
        if ddr := build.manifest.predictions.behind_ddr:
            late = simulation.run([[0], [1]], seed, ddr=ddr, name="behind_ddr")
            assert late.passed, late.explanation
            assert tuple(tuple(run.phase_cycles()) for run in late.runs.runs) == ddr.layer_cycles
        pauses = {"features_in": 0.3, "weights_in": 0.3, "features_out": 0.5, "columns_in": 0.3, "requests_out": 0.3}
        stalled = simulation.run([[0, 1]], seed, pauses=pauses, name="stalled")
        assert stalled.passed, stalled.explanation


def _pixels(network: Network) -> list[int]:
    return [0, -128, 127, 5, -3] if network.description.input.dtype == "int8" else [0, 255, 128, 5, 1]
