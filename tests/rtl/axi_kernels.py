"""Kernels with registers and memory: C++, data, the reference under g++ and a bench module that holds all of them."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtl import Design
from tests.rtl.simulation import AP_TYPES, REFERENCE, run_command

__all__ = ["IMAGE", "Kernel", "Pointer", "bench_module", "image_of", "job_of", "run_reference"]

IMAGE = 1 << 15
"""Bytes of a kernel's memory."""


@dataclass(frozen=True)
class Pointer:
    """Memory that a kernel is called with: type of an element, bytes of one, where it begins, how many."""

    element: str
    size: int
    at: int
    count: int
    below: int = 0  # elements are random numbers below this; 0: of all bits


@dataclass(frozen=True)
class Kernel:
    """A top function, and how it is called.

    Attributes:
        top: its name.
        source: the C++.
        arguments: in order; a pointer, or the type of a number or (with & or *) of a result.
        runs: values of the numbers of each run, by name.
    """

    top: str
    source: str
    arguments: Mapping[str, Pointer | str]
    runs: Sequence[Mapping[str, int]]


def image_of(kernel: Kernel, seed: int) -> bytearray:
    """Memory before the first run."""
    draw = random.Random(f"{kernel.top} {seed}")
    image = bytearray(draw.randbytes(IMAGE))
    for pointer in kernel.arguments.values():
        if isinstance(pointer, Pointer) and pointer.below:
            for number in range(pointer.count):
                word = draw.randrange(pointer.below).to_bytes(pointer.size, "little")
                at = pointer.at + number * pointer.size
                image[at : at + pointer.size] = word
    return image


def job_of(kernel: Kernel, design: Design, seed: int) -> dict[str, object]:
    """What the bench is to do with a kernel."""
    assert design.control is not None
    registers = {item.name: item for item in design.control.registers}
    runs = []
    for run in kernel.runs:
        values = {name: item.at for name, item in kernel.arguments.items() if isinstance(item, Pointer)} | dict(run)
        inputs: list[list[object]] = []
        outputs: list[object] = []
        for name, item in kernel.arguments.items():
            if not design.control.bundles:
                if isinstance(item, str) and item.endswith("&"):
                    outputs.append(name)
                else:
                    inputs.append([name, values[name]])
                continue
            given = registers.get(f"{name}_i") or registers[name]
            size = -(-given.bits // 32) * 4
            if given.direction == "in":
                inputs.append([given.bundle, given.offset, values[name] % (1 << given.bits), size])
            back = registers.get(f"{name}_o") or given
            if back.direction == "out":
                outputs.append([back.bundle, back.offset, size])
        runs.append({"inputs": inputs, "outputs": outputs})
    return {
        "image": image_of(kernel, seed).hex(),
        "bundles": [memory.name for memory in design.control.memories],
        "control": design.control.bundles,
        "runs": runs,
    }


_HELPERS = """
#define AP_INT_MAX_W 4096
#include "ap_int.h"
#include "hls_stream.h"
#include <cstdio>
#include <cstring>
#include <vector>
static std::vector<unsigned char> image;
template <typename T> struct Bytes {
  static T load(const unsigned char* from, int size) { T x; std::memcpy(&x, from, sizeof(T)); return x; }
  static void store(const T& x, unsigned char* to, int size) { std::memcpy(to, &x, sizeof(T)); }
};
template <int W> struct Bytes<ap_uint<W>> {
  static ap_uint<W> load(const unsigned char* from, int size) {
    ap_uint<W> x = 0;
    for (int i = W / 8 - 1; i >= 0; --i) x = (x << 8) | ap_uint<W>(from[i]);
    return x;
  }
  static void store(const ap_uint<W>& x, unsigned char* to, int size) {
    for (int i = 0; i < W / 8; ++i) to[i] = (unsigned char)(ap_uint<W>(x >> (8 * i)).to_uint64() & 255);
  }
};
template <typename T> struct Array {
  std::vector<T> words; int at, size;
  Array(int at, int size, int count) : at(at), size(size) {
    for (int i = 0; i < count; ++i) words.push_back(Bytes<T>::load(&image[at + i * size], size));
  }
  ~Array() { for (size_t i = 0; i < words.size(); ++i) Bytes<T>::store(words[i], &image[at + i * size], size); }
  T* begin() { return words.data(); }
};
static unsigned long long number(int x) { return (unsigned)x; }
static unsigned long long number(unsigned x) { return x; }
template <int W> unsigned long long number(const ap_uint<W>& x) { return x.to_uint64(); }
static void show() { for (unsigned char byte : image) std::printf("%02x", byte); std::printf("\\n"); }
static void read(const char* name) {
  FILE* file = std::fopen(name, "rb");
  image.resize(IMAGE_BYTES);
  if (!file || std::fread(image.data(), 1, image.size(), file) != image.size()) std::abort();
  std::fclose(file);
}
"""


def run_reference(kernels: Sequence[Kernel], folder: Path, seed: int) -> dict[str, list[tuple[list[int], str]]]:
    """Per kernel and run the results and the memory behind it (hexadecimal), as g++ and ap_types have them."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"#define IMAGE_BYTES {IMAGE}", _HELPERS]
    body = []
    for kernel in kernels:
        (folder / f"{kernel.top}.cpp").write_text(kernel.source)
        (folder / f"{kernel.top}.bin").write_bytes(image_of(kernel, seed))
        lines.append(f'#include "{kernel.top}.cpp"')
        body.append(f'  read("{kernel.top}.bin");')
        for run in kernel.runs:
            body += _call(kernel, run)
    text = "\n".join([*lines, "int main() {", *body, "}"])
    (folder / "main.cpp").write_text(text)
    include = [f"-I{REFERENCE}", f"-I{AP_TYPES}"]
    run_command(["g++", "-std=c++17", "-O1", "-w", *include, "main.cpp", "-o", "kernels"], folder)
    rows = run_command(["./kernels"], folder).splitlines()
    found: dict[str, list[tuple[list[int], str]]] = {}
    for kernel in kernels:
        for _ in kernel.runs:
            results = [int(word) for word in rows.pop(0).split()[1:]]
            found.setdefault(kernel.top, []).append((results, rows.pop(0)))
    return found


def _call(kernel: Kernel, run: Mapping[str, int]) -> list[str]:
    setup, call, results = [], [], []
    for name, item in kernel.arguments.items():
        if isinstance(item, Pointer):
            setup.append(f"    Array<{item.element}> {name}({item.at}, {item.size}, {item.count});")
            call.append(f"{name}.begin()")
        elif item.endswith(("&", "*")):
            setup.append(f"    {item[:-1]} {name} = {run.get(name, 0)};")
            call.append(name if item.endswith("&") else f"&{name}")
            results.append(f'    std::printf(" %llu", number({name}));')
        else:
            call.append(f"{item}({run[name]}ull)")
    done = f"    {kernel.top}({', '.join(call)});"
    return ["  {", *setup, done, '    std::printf("RESULTS");', *results, '    std::printf("\\n");', "  }", "  show();"]


_DELAY = """
// Holds what an address channel carries for some clocks; the channel itself stays as quick.
module delay #(parameter int WIDTH = 8) (
    input wire clk, input wire rst_n, input wire [7:0] latency,
    input wire [WIDTH-1:0] in, input wire in_valid, output wire in_ready,
    output wire [WIDTH-1:0] out, output wire out_valid, input wire out_ready
);
  logic [WIDTH-1:0] words[0:63];
  logic [7:0] since[0:63];
  logic [5:0] head, tail;
  logic [6:0] count;
  logic [7:0] now;
  wire push = in_valid & in_ready;
  wire pop = out_valid & out_ready;
  logic waited;
  assign in_ready = count != 7'd64;
  assign out = words[head];
  assign out_valid = (count != '0) & (waited | (8'(now - since[head]) >= latency));
  always_ff @(posedge clk) begin
    now <= now + 1'b1;
    if (push) begin
      words[tail] <= in;
      since[tail] <= now;
    end
    if (!rst_n) begin
      head <= '0; tail <= '0; count <= '0; now <= '0; waited <= 1'b0;
    end else begin
      waited <= out_valid & ~pop;
      if (push) tail <= tail + 1'b1;
      if (pop) head <= head + 1'b1;
      count <= count + 7'(push) - 7'(pop);
    end
  end
endmodule
"""
_PORT = re.compile(r"^    (input |output)\s+wire (\[\d+:0\] )?(\w+),?$", re.MULTILINE)


def bench_module(designs: Mapping[str, Design]) -> str:
    """A module with every kernel, ports prefixed by the kernel's name; read addresses take `latency` clocks more."""
    ports = ["input wire ap_clk", "input wire ap_rst_n", "input wire [7:0] latency"]
    body = []
    for top, design in designs.items():
        pins = []
        text = design.files[0].read_text()
        for way, width, name in _PORT.findall(text.partition(");")[0]):
            if name in ("ap_clk", "ap_rst_n"):
                pins.append(f".{name}({name})")
                continue
            ports.append(f"{way} wire {width}{top}_{name}")
            late = re.fullmatch(r"m_axi_\w+_AR(ADDR|LEN|VALID|READY)", name)
            pins.append(f".{name}({top}_{name}{'_early' if late else ''})")
            if late:
                body.append(f"  wire {width}{top}_{name}_early;")
            if late and late[1] == "READY":
                body.append(_delay_lines(f"{top}_{name.removesuffix('READY')}"))
        ports.append(f"output logic [31:0] {top}_clocks")
        body.append(f"  {top} i_{top} ({', '.join(pins)});")
        body.append(f"  always_ff @(posedge ap_clk) if (i_{top}.launch) {top}_clocks <= '0;")
        body.append(f"    else if (i_{top}.launch_u.running) {top}_clocks <= {top}_clocks + 1'b1;")
    declared = ",\n".join(f"    {port}" for port in ports)
    return _DELAY + "\n".join([f"module bench (\n{declared}\n);", *body, "endmodule", ""])


def _delay_lines(prefix: str) -> str:
    pins = [
        ".clk(ap_clk), .rst_n(ap_rst_n), .latency(latency)",
        f".in({{{prefix}ADDR_early, {prefix}LEN_early}}), .in_valid({prefix}VALID_early)",
        f".in_ready({prefix}READY_early), .out({{{prefix}ADDR, {prefix}LEN}})",
        f".out_valid({prefix}VALID), .out_ready({prefix}READY)",
    ]
    return f"  delay #(.WIDTH(72)) delay_{prefix} ({', '.join(pins)});"
