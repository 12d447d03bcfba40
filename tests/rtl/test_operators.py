"""The compiler's ap_int.h against Xilinx' ap_types: widths, signs and values of all operators."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rtl.frontend import INCLUDE_DIR
from tests.rtl.simulation import AP_TYPES

SOURCE = Path(__file__).parent / "programs" / "operators.cpp"


def _checksums(command: list[str], folder: Path, name: str) -> dict[str, str]:
    """Builds and runs the program: result by operator and types."""
    subprocess.run([*command, str(SOURCE), "-o", name], cwd=folder, check=True, capture_output=True)
    text = subprocess.run([folder / name], check=True, capture_output=True, text=True).stdout
    return dict(line.split(" -> ") for line in text.splitlines())


@pytest.mark.parametrize("widths", ["narrow, all values", "wide, random values"])
def test_agrees_with_xilinx(widths: str, tmp_path: Path) -> None:
    """Every operator gives the same type and the same bits."""
    chosen = ["-DWIDE"] if widths.startswith("wide") else []
    common = ["-std=c++17", "-w", *chosen]
    xilinx = _checksums(["g++", "-O0", *common, f"-I{AP_TYPES}"], tmp_path, "xilinx")
    clang = [sys.executable, "-m", "ziglang", "c++", "-O0", "-fno-sanitize=all"]
    own = _checksums([*clang, *common, f"-I{INCLUDE_DIR}"], tmp_path, "own")
    assert len(xilinx) > 500
    assert own == xilinx
