"""The papers' networks at full size, as RTL under Verilator: every word golden's, every clock the schedule's.

    python -m benchmarks.whole_rtl                 runs what has not been run; exit code 1 when a run fails, or differs
    python -m benchmarks.whole_rtl NAME ..         only networks whose names contain one of these words
    python -m benchmarks.whole_rtl --update        also writes the figures of what was run to whole_rtl.json
    python -m benchmarks.whole_rtl --workers N     so many at a time; 1 by default (each may take 2 GB)

Networks and sizes of the engines are those of `benchmarks.networks`, `benchmarks.alexnet`, `benchmarks.alexnet_zcu104`,
`benchmarks.alexnet_convolver`, `benchmarks.fc_batches`, `benchmarks.imagenet` and `benchmarks.fc_engine` (EIE's nine
layers, each as a network, weights loaded with it), whose clocks come from the schedule alone. Here each is generated,
compiled to SystemVerilog, and run for one image, or batch: once with nothing stalling, where every layer must take the
clocks that the build predicts, once under random stalls of all ports, and where FC weights are fetched once more behind
a ZCU104's DDR (its bandwidth, and a latency of 100 clocks). A minute or two a network, ten to twenty of ImageNet's size
(VGG-16, ResNet-50). Outcomes are kept in `build/whole_rtl` as they come, by a hash of all code that has a part in
them; what is there is not run again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import golden
from benchmarks import alexnet, alexnet_convolver, alexnet_zcu104, fc_batches, fc_engine, imagenet, networks
from benchmarks.estimate import convolutions
from generator import BuildOptions, generate
from generator.boards import load_board
from testbench.build import load_build
from testbench.ladder import Context, Options
from testbench.ladder.rtl import RtlRung
from testbench.regress import write_file
from testbench.regress.digests import code_digest
from testbench.rtl.stalls import random_shares
from zeroskip.pipeliner import KeptStages
from zoo.synthetic import describe

__all__ = ["CASES", "EXPECTED", "Case", "Figures", "RunError", "run"]

EXPECTED = Path(__file__).parent / "whole_rtl.json"
FOLDER = Path("build") / "whole_rtl"
_BOARD = "u250"  # has room for all of them; what fits a ZCU104 is asked elsewhere
_DDR = load_board("zcu104").ddr_bytes_per_clock(alexnet.CLOCK_MHZ)
_STALL_SEED = 1
_SIZES = (
    "networks",
    "zcu104",
    "alexnet",
    "alexnet_zcu104",
    "alexnet_convolver",
    "fc_batches",
    "fc_engine",
    "imagenet",
    "estimate",
)
_CODE = (
    *("generator", "hls_templates", "golden", "rtl", "testbench", "zoo.synthetic"),
    *(f"benchmarks.{each}" for each in _SIZES),
)


class RunError(Exception):
    """The RTL is not what it should be; one sentence."""


@dataclass(frozen=True)
class Case:
    """A network, and the engines that run it.

    Attributes:
        name: for people.
        describe: makes the network.
        sizes: of the engines, or what tells them.
        images: makes the one image, as :class:`generator.BuildOptions` takes it; None: a random one.
    """

    name: str
    describe: Callable[[], golden.Network]
    sizes: BuildOptions | Callable[[], BuildOptions]
    images: Callable[[], npt.NDArray[np.generic]] | None = None

    @property
    def file(self) -> str:
        """A file's name."""
        return self.name.replace(" ", "_").removesuffix("%")


def _cifar(case: networks.Case) -> Case:
    sizes = BuildOptions(architecture=networks.ARCHITECTURE, clock_mhz=networks.CLOCK_MHZ)
    return Case(f"zcu104 {case.name}", partial(describe, case.network, case.variant, 0.0), sizes)


def _convolutions(variant: str, spread: float) -> golden.Network:
    return convolutions(describe("alexnet-without-lrn", variant, spread))


def _eie(layer: fc_engine.EieLayer) -> Case:
    sizes = BuildOptions(architecture=fc_engine.ARCHITECTURE, clock_mhz=fc_engine.CLOCK_MHZ)
    return Case(f"eie {layer.name}", partial(fc_engine.network_of, layer), sizes, partial(fc_engine.image_of, layer))


def _imagenet(case: imagenet.Case) -> Case:
    name = f"{case.network} 224 {case.zeros_percent}%"
    return Case(name, partial(imagenet.describe_case, case), partial(_imagenet_sizes, case))


def _imagenet_sizes(case: imagenet.Case) -> BuildOptions:
    return replace(imagenet.build_options(case), ddr_bytes=_DDR)


_ALEXNET = BuildOptions(pes=alexnet.PES, lanes=64, tile=alexnet.TILE, clock_mhz=alexnet.CLOCK_MHZ)
_ALEXNET_WHOLE = replace(_ALEXNET, map_lanes=alexnet.MAP_LANES, fc_slots=alexnet.FC_SLOTS, ddr_bytes=_DDR)
_BATCH = fc_batches.BATCHES[-1]
_ALEXNET_LRN = partial(describe, "alexnet", "han", 0.25, 4)
CASES = (
    *map(_cifar, networks.CASES),
    Case("alexnet han", _ALEXNET_LRN, _ALEXNET_WHOLE),
    *(
        Case(f"alexnet-convolutions {variant}", partial(_convolutions, variant, spread), _ALEXNET)
        for variant, spread in alexnet_convolver.VARIANTS.items()
    ),
    *(
        Case(f"alexnet zcu104 {engine}", _ALEXNET_LRN, replace(alexnet_zcu104.build_options(engine), ddr_bytes=_DDR))
        for engine in alexnet_zcu104.ENGINES
    ),
    Case(f"alexnet fc batch {_BATCH}", _ALEXNET_LRN, replace(fc_batches.build_options(_BATCH), ddr_bytes=_DDR)),
    *map(_imagenet, imagenet.CASES),
    *map(_eie, fc_engine.LAYERS),
)


class Figures(BaseModel):
    """Of the RTL of one network and one image.

    Attributes:
        network: the case's name.
        cycles: with nothing stalling; of every layer they are the schedule's, or the run fails.
        layers: that the engines ran.
        output_bytes: pixels of all layers' outputs, each compared with golden's.
        stalled_cycles: under random stalls.
        behind_ddr_cycles: of a network whose FC weights are fetched, with the DDR's bandwidth and latency.
    """

    network: str
    cycles: int
    layers: int
    output_bytes: int
    stalled_cycles: int
    behind_ddr_cycles: int | None


def run(case: Case, folder: Path, say: Callable[[str], None] = lambda step: None) -> Figures:
    """Generates, compiles and runs a network.

    Args:
        case: what is run.
        folder: replaced as a whole.
        say: is told of each step as it begins.

    Raises:
        RunError: a word is not golden's, or a layer does not take the clocks that are predicted.
    """
    shutil.rmtree(folder, ignore_errors=True)
    say("generate")
    images = case.images() if case.images else None
    sizes = case.sizes if isinstance(case.sizes, BuildOptions) else case.sizes()
    options = replace(sizes, images=images, random_images=1, pipeliner=KeptStages())
    generate(case.describe(), _BOARD, folder / "build", options)
    context = Context(load_build(folder / "build"), Options(images=1), folder / "work")
    say("compile to SystemVerilog")
    assert context.rtl_design.sources
    say("build the simulation")
    context.rtl.model()
    say("run")
    outcome = RtlRung().check(context)
    if not outcome.passed:
        raise RunError(f"{case.name}: {outcome.detail}")
    say("run under stalls")
    stalled = context.rtl.run([[0]], _STALL_SEED, pauses=random_shares(_STALL_SEED), name="stalled")
    if not stalled.passed:
        raise RunError(f"{case.name}, stalled: {stalled.explanation}")
    late = outcome.figures.get("behind_ddr")
    build = context.build
    return Figures(
        network=case.name,
        cycles=outcome.figures["cycles"][0],  # type: ignore[index]
        layers=len(build.layers),
        output_bytes=sum(layer.output_words for layer in build.layers) * build.lanes,
        stalled_cycles=stalled.runs.runs[0].cycles,
        behind_ddr_cycles=late["cycles"][0] if isinstance(late, dict) else None,
    )


def _job(case: Case, folder: Path, digest: str, say: Callable[[str], None] = lambda step: None) -> Figures:
    """The same, kept; the build and the simulation go, as they take a gigabyte."""
    figures = run(case, folder / case.file, say)
    kept = {"digest": digest, "figures": figures.model_dump()}
    write_file(folder / f"{case.file}.json", json.dumps(kept, indent=1) + "\n")
    shutil.rmtree(folder / case.file)
    return figures


def _kept(case: Case, folder: Path, digest: str) -> Figures | None:
    try:
        kept = json.loads((folder / f"{case.file}.json").read_text())
        return Figures.model_validate(kept["figures"]) if kept["digest"] == digest else None
    except (OSError, ValueError, KeyError, ValidationError):
        return None


def _run_all(cases: Sequence[Case], folder: Path, workers: int) -> list[Figures]:
    """Figures in the cases' order, showing what is done.

    Raises:
        RunError: of the first run that fails; what was done before is kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    digest = code_digest(*_CODE)
    found = {case.name: _kept(case, folder, digest) for case in cases}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(
            "networks", total=len(cases), completed=sum(each is not None for each in found.values())
        )
        missing = [case for case in cases if found[case.name] is None]
        if workers == 1:
            for case in missing:

                def say(step: str, name: str = case.name) -> None:
                    progress.update(task, description=f"{name}: {step}")

                found[case.name] = _job(case, folder, digest, say)
                progress.advance(task)
        else:
            with ProcessPoolExecutor(workers) as pool:
                jobs = {pool.submit(_job, case, folder, digest): case for case in missing}
                for job in as_completed(jobs):
                    found[jobs[job].name] = job.result()
                    progress.update(task, advance=1, description=jobs[job].name)
    return [each for each in found.values() if each is not None]


def _keep_or_compare(found: Sequence[Figures], update: bool) -> int:
    """As `benchmarks.kept`, for some of the networks."""
    kept = {each["network"]: each for each in json.loads(EXPECTED.read_text())} if EXPECTED.exists() else {}
    now = {each.network: each.model_dump() for each in found}
    if update:
        kept |= now
        order = [case.name for case in CASES if case.name in kept]
        EXPECTED.write_text(json.dumps([kept[name] for name in order], indent=1) + "\n")
        return 0
    if wrong := [name for name, each in now.items() if kept.get(name) != each]:
        print(f"{', '.join(wrong)}: figures differ from {EXPECTED.name}; run with --update", file=sys.stderr)
    return 1 if wrong else 0


def _print(found: Sequence[Figures]) -> None:
    table = Table(
        "network", "layers", "bytes equal to golden's", "clocks = schedule's", "fps at 200 MHz", "stalled", "behind DDR"
    )
    for each in found:
        late = each.behind_ddr_cycles
        fps = networks.CLOCK_MHZ * 1e6 / (late or each.cycles)
        table.add_row(
            each.network, f"{each.layers}", f"{each.output_bytes:,}", f"{each.cycles:,}", f"{fps:,.1f}",
            f"{each.stalled_cycles:,}", f"{late:,}" if late else "",
        )  # fmt: skip
    Console(width=120).print(table)


def main(arguments: list[str] | None = None) -> int:
    """Runs and prints; returns 1 when a run fails or its figures are not as expected."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="words in networks' names")
    parser.add_argument("--update", action="store_true", help=f"write the figures to {EXPECTED.name}")
    parser.add_argument("--workers", type=int, default=1, help="networks at a time")
    parser.add_argument("-o", "--output", type=Path, default=FOLDER, help="where outcomes are kept")
    options = parser.parse_args(arguments)
    cases = [each for each in CASES if not options.names or any(name in each.name for name in options.names)]
    if not cases or options.workers < 1:
        known = ", ".join(each.name for each in CASES)
        print("--workers: 1 or more" if cases else f"no network is so named; there are {known}", file=sys.stderr)
        return 2
    try:
        found = _run_all(cases, options.output, options.workers)
    except RunError as error:
        print(error, file=sys.stderr)
        return 1
    _print(found)
    return _keep_or_compare(found, options.update)


if __name__ == "__main__":
    sys.exit(main())
