"""The offline schedule: which PE computes what, and the words of the weight stream that make it do so.

Weights are static, so all of this is decided before any hardware runs. Input: one engine layer with its decoded
weights (`ConvolverLayer`, `FcLayer`), or without any (`MapLayer`). Output: descriptor, packets, and the counts that the
cycle model reads.
"""

from __future__ import annotations

from generator.schedule.convolver import Buffers, ConvolverPacket, ConvolverSchedule, channel_order, schedule_convolver
from generator.schedule.fc import FcPacket, FcSchedule, schedule_fc
from generator.schedule.maps import MapSchedule, schedule_map
from generator.schedule.rounds import Rounds

__all__ = [
    "Buffers",
    "ConvolverPacket",
    "ConvolverSchedule",
    "FcPacket",
    "FcSchedule",
    "MapSchedule",
    "Rounds",
    "Schedule",
    "channel_order",
    "schedule_convolver",
    "schedule_fc",
    "schedule_map",
]

Schedule = ConvolverSchedule | FcSchedule | MapSchedule
