"""How long the largest engine configuration takes to compile, and how fast it simulates.

    python -m benchmarks.simulation_speed                  16 PEs x 64 lanes, VGG-small, three images
    python -m benchmarks.simulation_speed --network NAME --pes N --lanes N

Bars: C++ to SystemVerilog in under 60 s, and at least 5,000 clocks a second on one core, the cocotb bench included.
Both are of the machine that it runs on; exit code 1 when one is missed, or when the words are wrong.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import golden
from generator import BuildOptions, generate
from testbench.build import load_build
from testbench.rtl.executor import RtlExecutor, compile_design
from zeroskip.pipeliner import Pipeliner

_ZOO = Path(__file__).parents[1] / "zoo" / "descriptions"
_BOARD = "zcu104"
_COMPILE_SECONDS = 60.0
_CLOCKS_A_SECOND = 5_000.0
_IMAGES = 3  # so that starting the simulator counts for little


def main(arguments: list[str] | None = None) -> int:
    """The command; exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="vgg_small_feature_map_2", help="a description of the zoo")
    parser.add_argument("--pes", type=int, default=16)
    parser.add_argument("--lanes", type=int, default=64)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        return _measure(Path(folder), options.network, options.pes, options.lanes)


def _measure(folder: Path, name: str, pes: int, lanes: int) -> int:
    network = golden.load(_ZOO / f"{name}.json")
    options = BuildOptions(pes=pes, lanes=lanes, fc_pes=1, random_images=1, pipeliner=Pipeliner())
    generate(network, _BOARD, folder / "build", options)
    build = load_build(folder / "build")

    start = time.perf_counter()
    design = compile_design(build, folder / "rtl")
    compiled = time.perf_counter() - start
    print(f"{name}, {pes} PEs x {lanes} lanes: C++ to SystemVerilog {compiled:.1f} s (bar {_COMPILE_SECONDS:.0f} s)")

    executor = RtlExecutor(build, design, folder / "simulation")
    start = time.perf_counter()
    executor.model()
    print(f"Verilator and the C++ compiler {time.perf_counter() - start:.1f} s")

    start = time.perf_counter()
    result = executor.run([[0]] * _IMAGES, seed=1)
    took = time.perf_counter() - start
    if not result.passed:
        print(result.explanation)
        return 1
    clocks = sum(run.cycles for run in result.runs.runs)
    speed = clocks / took
    print(f"{clocks:,} clocks in {took:.1f} s: {speed:,.0f} clocks a second (bar {_CLOCKS_A_SECOND:,.0f})")
    return 0 if compiled < _COMPILE_SECONDS and speed >= _CLOCKS_A_SECOND else 1


if __name__ == "__main__":
    sys.exit(main())
