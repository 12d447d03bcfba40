"""The compiler's ap_int.h and ap_fixed.h against Xilinx' ap_types: types and values of all operators."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.agreement import COMPARISONS, compare


@pytest.mark.parametrize("name", COMPARISONS)
def test_agrees_with_xilinx(name: str, tmp_path: Path) -> None:
    """Every operation gives the same type and the same bits."""
    found = compare(COMPARISONS[name], tmp_path)
    print(f"{found.operations:,} operations of {found.kinds:,} kinds compared")
    assert not found.differences
    assert found.kinds > 150 and found.operations > 40_000
