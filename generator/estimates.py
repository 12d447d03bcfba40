"""`estimate`: what a network does on a board, to the clock, without making a build."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

import golden
from generator import layouts
from generator.architecture import Architecture
from generator.boards import DDR_SHARE, Board, load_board
from generator.bounds import bound, stream_bound
from generator.build import (
    BuildError,
    BuildOptions,
    buffers,
    check_batch,
    check_streamed,
    fit_architecture,
    on_stream,
    stimuli,
    useful_macs,
)
from generator.emit import TOP, emit_project
from generator.layers import EngineError, FeatureLayout
from generator.plan import plan_network
from generator.resources import Resources, placed, shortages, word_pixels
from generator.schedule import (
    ConvolverSchedule,
    Engine,
    FcSchedule,
    FcStreamSchedule,
    MapSchedule,
    Schedule,
    engine_of,
)
from generator.search import Candidate, NoFitError, Sizes, candidates
from generator.strips import MapMemory
from generator.timing import Ddr, predict_each
from generator.workload import FcWork, Work, Workload, dense, workload
from golden.names import INPUT_NAME

__all__ = ["Estimate", "EstimateOptions", "LayerEstimate", "check_sizes", "estimate"]

Stages = Mapping[str, tuple[int, int]]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class LayerEstimate(_Frozen):
    """A layer on its engine; bytes are those that cross the ports for one image.

    Fetched columns are behind the board's DDR in `seconds`: at its share, and after a latency.
    """

    name: str
    engine: str
    cycles: int = Field(description="exact, nothing stalling")
    ddr_clocks: int = Field(default=0, description="that the DDR adds to them where columns are fetched")
    seconds: float = Field(description="all these clocks, or where that is longer the bytes at the DDR's share")
    fps: float = Field(description="of this layer alone")
    ddr_bound: bool = Field(description="whether the DDR, not the clock, says how long it takes")
    macs: int = Field(description="products of weights that are not zero, on the FC engine with such activations")
    dense_macs: int
    utilisation: float = Field(description="macs / (multipliers x cycles)")
    weight_bytes: int
    input_bytes: int
    output_bytes: int
    column_bytes: int = Field(default=0, description="fetched from DDR by the streamed FC engine")
    dense_cycles: int = Field(description="a lower bound on the cycles of the layer with no weight zero")
    strips: int = Field(default=1, description="runs of the engine, each of a group or of a strip of rows")
    strip_bytes: int = Field(default=0, description="of all bytes those that several runs add: what is sent again")


class Estimate(_Frozen):
    """A network on a board."""

    network: str
    board: str
    clock_mhz: float
    pipelined: bool = Field(description="whether cycles are those of hardware pipelined for the clock")
    architecture: Architecture
    chosen: bool = Field(description="whether the search chose one of the sizes")
    taken: dict[str, int | str] = Field(
        default={}, description="in place of defaults that the board has no room for, by field of BuildOptions"
    )
    resources: Resources = Field(description="estimated from sizes (generator/resources.py)")
    available: Resources
    layers: tuple[LayerEstimate, ...]
    cycles: int = Field(description="of an image, or a batch of architecture.fc_batch")
    ddr_clocks: int = Field(default=0, description="that the DDR adds where columns are fetched")
    ddr_latency: int = Field(default=0, description="clocks from a request for columns to its first word")
    fps: float
    utilisation: float = Field(description="macs / (multipliers x cycles), of all layers")
    bytes_moved: int
    dense_cycles: int
    ddr_gb_per_s: float = Field(description="moved on average")
    ddr_share_gb_per_s: float = Field(description="what the board is taken to give")


@dataclass(frozen=True)
class EstimateOptions:
    """What the user may choose; sizes that are None are searched for.

    Attributes:
        pe_outputs: output channels that a PE of the convolver computes side by side; it is not searched for.
        fc_slots: of the streamed FC engine; 0 leaves FC layers to PEs that hold their weights, as `fc_pes` does.
        ddr_latency: clocks from a request for columns to its first word.
        map_words: feature words of maps that a PE of the convolver has room for at most; None: what the board has room
            for.
        weight_depth, fc_rows_at_once, fc_sums: as :class:`generator.BuildOptions` has them. Where they are None and the
            board has no room for the defaults, less is taken.
        fc_batch: as :class:`generator.BuildOptions` has it; it is not searched for.
        whole_maps: no map may come in strips, as where the host moves whole feature words only.
        engine: layers of this engine alone, as :class:`generator.BuildOptions` has it.
        clock_mhz: None takes the board's.
        images: stimuli, of which the first counts; None draws one at random, the one that a build begins with.
        image_source: what a message says of the images' origin.
        pipeliner: as :class:`generator.BuildOptions` has it.
    """

    pes: int | None = None
    tile: int | None = None
    fc_pes: int | None = None
    map_lanes: int | None = None
    clock_mhz: float | None = None
    images: npt.NDArray[np.generic] | None = None
    image_source: str = "random, seed 0"
    pipeliner: Callable[[Path, str, float], Stages] | None = None
    fc_slots: int | None = None
    ddr_latency: int = 100
    pe_outputs: int = 1
    map_words: int | None = None
    whole_maps: bool = False
    engine: Engine | None = None
    weight_depth: int | None = None
    fc_rows_at_once: int | None = None
    fc_sums: str | None = None
    fc_batch: int = 1


def estimate(network: golden.Network, board_name: str, options: EstimateOptions | None = None) -> Estimate:
    """Cycles, throughput and resources of `network` on a board.

    Sizes that are not given are those with the most images a second within the board's resources, by a bound on the
    cycles; the figures are exact for the chosen ones: a build of equal sizes, clock and first image predicts the same.

    Raises:
        BuildError: a clock or a size that cannot be.
        NoFitError: the board has no room for the network.
        BoardError, EngineError: as :func:`generator.generate`.
    """
    options = options or EstimateOptions()
    board = load_board(board_name)
    clock = board.clock_mhz if options.clock_mhz is None else options.clock_mhz
    if not 0 < clock < 10_000:
        raise BuildError(f"clock: must be positive and below 10,000 MHz, not {clock:g}")
    sizes = Sizes(
        options.pes, options.tile, options.fc_pes, options.map_lanes, options.fc_slots, options.pe_outputs,
        options.map_words, options.whole_maps, options.weight_depth, options.fc_rows_at_once, options.fc_sums,
        options.fc_batch,
    )  # fmt: skip
    check_sizes(sizes)
    check_batch(options.fc_batch, bool(options.fc_slots) and options.engine == "fc")
    work = workload(network, options.pe_outputs).of_engine(options.engine)
    ranked = candidates(work, board, clock, sizes)
    chosen, schedules, architecture = _schedule(network, work, ranked, board, options)
    with tempfile.TemporaryDirectory() as folder:
        stages = None
        if options.pipeliner:
            emit_project(Path(folder), architecture, board, clock)
            stages = options.pipeliner(Path(folder) / "hls", TOP, clock)
    activations = _activations(network, architecture, schedules, options)
    memories = [Ddr()]
    if architecture.fc_slots:
        memories.append(Ddr(options.ddr_latency, board.ddr_bytes_per_clock(clock)))
    predictions = predict_each(architecture, schedules, activations, stages, memories)
    exact, behind = predictions[0], predictions[-1]
    # Of a convolution no multiplication depends on an activation.
    nothing = np.zeros(0, dtype=np.int64)
    macs = [useful_macs(each, activations.get(each.layer.name, nothing), architecture.lanes) for each in schedules]
    counts = zip(exact.layer_cycles, macs, behind.layer_cycles, exact.fetched_words, strict=True)
    found = _assemble(
        network, board, clock, options, work, schedules, architecture, [_Counts(*each) for each in counts]
    )
    return found.model_copy(update={"taken": _taken(chosen, options)})


def _taken(chosen: Candidate, options: EstimateOptions) -> dict[str, int | str]:
    """See :class:`Estimate`."""
    defaults = Candidate(0, 0, 0, 0.0)
    free = [name for name in ("weight_depth", "fc_rows_at_once", "fc_sums") if getattr(options, name) is None]
    return {name: getattr(chosen, name) for name in free if getattr(chosen, name) != getattr(defaults, name)}


@dataclass(frozen=True)
class _Counts:
    """Of a layer: cycles, useful multiplications, cycles behind the DDR, column words that are fetched."""

    cycles: int
    macs: int
    behind_ddr: int
    fetched_words: int

    @staticmethod
    def sum(counts: Iterable[_Counts]) -> _Counts:
        """Of all runs of a layer."""
        numbers = ((each.cycles, each.macs, each.behind_ddr, each.fetched_words) for each in counts)
        return _Counts(*map(sum, zip(*numbers, strict=True)))


def check_sizes(sizes: Sizes) -> None:
    """Refuses sizes that no accelerator can have.

    Raises:
        BuildError: naming the field.
    """
    for name in ("pes", "tile", "fc_pes", "map_lanes", "map_words", "weight_depth", "fc_batch"):
        value = getattr(sizes, name)
        if value is not None and value < 1:
            raise BuildError(f"architecture: field '{name}': must be 1 or more, not {value}")
    if sizes.fc_pes and sizes.fc_slots:
        raise BuildError("architecture: field 'fc_slots': FC layers run on fc_pes or on fc_slots, not on both")
    at_once, sums = sizes.fc_rows_at_once or BuildOptions.fc_rows_at_once, sizes.fc_sums or BuildOptions.fc_sums
    check_streamed(at_once, sums, sizes.fc_slots != 0 and not sizes.fc_pes)
    smallest = {"lanes": 128, "pes": 1, "fc_pes": 1, "map_words": 2} | dict.fromkeys(_MEMORIES, 1)
    fields = ("pes", "tile", "fc_pes", "map_lanes", "fc_slots", "pe_outputs")
    given = {name: value for name in fields if (value := getattr(sizes, name)) is not None}
    if sizes.fc_slots:
        smallest["fc_rows"] = layouts.BIASES_PER_WORD
    if sizes.tile is not None:
        given["lanes"] = min(128, int(word_pixels(sizes.tile)))
    else:
        given.pop("fc_pes", None)  # what it must divide is not known
    try:
        Architecture.model_validate(smallest | given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "sizes"
        raise BuildError(f"architecture: field '{name}': {first['msg']}") from error


_MEMORIES = ("max_entries", "max_columns", "pointer_words", "entry_words", "fc_rows")


def _schedule(
    network: golden.Network, work: Workload, ranked: Sequence[Candidate], board: Board, options: EstimateOptions
) -> tuple[Candidate, Sequence[Schedule], Architecture]:
    """The first candidate that can be scheduled and then still fits."""
    failure: Exception | None = None
    for each in ranked:
        try:
            sizes = BuildOptions(
                pes=each.pes, lanes=word_pixels(each.tile), tile=each.tile, fc_pes=each.fc_pes, fc_slots=each.fc_slots,
                map_lanes=each.map_lanes, pe_outputs=each.pe_outputs, weight_depth=each.weight_depth,
                fc_rows_at_once=each.fc_rows_at_once, fc_sums=each.fc_sums, fc_batch=options.fc_batch,
            )  # fmt: skip
            schedules = plan_network(
                network, each.pes or options.pes or 1, sizes.lanes, max(each.fc_pes, 1), tile=each.tile,
                buffers=buffers(each.weight_depth), map_lanes=(each.map_lanes, None),
                columns=work.columns(each.fc_slots) if each.fc_slots else None, pe_outputs=each.pe_outputs,
                memory=MapMemory(each.map_words), engine=options.engine, fc_batch=options.fc_batch,
            )  # fmt: skip
            architecture = fit_architecture(schedules, sizes)
        except (EngineError, ValidationError) as error:
            if isinstance(error, EngineError) and "cannot run it" not in str(error):
                raise
            failure = failure or error
            continue
        short = shortages(architecture, board)
        if not short:
            return each, schedules, architecture
        names = ", ".join(map(str, short))
        failure = failure or NoFitError(f"the network does not fit board '{board.name}' as scheduled: it is {names}")
    assert failure is not None
    if isinstance(failure, ValidationError):
        first = failure.errors()[0]
        raise BuildError(f"architecture: field '{first['loc'][0]}': {first['msg']}") from failure
    raise failure


def _activations(
    network: golden.Network, architecture: Architecture, schedules: Sequence[Schedule], options: EstimateOptions
) -> dict[str, npt.NDArray[np.int64]]:
    """Of each FC layer, by its name, as they come on the stream: int64 [words * lanes]; golden runs for their sake."""
    activations: dict[str, npt.NDArray[np.int64]] = {}
    fc = [each for each in schedules if isinstance(each, FcSchedule | FcStreamSchedule)]
    if fc:
        build_options = BuildOptions(
            images=options.images, image_source=options.image_source, random_images=1, fc_batch=options.fc_batch
        )
        images = stimuli(network, build_options)[: options.fc_batch]
        tensors = {INPUT_NAME: images} | dict(golden.run(network, images, keep="all"))
        for each in fc:
            [(name, layout)] = each.inputs
            on_port = on_stream(tensors[name], layout, architecture.lanes)
            activations[each.layer.name] = on_port[0].astype(np.int64)
    return activations


def _assemble(
    network: golden.Network,
    board: Board,
    clock: float,
    options: EstimateOptions,
    work: Workload,
    schedules: Sequence[Schedule],
    architecture: Architecture,
    counts: Sequence[_Counts],
) -> Estimate:
    """Puts the figures together."""
    by_name = {each.name: dense(each) for each in work.layers}
    rate = DDR_SHARE * board.ddr_gb_per_s * 1e9
    layers = []
    runs = zip(schedules, counts, strict=True)
    for _, group in groupby(runs, lambda run: (run[0].layer.name, type(run[0]))):
        strips = list(group)
        schedule, each = strips[0][0], _Counts.sum(each for _, each in strips)
        lowest = each.cycles  # the map engine knows no weights
        if not isinstance(schedule, MapSchedule):
            lowest = _dense_cycles(by_name[schedule.layer.name], schedule, architecture)
        layers.append(_layer([schedule for schedule, _ in strips], each, architecture, clock, rate, lowest))
    seconds, moved = sum(layer.seconds for layer in layers), sum(_moved(layer) for layer in layers)
    total = sum(layer.cycles for layer in layers)
    offered = sum(_multipliers(each, architecture) * run.cycles for each, run in zip(schedules, counts, strict=True))
    return Estimate(
        network=network.description.name,
        board=board.name,
        clock_mhz=clock,
        pipelined=options.pipeliner is not None,
        architecture=architecture,
        chosen=None in (options.pes, options.tile, _fc_as_given(options), options.map_lanes if work.maps else 1),
        resources=placed(architecture, board),
        available=Resources(
            luts=board.luts, flip_flops=board.flip_flops, dsps=board.dsps, bram36=board.bram36, uram=board.uram
        ),
        layers=tuple(layers),
        cycles=total,
        ddr_clocks=sum(layer.ddr_clocks for layer in layers),
        ddr_latency=options.ddr_latency if architecture.fc_slots else 0,
        fps=options.fc_batch / seconds,
        utilisation=sum(layer.macs for layer in layers) / max(offered, 1),
        bytes_moved=moved,
        dense_cycles=sum(layer.dense_cycles for layer in layers),
        ddr_gb_per_s=moved / seconds / 1e9,
        ddr_share_gb_per_s=rate / 1e9,
    )


def _fc_as_given(options: EstimateOptions) -> int | None:
    """Sizes of the FC engine that the user gave, None where some are free."""
    return options.fc_pes or options.fc_slots or None


def _dense_cycles(work: Work, schedule: Schedule, a: Architecture) -> int:
    """A bound on the cycles of a layer with no weight zero."""
    tiles = np.array([a.tile])
    if isinstance(schedule, FcStreamSchedule):
        assert isinstance(work, FcWork)
        return schedule.batch * int(stream_bound(work, schedule.form, a.fc_rows_at_once, tiles, schedule.batch)[0][0])
    return int(bound(work, max(a.pes, 1), tiles, max(a.fc_pes, 1))[0][0])


def _multipliers(schedule: Schedule, architecture: Architecture) -> int:
    if isinstance(schedule, MapSchedule):
        return 0
    return (
        architecture.convolver_multipliers if isinstance(schedule, ConvolverSchedule) else architecture.fc_multipliers
    )


def _moved(layer: LayerEstimate) -> int:
    return layer.weight_bytes + layer.input_bytes + layer.output_bytes + layer.column_bytes


def _layer(
    strips: Sequence[Schedule],
    counts: _Counts,
    architecture: Architecture,
    clock: float,
    rate: float,
    dense_cycles: int,
) -> LayerEstimate:
    """A layer of one run, or of several, each of a group or of a strip of its rows."""
    schedule, pixels = strips[0], architecture.lanes
    weights = [(layouts.DESCRIPTOR_WORDS + len(each.rounds.words)) * layouts.WEIGHT_BITS // 8 for each in strips]
    weight_bytes = sum(weights)
    input_bytes = pixels * sum(each.feature_words(pixels) for each in strips)
    output_bytes = pixels * sum(each.output.words(pixels) for each in strips)
    column_bytes = counts.fetched_words * architecture.column_bits // 8
    moving = (weight_bytes + input_bytes + output_bytes + column_bytes) / rate
    seconds = max(counts.behind_ddr / (clock * 1e6), moving)
    return LayerEstimate(
        name=schedule.layer.name,
        engine=engine_of(schedule),
        cycles=counts.cycles,
        ddr_clocks=counts.behind_ddr - counts.cycles,
        seconds=seconds,
        fps=schedule.output.batch / seconds,
        ddr_bound=moving > counts.cycles / (clock * 1e6),
        macs=counts.macs,
        dense_macs=schedule.output.batch * sum(each.layer.dense_macs for each in strips),
        utilisation=counts.macs / (max(_multipliers(schedule, architecture), 1) * counts.cycles),
        weight_bytes=weight_bytes,
        input_bytes=input_bytes,
        output_bytes=output_bytes,
        column_bytes=column_bytes,
        dense_cycles=dense_cycles,
        strips=len(strips),
        strip_bytes=_sent_again(strips) * layouts.WEIGHT_BITS // 8
        + input_bytes
        + output_bytes
        - pixels * _whole_words(strips, pixels),
    )


def _sent_again(strips: Sequence[Schedule]) -> int:
    """Weight words that runs of a layer have in common: descriptors, masks, and of one group's runs the weights."""
    words, begun = 0, {strips[0].output.part}
    for each in strips[1:]:
        assert isinstance(each, ConvolverSchedule)
        again = each.output.part in begun
        words += layouts.DESCRIPTOR_WORDS + (len(each.rounds.words) if again else sum(each.mask_words))
        begun.add(each.output.part)
    return words


def _whole_words(strips: Sequence[Schedule], pixels: int) -> int:
    """Feature words of a layer's maps, in and out, where each comes once."""
    maps = zip(*([layout for _, layout in each.inputs] + [each.output] for each in strips), strict=True)
    return sum(FeatureLayout.whole_map(pieces).words(pixels) for pieces in maps)
