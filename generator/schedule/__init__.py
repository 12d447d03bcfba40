"""The offline schedule: which PE computes what, and the words of the weight stream that make it do so.

Weights are static, so all of this is decided before any hardware runs. Input: one engine layer with its decoded
weights (`ConvolverLayer`, `FcLayer`), or without any (`MapLayer`). Output: descriptor, packets, and the counts that the
cycle model reads.
"""

from __future__ import annotations

from typing import Literal

from generator.schedule.blocks import block_entries, channel_blocks
from generator.schedule.convolver import Buffers, ConvolverPacket, ConvolverSchedule, channel_order, schedule_convolver
from generator.schedule.fc import FcPacket, FcSchedule, schedule_fc
from generator.schedule.fc_stream import (
    ColumnFormat,
    FcStreamSchedule,
    column_entries,
    column_format,
    schedule_fc_stream,
    streamed_sizes,
)
from generator.schedule.maps import MapSchedule, Strips, map_sizes, schedule_map, walk_steps
from generator.schedule.rounds import Rounds

__all__ = [
    "Buffers",
    "ColumnFormat",
    "ConvolverPacket",
    "ConvolverSchedule",
    "Engine",
    "FcPacket",
    "FcSchedule",
    "FcStreamSchedule",
    "MapSchedule",
    "Rounds",
    "Schedule",
    "Strips",
    "block_entries",
    "channel_blocks",
    "channel_order",
    "column_entries",
    "column_format",
    "engine_of",
    "map_sizes",
    "schedule_convolver",
    "schedule_fc",
    "schedule_fc_stream",
    "schedule_map",
    "streamed_sizes",
    "walk_steps",
]

Schedule = ConvolverSchedule | FcSchedule | FcStreamSchedule | MapSchedule
Engine = Literal["convolver", "fc", "map"]


def engine_of(schedule: Schedule) -> Engine:
    """The engine that runs it."""
    if isinstance(schedule, MapSchedule):
        return "map"
    return "convolver" if isinstance(schedule, ConvolverSchedule) else "fc"
