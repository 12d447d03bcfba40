"""The process-network simulation: its timing rules, one by one."""

import pytest

from generator.dataflow import DeadlockError, Trace, simulate


def _pipe(words: int, depth: int, consumer_idle: int = 0) -> tuple[list[Trace], dict[str, int]]:
    source, sink = Trace("source"), Trace("sink")
    source.step(writes=["s"], times=words)
    for _ in range(words):
        sink.step(["s"])
        sink.step(times=consumer_idle)
    return [source, sink], {"s": depth}


def test_a_word_is_read_one_clock_after_it_was_written() -> None:
    assert simulate(*_pipe(1, 2)).cycles == 2


@pytest.mark.parametrize(("depth", "cycles"), [(1, 20), (2, 11), (16, 11)])
def test_depth_one_halves_the_rate_because_a_freed_place_is_filled_a_clock_later(depth: int, cycles: int) -> None:
    assert simulate(*_pipe(10, depth)).cycles == cycles


def test_back_pressure_holds_the_source_and_fills_the_stream() -> None:
    result = simulate(*_pipe(10, 4, consumer_idle=2))
    assert result.cycles == 1 + 3 * 10
    assert result.high_water == {"s": 4}


def test_a_step_waits_for_all_its_streams() -> None:
    left, right, join = Trace("left"), Trace("right"), Trace("join")
    left.step(writes=["a"])
    right.step(times=7)
    right.step(writes=["b"])
    join.step(["a", "b"])
    assert simulate([left, right, join], {"a": 2, "b": 2}, {"join": [1]}).finished["join"].tolist() == [8]


def test_marks_tell_when_a_process_has_done_so_many_steps() -> None:
    traces, depths = _pipe(10, 2)
    assert simulate(traces, depths, {"sink": [1, 10]}).finished["sink"].tolist() == [1, 10]


def test_a_deadlock_names_the_process_and_the_stream() -> None:
    fork, join = Trace("fork"), Trace("join")
    fork.step(writes=["long"], times=5)
    fork.step(writes=["short"])
    join.step(["long", "short"])
    with pytest.raises(DeadlockError, match=r"fork \(reads nothing; writes long\); join \(reads long, short"):
        simulate([fork, join], {"long": 4, "short": 2})


@pytest.mark.parametrize("stages", [(0, 0), (3, 0), (0, 2), (3, 2)])
def test_stages_cost_latency_and_no_rate(stages: tuple[int, int]) -> None:
    """Ten words take ten clocks, behind those in which writer and reader reach their stages side by side."""
    traces, depths = _pipe(10, 2)
    assert simulate(traces, depths, stages={"s": stages}).cycles == 10 + max(stages[0] + 1, stages[1])


def test_a_full_stream_stops_the_stages_before_it() -> None:
    """Words that are under way wait in their stages: the source has begun three steps more than the stream holds."""
    source, gate, sink = Trace("source"), Trace("gate"), Trace("sink")
    source.step(["start"], ["s"], times=10)
    gate.step(writes=["start"], times=10)
    sink.step(times=50)
    sink.step(["s"], times=10)
    result = simulate([source, gate, sink], {"start": 2, "s": 2}, {"gate": [2 + 3 + 2]}, {"s": (3, 0)})
    assert result.finished["gate"][0] < 20
    result = simulate([source, gate, sink], {"start": 2, "s": 2}, {"gate": [2 + 3 + 2 + 2]}, {"s": (3, 0)})
    assert result.finished["gate"][0] > 50


def test_a_stage_that_waits_lets_those_behind_it_go_on() -> None:
    """A step that waits for its first word does not hold up the one before it, which is about to write."""
    ping, pong = Trace("ping"), Trace("pong")
    ping.step(["back"], ["forth"], times=4)
    pong.step(writes=["back"])
    pong.step(["forth"], ["back"], times=3)
    pong.step(["forth"])
    assert simulate([ping, pong], {"back": 2, "forth": 2}, stages={"forth": (2, 0)}).cycles == 4 * (1 + 2 + 1) + 1


def test_a_deadlock_names_a_step_that_waits_in_a_late_stage() -> None:
    source, sink = Trace("source"), Trace("sink")
    source.step(writes=["s"], times=4)
    sink.step(["s"])
    with pytest.raises(DeadlockError, match=r"waiting are source \(reads nothing; writes s\)"):
        simulate([source, sink], {"s": 1}, stages={"s": (2, 0)})


def test_equal_steps_merge_into_one_run() -> None:
    trace = Trace("p")
    trace.step(["s"], times=3)
    trace.step(["s"])
    trace.step(times=0)
    assert trace.runs == [((("s",), ()), 4)]
    assert trace.steps == 4
