"""Runs a build's RTL: compiles the emitted C++ to SystemVerilog, simulates it, says which pixel is wrong."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import rtl
from testbench.build import BehindDdr, Build
from testbench.difference import Difference
from testbench.rtl.phases import Gauge, MoverJob, Phase, PhasedJob, PhasedResult, Run, Words, WrongWord
from testbench.rtl.simulator import Model, build_model, run_module

__all__ = ["PORTS", "RtlDesign", "RtlExecutor", "RtlResult", "compile_design"]

_MODULE = "testbench.rtl.phased_bench"
PORTS = ("features_in", "weights_in", "features_out", "columns_in", "requests_out")
"""The accelerator's ports, all of which a bench can stall; the last two are the streamed FC engine's."""


@dataclass(frozen=True)
class RtlDesign:
    """SystemVerilog to be tested.

    Attributes:
        sources: files, packages first.
        gauges: FIFOs whose fill can be read; none for RTL that another tool made.
        depths: of the FIFOs, by name.
        stages: where pipelined processes touch their streams, as the manifest has it; None for a step a clock.
        timing: how the processes meet the clock, in one line; empty for a step a clock.
        tables: files that the RTL reads with $readmemh; they are put into the folder in which it runs.
    """

    sources: tuple[Path, ...]
    gauges: tuple[Gauge, ...] = ()
    depths: Mapping[str, int] | None = None
    stages: Mapping[str, tuple[int, int]] | None = None
    timing: str = ""
    tables: tuple[Path, ...] = ()


def compile_design(build: Build, output: Path) -> RtlDesign:
    """Compiles a build's C++ to SystemVerilog, pipelined for the build's clock if its predictions are.

    Args:
        build: the build.
        output: folder for the SystemVerilog, replaced as a whole.

    Raises:
        rtl.CompileError: the compiler refuses the C++.
    """
    hls = build.folder / "hls"
    source, top = hls / "top.cpp", build.manifest.top
    stages, timing = None, ""
    if build.manifest.stream_stages is None:
        design = rtl.compile_cpp(source, top, [hls], output)
    else:
        design, report = rtl.compile_with_report(source, top, [hls], output, build.manifest.clock_mhz)
        stages, timing = design.stream_stages(), report.summary()
    gauges = tuple(Gauge(name=_stream_name(fifo.stream), path=fifo.name) for fifo in design.fifos)
    depths = {_stream_name(fifo.stream): fifo.depth for fifo in design.fifos}
    return RtlDesign(tuple(design.files), gauges, depths, stages, timing)


def _stream_name(stream: str) -> str:
    """The manifest's name of a stream: `name`, or `name_0` for element 0 of an array of streams."""
    return stream.replace("[", "_").removesuffix("]")


@dataclass(frozen=True)
class RtlResult:
    """Outcome of one simulation.

    Attributes:
        passed: every word of every run was right and nothing was left over.
        runs: what the bench measured.
        difference: the first wrong pixel, if a wrong word was the reason.
        explanation: one line.
    """

    passed: bool
    runs: PhasedResult
    difference: Difference | None
    explanation: str


class RtlExecutor:
    """The RTL of one build under Verilator.

    Args:
        build: its manifest gives ports, layers and vectors.
        design: the RTL.
        work: folder for the model and the runs.
        waves: build the model so that waves can be recorded.
        model: the compiled simulation, where there is one already.
    """

    def __init__(
        self, build: Build, design: RtlDesign, work: Path, waves: bool = False, model: Model | None = None
    ) -> None:
        self._build = build
        self._design = design
        self._work = work
        self._waves = waves
        self._model = model

    def model(self) -> Model:
        """The compiled simulation.

        Raises:
            SimulationFailed: the design does not build.
        """
        if self._model is not None:
            return self._model
        folder = self._work / ("model_waves" if self._waves else "model")
        return build_model(self._design.sources, self._build.manifest.top, folder, waves=self._waves)

    def run(
        self,
        images: Sequence[Sequence[int]],
        seed: int,
        *,
        pauses: Mapping[str, float] | None = None,
        weights: Path | None = None,
        columns: Path | None = None,
        ddr: BehindDdr | None = None,
        name: str = "run",
        time_limit: float | None = None,
    ) -> RtlResult:
        """Simulates images, with a reset before every group of them.

        Args:
            images: groups of image numbers; the images of a group follow each other without a reset.
            seed: of the pauses and of the random start values of registers.
            pauses: share of clocks in which each port pauses.
            weights, columns: files in place of the build's.
            ddr: what answers requests for columns; by default a memory that does so at once, a word a clock.
            name: of the run's folder.
            time_limit: seconds after which the simulation is killed.

        Raises:
            TimeLimitReached: it was killed.
            SimulationFailed: the design does not build, or the simulation broke off.
        """
        columns = columns or self._build.columns_file
        runs = [self._group(group, weights or self._build.weights_file, columns) for group in images]
        folder = self._work / name
        folder.mkdir(parents=True, exist_ok=True)
        for table in self._design.tables:
            shutil.copy(table, folder)
        job = PhasedJob(runs=runs, pauses=dict(pauses or {}), gauges=list(self._design.gauges), mover=self._mover(ddr))
        raw = run_module(
            self.model(),
            _MODULE,
            job.model_dump(mode="json"),
            folder,
            seed=seed,
            waves=self._waves,
            time_limit=time_limit,
        )
        return self._read(PhasedResult.model_validate(raw), images)

    def _mover(self, ddr: BehindDdr | None) -> MoverJob | None:
        if not self._build.streamed:
            return None
        fields = self._build.manifest.weight_stream.layouts["request_word"]
        return MoverJob(
            requests="requests_out", columns="columns_in", first=fields["first"], count=fields["count"],
            word_bytes=self._build.column_bytes, latency=ddr.latency if ddr else 0,
            bytes_per_clock=ddr.bytes_per_clock if ddr else None,
        )  # fmt: skip

    def _group(self, images: Sequence[int], weights: Path, columns: Path) -> Run:
        size = self._build.weight_bytes
        count = weights.stat().st_size // size
        words = Words(file=weights.resolve(), word_bytes=size, count=count)
        phases = [phase for image in images for phase in self._phases(image, columns)]
        return Run(background={"weights_in": [words] * len(images)}, phases=phases)

    def _phases(self, image: int, columns: Path) -> list[Phase]:
        """Layers are sent golden's maps: what is wrong in one ends the run before another could read it."""
        next_word, next_column = image * self._build.image_words, 0
        phases = []
        for layer in self._build.layers:
            given = self._features(next_word, layer.input_words)
            expected = self._features(next_word + layer.input_words, layer.output_words)
            next_word += layer.input_words + layer.output_words
            name = f"layer {layer.output.tensor} of image {image}"
            memory = None
            if layer.column_words:
                size = self._build.column_bytes
                memory = Words(file=columns.resolve(), word_bytes=size, first=next_column, count=layer.column_words)
                next_column += layer.column_words
            phases.append(
                Phase(name=name, memory=memory, send={"features_in": given}, expect={"features_out": expected})
            )
        return phases

    def _features(self, first: int, count: int) -> Words:
        return Words(file=self._build.images_file.resolve(), word_bytes=self._build.lanes, first=first, count=count)

    def _read(self, result: PhasedResult, images: Sequence[Sequence[int]]) -> RtlResult:
        last = result.last
        if last.wrong is None:
            explanation = "passed" if result.passed else f"{last.status}: {last.message}"
            return RtlResult(result.passed, result, None, explanation)
        difference = self._difference(last.wrong, images[len(result.runs) - 1])
        if difference is None:
            return RtlResult(False, result, None, f"a word came out of {last.wrong.port} that nobody expects")
        return RtlResult(False, result, difference, f"{difference} (clock {last.wrong.clock})")

    def _difference(self, wrong: WrongWord, images: Sequence[int]) -> Difference | None:
        if wrong.expected == "nothing":
            return None
        number, index = divmod(wrong.phase, len(self._build.layers))
        layer = self._build.layers[index]
        expected, got = int(wrong.expected, 16), int(wrong.got, 16)
        differing = expected ^ got
        lane = ((differing & -differing).bit_length() - 1) // 8
        channel, row, column = layer.output.place(wrong.index, lane, self._build.lanes)
        values = [layer.output.value((word >> (8 * lane)) & 255) for word in (expected, got)]
        image = images[number] * layer.output.batch + wrong.index % layer.output.batch
        return Difference(layer.output.tensor, image, channel, row, column, *values)
