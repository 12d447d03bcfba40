"""Which output channels a PE of the convolver computes side by side: those whose weights lie at the same places."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from generator.schedule.rounds import Int

__all__ = ["block_entries", "channel_blocks"]


def channel_blocks(weights: npt.NDArray[np.int8], outputs: int) -> Int:
    """Output channels in blocks of `outputs`; the last block may have fewer.

    A block's entries are the places where any of its channels has a weight, so that channels with common places belong
    together. Greedy: a block begins with the channel with the most weights, and takes what has most places in common
    with it so far; of several, the one with the fewest weights, then the first one. Channels of one pattern, of which
    none is longer, so stay together.

    Args:
        weights: int8 [output channels, ..].

    Returns:
        int64 [blocks, outputs], -1 where the last one has no channel.
    """
    channels = len(weights)
    if outputs == 1:
        return np.arange(channels, dtype=np.int64)[:, None]
    # Counts of places are exact in float32, whose products are far faster than integers'.
    places = (weights.reshape(channels, -1) != 0).astype(np.float32)
    sizes = places.sum(axis=1)
    blocks = np.full((-(-channels // outputs), outputs), -1, dtype=np.int64)
    free = np.ones(channels, dtype=np.bool_)
    for block in blocks:
        union = np.zeros(places.shape[1], dtype=np.float32)
        for number in range(min(outputs, int(free.sum()))):
            candidates = np.flatnonzero(free)
            common = places[candidates] @ union if number else sizes[candidates]
            best = candidates[np.lexsort((sizes[candidates], -common))[0]]
            block[number], free[best] = best, False
            union = np.maximum(union, places[best])
    return blocks


def block_entries(weights: npt.NDArray[np.int8], blocks: Int) -> Int:
    """Places where any channel of a block has a weight, for each input channel: int64 [blocks, input channels].

    Args:
        weights: int8 [output channels, input channels, rows, columns].
    """
    return np.stack([np.count_nonzero(weights[block[block >= 0]].any(axis=0), axis=(1, 2)) for block in blocks])
