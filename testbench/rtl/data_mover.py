"""What stands between the accelerator and DDR: takes requests for columns, sends the words that they ask for."""

from collections import deque
from typing import Any

from testbench.rtl.axi_stream import Sink, Source
from testbench.rtl.phases import MoverJob, Words

__all__ = ["DataMover", "WrongRequest"]


class WrongRequest(AssertionError):
    """A request that the memory cannot answer."""


class DataMover(Source):
    """A memory that answers requests in order.

    The first word of a request is on offer `latency` clocks after the one in which the request was taken, or in the
    next one. A word takes a whole clock, and longer where the memory delivers fewer bytes a clock than it has: what it
    owes adds up, and whenever that is a clock's worth, a clock passes without a word. A memory that stands still saves
    nothing up.

    Attributes:
        requests: where requests arrive; it is stepped by the bench, before this.
        asked_for: words that were asked for so far.
        late: clocks in which a word that had been asked for was not on offer, neither stalls nor back-pressure counted.
    """

    def __init__(self, design: Any, job: MoverJob) -> None:
        super().__init__(design, job.columns)
        self.requests = Sink(design, job.requests)
        self._job = job
        self._memory: list[int] = []
        self._waiting: deque[tuple[int, list[int]]] = deque()  # clock from which on, words
        self._seen = 0
        self._charged = 0  # words
        self._owed = 0  # thousandths of a byte
        self._free = 0  # the clock from which on the memory can deliver
        self.asked_for = 0
        self.late = 0

    def holds(self, memory: Words | None) -> None:
        """From now on requests count from the first of these words; none may be left from before."""
        self._memory = memory.load() if memory else []

    def idle(self) -> bool:
        """Whether every word that was asked for has been accepted."""
        return super().idle() and not self._waiting

    def _may_offer(self, clock: int) -> bool:
        self._take(clock)
        self._charge(clock)
        if not self._queue and self._waiting and self._waiting[0][0] <= clock:
            self.send(self._waiting.popleft()[1])
        if (self._queue and self._free > clock) or (not self._queue and self._waiting):
            self.late += 1
            return False
        return super()._may_offer(clock)

    def _charge(self, clock: int) -> None:
        """Notes what the memory owes for the word that was accepted, if one was."""
        rate = self._job.bytes_per_clock
        if self.sent == self._charged or rate is None:
            return
        self._charged = self.sent
        rate = round(1000 * rate)
        self._owed += max(1000 * self._job.word_bytes - rate, 0)
        pauses, self._owed = divmod(self._owed, rate)
        self._free = clock + pauses

    def _take(self, clock: int) -> None:
        """Notes the requests that have arrived."""
        for number in range(self._seen, len(self.requests.words)):
            word = self.requests.words[number]
            first, count = (word >> low & ((1 << bits) - 1) for low, bits in (self._job.first, self._job.count))
            if first + count > len(self._memory):
                raise WrongRequest(
                    f"{self.requests.name}: request {number} asks for words {first} to {first + count - 1}, "
                    f"the layer has {len(self._memory)}."
                )
            self._waiting.append(
                (self.requests.clocks[number] + self._job.latency, self._memory[first : first + count])
            )
            self.asked_for += count
        self._seen = len(self.requests.words)
