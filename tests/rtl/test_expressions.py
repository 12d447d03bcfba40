"""Expressions are simplified as they are made."""

from itertools import product

import pytest

from rtl.expressions import Graph, Node


def test_a_choice_within_the_same_choice_is_none() -> None:
    """What the outer condition rules out does not matter; equal numbers that are left need no choice."""
    graph = Graph()
    condition, other = graph.leaf(1, "condition", "condition"), graph.leaf(70, "other", "other")
    zero, one = graph.const(70, 0), graph.const(70, 1)
    assert graph.select(condition, zero, graph.select(condition, other, zero)) is zero
    assert graph.select(condition, graph.select(condition, zero, other), zero) is zero
    assert graph.select(condition, graph.select(condition, other, zero), other) is other
    assert graph.select(condition, zero, graph.select(condition, other, one)) is graph.select(condition, zero, one)


def _value(node: Node, leaves: dict[object, int]) -> int:
    """An expression's number, by the meaning of its operators."""
    args = [_value(arg, leaves) for arg in node.args]
    whole = (1 << node.width) - 1
    signed = [x - (x >> arg.width - 1 << arg.width) for x, arg in zip(args, node.args, strict=True)]
    match node.op:
        case "const":
            return node.number
        case "leaf":
            return leaves[node.key]
        case "slice":
            return args[0] >> node.number & whole
        case "cat":
            at, total = 0, 0
            for arg, x in zip(node.args, args, strict=True):
                total |= x << at
                at += arg.width
            return total
        case "not":
            return args[0] ^ whole
        case "and" | "or" | "xor":
            return {"and": args[0] & args[1], "or": args[0] | args[1], "xor": args[0] ^ args[1]}[node.op]
        case "sub":
            return args[0] - args[1] & whole
    return int(
        {"eq": args[0] == args[1], "ne": args[0] != args[1], "ult": args[0] < args[1], "ule": args[0] <= args[1],
         "slt": signed[0] < signed[1], "sle": signed[0] <= signed[1]}[node.op]
    )  # fmt: skip


@pytest.mark.parametrize("predicate", ["eq", "ne", "ult", "ule", "ugt", "uge", "slt", "sle", "sgt", "sge"])
@pytest.mark.parametrize("width", [1, 2])
def test_numbers_below_do_not_reach_the_hardware(predicate: str, width: int) -> None:
    """Of two concatenations the upper parts are compared; the numbers below say what equal ones mean."""
    graph = Graph()
    a, b = (graph.leaf(width, name, name) for name in "ab")
    for x, y in product(range(4), repeat=2):
        whole = [graph.cat([graph.const(2, number), leaf]) for number, leaf in ((x, a), (y, b))]
        found = graph.compare(predicate, *whole)
        pending, compared = [found], 0
        while pending:
            node = pending.pop()
            compared = max([compared, *(arg.width for arg in node.args)])
            pending += node.args
        assert compared <= width
        for p, q in product(range(1 << width), repeat=2):
            numbers = [graph.const(width + 2, leaf << 2 | low) for leaf, low in ((p, x), (q, y))]
            assert _value(found, {"a": p, "b": q}) == graph.compare(predicate, *numbers).number


def test_the_length_of_a_range_is_a_number() -> None:
    """8 * i + 7 - 8 * i is 7, and the other way round -7; different numbers above are subtracted."""
    graph = Graph()
    lane, other = graph.leaf(5, "lane", "lane"), graph.leaf(5, "other", "other")
    low, high = (graph.cat([graph.const(3, number), lane]) for number in (0, 7))
    assert graph.arithmetic("sub", high, low) is graph.const(8, 7)
    assert graph.arithmetic("sub", low, high) is graph.const(8, -7)
    assert graph.arithmetic("sub", lane, lane) is graph.const(5, 0)
    assert graph.arithmetic("sub", lane, other).op == "sub"
