"""Expressions are simplified as they are made."""

from rtl.expressions import Graph


def test_a_choice_within_the_same_choice_is_none() -> None:
    """What the outer condition rules out does not matter; equal numbers that are left need no choice."""
    graph = Graph()
    condition, other = graph.leaf(1, "condition", "condition"), graph.leaf(70, "other", "other")
    zero, one = graph.const(70, 0), graph.const(70, 1)
    assert graph.select(condition, zero, graph.select(condition, other, zero)) is zero
    assert graph.select(condition, graph.select(condition, zero, other), zero) is zero
    assert graph.select(condition, graph.select(condition, other, zero), other) is other
    assert graph.select(condition, zero, graph.select(condition, other, one)) is graph.select(condition, zero, one)
