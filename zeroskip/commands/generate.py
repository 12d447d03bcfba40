"""`zeroskip generate`: a description to an HLS project."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

import generator
import golden
import rtl
from generator.manifest import Manifest
from zeroskip.arrays import load_images
from zeroskip.commands import sizes
from zeroskip.commands.sizes import BatchOption, DdrLatencyOption, EngineOption, FcSums, WeightDepthOption
from zeroskip.console import JsonOption, print_json, working
from zeroskip.pipeliner import Pipeliner

__all__ = ["generate"]


def generate(
    description: Annotated[Path, typer.Argument(metavar="DESC", help="Model description (JSON).")],
    board: Annotated[str, typer.Option(help="Board name, or a board file (.json).")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="BUILD", help="Build folder.")],
    images: Annotated[Path | None, typer.Option(help="Stimuli: .npy; random ones by default.")] = None,
    clock: Annotated[float | None, typer.Option(help="MHz; the board's by default.")] = None,
    pes: Annotated[int, typer.Option(help="PEs of the convolver.")] = 8,
    lanes: Annotated[int, typer.Option(help="Pixels in a feature word, a power of two.")] = 16,
    tile: Annotated[int | None, typer.Option(help="Multipliers of a PE; as many as lanes by default.")] = None,
    pe_outputs: Annotated[
        int, typer.Option(help="Output channels that a PE computes side by side, each with its multipliers: 1, 2 or 4.")
    ] = 1,
    map_words: Annotated[
        int | None,
        typer.Option(
            help="Most feature words of a map in a PE; larger maps come in strips. All of each map by default."
        ),
    ] = None,
    fc_pes: Annotated[int, typer.Option(help="PEs of the FC engine.")] = 8,
    map_lanes: Annotated[int, typer.Option(help="Columns that the map engine works on at once.")] = 1,
    fc_slots: Annotated[
        int,
        typer.Option(
            help="Weights of FC layers stay in DDR; entries of a word that is fetched. 0: they lie in the PEs."
        ),
    ] = 0,
    fc_rows_at_once: Annotated[int, sizes.FC_ROWS_AT_ONCE] = generator.BuildOptions.fc_rows_at_once,
    fc_sums: Annotated[FcSums, sizes.FC_SUMS] = "bram",
    fc_batch: BatchOption = 1,
    weight_depth: WeightDepthOption = None,
    engine: EngineOption = None,
    ddr_bytes: Annotated[
        float | None, typer.Option(help="Bytes a clock from DDR, with --fc-slots; 80 % of the board's by default.")
    ] = None,
    ddr_latency: DdrLatencyOption = 100,
    relaxed: Annotated[
        bool, typer.Option("--relaxed", help="Exit code 0 even when a PIPELINE loop misses its II or the clock.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a Vitis HLS project for a board: C++, test benches, vectors, Tcl, manifest."""
    network = golden.load(description)
    stimuli = None if images is None else load_images(images, network)
    pipeliner = Pipeliner()
    options = generator.BuildOptions(
        pes=pes, lanes=lanes, tile=tile, fc_pes=fc_pes, map_words=map_words, map_lanes=map_lanes, fc_slots=fc_slots,
        pe_outputs=pe_outputs, clock_mhz=clock, images=stimuli, pipeliner=pipeliner,
        ddr_bytes=ddr_bytes, ddr_latency=ddr_latency, engine=engine, weight_depth=weight_depth,
        fc_rows_at_once=fc_rows_at_once, fc_sums=fc_sums, fc_batch=fc_batch,
    )  # fmt: skip
    if images is not None:
        options = replace(options, image_source=images.name)
    with working(f"generating {output}"):
        manifest = generator.generate(network, board, output, options)
    timing = pipeliner.reports[-1]
    _print(output, manifest, timing, as_json)
    for miss in timing.misses:
        typer.echo(miss, err=True)
    if timing.misses and not relaxed:
        raise typer.Exit(1)


def _print(output: Path, manifest: Manifest, timing: rtl.Report, as_json: bool) -> None:
    cycles, count = sum(manifest.predictions.layer_cycles[0]), len(manifest.layers)
    layers = len({(run.name, run.engine) for run in manifest.layers})
    if as_json:
        figures = {"clock_mhz": timing.clock_mhz, "reached_mhz": timing.reached_mhz, "misses": timing.misses}
        document = {"build": str(output), "layers": layers, "runs": count, "cycles": cycles}
        print_json(document | {"timing": figures})
        return
    runs = f"{layers} layers" + (f" in {count} runs" if layers < count else "")
    typer.echo(f"{output}: {runs}, {cycles:,} cycles for the first image as scheduled.")
    typer.echo(f"{timing.summary()}.")
