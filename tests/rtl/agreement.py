"""The compiler's ap_int.h and ap_fixed.h against Xilinx' ap_types: one program, built with each, prints checksums.

python -m tests.rtl.agreement
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rtl.frontend import INCLUDE_DIR
from tests.rtl.simulation import AP_TYPES

__all__ = ["COMPARISONS", "Agreement", "Comparison", "compare"]

PROGRAMS = Path(__file__).parent / "programs"


@dataclass(frozen=True)
class Comparison:
    """A program to build twice: its file in `programs`, and a macro that chooses a part of it."""

    source: str
    define: str = ""


@dataclass(frozen=True)
class Agreement:
    """What a comparison found.

    Attributes:
        kinds: pairs of operation and types.
        operations: results compared, over all of them.
        differences: kinds whose result's type, number or checksum differ, or that only one program prints.
    """

    kinds: int
    operations: int
    differences: list[str]


COMPARISONS = {
    "ap_int, narrow: all values": Comparison("operators.cpp"),
    "ap_int, wide: random values": Comparison("operators.cpp", "WIDE"),
    "ap_fixed, conversions: all pairs of modes, constants": Comparison("fixed_point.cpp", "PART=1"),
    "ap_fixed, operators: narrow and wide": Comparison("fixed_point.cpp", "PART=2"),
}


def compare(comparison: Comparison, folder: Path) -> Agreement:
    """Builds and runs the program with both sets of headers in `folder`."""
    source = [str(PROGRAMS / comparison.source), *([f"-D{comparison.define}"] if comparison.define else [])]
    clang = [sys.executable, "-m", "ziglang", "c++", "-fno-sanitize=all", f"-I{INCLUDE_DIR}"]
    xilinx = _results(["g++", f"-I{AP_TYPES}", *source], folder, "xilinx")
    own = _results([*clang, *source], folder, "own")
    operations = sum(int(result.split()[1]) for result in xilinx.values())
    return Agreement(len(xilinx), operations, sorted(dict(xilinx.items() ^ own.items())))


def _results(command: list[str], folder: Path, name: str) -> dict[str, str]:
    """The program's lines `operation and types -> type, number of operations, checksum`."""
    subprocess.run([*command, "-std=c++17", "-O0", "-w", "-o", name], cwd=folder, check=True, capture_output=True)
    text = subprocess.run([folder / name], check=True, capture_output=True, text=True).stdout
    return dict(line.split(" -> ") for line in text.splitlines())


def main() -> None:
    """Prints how many operations were compared."""
    total = 0
    for name, comparison in COMPARISONS.items():
        with tempfile.TemporaryDirectory() as folder:
            found = compare(comparison, Path(folder))
        total += found.operations
        print(f"{found.operations:>10,} operations of {found.kinds:>5,} kinds, {len(found.differences)} differ: {name}")
        for difference in found.differences[:10]:
            print(f"           {difference}")
    print(f"{total:>10,} operations")


if __name__ == "__main__":
    main()
