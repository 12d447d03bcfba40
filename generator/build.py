"""`generate`: a network description to a complete, reproducible HLS project."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError
from safetensors.numpy import save_file

import golden
from generator import layouts
from generator.architecture import Architecture, process_network
from generator.boards import Board, load_board
from generator.emit import TOP, emit_project, version
from generator.layers import FeatureLayout
from generator.manifest import (
    BehindDdr,
    DescriptionFiles,
    LayerEntry,
    LayoutEntry,
    Manifest,
    Port,
    Predictions,
    Vectors,
    WeightStream,
)
from generator.plan import plan_network
from generator.resources import fitting_map_words
from generator.schedule import (
    Buffers,
    ColumnFormat,
    ConvolverSchedule,
    Engine,
    FcSchedule,
    FcStreamSchedule,
    MapSchedule,
    Schedule,
    column_entries,
    column_format,
    engine_of,
    map_sizes,
    streamed_sizes,
)
from generator.strips import MapMemory
from generator.timing import Ddr, Prediction, predict_each
from golden.description import LinearLayer
from golden.names import INPUT_NAME

__all__ = [
    "BuildError",
    "BuildOptions",
    "buffers",
    "check_batch",
    "check_streamed",
    "fit_architecture",
    "format_columns",
    "generate",
    "on_stream",
    "scheduled",
    "stimuli",
    "useful_macs",
]

Bytes = npt.NDArray[np.uint8]

_OWN_ENTRIES = {"manifest.json", "hls", "csim", "tcl", "vectors", "description", "work", "reports"}


class BuildError(ValueError):
    """A build cannot be made; one sentence. Nothing has been written."""


@dataclass(frozen=True)
class BuildOptions:
    """What the user may choose.

    Attributes:
        pes, lanes, fc_pes: sizes of the engines; an engine without work is left out.
        pe_outputs: output channels that a PE of the convolver computes side by side: 1, 2 or 4.
        tile: positions that a PE of the convolver computes at once, its multipliers; None: `lanes`. With some pixels
            fewer than `lanes` the maps need fewer, wider banks.
        map_words: feature words of maps that a PE of the convolver has room for at most; larger maps come in strips of
            rows. None: as many as the largest map has, and a PE can address.
        weight_depth: weight words that wait in front of a PE of the convolver at most; layers in which more would have
            to, while the map is loaded, load it first. None: 128.
        map_lanes: columns that the map engine works on at once, a divisor of `lanes`.
        fc_slots: entries of a column word of the streamed FC engine, whose weights stay in DDR; 0: `fc_pes` hold them.
        fc_rows_at_once: rows that the streamed FC engine hands over, adds up and requantises in a clock: 1, 2, 4 or 8.
            Fewer take fewer LUTs and DSP slices, and more clocks at the end of a layer and before the next.
        fc_sums: "bram" or "uram", where the streamed FC engine's sums lie.
        fc_batch: images that the streamed FC engine works on together, so that a column comes once for all of them; for
            `engine` "fc" alone, as the other engines take image after image.
        engine: layers of this engine alone, for accelerators side by side whose engines work on different images; None
            takes all. The sizes of the others say how maps lie in memory, and should be those of their builds.
        architecture: a given accelerator instead of one fitted to the network (then the sizes above do not count): one
            bitstream runs every network that fits it.
        clock_mhz: None takes the board's.
        ddr_bytes: a clock, that the DDR is taken to deliver to the streamed FC engine; None takes the board's, at the
            share that is taken to be there.
        ddr_latency: clocks from a request for columns to its first word.
        images: stimuli, uint8 or int8 [n, channels, height, width]; None draws `random_images` at random (seed 0).
        image_source: what the manifest says of the images' origin.
        predicted_images: for how many of the images cycles are predicted.
        pipeliner: what tells how a compiler pipelines the C++, so that the predicted cycles are those of its hardware:
            takes the folder of the C++, the top function's name and the clock in MHz, gives per stream the stage of
            the producer in which it is written and that of the consumer in which it is read, and what else the
            manifest's `stream_stages` says. None: a step a clock.
    """

    pes: int = 8
    lanes: int = 16
    tile: int | None = None
    pe_outputs: int = 1
    fc_pes: int = 8
    map_words: int | None = None
    weight_depth: int | None = None
    map_lanes: int = 1
    fc_slots: int = 0
    fc_rows_at_once: int = layouts.BIASES_PER_WORD
    fc_sums: str = "bram"
    fc_batch: int = 1
    engine: Engine | None = None
    architecture: Architecture | None = None
    clock_mhz: float | None = None
    ddr_bytes: float | None = None
    ddr_latency: int = 100
    images: npt.NDArray[np.generic] | None = None
    image_source: str = "random, seed 0"
    random_images: int = 4
    predicted_images: int = 10
    pipeliner: Callable[[Path, str, float], Mapping[str, tuple[int, int]]] | None = None


@dataclass
class _Build:
    network: golden.Network
    board: Board
    clock_mhz: float
    architecture: Architecture
    schedules: Sequence[Schedule]
    images: npt.NDArray[np.generic]
    image_source: str
    ddr: Ddr
    # Per layer the bytes on features_in and on features_out: uint8 [images, or batches of them, words * lanes] each.
    features: list[tuple[Bytes, Bytes]] = field(default_factory=list)


def _power_of_two(value: int) -> int:
    return 1 << max(value - 1, 1).bit_length()


def _longest_packet(schedule: ConvolverSchedule) -> int:
    return 1 + max(len(packet.content) for packet in schedule.packets)


def _largest_map(schedules: Sequence[Schedule], lanes: int) -> int:
    """Feature words of the largest input map of a convolution."""
    return max((s.layer.input.words(lanes) for s in schedules if isinstance(s, ConvolverSchedule)), default=2)


def buffers(weight_depth: int | None) -> Buffers:
    """Room beside PEs that are yet to be made, of so many weight words; None: as many as there are by default."""
    return Buffers(weight_depth or Buffers.weights, given=False)


def fit_architecture(schedules: Sequence[Schedule], options: BuildOptions) -> Architecture:
    """The smallest memories that hold every layer, engines of the sizes asked for."""
    lanes = options.lanes
    convolver = [s for s in schedules if isinstance(s, ConvolverSchedule)]
    fc = [s for s in schedules if isinstance(s, FcSchedule)]
    streamed = [s for s in schedules if isinstance(s, FcStreamSchedule)]
    any_fc: list[FcSchedule | FcStreamSchedule] = [*fc, *streamed]
    maps = [(s.layer, s.strips) for s in schedules if isinstance(s, MapSchedule)]
    channel_words = max((s.output.channel_words(lanes) for s in convolver), default=1)
    most_waiting = options.weight_depth or Buffers.weights
    return Architecture(
        lanes=lanes,
        tile=options.tile or lanes,
        pes=options.pes if convolver else 0,
        pe_outputs=options.pe_outputs if convolver else 1,
        fc_pes=options.fc_pes if fc else 1 if streamed else 0,
        map_words=fitting_map_words(_largest_map(schedules, lanes), lanes, options.tile or lanes),
        max_entries=max((packet.entries for s in convolver for packet in s.packets), default=1),
        mask_words=max((max(2, *s.mask_words) for s in convolver), default=2),
        max_columns=max((s.layer.pooled_width for s in convolver), default=1),
        sum_bits=max((max(18, s.layer.sum_bits) for s in convolver), default=18),
        additions=any(s.layer.add is not None for s in convolver),
        averages=any(s.layer.pool.average for s in convolver),
        pointer_words=max((packet.pointer_words for s in any_fc for packet in s.packets), default=1),
        entry_words=max((packet.entry_words for s in fc for packet in s.packets), default=1) or 1,
        fc_rows=max((s.rows_per_pe for s in any_fc), default=1),
        **streamed_sizes(
            streamed[0].form if streamed else None,
            [len(s.columns) for s in streamed],
            options.fc_rows_at_once,
            options.fc_sums,
            options.fc_batch,
        ),  # fmt: skip
        # Weights wait while the channel, or the layer, before is computed; decoded ones bridge the starts of kernels.
        weight_depth=_power_of_two(
            max((max(s.waiting.weights, min(_longest_packet(s), most_waiting)) for s in convolver), default=1)
        ),
        entry_depth=min(_power_of_two(max((p.entries for s in convolver for p in s.packets), default=8) // 4), 256),
        output_depth=_power_of_two(max((max(s.waiting.outputs, min(channel_words, 64)) for s in convolver), default=1)),
        **map_sizes(maps, options.map_lanes),
    )


def format_columns(network: golden.Network, slots: int) -> ColumnFormat:
    """The smallest format of column words of `slots` entries that holds all linear layers of `network`."""
    linear = [layer.name for layer in network.layers if isinstance(layer, LinearLayer)]
    return column_format(slots, [column_entries(network.weights(name)) for name in linear])


def _check_fit(needed: Architecture, given: Architecture) -> None:
    for name in Architecture.model_fields:
        free = name in ("lanes", "tile", "pe_outputs") or name.endswith("_depth")
        if not free and getattr(needed, name) > getattr(given, name):
            raise BuildError(
                f"architecture: field '{name}': the network needs {getattr(needed, name)}, there are only "
                f"{getattr(given, name)}"
            )


def _check_board(architecture: Architecture, board: Board) -> None:
    # One multiplier a lane, and one in each requantisation unit.
    dsps = architecture.convolver_multipliers + architecture.posts * 2
    streamed = architecture.fc_slots * architecture.fc_batch + architecture.fc_rows_at_once
    dsps += streamed if architecture.fc_slots else architecture.fc_pes * 2
    if architecture.map_columns:
        dsps += architecture.map_lanes * (architecture.normalised_channels + 1) + 1
    if dsps > board.dsps:
        raise BuildError(
            f"board '{board.name}' is {dsps - board.dsps} DSP slices short ({dsps} needed, {board.dsps} there): "
            "use fewer PEs, lanes or a smaller tile"
        )
    blocks = board.bram36 * 36 * 1024 + board.uram * 288 * 1024
    bits = architecture.pes * architecture.map_words * architecture.lanes * 8
    bits += architecture.fc_pes * (architecture.entry_words + architecture.pointer_words) * layouts.WEIGHT_BITS
    bits += architecture.fc_slots * architecture.fc_rows * 32 * architecture.fc_batch
    bits += architecture.table_words * layouts.WEIGHT_BITS if architecture.map_columns else 0
    if bits > blocks:
        raise BuildError(
            f"board '{board.name}' is {(bits - blocks) // 1024} Kbit of block memory short for the feature maps and FC "
            "weights: use fewer PEs or smaller map_words"
        )


def check_batch(batch: int, alone: bool) -> None:
    """Refuses batches where there is more than the streamed FC engine.

    Raises:
        BuildError: naming the field.
    """
    if batch > 1 and not alone:
        raise BuildError(
            f"architecture: field 'fc_batch': {batch} images go together through the streamed FC engine alone; give "
            "fc_slots and engine fc, too"
        )


def check_streamed(rows_at_once: int, sums: str, streamed: bool) -> None:
    """Refuses what the streamed FC engine cannot be, or what says how it is where there is none.

    Args:
        rows_at_once, sums: the fields `fc_rows_at_once` and `fc_sums`.
        streamed: whether FC layers may run on it.

    Raises:
        BuildError: naming the field.
    """
    fields = (
        ("fc_rows_at_once", rows_at_once, (BuildOptions.fc_rows_at_once, 1, 2, 4), "1, 2, 4 or 8"),
        ("fc_sums", sums, (BuildOptions.fc_sums, "uram"), "bram or uram"),
    )
    for name, value, possible, names in fields:
        if value not in possible:
            raise BuildError(f"architecture: field '{name}': must be {names}, not {value}")
        if value != possible[0] and not streamed:
            raise BuildError(f"architecture: field '{name}': is the streamed FC engine's; give fc_slots, too")


def _prepare(network: golden.Network, board_name: str, options: BuildOptions) -> _Build:
    board = load_board(board_name)
    clock = board.clock_mhz if options.clock_mhz is None else options.clock_mhz
    if not clock > 0:
        raise BuildError(f"clock: must be positive, not {clock} MHz")
    ddr_bytes = board.ddr_bytes_per_clock(clock) if options.ddr_bytes is None else options.ddr_bytes
    if ddr_bytes < 0.001 or options.ddr_latency < 0:
        raise BuildError(f"ddr: {ddr_bytes} bytes a clock after {options.ddr_latency} clocks is no memory")
    schedules, architecture = scheduled(network, options)
    _check_board(architecture, board)
    ddr = Ddr(options.ddr_latency, ddr_bytes)
    images = stimuli(network, replace(options, fc_batch=architecture.fc_batch))
    return _Build(network, board, clock, architecture, schedules, images, options.image_source, ddr)


def scheduled(network: golden.Network, options: BuildOptions) -> tuple[list[Schedule], Architecture]:
    """Every layer's schedule on the given accelerator, or on one of the given sizes that is fitted to them.

    Raises:
        BuildError: a size that cannot be, or a given accelerator that the network does not fit.
        EngineError: a layer that no engine can run.
    """
    given = options.architecture
    if given:
        # An engine that is left out gets one PE for planning; the check of the fit then says what is missing.
        options = replace(
            options, pes=max(given.pes, 1), lanes=given.lanes, tile=given.tile, fc_pes=max(given.fc_pes, 1),
            map_lanes=given.map_lanes, fc_slots=given.fc_slots, fc_rows_at_once=given.fc_rows_at_once,
            fc_sums=given.fc_sums, pe_outputs=given.pe_outputs, fc_batch=given.fc_batch,
            engine="fc" if given.fc_batch > 1 else options.engine,
        )  # fmt: skip
    for name in ("pes", "lanes", "tile", "pe_outputs", "fc_pes", "map_lanes", "map_words", "weight_depth", "fc_batch"):
        if (value := getattr(options, name)) is not None and value < 1:
            raise BuildError(f"architecture: field '{name}': must be 1 or more, not {value}")
    check_streamed(options.fc_rows_at_once, options.fc_sums, options.fc_slots > 0)
    check_batch(options.fc_batch, options.fc_slots > 0 and options.engine == "fc")
    try:
        columns = None
        if given and given.fc_slots:
            columns = ColumnFormat(given.fc_slots, given.fc_value_bits, given.fc_gap_bits)
        elif options.fc_slots:
            columns = format_columns(network, options.fc_slots)
        schedules = plan_network(
            network,
            options.pes,
            options.lanes,
            options.fc_pes,
            given.fc_rows if given else None,
            options.tile,
            Buffers(given.weight_depth, given.output_depth) if given else buffers(options.weight_depth),
            (options.map_lanes, given.map_stride if given else None),
            columns,
            options.pe_outputs,
            _map_memory(options),
            options.engine,
            options.fc_batch,
        )
        architecture = fit_architecture(schedules, options)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "sizes"
        raise BuildError(f"architecture: field '{name}': {first['msg']}") from error
    if given:
        # Of a map's memory as much as the map itself; more only rounds it up.
        largest = max(2, _largest_map(schedules, given.lanes))
        _check_fit(architecture.model_copy(update={"map_words": largest}), given)
        architecture = given
    return schedules, architecture


def _map_memory(options: BuildOptions) -> MapMemory:
    given = options.architecture
    return MapMemory(given.map_words, given.mask_words) if given else MapMemory(options.map_words or 65536)


def stimuli(network: golden.Network, options: BuildOptions) -> npt.NDArray[np.generic]:
    """The images that a build is made with: the options', or random ones.

    Raises:
        BuildError: the given ones are not what the network takes.
    """
    source = network.description.input
    if options.images is None:
        low, high = (-128, 128) if source.dtype == "int8" else (0, 256)
        whole = -(-options.random_images // options.fc_batch) * options.fc_batch
        random = np.random.default_rng(0).integers(low, high, (whole, *source.shape))
        return random.astype(source.dtype)
    if options.images.shape[1:] != source.shape or options.images.dtype != source.dtype or not len(options.images):
        raise BuildError(
            f"images: {options.image_source} holds {options.images.dtype} {list(options.images.shape)}, the network "
            f"'{network.description.name}' takes {source.dtype} [n, {', '.join(map(str, source.shape))}]"
        )
    if len(options.images) % options.fc_batch:
        raise BuildError(
            f"images: {options.image_source} holds {len(options.images)}, which are no whole batches of "
            f"{options.fc_batch}"
        )
    return options.images


def on_stream(values: npt.NDArray[np.generic], layout: FeatureLayout, lanes: int) -> Bytes:
    """Maps [n * batch, ...] as bytes in stream order, fillings zero: uint8 [n, words * lanes]."""
    positions = layout.positions(lanes)
    flat = values.reshape(len(values), -1).astype(np.int64).astype(np.uint8)
    stream = np.zeros((len(values), positions.size), dtype=np.uint8)
    stream[:, positions >= 0] = flat[:, positions[positions >= 0]]
    places = stream.reshape(-1, layout.batch, positions.size // lanes, lanes)
    return places.swapaxes(1, 2).reshape(len(places), -1)


def _run_golden(build: _Build) -> None:
    """Fills `build.features`: what crosses the feature ports in each layer, from golden's tensors."""
    lanes = build.architecture.lanes
    tensors = {INPUT_NAME: build.images} | dict(golden.run(build.network, build.images, keep="all"))
    for schedule in build.schedules:
        maps = [on_stream(tensors[name], layout, lanes) for name, layout in schedule.inputs]
        output = on_stream(tensors[schedule.layer.target], schedule.output, lanes)
        build.features.append((np.concatenate(maps, axis=1), output))


def _weight_words(schedule: Schedule) -> Bytes:
    head = layouts.words_from_integer(schedule.descriptor, layouts.DESCRIPTOR_WORDS)
    return np.concatenate([head, schedule.rounds.words])


def _layer_line(schedule: Schedule, lanes: int) -> str:
    """What the C test benches know of a run (csim/vectors.h says in which order)."""
    output = schedule.output
    numbers = (
        layouts.DESCRIPTOR_WORDS + len(schedule.rounds.words),
        schedule.feature_words(lanes),
        output.words(lanes),
        _column_words(schedule),
        output.batch,
        output.band[0] if output.band else 0,
        output.width,
        output.channel_words(lanes),
        output.channels,
        *output.channel_numbers,
    )
    return " ".join([schedule.layer.target, *map(str, numbers)]) + "\n"


def _column_words(schedule: Schedule) -> int:
    return len(schedule.columns) if isinstance(schedule, FcStreamSchedule) else 0


def _requests(build: _Build) -> Bytes:
    """Per image, or batch, and layer the number of requests for columns, then the requests, in a request's bytes."""
    request = layouts.request_layout(build.architecture.fc_base_bits)
    parts = []
    for image in range(len(build.features[0][0])):
        for schedule, (features, _) in zip(build.schedules, build.features, strict=True):
            words = np.zeros(0, dtype=np.int64)
            if isinstance(schedule, FcStreamSchedule):
                first, count = schedule.requests(features[image].astype(np.int64), build.architecture.lanes).T
                words = request.pack_many(first=first, count=count)
            parts.append(np.r_[words.size, words])
    return np.concatenate(parts).astype("<u8").view(np.uint8).reshape(-1, 8)[:, : request.bits // 8]


def _write_vectors(build: _Build, folder: Path) -> None:
    folder.mkdir()
    if build.architecture.fc_slots:
        streamed = [each for each in build.schedules if isinstance(each, FcStreamSchedule)]
        np.concatenate([each.columns for each in streamed]).tofile(folder / "columns.bin")
        _requests(build).tofile(folder / "requests.bin")
    np.concatenate([_weight_words(schedule) for schedule in build.schedules]).tofile(folder / "weights.bin")
    np.concatenate([part for pair in build.features for part in pair], axis=1).tofile(folder / "images.bin")
    (folder / "layers.txt").write_text("".join(_layer_line(s, build.architecture.lanes) for s in build.schedules))
    save_file({"images": np.ascontiguousarray(build.images)}, folder / "images.safetensors")


def _predictions(build: _Build, count: int, stages: Mapping[str, tuple[int, int]] | None) -> Predictions:
    results: list[Prediction] = []
    late: list[tuple[int, ...]] = []
    macs: list[tuple[int, ...]] = []
    for image in range(min(count, len(build.features[0][0]))):
        on_port = [features[image].astype(np.int64) for features, _ in build.features]
        activations = {s.layer.name: on_port[number] for number, s in enumerate(build.schedules)}
        memories = [Ddr(), build.ddr] if build.architecture.fc_slots else [Ddr()]
        at_once, *behind = predict_each(build.architecture, build.schedules, activations, stages, memories)
        results.append(at_once)
        late += [each.layer_cycles for each in behind]
        macs.append(tuple(useful_macs(s, on_port[n], build.architecture.lanes) for n, s in enumerate(build.schedules)))
    high_water = {name: max(r.high_water[name] for r in results) for name in (results[0].high_water if results else {})}
    return Predictions(
        layer_cycles=tuple(r.layer_cycles for r in results),
        macs=tuple(macs),
        high_water=high_water,
        fetched_words=tuple(r.fetched_words for r in results),
        behind_ddr=_behind_ddr(build.ddr, late) if late else None,
    )


def _behind_ddr(ddr: Ddr, layer_cycles: Sequence[tuple[int, ...]]) -> BehindDdr:
    assert ddr.bytes_per_clock is not None
    return BehindDdr(bytes_per_clock=ddr.bytes_per_clock, latency=ddr.latency, layer_cycles=tuple(layer_cycles))


def useful_macs(schedule: Schedule, on_port: npt.NDArray[np.int64], lanes: int) -> int:
    """Multiplications of an image, or a batch, with weights that are not zero, on the FC engine with such activations.

    Args:
        on_port: the layer's input as it comes on the stream: int [words * lanes].
    """
    if isinstance(schedule, ConvolverSchedule):
        return schedule.layer.macs
    if isinstance(schedule, MapSchedule):
        return 0
    positions = schedule.layer.input.positions(lanes)
    images = on_port.reshape(positions.size // lanes, -1, lanes).swapaxes(0, 1).reshape(-1, positions.size)
    weights = np.count_nonzero(schedule.layer.weights, axis=0)
    return sum(int(weights[positions[image != 0]].sum()) for image in images)


def _layout_entry(tensor: str, layout: FeatureLayout, lanes: int) -> LayoutEntry:
    return LayoutEntry(
        tensor=tensor,
        channel_order=layout.channel_numbers,
        height=layout.height,
        width=layout.width,
        signed=layout.signed,
        channel_words=layout.channel_words(lanes),
        phases=layout.whole[0] if layout.whole else 1,
        first_row=layout.band[0] if layout.band else 0,
        map_height=layout.map_height,
        map_channels=layout.map_channels,
        left=layout.left,
        right=layout.right,
        batch=layout.batch,
    )


def _layer_entry(schedule: Schedule, architecture: Architecture) -> LayerEntry:
    layer = schedule.layer
    engine = engine_of(schedule)
    multipliers = {"convolver": architecture.convolver_multipliers, "fc": architecture.fc_multipliers, "map": 0}
    return LayerEntry(
        name=layer.name,
        engine=engine,
        weight_words=len(_weight_words(schedule)),
        input_words=schedule.feature_words(architecture.lanes),
        output_words=schedule.output.words(architecture.lanes),
        column_words=_column_words(schedule),
        inputs=tuple(_layout_entry(name, layout, architecture.lanes) for name, layout in schedule.inputs),
        output=_layout_entry(layer.target, schedule.output, architecture.lanes),
        macs=layer.macs * schedule.output.batch,
        dense_macs=layer.dense_macs * schedule.output.batch,
        multipliers=multipliers[engine],
    )


def _weight_stream(architecture: Architecture) -> WeightStream:
    return WeightStream(
        word_bits=layouts.WEIGHT_BITS,
        descriptor_words=layouts.DESCRIPTOR_WORDS,
        unit_bits=layouts.UNIT_BITS,
        pointer_bits=layouts.POINTER_BITS,
        pointers_per_word=layouts.POINTERS_PER_WORD,
        layouts={
            layout.name: {name: (field.low, field.bits) for name, field in layout.fields.items()}
            for layout in (*layouts.STREAM_LAYOUTS, layouts.request_layout(architecture.fc_base_bits))
        },
    )


def _port(name: str, architecture: Architecture) -> Port:
    bits = {
        "weights_in": layouts.WEIGHT_BITS,
        "columns_in": architecture.column_bits,
        "requests_out": layouts.request_layout(architecture.fc_base_bits).bits,
    }
    return Port(
        name=name, direction="in" if name.endswith("_in") else "out", bits=bits.get(name, 8 * architecture.lanes)
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _manifest(
    build: _Build, folder: Path, predictions: Predictions, stages: Mapping[str, tuple[int, int]] | None
) -> Manifest:
    name = build.network.description.name
    description = f"description/{name}.json"
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    streams = process_network(build.architecture)
    fifos = streams.fifo_names()
    return Manifest(
        generator=version(),
        network=name,
        description=DescriptionFiles(file=description, sha256=_digest(folder / description)),
        board=build.board.name,
        clock_mhz=build.clock_mhz,
        architecture=build.architecture,
        top=TOP,
        ports=tuple(_port(name, build.architecture) for name in streams.ports),
        stream_depths={fifos[name]: depth for name, depth in streams.depths().items()},
        stream_stages=None if stages is None else dict(stages),
        weight_stream=_weight_stream(build.architecture),
        layers=tuple(_layer_entry(schedule, build.architecture) for schedule in build.schedules),
        vectors=Vectors(images=len(build.features[0][0]), source=build.image_source),
        predictions=predictions,
        files={str(path.relative_to(folder)): _digest(path) for path in files},
    )


def check_output(output: Path) -> None:
    """Refuses an output path that holds something other than an earlier build.

    Raises:
        BuildError: naming what is in the way.
    """
    if not output.exists():
        return
    if not output.is_dir():
        raise BuildError(f"output {output}: is a file, not a folder")
    entries = {path.name for path in output.iterdir()}
    try:
        ours = json.loads((output / "manifest.json").read_text()).get("format") == "zeroskip-build"
    except (OSError, ValueError, AttributeError):
        ours = not entries
    foreign = sorted(entries - _OWN_ENTRIES) if ours else sorted(entries)
    if foreign:
        raise BuildError(f"output {output}: holds '{foreign[0]}', which no build made; give another folder")


def _replace(output: Path, finished: Path) -> None:
    """Puts the folder `finished` in the place of `output`, whose old content goes last."""
    old = output.with_name(f".{output.name}-old-{os.getpid()}")
    if output.exists():
        os.replace(output, old)
    os.replace(finished, output)
    shutil.rmtree(old, ignore_errors=True)


def generate(network: golden.Network, board: str, output: Path, options: BuildOptions | None = None) -> Manifest:
    """Makes the build folder `output` (an earlier build there is replaced) and returns its manifest.

    The build is made in a temporary folder beside `output` and renamed when it is complete. Equal arguments give equal
    bytes.

    Raises:
        BuildError, EngineError, BoardError: with one sentence; nothing has been written.
    """
    options = options or BuildOptions()
    check_output(output)
    build = _prepare(network, board, options)
    _run_golden(build)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
    except OSError as error:
        raise BuildError(f"output {output}: {error.strerror}") from error
    try:
        emit_project(temporary, build.architecture, build.board, build.clock_mhz)
        stages = options.pipeliner(temporary / "hls", TOP, build.clock_mhz) if options.pipeliner else None
        predictions = _predictions(build, options.predicted_images, stages)
        _write_vectors(build, temporary / "vectors")
        (temporary / "description").mkdir()
        golden.save(network, temporary / "description" / f"{network.description.name}.json")
        manifest = _manifest(build, temporary, predictions, stages)
        (temporary / "manifest.json").write_text(manifest.model_dump_json(indent=1) + "\n")
        temporary.chmod(0o755)
        _replace(output, temporary)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return manifest
