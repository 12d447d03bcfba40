"""The event model against the simulation of every clock, on random networks."""

import numpy as np
import pytest

from generator.dataflow import DeadlockError, SimulationResult, Trace, simulate
from tests.generator.clock_by_clock import simulate_every_clock

Drawn = tuple[list[Trace], dict[str, int], dict[str, list[int]], dict[str, tuple[int, int]]]


def _network(seed: int) -> Drawn:
    """Up to seven processes, streams in any direction (feedback too), of depths 1 to 6, in stages 0 to 6.

    Steps are drawn as one possible order of events with unbounded streams, so that only depths can cause a deadlock.
    """
    random = np.random.default_rng(seed)
    traces = [Trace(f"p{i}") for i in range(random.integers(1, 8))]
    streams = [
        (f"s{i}", int(random.integers(len(traces))), int(random.integers(len(traces))))
        for i in range(random.integers(0, 10))
    ]
    held = dict.fromkeys((name for name, _, _ in streams), 0)
    busy = random.choice([0.2, 0.6, 0.95])
    for _ in range(random.integers(1, 300)):
        process = int(random.integers(len(traces)))
        touch = [random.random() < busy for _ in streams]
        reads = [s for t, (s, _, to) in zip(touch, streams, strict=True) if t and to == process and held[s]]
        writes = [s for t, (s, by, _) in zip(touch, streams, strict=True) if t and by == process and s not in reads]
        times = int(random.choice([1, 1, 1, 2, 5, 40]))
        times = min([times, *(held[s] for s in reads)])
        traces[process].step(reads, writes, times)
        for s in reads:
            held[s] -= times
        for s in writes:
            held[s] += times
    depths = {s: int(random.integers(1, 7)) for s, _, _ in streams}
    if random.random() < 0.5:
        depths = {s: depth + 40 for s, depth in depths.items()}
    last = int(random.choice([0, 2, 6]))
    stages = {s: (int(random.integers(last + 1)), int(random.integers(last + 1))) for s, _, _ in streams}
    marks = {t.process: sorted({int(random.integers(1, t.steps + 1)) for _ in range(4)}) for t in traces if t.steps}
    return traces, depths, marks, stages


def _text(result: SimulationResult | str) -> str:
    if isinstance(result, str):
        return result
    finished = {name: clocks.tolist() for name, clocks in result.finished.items()}
    return f"{result.cycles} {finished} {dict(result.high_water)}"


def _both(drawn: Drawn) -> list[str]:
    outcomes: list[str] = []
    for run in (simulate, simulate_every_clock):
        try:
            outcomes.append(_text(run(*drawn)))
        except DeadlockError as error:
            outcomes.append(str(error))
    return outcomes


@pytest.mark.parametrize("seed", range(4))
def test_random_networks_take_the_same_clocks_and_fill_streams_alike(seed: int) -> None:
    deadlocks = 0
    for number in range(500):
        event, clock = _both(_network(1000 * seed + number))
        assert event == clock, f"seed {1000 * seed + number}"
        deadlocks += event.startswith("deadlock")
    assert 20 < deadlocks < 400
