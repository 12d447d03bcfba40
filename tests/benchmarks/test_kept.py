"""Kept figures: equal ones pass, others are told, and the file changes only when asked."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from benchmarks.kept import keep_or_compare


class _Figures(BaseModel):
    cycles: int


def test_figures_are_compared_or_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = tmp_path / "expected.json"
    assert keep_or_compare([_Figures(cycles=7)], expected, update=True) == 0
    written = expected.read_text()
    assert keep_or_compare([_Figures(cycles=7)], expected, update=False) == 0 and not capsys.readouterr().err
    assert keep_or_compare([_Figures(cycles=8)], expected, update=False) == 1
    assert "figures differ from expected.json" in capsys.readouterr().err and expected.read_text() == written
