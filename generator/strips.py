"""Convolutions whose maps are too large for the PEs: a run of the engine for each group, or for each strip of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from generator import layouts
from generator.layers import ConvolverLayer, EngineError

__all__ = ["MapMemory", "least_map_words", "mask_words", "strips_of"]

_LEAST_OUTPUTS = 32
"""Output channels of a group that is run by itself: with few of them PEs would have nothing to do in its last round."""


@dataclass(frozen=True)
class MapMemory:
    """What a PE of the convolver has room for; by default as much as can be addressed.

    Attributes:
        map_words: feature words of an input map.
        mask_words: words of the masks of columns, and of those of rows.
    """

    map_words: int = 65536
    mask_words: int = 65535


def strips_of(layer: ConvolverLayer, lanes: int, tile: int, memory: MapMemory) -> list[ConvolverLayer]:
    """`layer` itself where a PE has room for it, else the fewest strips, of rows such that these take fewest tiles.

    A layer in groups is run group after group, each on its own input channels: no row and no weight is sent twice.
    Only where a group has no room either, or has few output channels, strips are cut. A map in phases has its groups'
    channels together.

    Strips overlap in the input rows that kernels at both sides of a boundary need, and in the rows of the convolution
    that overlapping pooling windows need.

    Raises:
        EngineError: there is no room for the input rows of a single row of the output; says what is short, by how much.
    """
    lacking = _lacking([layer], lanes, tile, memory)
    if not lacking:
        return [layer]
    if _by_groups(layer):
        groups = map(layer.group, range(layer.groups))
        return [strip for group in groups for strip in strips_of(group, lanes, tile, memory)]
    if (one := _one_row(layer)) and (lacking := _lacking([one], lanes, tile, memory)):
        raise _no_room(layer, lacking)
    rows, skipped = layer.pooled_height, layer.stride * layer.pool.stride
    # So few at least, even where each strip leaves out rows that a stride skips.
    least = max(1, layer.input.words(lanes) // memory.map_words // skipped)
    for count in range(min(least, rows), rows + 1):
        middle = layer.strip(rows // 2, min(rows // 2 + rows // count, rows))
        if middle and (lacking := _lacking([middle], lanes, tile, memory)):
            continue
        strips = _cut(layer, [number * rows // count for number in range(count + 1)])
        lacking = _lacking(strips, lanes, tile, memory) if strips else lacking
        if strips and not lacking:
            others = (_cut(layer, places) for places in _unequal(rows, count))
            fitting = (each for each in others if each and not _lacking(each, lanes, tile, memory))
            return min([strips, *fitting], key=lambda found: sum(strip.tiles(tile) for strip in found))
    raise _no_room(layer, lacking)


def _no_room(layer: ConvolverLayer, lacking: str) -> EngineError:
    return EngineError(f"layer '{layer.name}': the convolver cannot run it, even one row of its output takes {lacking}")


def least_map_words(layer: ConvolverLayer, lanes: int) -> int:
    """Feature words of maps that a PE must have room for, for :func:`strips_of` to find any strips; mostly enough."""
    one = _one_row(layer.group(0) if _by_groups(layer) else layer)
    return one.input.words(lanes) if one else 1


def _by_groups(layer: ConvolverLayer) -> bool:
    """Whether it is run group after group where a PE has no room for the whole map."""
    return layer.groups > 1 and layer.input.whole is None and len(layer.weights) // layer.groups >= _LEAST_OUTPUTS


def _one_row(layer: ConvolverLayer) -> ConvolverLayer | None:
    """The strip of one row in the middle, which no strip needs less than but those at the edges."""
    rows = layer.pooled_height
    return layer.strip(rows // 2, rows // 2 + 1)


def mask_words(layer: ConvolverLayer, tile: int) -> int:
    """Words of a layer's masks of columns, or of rows; of the more."""
    return -(-layer.tiles(tile) * max(layer.reach) * layouts.mask_bits(tile) // layouts.WEIGHT_BITS)


def _cut(layer: ConvolverLayer, places: list[int]) -> list[ConvolverLayer]:
    """The strips from each of these output rows to the next; none where one would lie wholly in the padding."""
    strips = [layer.strip(first, end) for first, end in pairwise(places)]
    found = [strip for strip in strips if strip is not None]
    return found if len(found) == len(strips) else []


def _unequal(rows: int, count: int) -> Iterator[list[int]]:
    """Where to cut so many strips of one size, but for a smaller last one."""
    for size in range(-(-rows // count), rows):
        if size * (count - 1) >= rows:
            return
        yield [*range(0, size * count, size), rows]


def _lacking(strips: list[ConvolverLayer], lanes: int, tile: int, memory: MapMemory) -> str:
    """What a PE, or the descriptor, has no room for; empty where it has."""
    for what, needed, there in _needs(strips, lanes, tile, memory):
        if needed > there:
            return f"{needed:,} {what}, {needed - there:,} more than there is room for"
    return ""


def _needs(strips: list[ConvolverLayer], lanes: int, tile: int, memory: MapMemory) -> Iterator[tuple[str, int, int]]:
    """What there must be room for, how much, and the room that there is; most often short comes first."""
    yield "feature words of input map", max(strip.input.words(lanes) for strip in strips), memory.map_words
    yield "rows of input map", max(strip.input.height for strip in strips), _most("height")
    plane_words = max(strip.input.channel_words(lanes) for strip in strips)
    yield "feature words of an input channel", plane_words, _most("plane_words")
    pixels = max(strip.pooled_height * strip.pooled_width for strip in strips)
    yield "feature words of an output channel", -(-pixels // lanes), _most("channel_words")
    yield "tiles", max(strip.tiles(tile) for strip in strips), _most("tiles")
    yield "words of masks", max(mask_words(strip, tile) for strip in strips), memory.mask_words
    yield "positions", max(strip.positions for strip in strips), _most("positions")


def _most(field: str) -> int:
    return (1 << layouts.DESCRIPTOR.fields[field].bits) - 1
