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


def test_equal_steps_merge_into_one_run() -> None:
    trace = Trace("p")
    trace.step(["s"], times=3)
    trace.step(["s"])
    trace.step(times=0)
    assert trace.runs == [((("s",), ()), 4)]
    assert trace.steps == 4
