"""The offline schedule: which PE computes what, and the words of the weight stream that make it do so.

Weights are static, so all of this is decided before any hardware runs. Input: one engine layer with its decoded
weights (`ConvolverLayer`, `FcLayer`), or without any (`MapLayer`). Output: descriptor, packets, and the counts that the
cycle model reads.
"""

from __future__ import annotations

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
    "map_sizes",
    "schedule_convolver",
    "schedule_fc",
    "schedule_fc_stream",
    "schedule_map",
    "streamed_sizes",
    "walk_steps",
]

Schedule = ConvolverSchedule | FcSchedule | FcStreamSchedule | MapSchedule
