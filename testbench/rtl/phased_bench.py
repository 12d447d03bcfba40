"""The cocotb side of a phased bench: drives one :class:`PhasedJob` and writes its :class:`PhasedResult`."""

import ctypes
import os
import random
import signal
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock

from testbench.rtl.axi_stream import ClockedBench, Port, ProtocolError, Sink, Source, random_pauses
from testbench.rtl.data_mover import DataMover, WrongRequest
from testbench.rtl.phases import PhasedJob, PhasedResult, PhaseTime, Run, RunResult, WrongWord

__all__ = ["TB", "run_phased_job"]

_CLOCKS_AFTER_THE_END = 64  # long enough for a surplus word to cross a port's register slice and show itself


class TB:
    """Sources and sinks of a design, stepped together through the phases of one run.

    The order of a clock is: sinks, then the advance to the next phase, then sources. So a phase's first word is on
    offer in the clock after the previous phase's last word.
    """

    def __init__(self, design: Any, job: PhasedJob, run: Run, seed: str) -> None:
        self.job = job
        self.run = run
        self.design = design
        sending = sorted({*run.background, *(port for phase in run.phases for port in phase.send)})
        receiving = sorted({port for phase in run.phases for port in phase.expect})
        self.sources = {name: Source(design, name) for name in sending}
        self.sinks = {name: Sink(design, name) for name in receiving}
        self.mover = DataMover(design, job.mover) if job.mover else None
        if self.mover:
            self.sources[self.mover.name] = self.mover
        self._set_pauses(seed)
        requests = [self.mover.requests] if self.mover else []
        ports: list[Port] = [*requests, *self.sinks.values(), self, *self.sources.values()]
        self.bench = ClockedBench(design, ports)
        self.phase = -1
        self.times: list[PhaseTime] = []
        self.wrong: WrongWord | None = None
        self._expected: dict[str, list[int]] = {}
        self._started: dict[str, int] = {}

    def _set_pauses(self, seed: str) -> None:
        ports: dict[str, Source | Sink] = {**self.sources, **self.sinks}
        if self.mover:
            ports[self.mover.requests.name] = self.mover.requests
        for name, port in ports.items():
            share = self.job.pauses.get(name, 0.0)
            if share > 0:
                port.pauses = random_pauses(random.Random(f"{seed} {name}"), share)

    def reset(self) -> None:
        """Queues the background words and the first phase."""
        for name, parts in self.run.background.items():
            for words in parts:
                self.sources[name].send(words.load())
        self._start_phase()

    @property
    def finished(self) -> bool:
        """Whether every phase's words have arrived, or a wrong one."""
        return self.phase >= len(self.run.phases) or self.wrong is not None

    def transfers(self) -> int:
        """Words that crossed any port so far."""
        sent = sum(source.sent for source in self.sources.values())
        requests = len(self.mover.requests.words) if self.mover else 0
        return sent + requests + sum(len(sink.words) for sink in self.sinks.values())

    def step(self, clock: int) -> None:
        """Checks what arrived; starts the next phase when this one's last word has come."""
        if self.finished:
            return
        for name, expected in self._expected.items():
            sink = self.sinks[name]
            seen = sink.checked
            if len(sink.words) == seen:
                continue
            index = seen - self._started[name]
            if index >= len(expected) or sink.words[seen] != expected[index]:
                self._note_wrong(name, index, expected, sink.words[seen], clock)
                return
            sink.checked += 1
        if all(len(self.sinks[name].words) - self._started[name] == len(e) for name, e in self._expected.items()):
            self._end_phase()
            self._start_phase()

    def _note_wrong(self, port: str, index: int, expected: list[int], got: int, clock: int) -> None:
        want = f"{expected[index]:x}" if index < len(expected) else "nothing"
        self.wrong = WrongWord(phase=self.phase, port=port, index=index, expected=want, got=f"{got:x}", clock=clock)

    def _end_phase(self) -> None:
        phase = self.run.phases[self.phase]
        first = min((self.sources[name].phase_clock or 0 for name in phase.send), default=0)
        last = max(self.sinks[name].clocks[-1] for name in phase.expect)
        asked_for, late = (self.mover.asked_for, self.mover.late) if self.mover else (0, 0)
        self.times.append(
            PhaseTime(
                first_sent=first,
                last_received=last,
                asked_for=asked_for - sum(time.asked_for for time in self.times),
                late=late - sum(time.late for time in self.times),
            )
        )

    def _start_phase(self) -> None:
        self.phase += 1
        if self.phase >= len(self.run.phases):
            return
        phase = self.run.phases[self.phase]
        if self.mover:
            self.mover.holds(phase.memory)
        self._expected = {name: words.load() for name, words in phase.expect.items()}
        self._started = {name: len(self.sinks[name].words) for name in phase.expect}
        for name, words in phase.send.items():
            self.sources[name].phase_clock = None
            self.sources[name].send(words.load())

    def left_over(self) -> str:
        """What should not be there after the end; empty when all is clean."""
        surplus = [name for name, sink in self.sinks.items() if len(sink.words) > sink.checked]
        unsent = [name for name, source in self.sources.items() if not source.idle()]
        full = [f"{name} ({count} words)" for name, count in self.held().items() if count]
        parts = []
        if surplus:
            parts.append(f"more words than expected came out of {', '.join(surplus)}")
        if unsent:
            parts.append(f"words were never accepted at {', '.join(unsent)}")
        if full:
            parts.append(f"words were left in {', '.join(full)}")
        return "; ".join(parts)

    def _gauge(self, path: str, signal: str) -> int:
        handle = self.design
        for part in path.split("."):
            handle = getattr(handle, part)
        return int(getattr(handle, signal).value)

    def held(self) -> dict[str, int]:
        """Words in every gauged FIFO."""
        return {gauge.name: self._gauge(gauge.path, "count") for gauge in self.job.gauges}

    def high_water(self) -> dict[str, int]:
        """The most words that every gauged FIFO held."""
        return {gauge.name: self._gauge(gauge.path, "high_water") for gauge in self.job.gauges}

    def result(self, status: str, message: str = "") -> RunResult:
        """The report on the run so far."""
        background = {name: self.sources[name].first_clock or 0 for name in self.run.background}
        return RunResult.model_validate(
            {
                "status": status,
                "message": message,
                "wrong": self.wrong,
                "clocks": self.bench.clock,
                "first_background": background,
                "phases": self.times,
                "high_water": self.high_water(),
                "held": self.held(),
            }
        )


async def _drive(tb: TB) -> RunResult:
    await tb.bench.reset()
    transfers, quiet = 0, 0
    while not tb.finished:
        await tb.bench.step()
        now = tb.transfers()
        quiet = 0 if now != transfers else quiet + 1
        transfers = now
        if quiet > tb.job.quiet_limit:
            return tb.result("stuck", _stuck_message(tb))
    if tb.wrong is not None:
        return tb.result("mismatch")
    for _ in range(_CLOCKS_AFTER_THE_END):
        await tb.bench.step()
    left_over = tb.left_over()
    return tb.result("left over", left_over) if left_over else tb.result("passed")


def _stuck_message(tb: TB) -> str:
    waiting = [name for name, source in tb.sources.items() if not source.idle()]
    held = [f"{name} holds {count}" for name, count in tb.held().items() if count]
    phase = tb.run.phases[tb.phase].name
    return (
        f"no word crossed a port for {tb.job.quiet_limit} clocks in {phase}; "
        f"ports with words to send: {', '.join(waiting) or 'none'}; FIFOs: {', '.join(held) or 'all empty'}"
    )


def _end_with_parent() -> None:
    """Linux ends this process when the one that waits for it is gone: a killed regression leaves nothing running."""
    set_option = getattr(ctypes.CDLL(None), "prctl", None)
    if set_option is not None:
        set_option(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


@cocotb.test()
async def run_phased_job(dut: Any) -> None:
    """Runs the job of the file ZEROSKIP_JOB, writes the result to ZEROSKIP_RESULT."""
    _end_with_parent()
    job = PhasedJob.model_validate_json(Path(os.environ["ZEROSKIP_JOB"]).read_text())
    Clock(dut.ap_clk, 10, "ns").start()
    results: list[RunResult] = []
    for number, run in enumerate(job.runs):
        tb = TB(dut, job, run, f"{os.environ['COCOTB_RANDOM_SEED']} {number}")
        try:
            results.append(await _drive(tb))
        except (ProtocolError, WrongRequest) as error:
            results.append(tb.result("protocol", str(error)))
        if results[-1].status != "passed":
            break
    Path(os.environ["ZEROSKIP_RESULT"]).write_text(PhasedResult(runs=results).model_dump_json())
