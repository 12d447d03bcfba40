"""The map engine's schedule: a descriptor, and the table of a normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from generator import layouts
from generator.layers import EngineError, FeatureLayout, MapLayer
from generator.schedule.rounds import Rounds

__all__ = ["MapSchedule", "Strips", "map_sizes", "schedule_map", "walk_steps"]


class Strips(NamedTuple):
    """How an engine of several lanes walks a row: in strips of so many columns, of which neighbours may share some.

    Attributes:
        windows: that lie in a strip.
        columns: from the first one of a strip to the next strip's.
        per_row: strips of a row.
        row_step: pixels from the last strip of a row to the first one of the next row.
    """

    windows: int
    columns: int
    per_row: int
    row_step: int

    @staticmethod
    def of(layer: MapLayer, lanes: int, most_stride: int | None) -> Strips:
        """Strips of `lanes` columns; where the stride is larger than `most_stride` they have one window each.

        Raises:
            EngineError: a window has no room in a strip.
        """
        kernel, stride = layer.kernel[1], layer.stride[1]
        for field, columns in (("kernel", kernel), ("stride", stride)):
            if columns > lanes:
                raise EngineError(
                    f"layer '{layer.name}': field '{field}': must be {lanes} columns at most in {lanes} lanes of the "
                    f"map engine (map_lanes), not {columns}"
                )
        windows = min((lanes - kernel) // stride + 1, lanes // stride)
        if most_stride is not None and stride > most_stride:
            windows = 1
        columns = windows * stride
        # All columns are walked, too: every word of the map has to be read.
        covering = 1 + max(0, -(-(layer.left + layer.input.width - lanes) // columns))
        per_row = max(-(-layer.out_width // windows), covering)
        return Strips(windows, columns, per_row, layer.input.width - (per_row - 1) * columns)


@dataclass(frozen=True)
class MapSchedule:
    """A layer on the map engine.

    Attributes:
        rounds: no packets; its words are the normalisation's table.
        strips: of an engine of several lanes; None: it walks position by position.
    """

    layer: MapLayer
    descriptor: int
    rounds: Rounds
    output: FeatureLayout
    strips: Strips | None = None

    @property
    def inputs(self) -> tuple[tuple[str, FeatureLayout], ...]:
        """Maps on features_in: golden's name and the order of the pixels."""
        return ((self.layer.source, self.layer.input),)

    def feature_words(self, lanes: int) -> int:
        """Words on features_in."""
        return self.layer.input.words(lanes)


def walk_steps(layer: MapLayer, strips: Strips | None) -> int:
    """Positions, or strips, that are walked of a channel."""
    rows, columns = layer.walk
    return rows * (strips.per_row if strips else columns)


def map_sizes(layers: Sequence[tuple[MapLayer, Strips | None]], map_lanes: int) -> dict[str, int]:
    """Sizes of a map engine that runs all `layers`, by the names that `generator.architecture.Architecture` has."""
    if not layers:
        return {}
    strips = [(layer, each) for layer, each in layers if each]
    normalised = [(layer, each, layer.normalisation) for layer, each in layers if layer.normalisation]
    return {
        "map_columns": max(1 if each else layer.out_width for layer, each in layers),
        "map_overlap": max(max(layer.overlaps[: 1 if each else 2]) for layer, each in layers),
        "map_lanes": map_lanes,
        "map_strips": max((each.per_row for _, each in strips), default=1),
        "map_reach": max((layer.kernel[1] for layer, _ in strips), default=1),
        "map_stride": max((layer.stride[1] for layer, each in strips if each.windows > 1), default=1),
        "map_averages": int(any(layer.average for layer, _ in strips)),
        "normalised_positions": max((walk_steps(layer, each) for layer, each, _ in normalised), default=1),
        "normalised_channels": max((each.size for _, _, each in normalised), default=1),
        "table_words": max((-(-each.table.size * 16 // layouts.WEIGHT_BITS) for _, _, each in normalised), default=1),
    }


def schedule_map(layer: MapLayer, lanes: int, map_lanes: int = 1, most_stride: int | None = None) -> MapSchedule:
    """Schedules `layer` behind feature words of `lanes` lanes.

    Args:
        map_lanes: columns that the engine works on at once.
        most_stride: the largest stride with which it takes several windows at once, where the accelerator is given.

    Raises:
        EngineError: a number exceeds its field, or a window the lanes; names the layer.
    """
    strips = Strips.of(layer, map_lanes, most_stride) if map_lanes > 1 else None
    table = layer.normalisation.table if layer.normalisation else np.zeros(0, dtype=np.uint16)
    rounds = Rounds((), layouts.words_from_lanes(table, 2))
    output = layer.output
    try:
        descriptor = layouts.MAP_DESCRIPTOR.pack(
            is_map=1,
            words=len(rounds.words),
            feature_words=layer.input.words(lanes),
            output_words=output.words(lanes),
            multiplier=layer.multiplier,
            shift=layer.shift,
            minimum=layer.minimum,
            maximum=layer.maximum,
            **_walk(layer),
            **(_strips(layer, strips) if strips else {}),
            **_windows(layer),
            **_normalisation(layer),
        )
    except layouts.LayoutError as error:
        raise EngineError(f"layer '{layer.name}': the map engine cannot run it, {error}") from error
    return MapSchedule(layer, descriptor, rounds, output, strips)


def _strips(layer: MapLayer, strips: Strips) -> dict[str, int]:
    return {
        "strip_windows": strips.windows,
        "strip_columns": strips.columns,
        "last_strip": strips.per_row - 1,
        "row_step": strips.row_step,
        "row_windows": layer.out_width,
    }


def _walk(layer: MapLayer) -> dict[str, int]:
    rows, columns = layer.walk
    return {
        "channels": layer.input.channels + layer.before,
        "pixel_channels": layer.input.channels,
        "input_signed": int(layer.input.signed),
        "first_column": layer.left,
        "end_column": layer.left + layer.input.width,
        "last_column": columns - 1,
        "first_row": layer.top,
        "end_row": layer.top + layer.input.height,
        "last_row": rows - 1,
        "last_output": layer.out_height * layer.out_width - 1,
    }


def _windows(layer: MapLayer) -> dict[str, int]:
    """A window ends kernel - 1 positions behind its beginning: so many strides and positions of the newest one's."""
    fields = {"average": int(layer.average)}
    for axis, kernel, stride in zip(("row", "column"), layer.kernel, layer.stride, strict=True):
        fields |= {f"kernel_{axis}": kernel - 1, f"stride_{axis}": stride - 1}
    for axis, kernel, stride in zip(("y", "x"), layer.kernel, layer.stride, strict=True):
        fields |= {f"end_slot_{axis}": (kernel - 1) // stride, f"end_phase_{axis}": (kernel - 1) % stride}
    return fields


def _normalisation(layer: MapLayer) -> dict[str, int]:
    if layer.normalisation is None:
        return {}
    return {
        "normalise": 1,
        "size": layer.normalisation.size,
        "before": layer.before,
        "index_shift": layer.normalisation.index_shift,
        "last_index": layer.normalisation.table.size - 1,
    }
