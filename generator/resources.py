"""What an accelerator takes of an FPGA, from its sizes alone and so without compiling it.

DSP slices and memories follow from the kernels. LUTs and registers are straight lines in the sizes, fitted to what the
compiler in rtl/ estimates of its own output (`rtl/resources.py`) at 200 MHz; a test holds both against each other. How
near that is to what Yosys finds is in docs/rtl.md. Nothing is known of the host's logic (DMA, shell), which no count
includes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from generator import layouts
from generator.architecture import Architecture, process_network
from generator.boards import Board

__all__ = [
    "Memory",
    "Resources",
    "Shortage",
    "fitting_map_words",
    "memories",
    "pe_takes",
    "placed",
    "shortages",
    "used",
    "word_pixels",
]

# Shapes of a RAMB18E2 (words, bits; UG573) and of an URAM288.
_HALF_BLOCKS = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
_ULTRA = (4096, 72)
# From which size on an array is block RAM, without and with a recurrence through it: rtl/storage.py, docs/rtl.md.
_LUT_WORDS, _FEW_BITS, _MANY_BITS = 64, 4096, 1 << 16
_LIST_BITS = 39  # of an entry in a PE's list


Number = TypeVar("Number", int, npt.NDArray[np.int64])


class Resources(BaseModel):
    """Primitives of UltraScale+."""

    model_config = ConfigDict(frozen=True)

    luts: int = Field(description="6-input LUTs, LUT RAM included")
    flip_flops: int
    dsps: int = Field(description="DSP48E2")
    bram36: float = Field(description="RAMB36E2; a RAMB18E2 is half of one")
    uram: int = Field(description="URAM288")


@dataclass(frozen=True)
class Memory:
    """An array of the kernels, `copies` times in the accelerator.

    Attributes:
        reads: places in the C++ that read it, for each of which LUT RAM is there once more.
        bound: to block RAM ("bram") or UltraRAM ("uram"), by the C++.
    """

    name: str
    words: int
    bits: int
    copies: int
    reads: int = 1
    bound: str = ""

    @property
    def bram36(self) -> float:
        """Blocks of one copy."""
        return min(-(-self.bits // bits) * -(-self.words // words) for words, bits in _HALF_BLOCKS) / 2

    @property
    def uram(self) -> int:
        """URAM288 of one copy."""
        return -(-self.words // _ULTRA[0]) * -(-self.bits // _ULTRA[1])

    def in_blocks(self, recurrent: bool) -> bool:
        """Whether it is worth block RAM; `recurrent`: what is read is needed for what is written next."""
        worth = self.words > _LUT_WORDS and self.words * self.bits > (_MANY_BITS if recurrent else _FEW_BITS)
        return worth or bool(self.bound)


@dataclass(frozen=True)
class Shortage:
    """What a board lacks."""

    resource: str
    needed: float
    there: float

    def __str__(self) -> str:
        """As in "812 DSP slices short (1,172 needed, 360 there)"."""
        return (
            f"{self.needed - self.there:,.10g} {self.resource} short ({self.needed:,.10g} needed, {self.there:,} there)"
        )


def word_pixels(tile: Number) -> Number:
    """Pixels of a feature word beside PEs of so many multipliers: the next power of two, 8 at least."""
    pixels = np.exp2(np.ceil(np.log2(np.maximum(tile, 8)))).astype(np.int64)
    return int(pixels) if isinstance(tile, int) else pixels


def pe_takes(
    tile: int,
    lanes: int | None = None,
    sum_bits: int = 18,
    averages: bool = False,
    additions: bool = False,
    outputs: int = 1,
) -> tuple[int, int, int]:
    """LUTs, flip-flops and DSP slices of one PE of the convolver, decoding and post-processing included.

    Its memories are apart. As little as PEs of so many multipliers can take where nothing else is said.

    Args:
        lanes: pixels of a feature word; None for the next power of two.
        tile, sum_bits, averages, additions, outputs: as of :class:`Architecture`.
    """
    lanes = word_pixels(tile) if lanes is None else lanes
    row = 2 * lanes if tile == lanes else lanes  # pixels that are read at once
    luts = 955 + 20.4 * tile + 0.45 * tile * sum_bits + 17.8 * row
    flip_flops = 1330 + 30 * tile + 1.23 * tile * sum_bits + 4.5 * row
    dsps = outputs * tile + 1 + (outputs > 1)
    if outputs > 1:  # further sums of the same pixels; units of more bytes
        luts += (outputs - 1) * tile * (0.45 * sum_bits + 5.5) + 420
        flip_flops += (outputs - 1) * 1.25 * tile * sum_bits + 150
    # Behind the PE, for each output channel.
    luts += outputs * (710 + 2 * sum_bits + 3.3 * lanes + (990 if averages else 450 * additions))
    luts += outputs * 10.5 * lanes * additions
    flip_flops += outputs * (350 + 7 * sum_bits + 8 * lanes + (8 * lanes + 690) * additions + 220 * averages)
    dsps += outputs * ((1 if sum_bits <= 27 else 2) + (3 if additions else averages))
    return round(luts), round(flip_flops), dsps


def _map_engine(a: Architecture) -> tuple[int, int, int]:
    """LUTs, flip-flops and DSP slices of the map engine; the table of a normalisation apart.

    Of one lane it is the engine that AlexNet needs, its memories included; others are smaller.
    """
    if a.map_lanes == 1:
        return 5580 + 62 * a.lanes, 2070 + 17 * a.lanes, 7
    kept, results = a.normalised_channels - 1, a.map_overlap + a.map_reach.bit_length()
    luts = 824 + 38 * kept + a.map_averages * (343 + 122 * results) + _lut_ram(a.normalised_positions, 8 * kept)
    flip_flops = 30 * kept - 17 + 23 * a.map_averages + (40 + 35 * a.map_averages) * results
    dsps = a.normalised_channels + 1 + a.map_averages
    return 2280 + 49 * a.lanes + a.map_lanes * luts, 1800 + 32 * a.lanes + a.map_lanes * flip_flops, a.map_lanes * dsps


def _streamed_fc(a: Architecture) -> tuple[int, int, int]:
    """LUTs, flip-flops and DSP slices of the streamed FC engine, its memories apart."""
    lookup = 1190 if a.pointer_words > _LUT_WORDS else 660
    choice = {4: 98, 5: 147, 8: 64}[a.fc_value_bits]  # of a weight by its number
    rows = a.fc_rows_at_once
    # Choosing one of fewer rows takes a stage less; fewer pixels are shifted into a feature word, not put in place.
    slot, packing = (230, 28) if rows == layouts.BIASES_PER_WORD else (174, 15)
    luts = a.fc_slots * (201 + 43 * rows + choice + 3 * a.fc_gap_bits) + a.slot_groups * (22 + 224 * rows + 32 * rows)
    flip_flops = a.fc_slots * (slot + 16) + a.slot_groups * 31 + (0 if a.fc_value_bits == 8 else 256)
    # Scatter, scan and lookup; the last process, which requantises a word of sums a clock.
    luts += 672 + 102 + 17 * a.lanes + lookup + 1370 + 285 * rows + packing * a.lanes
    flip_flops += 395 + 16 * a.lanes + 215 + 186 + 278 + 105 * rows + 8 * a.lanes
    further = a.fc_batch - 1  # images
    luts += further * a.fc_slots * (250 + 50 * rows)
    flip_flops += further * (16 * a.lanes + a.fc_slots * (110 + 8 * rows))
    return luts, flip_flops, a.fc_slots * a.fc_batch + 2 * rows


def _map_banks(a: Architecture) -> Memory:
    """Banks of feature maps: `hls_templates/zeroskip/convolver_pe.h`."""
    bank = 1 << (a.row_words * a.lanes - a.tile + 1).bit_length() - 1
    return Memory("feature maps", a.map_words // a.row_words, 8 * bank, a.row_words * a.lanes // bank * a.pes)


def fitting_map_words(words: int, lanes: int, tile: int) -> int:
    """Feature words of memory for maps of so many: a power of two of rows, or whole block RAMs of them."""
    row_words = 2 if tile == lanes else 1
    rows, block = -(-words // row_words), _HALF_BLOCKS[0][0]
    return row_words * (-(-rows // block) * block if rows > block else 1 << max(rows - 1, 1).bit_length())


def _arrays(a: Architecture) -> Iterator[tuple[Memory, bool]]:
    if a.pes:
        yield _map_banks(a), False
        yield Memory("entries of a block of channels", a.max_entries, _LIST_BITS + 8 * (a.pe_outputs - 1), a.pes), False
        yield Memory("masks", a.mask_words, layouts.WEIGHT_BITS, 2 * a.pes), False
        yield Memory("rows of pooling", a.max_columns, 24 if a.averages else 9, 2 * a.posts), True
    if a.fc_pes:
        yield Memory("column pointers", a.pointer_words, a.pointer_bits, a.fc_pes), False
    if a.fc_slots:
        rows = a.fc_rows // a.fc_rows_at_once
        copies = a.fc_rows_at_once * a.fc_slots
        yield Memory("sums of the slots", rows, 32 * a.fc_batch, copies, bound=a.fc_sums), True
        yield Memory("biases", a.fc_rows // layouts.BIASES_PER_WORD, layouts.WEIGHT_BITS, 1), False
    elif a.fc_pes:
        yield Memory("FC entries", a.entry_words, layouts.WEIGHT_BITS, a.fc_pes), False
        yield Memory("FC sums", a.fc_rows, 32, a.fc_pes, reads=2), True
    if a.map_lanes > 1:
        yield Memory("table of a normalisation", 16 * a.table_words, 16, a.map_lanes), False
    elif a.map_columns:
        yield Memory("table of a normalisation", a.table_words, layouts.WEIGHT_BITS, 1), False


def memories(a: Architecture) -> list[Memory]:
    """Arrays that become block RAM or UltraRAM; smaller ones lie in LUTs."""
    return [memory for memory, recurrent in _arrays(a) if memory.in_blocks(recurrent)]


def _lut_ram(words: int, bits: int) -> int:
    """LUTs of LUT RAM: 8 hold 32 words of 14 bits or 64 words of 7 (UG574); one a bit chooses of four such."""
    if words <= 32:
        return 8 * -(-bits // 14)
    blocks = -(-words // 64)
    return 8 * blocks * -(-bits // 7) + (-(-blocks // 4) * bits if blocks > 1 else 0)


_ELEMENT_BITS = {
    "WeightWord": layouts.WEIGHT_BITS,
    "Descriptor": layouts.DESCRIPTOR.bits,
    "ChannelWord": 16,
    "ScaleWord": 54,
    "Accumulator": 32,
    "RowCount": 16,
}


def _fifos(a: Architecture) -> tuple[int, int]:
    """LUTs and registers of all streams: LUT RAM, two addresses and a count; a single word is registers."""
    luts, flip_flops = 0, 0
    for stream in process_network(a).streams:
        wide = {"FeatureWord<kLanes>": 8 * a.lanes, "ap_uint<kSumBits>": a.sum_bits}
        further = a.fc_batch - 1  # images: two activations of a pair, one of an entry
        token, command = 19 + a.pair_bits, 19 + a.fc_base_bits + 2 * layouts.POINTER_BITS
        wide |= {"TokenWord<1>": token, "TokenWord<kFcBatch>": token + 18 * further}
        wide |= {"CommandWord<1>": command, "CommandWord<kFcBatch>": command + 18 * further}
        wide["SlotWord<kFcBatch>"] = 34 + 9 * further
        wide["SumWord<kFcRowsAtOnce>"] = 32 * a.fc_rows_at_once
        wide["EntryWord<kPeOutputs>"] = 40 + 8 * (a.pe_outputs - 1)
        bits = wide.get(stream.element) or _ELEMENT_BITS[stream.element]
        if stream.depth == 1:
            luts, flip_flops = luts + 4 * (stream.count or 1), flip_flops + (bits + 1) * (stream.count or 1)
            continue
        index, count = max((stream.depth - 1).bit_length(), 1), stream.depth.bit_length()
        luts += (_lut_ram(stream.depth, bits) + 2 * index + 2 * count + 4) * (stream.count or 1)
        flip_flops += (2 * index + count) * (stream.count or 1)
    return luts, flip_flops


def used(a: Architecture, streams: bool = True) -> Resources:
    """What the accelerator takes, all its memories in block RAM that the C++ does not bind to UltraRAM.

    Without `streams` their FIFOs are left out, which take most of the time to count.
    """
    luts, flip_flops = _fifos(a) if streams else (0, 0)
    dsps = 0
    if a.pes:  # decode, PE and post-processing of each; scatter, broadcast, collect
        pe_luts, pe_flip_flops, pe_dsps = pe_takes(a.tile, a.lanes, a.sum_bits, a.averages, a.additions, a.pe_outputs)
        rows = a.map_words // a.row_words
        if rows & (rows - 1):  # a row that is not there is read as zero
            pe_luts += 7 * a.row_words * a.lanes
        luts += a.pes * (pe_luts + 30) + 3 * a.posts * a.lanes + 700
        flip_flops += a.pes * pe_flip_flops + 600
        dsps += a.pes * pe_dsps
    if a.fc_slots:
        fc_luts, fc_flip_flops, fc_dsps = _streamed_fc(a)
        luts, flip_flops, dsps = luts + fc_luts, flip_flops + fc_flip_flops, dsps + fc_dsps
    elif a.fc_pes:  # lookup and MAC of each; scatter, scan, gather
        lookup = 1190 if a.pointer_words > _LUT_WORDS else 660  # a word of a block RAM: the choice comes behind it
        luts += a.fc_pes * (lookup + 940 + 440) + 750 + 43 * a.lanes
        flip_flops += a.fc_pes * (215 + 555 + 190) + 670 + 21 * a.lanes
        dsps += 3 * a.fc_pes
    if a.map_columns:
        map_luts, map_flip_flops, map_dsps = _map_engine(a)
        luts, flip_flops, dsps = luts + map_luts, flip_flops + map_flip_flops, dsps + map_dsps
    if a.pes and a.fc_pes:
        luts += 115 + 8 * a.lanes
        flip_flops += 200
    blocks, ultra = 0.0, 0
    for memory, recurrent in _arrays(a):
        if not memory.in_blocks(recurrent):
            luts += memory.copies * memory.reads * _lut_ram(memory.words, memory.bits)
        elif memory.bound == "uram":
            ultra += memory.copies * memory.uram
        else:
            blocks += memory.copies * memory.bram36
    return Resources(luts=luts, flip_flops=flip_flops, dsps=dsps, bram36=blocks, uram=ultra)


def placed(a: Architecture, board: Board, streams: bool = True) -> Resources:
    """What the accelerator takes of `board`: memories that block RAM has no room for lie in UltraRAM.

    Without `streams` as :func:`used`.
    """
    found = used(a, streams)
    blocks, ultra = found.bram36, found.uram
    if blocks <= board.bram36:
        return found
    free = [memory for memory in memories(a) if not memory.bound]
    for memory in sorted(free, key=lambda each: each.uram / each.bram36):
        over = blocks - board.bram36
        if over <= 0:
            break
        moved = min(memory.copies, int(-(-over // memory.bram36)), max(board.uram - ultra, 0) // memory.uram)
        blocks -= moved * memory.bram36
        ultra += moved * memory.uram
    return found.model_copy(update={"bram36": blocks, "uram": ultra})


def shortages(a: Architecture, board: Board, streams: bool = True) -> list[Shortage]:
    """What `board` lacks for the accelerator; empty when it fits. Without `streams` as :func:`used`."""
    found = placed(a, board, streams)
    pairs = [
        ("DSP slices", found.dsps, board.dsps),
        (f"block RAMs (with {found.uram} UltraRAMs filled)", found.bram36, board.bram36),
        ("UltraRAMs", found.uram, board.uram),
        ("LUTs", found.luts, board.luts),
        ("flip-flops", found.flip_flops, board.flip_flops),
    ]
    return [Shortage(name, needed, there) for name, needed, there in pairs if needed > there]
