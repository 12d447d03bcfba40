"""Packets of weights on the stream: dealt out to the PEs in rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from generator import layouts

__all__ = ["Int", "Packet", "Rounds", "Words", "deal"]

Int = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint8]


class Packet(Protocol):
    """What a PE gets of a layer at a time: its content (uint8 [words, WEIGHT_BITS / 8]) and its header's fields."""

    @property
    def content(self) -> Words:
        """uint8 [words, WEIGHT_BITS / 8]."""

    @property
    def header(self) -> Mapping[str, int]:
        """Fields of the header word, `words` and `round_words` apart."""


@dataclass(frozen=True)
class Rounds:
    """Packets as they lie on the weight stream: in rounds of one packet per PE, the words of a round interleaved.

    Attributes:
        mask_words: words in front of the first round that every PE gets.
        sizes: per round (packets, words of each of them).
        words: all words: uint8 [words, WEIGHT_BITS / 8].
    """

    sizes: tuple[tuple[int, int], ...]
    words: Words
    mask_words: int = 0


def deal(packets: Sequence[Packet], pes: int, masks: Words | None = None) -> Rounds:
    """Deals `packets` out in rounds of `pes`, filled up with zero words to the longest packet of the round.

    Args:
        masks: words for every PE, in front of the packets: uint8 [words, WEIGHT_BITS / 8].
    """
    sizes: list[tuple[int, int]] = []
    words: list[Words] = [] if masks is None else [masks]
    for start in range(0, len(packets), pes):
        group = packets[start : start + pes]
        length = 1 + max(len(packet.content) for packet in group)
        block = np.zeros((length, len(group), layouts.WEIGHT_BITS // 8), dtype=np.uint8)
        for number, packet in enumerate(group):
            header = layouts.PACKET.pack(round_words=length, words=len(packet.content), **packet.header)
            block[0, number] = layouts.words_from_integer(header, 1)[0]
            block[1 : 1 + len(packet.content), number] = packet.content
        sizes.append((len(group), length))
        words.append(block.reshape(-1, layouts.WEIGHT_BITS // 8))
    return Rounds(tuple(sizes), np.concatenate(words), 0 if masks is None else len(masks))
