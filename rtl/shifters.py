"""LUTs of a shift by a variable, from the bits of its operand that can reach each bit of its result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

__all__ = ["Shifter"]

_LUT_INPUTS = 6
_CHOICES = 2  # bits of the amount with which a LUT chooses one of four


@dataclass(frozen=True)
class Shifter:
    """A shift by a variable.

    Attributes:
        left: towards the high bits.
        signed: copies of the operand's highest bit come in.
        operand: its lowest bits that may be set, and of a signed one the sign.
        outputs: lowest bits of the result that matter.
        steps: places that each bit of the amount shifts by, the lowest first; one stands for all that shift the whole
            operand out.
    """

    left: bool
    signed: bool
    operand: int
    outputs: int
    steps: Sequence[int]

    def luts(self) -> int:
        """LUTs, each of which takes two bits of the amount and chooses one of four.

        A bit of the result that few bits of the operand can reach takes these and the whole amount into one LUT. So a
        narrow operand in a wide result costs a LUT a bit, and a lane of a wide word as much as its multiplexers.
        """
        luts, wanted = 0, set(range(self.outputs))
        for low in reversed(range(0, len(self.steps), _CHOICES)):
            high = min(low + _CHOICES, len(self.steps))
            whole, below, own = (_sums(self.steps[part]) for part in (slice(high), slice(low), slice(low, high)))
            before: set[int] = set()
            for place in wanted:
                bits = self._reaching(place, whole)
                luts += bool(bits) and len({self._from(place, by) for by in whole}) > 1
                if len(bits) + high > _LUT_INPUTS:
                    before |= {self._from(place, by) for by in own}
            wanted = {place for place in before if self._reaching(place, below)}
        return luts

    def _from(self, place: int, by: int) -> int:
        moved = place - by if self.left else place + by
        return min(moved, self.operand - 1) if self.signed else moved

    def _reaching(self, place: int, places: set[int]) -> set[int]:
        """Bits of the operand that such shifts bring to a place."""
        return {bit for by in places if 0 <= (bit := self._from(place, by)) < self.operand}


def _sums(steps: Sequence[int]) -> set[int]:
    return {sum(chosen) for count in range(len(steps) + 1) for chosen in combinations(steps, count)}
