"""`zeroskip estimate`: a network's cycles, throughput and resources on a board."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

import generator
import golden
from generator.estimates import Estimate
from zeroskip.arrays import load_images
from zeroskip.commands import sizes
from zeroskip.commands.sizes import BatchOption, DdrLatencyOption, EngineOption, FcSums, WeightDepthOption
from zeroskip.console import JsonOption, print_json, print_table, working
from zeroskip.pipeliner import KeptStages

__all__ = ["estimate"]


def estimate(
    description: Annotated[Path, typer.Argument(metavar="DESC", help="Model description (JSON).")],
    board: Annotated[str, typer.Option(help="Board name, or a board file (.json).")],
    clock: Annotated[float | None, typer.Option(help="MHz; the board's by default.")] = None,
    pes: Annotated[int | None, typer.Option(help="PEs of the convolver; searched for by default.")] = None,
    tile: Annotated[int | None, typer.Option(help="Multipliers of a PE; searched for by default.")] = None,
    pe_outputs: Annotated[int, typer.Option(help="Output channels that a PE computes side by side: 1, 2 or 4.")] = 1,
    fc_pes: Annotated[int | None, typer.Option(help="PEs of the FC engine; searched for by default.")] = None,
    map_lanes: Annotated[int | None, typer.Option(help="Lanes of the map engine; searched for by default.")] = None,
    fc_slots: Annotated[
        int | None,
        typer.Option(help="Slots of the streamed FC engine, 0 for PEs that hold the weights; searched for by default."),
    ] = None,
    fc_rows_at_once: Annotated[int | None, sizes.FC_ROWS_AT_ONCE] = None,
    fc_sums: Annotated[FcSums | None, sizes.FC_SUMS] = None,
    fc_batch: BatchOption = 1,
    ddr_latency: DdrLatencyOption = 100,
    map_words: Annotated[
        int | None,
        typer.Option(help="Most feature words of a map in a PE; larger maps come in strips. What fits by default."),
    ] = None,
    weight_depth: WeightDepthOption = None,
    engine: EngineOption = None,
    images: Annotated[Path | None, typer.Option(help="Stimuli (.npy), of which the first counts.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a network does on a board: exact cycles of every layer, images a second, bytes moved, resources.

    Sizes that are not given are those with the most images a second within the board's resources. Where these have no
    room for the defaults of --weight-depth, --fc-rows-at-once or --fc-sums, less is taken, and the title says so.
    """
    network = golden.load(description)
    options = generator.EstimateOptions(
        pes, tile, fc_pes, map_lanes, clock, pipeliner=KeptStages(), fc_slots=fc_slots, ddr_latency=ddr_latency,
        pe_outputs=pe_outputs, map_words=map_words, engine=engine, weight_depth=weight_depth,
        fc_rows_at_once=fc_rows_at_once, fc_sums=fc_sums, fc_batch=fc_batch,
    )  # fmt: skip
    if images is not None:
        options = replace(options, images=load_images(images, network), image_source=images.name)
    with working(f"estimating {network.name}"):
        found = generator.estimate(network, board, options)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _print(found)


def _print(found: Estimate) -> None:
    columns = ["layer", "engine", "cycles", "fps", "utilisation %", "weights KB", "in KB", "out KB", "dense cycles >="]
    rows = [
        [
            layer.name, layer.engine, layer.cycles, layer.fps, 100 * layer.utilisation, layer.weight_bytes / 1000,
            layer.input_bytes / 1000, layer.output_bytes / 1000, layer.dense_cycles,
        ]
        for layer in found.layers
    ]  # fmt: skip
    a = found.architecture
    if a.fc_slots:
        columns[-1:-1] = ["columns KB", "clocks for DDR"]
        for row, layer in zip(rows, found.layers, strict=True):
            row[-1:-1] = [layer.column_bytes / 1000, layer.ddr_clocks]
    if any(layer.strips > 1 for layer in found.layers):
        columns[2:2] = ["strips"]
        for row, layer in zip(rows, found.layers, strict=True):
            row[2:2] = [layer.strips]
    side_by_side = f" x {a.pe_outputs} output channels" if a.pe_outputs > 1 else ""
    parts = [f"{a.pes} PEs x {a.tile} of {a.lanes} lanes{side_by_side}"] if a.pes else []
    parts += [f"{a.fc_slots} slots of the streamed FC engine"] if a.fc_slots else []
    parts += [f"{a.fc_pes} FC PEs"] if a.fc_pes and not a.fc_slots else []
    parts += [f"{a.map_lanes} lanes of the map engine"] if a.map_lanes > 1 else []
    parts += [f"--{name.replace('_', '-')} {value}" for name, value in found.taken.items()]
    how = "chosen" if found.chosen else "as given"
    print_table(f"{found.network} on {found.board}, {found.clock_mhz:g} MHz: {', '.join(parts)} ({how})", columns, rows)
    names = {"luts": "LUT", "flip_flops": "FF", "dsps": "DSP", "bram36": "block RAM", "uram": "UltraRAM"}
    shares = [[name, getattr(found.resources, key), getattr(found.available, key)] for key, name in names.items()]
    table = [[name, used, there, f"{100 * used / there:.1f}" if there else ""] for name, used, there in shares]
    print_table("resources, estimated", ["resource", "used", "there", "%"], table)
    slow = [layer.name for layer in found.layers if layer.ddr_bound]
    typer.echo(
        f"{found.cycles:,} cycles an image, {found.utilisation:.1%} of the multipliers' cycles useful; "
        f"{found.fps:,.1f} images a second. No weight zero: {found.dense_cycles:,} cycles or more, "
        f"{found.dense_cycles / found.cycles:.2f} times as many."
    )
    typer.echo(
        f"{found.bytes_moved / 1e6:,.2f} MB an image, {found.ddr_gb_per_s:.2f} GB/s of the "
        f"{found.ddr_share_gb_per_s:.2f} that the DDR is taken to give"
        + (f"; it bounds {', '.join(slow)}." if slow else ".")
    )
    if added := sum(layer.strip_bytes for layer in found.layers):
        typer.echo(
            f"Maps of more than {a.map_words:,} words come in groups or strips, which adds {added / 1e6:,.2f} MB of "
            "that: rows at strips' boundaries, and strips' weights once more."
        )
    if a.fc_slots:
        typer.echo(
            f"Columns are fetched from that DDR after {found.ddr_latency} clocks, which adds "
            f"{found.ddr_clocks:,} clocks: {found.cycles + found.ddr_clocks:,} in all."
        )
