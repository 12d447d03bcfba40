"""The map engine's schedule: a descriptor, and the table of a normalisation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from generator import layouts
from generator.layers import EngineError, FeatureLayout, MapLayer
from generator.schedule.rounds import Rounds

__all__ = ["MapSchedule", "schedule_map"]


@dataclass(frozen=True)
class MapSchedule:
    """A layer on the map engine.

    Attributes:
        rounds: no packets; its words are the normalisation's table.
    """

    layer: MapLayer
    descriptor: int
    rounds: Rounds
    output: FeatureLayout

    @property
    def inputs(self) -> tuple[tuple[str, FeatureLayout], ...]:
        """Maps on features_in: golden's name and the order of the pixels."""
        return ((self.layer.source, self.layer.input),)

    def feature_words(self, lanes: int) -> int:
        """Words on features_in."""
        return self.layer.input.words(lanes)


def schedule_map(layer: MapLayer, lanes: int) -> MapSchedule:
    """Schedules `layer` behind feature words of `lanes` lanes.

    Raises:
        EngineError: a number exceeds its field; names the layer.
    """
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
            **_windows(layer),
            **_normalisation(layer),
        )
    except layouts.LayoutError as error:
        raise EngineError(f"layer '{layer.name}': the map engine cannot run it, {error}") from error
    return MapSchedule(layer, descriptor, rounds, output)


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
