"""Which sizes of the engines give the most images a second on a board: ranks candidates by a bound on their cycles."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt

from generator import layouts
from generator.architecture import MOST_POSTS, Architecture
from generator.boards import DDR_SHARE, Board, board_names, load_board
from generator.bounds import bound, lane_strips, map_bound, stream_bound, strips_bound
from generator.layers import EngineError
from generator.resources import Shortage, fitting_map_words, pe_takes, shortages, word_pixels
from generator.schedule import Buffers, map_sizes, streamed_sizes
from generator.strips import MapMemory, strips_of
from generator.workload import Int, Workload

__all__ = ["Candidate", "NoFitError", "Sizes", "candidates", "lacks", "ranked", "sketch", "with_memory"]

_PES = (*range(1, 25), 26, 28, 30, 32, 40, 48, 56, 64, 80, 96, 112, 128)
# A tile that leaves some of a word's pixels over makes for wide banks: 13 of 16, 57 of 64.
_TILES = (8, 13, 16, 24, 29, 32, 40, 48, 57, 64, 80, 85, 96, 112, 121, 128)
_FC_PES = (1, 2, 4, 8, 16, 32, 64)
_FC_SLOTS = (8, 16, 32, 64)
_MAP_LANES = (1, 2, 4, 8, 16, 32)
# The first ones are the defaults, and faster. With few weight words PEs load their maps first: AlexNet's convolutions
# then take so many times the clocks, which stands for all networks.
_WEIGHT_DEPTHS = {Buffers.weights: 1.0, 32: 1.016}
_FC_ROWS = (layouts.BIASES_PER_WORD, 2)
_LOOKED_AT = 12


class NoFitError(ValueError):
    """A network fits a board in no configuration; one sentence: what is short, by how much, and which board fits."""


@dataclass(frozen=True)
class Sizes:
    """Sizes that a user gives; None is free.

    Attributes:
        fc_slots: 0 leaves FC layers to PEs, which hold the weights.
        pe_outputs: output channels of a PE, as given and not searched for: one accelerator's weights are arranged for
            them.
        map_words: at most, of maps in a PE.
        whole_maps: no map may come in strips.
        weight_depth: weight words that wait in front of a PE at most.
        fc_rows_at_once, fc_sums: of the streamed FC engine.
        fc_batch: images that it works on together, as given and not searched for.
    """

    pes: int | None = None
    tile: int | None = None
    fc_pes: int | None = None
    map_lanes: int | None = None
    fc_slots: int | None = None
    pe_outputs: int = 1
    map_words: int | None = None
    whole_maps: bool = False
    weight_depth: int | None = None
    fc_rows_at_once: int | None = None
    fc_sums: str | None = None
    fc_batch: int = 1

    def fc_engines(self) -> list[tuple[int, int]]:
        """PEs and slots of the FC engines that may be chosen; with slots it is the streamed one."""
        resident = [self.fc_pes] if self.fc_pes else _FC_PES
        streamed = [self.fc_slots] if self.fc_slots else _FC_SLOTS
        found = [] if self.fc_slots else [(pes, 0) for pes in resident]
        return found if self.fc_pes or self.fc_slots == 0 else [*found, *((1, slots) for slots in streamed)]

    def variants(self, work: Workload, of: Candidate, clock_mhz: float) -> list[Candidate]:
        """A candidate, and what takes less of a board at the price of some clocks, or of another memory; of what is
        given no other. The fastest first, and of them the one with the defaults; the last two take least of all."""
        given = self.weight_depth or (None if work.convolver else Buffers.weights)
        depths = {given: 1.0} if given else _WEIGHT_DEPTHS
        streamed = bool(of.fc_slots)
        rows = [self.fc_rows_at_once or layouts.BIASES_PER_WORD] if self.fc_rows_at_once or not streamed else _FC_ROWS
        sums = [self.fc_sums or "bram"] if self.fc_sums or not streamed else ("bram", "uram")
        handed_over = {at_once: sum(-(-layer.rows // at_once) for layer in work.fc) for at_once in rows}
        return [
            replace(
                of, weight_depth=depth, fc_rows_at_once=at_once, fc_sums=where,
                seconds=of.seconds * slower + (handed_over[at_once] - handed_over[rows[0]]) / (clock_mhz * 1e6),
            )
            for at_once, (depth, slower), where in product(rows, depths.items(), sums)
        ]  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """Sizes of the engines, and the least seconds an image takes; larger maps than of `map_words` come in strips."""

    pes: int
    tile: int
    fc_pes: int
    seconds: float
    map_lanes: int = 1
    fc_slots: int = 0
    pe_outputs: int = 1
    map_words: int = MapMemory.map_words
    weight_depth: int = Buffers.weights
    fc_rows_at_once: int = layouts.BIASES_PER_WORD
    fc_sums: str = "bram"
    fc_batch: int = 1


def candidates(work: Workload, board: Board, clock_mhz: float, sizes: Sizes) -> list[Candidate]:
    """Configurations that fit `board` as far as sizes tell, the fastest first.

    Raises:
        NoFitError: there is none.
    """
    possible = ranked(work, board, clock_mhz, sizes)
    found: list[Candidate] = []
    for each in (each for each in possible if _may_fit(each, board)):
        # Strips make a configuration slower, so that one that is slower without them is not looked at.
        if len(found) == _LOOKED_AT and _rank(each) >= _rank(found[-1]):
            break
        fitting = _fitting(work, sizes.variants(work, each, clock_mhz), board, clock_mhz)
        if fitting and not (sizes.whole_maps and work.cuts_maps(fitting.tile, fitting.map_words)):
            found = sorted([*found, fitting], key=_rank)[:_LOOKED_AT]
    if not found:
        raise NoFitError(_no_fit(work, board, clock_mhz, sizes, possible))
    return found


def _rank(each: Candidate) -> tuple[float, int]:
    return each.seconds, each.pes * each.tile


def _fitting(work: Workload, variants: Sequence[Candidate], board: Board, clock_mhz: float) -> Candidate | None:
    """The first of a candidate's variants that fits, with its memory for maps, and all its seconds."""
    if all(lacks(work, each, board, streams=False) for each in variants[-2:]):  # most candidates
        return None
    found = (with_memory(work, each, board, clock_mhz) for each in variants)
    return next((each for each in found if each), None)


def with_memory(work: Workload, each: Candidate, board: Board, clock_mhz: float) -> Candidate | None:
    """A candidate with the largest memory for maps that `board` has room for, up to the candidate's own; None if there
    is none, or none that the maps fit in strips."""
    if not _fits(work, each, board):
        return None
    choices = _map_choices(work, each)

    def short(words: int, streams: bool) -> bool:
        return bool(shortages(sketch(work, replace(each, map_words=words)), board, streams))

    fits = bisect_left(choices, True, lo=1, key=lambda words: short(words, False))
    if short(choices[fits - 1], True):
        fits = bisect_left(choices, True, lo=1, hi=fits - 1, key=lambda words: short(words, True))
    chosen = replace(each, map_words=choices[fits - 1])
    more, rate = 0.0, DDR_SHARE * board.ddr_gb_per_s * 1e9
    for layer, strips in zip(work.convolver, work.strips(each.tile, chosen.map_words) or (), strict=True):
        if len(strips) > 1:
            whole = bound(layer, each.pes, np.array([each.tile]), 1)
            tiled = strips_bound(layer, strips, each.pes, each.tile)
            more += max(tiled[0] / (clock_mhz * 1e6), tiled[1] / rate)
            more -= max(int(whole[0][0]) / (clock_mhz * 1e6), int(whole[1][0]) / rate)
    return replace(chosen, seconds=each.seconds + max(more, 0.0))


def _may_fit(each: Candidate, board: Board) -> bool:
    """A quick look at what a PE takes at least; `shortages` looks closer."""
    luts, _, dsps = pe_takes(each.tile, outputs=each.pe_outputs)
    return each.pes * dsps <= board.dsps and each.pes * luts <= board.luts


def ranked(work: Workload, board: Board, clock_mhz: float, sizes: Sizes) -> list[Candidate]:
    """Configurations that hold the network, whether they fit `board` or not, the fastest by the bound first.

    Raises:
        EngineError: in the map engine's lanes a layer's window has no room; names the layer.
    """
    return sorted(_combinations(work, board, clock_mhz, sizes), key=_rank)


def lacks(work: Workload, each: Candidate, board: Board, streams: bool = True) -> list[Shortage]:
    """What `board` is short of for a candidate, however small its memory for maps is; without `streams` as
    :func:`generator.resources.used`."""
    smallest = _map_choices(work, each)[0]
    return shortages(sketch(work, replace(each, map_words=smallest)), board, streams)


def _map_choices(work: Workload, each: Candidate) -> list[int]:
    """Feature words of maps that a candidate's PEs may have room for."""
    return work.map_memories(each.tile, each.map_words) if work.convolver else [each.map_words]


def _combinations(work: Workload, board: Board, clock_mhz: float, sizes: Sizes) -> Iterator[Candidate]:
    tiles = np.array([sizes.tile] if sizes.tile else _TILES, dtype=np.int64)
    rows_at_once = sizes.fc_rows_at_once or layouts.BIASES_PER_WORD
    rate = DDR_SHARE * board.ddr_gb_per_s * 1e9

    def least(bounds: Iterable[tuple[Int, Int]]) -> npt.NDArray[np.float64]:
        total = np.zeros(tiles.size)
        for cycles, moved in bounds:
            total += np.maximum(cycles / (clock_mhz * 1e6), moved / rate)
        return total

    def of_fc(pes: int, slots: int) -> npt.NDArray[np.float64]:
        if not slots:
            return least(bound(each, 1, tiles, pes) for each in work.fc)
        form = work.columns(slots)
        return least(stream_bound(each, form, rows_at_once, tiles, sizes.fc_batch) for each in work.fc)

    def of_maps(pixels: int, map_lanes: int) -> float:
        bounds = [map_bound(each, pixels, map_lanes) for each in work.maps]
        return sum(max(cycles / (clock_mhz * 1e6), moved / rate) for cycles, moved in bounds)

    pes_choices = ([sizes.pes] if sizes.pes else _PES) if work.convolver else [0]
    fc_choices = sizes.fc_engines() if work.fc else [(0, 0)]
    map_words = sizes.map_words or MapMemory.map_words
    convolver = {pes: least(bound(each, pes, tiles, 1) for each in work.convolver) for pes in pes_choices}
    fc = {engine: of_fc(*engine) for engine in fc_choices}
    for number, tile in enumerate(tiles.tolist()):
        maps = [(lanes, of_maps(word_pixels(tile), lanes)) for lanes in _lane_choices(work, tile, sizes)]
        for (fc_pes, slots), fc_seconds in fc.items():
            if _holds(work, tile, fc_pes, slots, map_words):
                for pes, pes_seconds in convolver.items():
                    for lanes, map_seconds in maps:
                        total = float(pes_seconds[number] + fc_seconds[number]) + map_seconds
                        if pes * sizes.pe_outputs <= MOST_POSTS:
                            yield Candidate(
                                pes, tile, fc_pes, total, lanes, slots, sizes.pe_outputs, map_words,
                                sizes.weight_depth or Buffers.weights, rows_at_once, sizes.fc_sums or "bram",
                                sizes.fc_batch,
                            )  # fmt: skip


def _fits(work: Workload, each: Candidate, board: Board) -> bool:
    """Whether `board` has room for a candidate with the smallest memory for maps."""
    return not any(lacks(work, each, board, streams) for streams in (False, True))


def _lane_choices(work: Workload, tile: int, sizes: Sizes) -> list[int]:
    """Lanes of the map engine that a feature word has whole strips of, and in which all windows have room.

    Raises:
        EngineError: in the lanes that are asked for a window has none.
    """
    if not work.maps:
        return [1]
    if sizes.map_lanes:
        for layer in work.maps:
            lane_strips(layer, sizes.map_lanes)
        return [sizes.map_lanes] if word_pixels(tile) % sizes.map_lanes == 0 else []
    choices = []
    for lanes in _MAP_LANES:
        with suppress(EngineError):
            for layer in work.maps:
                lane_strips(layer, lanes)
            if word_pixels(tile) % lanes == 0:
                choices.append(lanes)
    return choices


def _holds(work: Workload, tile: int, fc_pes: int, fc_slots: int, map_words: int) -> bool:
    """Whether descriptors and packets can hold a configuration's numbers, and maps of `map_words` words a strip."""
    pixels = word_pixels(tile)
    if fc_pes and pixels % fc_pes:
        return False
    if work.strips(tile, map_words) is None:
        return False
    if any(each.entries.max() > 65535 or each.width > 1023 for each in work.convolver):
        return False
    if fc_slots:
        fetched = work.most_column_words(fc_slots)
        return fetched < 1 << layouts.WIDE_BASE_BITS and all(each.rows <= 65535 for each in work.fc)
    return all(-(-each.nonzeros // fc_pes) < 16384 * 16 and each.rows <= 65535 * fc_pes for each in work.fc)


def sketch(work: Workload, each: Candidate) -> Architecture:
    """The accelerator's sizes for a candidate, before anything is scheduled: memories of the FC engine and depths of
    streams may differ."""
    lanes = int(word_pixels(each.tile))
    map_words, masks = work.strip_words(each.tile, each.map_words)
    entries, units = work.longest
    unit_places = layouts.WEIGHT_BITS // 8 // (each.pe_outputs + 1)
    resident = [] if each.fc_slots else work.fc
    share = [-(-layer.nonzeros // max(each.fc_pes, 1)) for layer in resident]
    rows = [-(-layer.rows // max(each.fc_pes, 1)) for layer in work.fc]
    form = work.columns(each.fc_slots) if each.fc_slots else None
    column_words = [work.most_column_words(each.fc_slots)] if form else []
    return Architecture(
        lanes=lanes,
        tile=each.tile,
        pes=each.pes,
        pe_outputs=each.pe_outputs,
        fc_pes=each.fc_pes,
        map_words=fitting_map_words(map_words, lanes, each.tile),
        max_entries=entries,
        mask_words=masks,
        weight_depth=min(1 << max(each.weight_depth - 1, 1).bit_length(), 1 << (units // unit_places).bit_length()),
        entry_depth=min(256, 1 << (entries // 4).bit_length()),
        max_columns=max((layer.width for layer in work.convolver), default=1),
        sum_bits=max((max(18, layer.sum_bits) for layer in work.convolver), default=18),
        additions=work.additions,
        averages=work.averages,
        pointer_words=max(
            (-(-layer.feature_words(lanes) * lanes // layouts.POINTERS_PER_WORD) for layer in work.fc), default=1
        ),
        entry_words=max((-(-entries // 16) for entries in share), default=1) or 1,
        fc_rows=-(-max(rows, default=1) // 8) * 8 if each.fc_slots else max(rows, default=1),
        **streamed_sizes(form, column_words, each.fc_rows_at_once, each.fc_sums, each.fc_batch),
        **map_sizes([(layer, lane_strips(layer, each.map_lanes)) for layer in work.maps], each.map_lanes),
    )


def _no_fit(work: Workload, board: Board, clock_mhz: float, sizes: Sizes, possible: Sequence[Candidate]) -> str:
    if not possible:
        return _no_room(work, sizes)
    leanest = (each for sized in possible for each in sizes.variants(work, sized, clock_mhz)[-2:])
    nearest = min(leanest, key=lambda each: _times_short(lacks(work, each, board, streams=False)))
    names = ", ".join(map(str, lacks(work, nearest, board)))
    text = f"the network fits board '{board.name}' in no configuration: with {_named(nearest)} it is {names}"
    return f"{text}; {_other_board(work, board, clock_mhz, sizes)}"


def _times_short(lacking: Sequence[Shortage]) -> float:
    """How many times as much is needed as there is, of what is shortest."""
    return max((short.needed / max(short.there, 1) for short in lacking), default=1.0)


def _no_room(work: Workload, sizes: Sizes) -> str:
    """Why no configuration can run the network, whatever the board."""
    tile = sizes.tile or _TILES[-1]
    memory = MapMemory(sizes.map_words or MapMemory.map_words)
    try:
        for each in work.convolver:
            strips_of(each.layer, int(word_pixels(tile)), tile, memory)
    except EngineError as error:
        return str(error)
    return "no configuration of the engines holds the network: its FC layers are too large for the engines"


def _named(each: Candidate) -> str:
    parts = [f"{each.pes} PE{'s' * (each.pes > 1)} of {each.tile * each.pe_outputs} multipliers"] if each.pes else []
    if each.fc_slots:
        parts += [f"{each.fc_slots} slots of the streamed FC engine"]
    else:
        parts += [f"{each.fc_pes} FC PE{'s' * (each.fc_pes > 1)}"] if each.fc_pes else []
    parts += [f"{each.map_lanes} lanes of the map engine"] if each.map_lanes > 1 else []
    return " and ".join(parts)


def _other_board(work: Workload, board: Board, clock_mhz: float, sizes: Sizes) -> str:
    others = sorted((load_board(name) for name in board_names() if name != board.name), key=lambda each: each.luts)
    for other in others:
        possible = _combinations(work, other, clock_mhz, sizes)
        leanest = (each for sized in possible for each in sizes.variants(work, sized, clock_mhz)[-2:])
        if any(_may_fit(each, other) and _fits(work, each, other) for each in leanest):
            return f"the nearest board that it fits is '{other.name}'"
    return "it fits none of the boards that are known"
