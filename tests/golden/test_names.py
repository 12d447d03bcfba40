"""Layer names and the C++ identifiers made of them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden import DescriptionError
from golden.names import check_name, identifiers


@given(st.lists(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.:\-]{0,20}", fullmatch=True), unique=True))
def test_identifiers_are_legal_distinct_and_in_order(names: list[str]) -> None:
    made = identifiers(names)
    assert list(made) == names
    assert len({identifier.lower() for identifier in made.values()}) == len(names)
    for identifier in made.values():
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*", identifier)


def test_identifiers_of_difficult_names() -> None:
    names = ["conv1", "Conv1", "conv.1", "conv-1", "1", "int", "_a__b_", "-", "layer1.0.conv1"]
    assert list(identifiers(names).values()) == [
        "conv1",
        "Conv1_2",
        "conv_1",
        "conv_1_2",
        "layer_1",
        "int_layer",
        "a_b",
        "layer",
        "layer1_0_conv1",
    ]


@pytest.mark.parametrize("name", ["conv1", "layer1.0.conv1", "_x", "a:b-c", "x" * 128])
def test_legal_names_pass(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "is empty"),
        ("a/b", "looks like a path"),
        ("..", "looks like a path"),
        ("a\\b", "looks like a path"),
        (".a", "not a legal name"),
        ("a b", "not a legal name"),
        ("a\n", "not a legal name"),
        ("é", "not a legal name"),
        ("x" * 129, "not a legal name"),
    ],
)
def test_other_names_are_refused(name: str, message: str) -> None:
    with pytest.raises(DescriptionError, match=rf"field 'name': .*{message}"):
        check_name(name)
