"""AXI-Stream sources and sinks for a cocotb bench, all stepped by one coroutine.

The ports have TDATA, TVALID and TREADY only, as `#pragma HLS INTERFACE axis` gives them for plain words. The classes
follow cocotbext-axi's (pause generators, queues, idle()), but a whole bench waits for the clock once, not once a port,
which is what the simulation's speed hangs on, and each sink checks the protocol: TVALID stays and TDATA holds until
TREADY.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import Any, Protocol

from cocotb.triggers import RisingEdge

__all__ = ["ClockedBench", "Port", "ProtocolError", "Sink", "Source", "random_pauses"]


class ProtocolError(AssertionError):
    """A port broke the AXI-Stream handshake."""


class Port(Protocol):
    """Something that takes part in every clock."""

    def reset(self) -> None:
        """Drives the port's idle state."""

    def step(self, clock: int) -> None:
        """Handles one rising edge: sees the signals as they were before it, drives what they shall be after it."""


class Source:
    """Sends words into a port NAME_TDATA, NAME_TVALID, NAME_TREADY.

    Attributes:
        sent: words that the design has accepted.
        first_clock: clock in which the first word was accepted, None before.
        phase_clock: the same since it was last set to None, which the bench does when a phase starts.
        pauses: per clock, whether to hold TVALID low if no word is on offer; None: never.
    """

    def __init__(self, design: Any, name: str) -> None:
        self.name = name
        self._data = getattr(design, f"{name}_TDATA")
        self._valid = getattr(design, f"{name}_TVALID")
        self._ready = getattr(design, f"{name}_TREADY")
        self._queue: deque[int] = deque()
        self._offering = False
        self.pauses: Iterator[bool] | None = None
        self.sent = 0
        self.first_clock: int | None = None
        self.phase_clock: int | None = None

    def send(self, words: Iterable[int]) -> None:
        """Queues words, each an unsigned integer of the port's width."""
        self._queue.extend(words)

    def idle(self) -> bool:
        """Whether every queued word has been accepted."""
        return not self._queue and not self._offering

    def reset(self) -> None:
        """Drives TVALID low."""
        self._valid.value = 0
        self._data.value = 0

    def step(self, clock: int) -> None:
        """One rising edge: notes an accepted word and offers the next."""
        if self._offering:
            if not self._ready.value:
                return
            self._offering = False
            self.sent += 1
            if self.first_clock is None:
                self.first_clock = clock
            if self.phase_clock is None:
                self.phase_clock = clock
            if not self._may_offer(clock):
                self._valid.value = 0
                return
        elif not self._may_offer(clock):
            return
        self._data.value = self._queue.popleft()
        self._valid.value = 1
        self._offering = True

    def _may_offer(self, clock: int) -> bool:
        """Whether a word goes on offer in this clock."""
        return bool(self._queue) and not (self.pauses is not None and next(self.pauses))


class Sink:
    """Receives words from a port NAME_TDATA, NAME_TVALID, NAME_TREADY.

    Attributes:
        words: what arrived, unsigned integers.
        clocks: the clock in which each word arrived.
        checked: how many of them the bench has compared.
        pauses: per clock, whether to hold TREADY low; None: never.
    """

    def __init__(self, design: Any, name: str) -> None:
        self.name = name
        self._data = getattr(design, f"{name}_TDATA")
        self._valid = getattr(design, f"{name}_TVALID")
        self._ready = getattr(design, f"{name}_TREADY")
        self._is_ready = False
        self._waiting: int | None = None
        self.pauses: Iterator[bool] | None = None
        self.words: list[int] = []
        self.clocks: list[int] = []
        self.checked = 0

    def reset(self) -> None:
        """Drives TREADY low."""
        self._ready.value = 0

    def step(self, clock: int) -> None:
        """One rising edge: takes the word on offer if TREADY was high, then drives TREADY for the next clock."""
        if self._valid.value:
            word = int(self._data.value)
            if self._waiting is not None and word != self._waiting:
                raise ProtocolError(f"{self.name}: TDATA changed in clock {clock} while TVALID waited for TREADY.")
            if self._is_ready:
                self.words.append(word)
                self.clocks.append(clock)
                self._waiting = None
            else:
                self._waiting = word
        elif self._waiting is not None:
            raise ProtocolError(f"{self.name}: TVALID fell in clock {clock} before TREADY rose.")
        ready = self.pauses is None or not next(self.pauses)
        if ready != self._is_ready:
            self._ready.value = int(ready)
            self._is_ready = ready


class ClockedBench:
    """Steps all ports of a design, clock by clock.

    Attributes:
        clock: number of rising edges since reset.
    """

    def __init__(self, design: Any, ports: Sequence[Port]) -> None:
        self._design = design
        self._ports = ports
        self._edge = RisingEdge(design.ap_clk)
        self.clock = 0

    async def reset(self, clocks: int = 4) -> None:
        """Holds ap_rst_n low for a number of clocks."""
        self._design.ap_rst_n.value = 0
        for port in self._ports:
            port.reset()
        for _ in range(clocks):
            await self._edge
        self._design.ap_rst_n.value = 1
        self.clock = 0

    async def step(self) -> None:
        """Waits for one rising edge and steps every port."""
        await self._edge
        for port in self._ports:
            port.step(self.clock)
        self.clock += 1


def random_pauses(random: Random, share: float, longest: int = 8) -> Iterator[bool]:
    """An endless pattern of pauses and transfers in bursts of random length.

    Args:
        random: its source of numbers.
        share: part of the clocks that pause, 0 to below 1.
        longest: clocks of the longest pause.
    """
    while True:
        pause = random.randint(1, longest)
        transfer = pause * (1 - share) / share if share > 0 else longest
        yield from (True for _ in range(pause if share > 0 else 0))
        yield from (False for _ in range(max(1, round(random.expovariate(1 / transfer)))))
