"""Each feature of the C++ subset by itself: g++ with Xilinx' types against the SystemVerilog under Verilator."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtl import Design
from tests.rtl.simulation import Outcome, Program, compile_programs, random_words, run_cpp, run_rtl

Results = tuple[dict[str, Outcome], list[dict[str, Outcome]]]

# name: (bits in, bits out, helpers, body of the only process, which reads 4 words a call and writes 4)
FEATURES = {
    "two_dimensional_array": (
        32,
        32,
        "",
        """static ap_uint<20> grid[5][7];
  for (int t = 0; t < 4; ++t) {
    ap_uint<32> x = in.read();
    ap_uint<8> row = ap_uint<8>(x.range(7, 0)) % 5, column = ap_uint<8>(x.range(15, 8)) % 7;
    grid[row][column] += x.range(31, 12);
    out.write(grid[ap_uint<8>(x.range(20, 13)) % 5][column]);
  }""",
    ),
    "columns_become_memories": (
        32,
        64,
        "",
        """static ap_uint<9> lanes[16][4];
  for (int t = 0; t < 4; ++t) {
    ap_uint<32> x = in.read();
    ap_uint<64> all = 0;
    for (int lane = 0; lane < 4; ++lane) {
#pragma HLS UNROLL
      lanes[x.range(3, 0)][lane] = x.range(8 * lane + 7, 8 * lane);
      all.range(16 * lane + 15, 16 * lane) = lanes[x.range(7, 4)][lane];
    }
    out.write(all);
  }""",
    ),
    "structures_in_an_array": (
        32,
        40,
        "struct Item { ap_int<12> x; ap_uint<5> y; bool z; };\n",
        """static Item items[9];
  for (int t = 0; t < 4; ++t) {
    ap_uint<32> w = in.read();
    Item item;
    item.x = w.range(11, 0); item.y = w.range(16, 12); item.z = w[31];
    items[ap_uint<4>(w.range(20, 17)) % 9] = item;
    Item other = items[ap_uint<4>(w.range(24, 21)) % 9];
    out.write(ap_uint<40>(other.x * 3 + other.y) ^ (other.z ? 1 : 0));
  }""",
    ),
    "structures_from_element_to_element": (
        32,
        64,
        """struct Item { unsigned a; long long b; ap_uint<100> c; unsigned char d[3]; ap_int<5> e; };
static const Item kDefault = {7, -8, 9, {1, 2, 3}, -4};
static const Item kItems[4] = {{1, 2, 3, {4, 5, 6}, 7}, {8, -9}, {10, 11, 12, {13}, -14}, {15, 16, 17}};
static ap_uint<64> look(const Item& x) {
  return ap_uint<64>(x.a) ^ ap_uint<64>(x.b) ^ ap_uint<64>(x.c) ^ ap_uint<64>(x.c >> 50)
         ^ (ap_uint<64>(x.d[0] + 77 * x.d[1]) << 20) ^ (ap_uint<64>(x.d[2]) << 54) ^ (ap_uint<64>(x.e) << 9);
}
""",
        """static Item items[9];
  Item few[2];
  few[0] = items[8];
  few[1] = kDefault;
  for (int t = 0; t < 4; ++t) {
    const ap_uint<32> w = in.read();
    const ap_uint<4> i = ap_uint<4>(w.range(3, 0)) % 9, j = ap_uint<4>(w.range(7, 4)) % 9, k = w.range(10, 8);
    items[i].a = w.to_uint(); items[i].b ^= ap_int<64>(w) * -0x1234567; items[i].c += ap_uint<100>(w) * w * w;
    items[i].d[0] = w.to_uint(); items[i].d[1] += 5; items[i].d[2] ^= w.to_uint() >> 5; items[i].e = w.range(30, 26);
    items[j] = items[i];
    if (w[11]) {
      const Item other = items[j];
      items[j] = items[k];
      items[k] = other;
    }
    if (w[12]) items[k] = few[1];
    if (w[13]) items[i] = kItems[w.range(15, 14)];
    if (w.range(17, 16) == 3) items[j] = Item{};
    few[0] = items[w.range(20, 18)];
    few[1] = w[21] ? few[0] : items[i];
    Item last;
    last = items[w.range(24, 22)];
    out.write(look(last) * 3 + look(few[1]) + look(items[j]));
  }""",
    ),
    "copied_into_lines_of_their_own": (
        16,
        32,
        "struct Pixel { ap_uint<16> x; unsigned char y[4]; ap_uint<40> z; };\n",
        """static Pixel lines[2][5];
#pragma HLS ARRAY_PARTITION variable=lines dim=1 complete
  for (int t = 0; t < 4; ++t) {
    const ap_uint<16> x = in.read();
    const ap_uint<3> i = ap_uint<3>(x.range(2, 0)) % 5, j = ap_uint<3>(x.range(5, 3)) % 5;
    lines[1][i].x = x; lines[1][i].z += x; lines[1][i].y[1] = t; lines[1][i].y[3] ^= x.to_uint();
    lines[0][j] = lines[1][i];
    if (x[6]) lines[x[7]][i] = lines[x[8]][j];
    const Pixel& p = lines[x[9]][x.range(11, 10)];
    out.write(ap_uint<32>(p.x) + (p.y[1] << 10) + (p.y[3] << 20) + ap_uint<32>(p.z));
  }""",
    ),
    "read_after_write_in_a_step": (
        16,
        16,
        "",
        """static ap_uint<16> a[4];
  for (int t = 0; t < 4; ++t) {
    ap_uint<16> x = in.read();
    a[x & 3] = x;
    ap_uint<16> y = a[(x >> 2) & 3];
    a[(x >> 4) & 3] = y + 1;
    if (x[9]) a[x & 3] += 5;
    out.write(a[(x >> 6) & 3] + y);
  }""",
    ),
    "constant_table": (
        8,
        24,
        "static const ap_uint<24> kTable[6] = {1, 22, 333, 4444, 55555, 666666};\n",
        """const int small[4] = {-3, 9, -27, 81};
  for (int t = 0; t < 4; ++t) {
    ap_uint<8> x = in.read();
    out.write(kTable[ap_uint<8>(x >> 2) % 6] + small[x & 3]);
  }""",
    ),
    "static_counter": (
        8,
        16,
        "",
        """static ap_uint<16> calls = 7;
  static ap_int<9> sum;
  for (int t = 0; t < 4; ++t) { sum += in.read(); out.write(calls + sum); }
  ++calls;""",
    ),
    "indices_and_cases_from_memory": (
        32,
        32,
        "",
        """static int kinds[64];
  static long next[16];
  static ap_uint<16> data[300];
  for (int t = 0; t < 4; ++t) {
    ap_uint<32> x = in.read();
    data[x.range(8, 0) % 300] = x;
    next[x.range(10, 9)] = x.range(30, 23).to_int() - 5;
    kinds[x.range(12, 11)] = x.range(31, 29).to_int();
    int y = 0;
    switch (kinds[x.range(14, 13)]) {
      case 3: y = 1; break;
      case 7: y = 5; break;
      case 4: y = t; break;
      case 1: y = x; break;
    }
    out.write(y + data[next[x.range(16, 15)] + 5]);
  }""",
    ),
    "memcpy_between_arrays": (
        16,
        32,
        "struct Pair { ap_uint<9> x; short y; };\n",
        """static ap_uint<16> kept[4][8];
  static Pair pairs[6], others[6];
  ap_uint<16> row[8], all[32];
  for (int t = 0; t < 4; ++t) {
    ap_uint<16> x = in.read();
    for (int i = 0; i < 8; ++i) row[i] = x * i;
    const int count = x.range(2, 0);
    memcpy(kept[x.range(4, 3)], row, sizeof(row));
    std::memcpy(kept[x.range(6, 5)] + (7 - count), &row[1], sizeof(row[0]) * count);
    memcpy(all, kept, sizeof(kept));
    pairs[t].x = x.range(8, 0);
    pairs[t].y = x.to_int();
    memcpy(others + 1, pairs, sizeof(Pair) * 5);
    out.write((all[x.range(11, 7)], ap_uint<9>(others[1 + t].x), ap_uint<7>(others[x.range(13, 12)].y & 127)));
  }""",
    ),
    "line_buffer": (
        32,
        64,
        "",
        """static ap_uint<16> lines[3][20];
#pragma HLS ARRAY_PARTITION variable=lines dim=1 complete
  static ap_uint<2> newest;
  for (int i = 0; i < 4; ++i) {
#pragma HLS PIPELINE II=1
    ap_uint<32> x = in.read();
    const int column = 1 + x.range(20, 16) % 18;
    ap_uint<2> older = newest == 0 ? ap_uint<2>(2) : ap_uint<2>(newest - 1);
    ap_uint<64> window = (lines[older][column - 1], lines[older][column], lines[2 - older][19 - column]);
    lines[newest][column] = x;
    if (newest != 0) window.range(63, 48) = lines[newest - 1][column + 1];
    if (x[30]) newest = newest == 2 ? ap_uint<2>(0) : ap_uint<2>(newest + 1);
    out.write(window + lines[1][i]);
  }""",
    ),
    "partitioned_columns": (
        32,
        64,
        "struct Item { ap_uint<9> x; unsigned char y; };\n",
        """static ap_uint<12> table[5][3] = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}, {10, 11, 12}, {13, 14, 15}};
  static const unsigned short rom[4][4] = {{3, 1, 4, 1}, {5, 9, 2, 6}, {5, 3, 5, 8}, {9, 7, 9, 3}};
  static Item items[3][4][2];
  static ap_uint<7> each[2][3];
#pragma HLS ARRAY_PARTITION variable=table type=complete dim=2
#pragma HLS ARRAY_PARTITION variable=rom dim=2 complete
#pragma HLS ARRAY_PARTITION variable=items dim=2 complete
#pragma HLS ARRAY_PARTITION variable=each dim=1
#pragma HLS ARRAY_PARTITION variable=each dim=2
  for (int i = 0; i < 4; ++i) {
    ap_uint<32> x = in.read();
    const int row = 1 + x.range(2, 0) % 4, column = x.range(5, 4) % 3, other = x.range(7, 6), third = x[8];
    Item& item = items[column][other][third];
    item.x += x.range(28, 20);
    item.y ^= x[29] ? (items[column][3 - other][1 - third].y + row) : 3;
    table[row][column] += row > 1 && column ? table[row - 2][column - 1] : ap_uint<12>(x.range(11, 0));
    each[third][column] += x;
    out.write((table[row - 1][2 - column], ap_uint<16>(rom[i][other]), ap_uint<8>(items[2 - column][i][0].y),
               items[column][other][third].x, each[x[9]][2 - column]));
  }""",
    ),
    "wide_words": (
        2048,
        2048,
        "",
        """static ap_uint<32> sums[64];
  for (int t = 0; t < 4; ++t) {
    ap_uint<2048> word = in.read(), result = 0;
    for (int lane = 0; lane < 64; ++lane) {
#pragma HLS UNROLL
      ap_int<8> value = ap_int<8>(word.range(32 * lane + 7, 32 * lane));
      sums[lane] += value * ap_int<24>(word.range(32 * lane + 31, 32 * lane + 8));
      result.range(32 * lane + 31, 32 * lane) = sums[lane];
    }
    out.write(result ^ (word << 100) ^ (word >> (word.range(5, 0) * 32)));
  }""",
    ),
    "bits_turned_round": (
        23,
        46,
        "",
        """for (int t = 0; t < 4; ++t) {
    ap_uint<23> x = in.read();
    ap_uint<23> y = x.range(0, 22);
    ap_uint<23> z = x;
    z.range(3, 17) = y;
    z.reverse();
    ap_uint<5> high, low;
    (high, low) = ap_uint<10>(x);
    out.write((ap_uint<23>(z + high), ap_uint<23>(y - low)));
  }""",
    ),
    "counting_bits": (
        40,
        24,
        "",
        """for (int t = 0; t < 4; ++t) {
    ap_uint<40> x = in.read();
    ap_uint<40> y = x >> (x & 63);
    ap_uint<8> reduced = y.or_reduce() + 2 * y.and_reduce();
    out.write((ap_uint<8>(y.countLeadingZeros()), ap_uint<8>(x.xor_reduce()), reduced));
  }""",
    ),
    "functions_lambdas_classes": (
        16,
        32,
        """struct Accumulator {
  ap_int<20> total;
  void add(ap_int<16> x) { total += x; }
  template <int N> ap_int<32> scaled() const { return total * N; }
};
static ap_int<16> twice(ap_int<16> x) { return x + x; }
""",
        """Accumulator a;
  a.total = 0;
  auto step = [&](ap_uint<16> x) { a.add(twice(ap_int<16>(x))); return a.scaled<7>(); };
  for (int t = 0; t < 4; ++t) out.write(step(in.read()));""",
    ),
    "early_ways_out": (
        16,
        16,
        "",
        """for (int t = 0; t < 4; ++t) {
    ap_uint<16> x = in.read(), n = 0;
    for (int i = 0; i < 10; ++i) {
      if (x[i]) continue;
      for (int j = 0; j < 5; ++j) {
        n += j;
        if (n > 12 + i) goto done;
      }
      if (x < 300) break;
    }
  done:
    switch (n.to_int() & 3) {
      case 0: n += 100; break;
      case 1: n -= 3;
      case 3: n ^= 0x55; break;
      default: break;
    }
    out.write(n);
  }""",
    ),
    "switch_over_a_bit": (
        16,
        16,
        "",
        """for (int t = 0; t < 4; ++t) {
    ap_uint<16> x = in.read();
    switch (ap_uint<1>(x[3]).to_int()) {
      case 1: x += 5;
      case 5: x *= 3; break;
      case 0: x ^= 21; break;
      default: x = 0;
    }
    out.write(x);
  }""",
    ),
    "pointer_chosen_by_a_condition": (
        16,
        16,
        "",
        """static ap_uint<16> even[8], odd[8];
  for (int t = 0; t < 4; ++t) {
    ap_uint<16> x = in.read();
    if (x[0]) odd[x.range(3, 1)] = x;
    else even[x.range(3, 1)] = x;
    ap_uint<16> y;
    if (x[5]) y = odd[x.range(8, 6)];
    else y = even[x.range(8, 6)];
    out.write(y);
  }""",
    ),
}

_PIPELINED = ("line_buffer", "partitioned_columns", "memcpy_between_arrays", "structures_from_element_to_element")
PIPELINED = {f"{name}_250": name for name in _PIPELINED}  # MHz


def _program(name: str) -> Program:
    bits_in, bits_out, helpers, body = FEATURES[PIPELINED.get(name, name)]
    ports = f"hls::stream<ap_uint<{bits_in}>>& in, hls::stream<ap_uint<{bits_out}>>& out"
    text = (
        f"#include <cstring>\nnamespace {name}_ {{\n{helpers}void process({ports}) {{\n  {body}\n}}\n}}\n"
        f"void {name}({ports}) {{\n#pragma HLS DATAFLOW\n  {name}_::process(in, out);\n}}\n"
    )
    return Program(name, text, {"in": random_words(len(name), 48, bits_in)}, calls=12)


_STRUCT_STREAM = """
struct Token { ap_int<11> value; ap_uint<3> tag; bool last; unsigned char byte; };
void first(hls::stream<ap_uint<32>>& in, hls::stream<Token>& tokens, hls::stream<int>& numbers) {
  Token token;
  const ap_uint<32> x = in.read();
  token.value = x.range(10, 0); token.tag = x.range(13, 11); token.last = x[14]; token.byte = x.range(22, 15).to_uint();
  tokens.write(token);
  numbers.write(x.to_int());
}
void second(hls::stream<Token>& tokens, hls::stream<int>& numbers, hls::stream<ap_uint<64>>& out) {
  Token token = tokens.read();
  int number;
  numbers >> number;
  ap_int<64> mixed = ap_int<64>(token.value * 5 + token.tag) ^ (ap_int<64>(number) << 20);
  out << ap_uint<64>(mixed ^ (token.last ? token.byte : 0));
}
void struct_stream(hls::stream<ap_uint<32>>& in, hls::stream<ap_uint<64>>& out) {
#pragma HLS DATAFLOW
  hls::stream<Token, 3> tokens("tokens");
  hls::stream<int> numbers("numbers");
  first(in, tokens, numbers);
  second(tokens, numbers, out);
}
"""


# LLVM stores the first two fields as one word, and loads all three as one.
_STRUCT_BUFFER = """
struct Record { unsigned a; long long b; ap_int<63> c; };
void first(hls::stream<ap_uint<32>>& in, hls::stream<Record>& records) {
  for (int t = 0; t < 4; ++t) {
    const ap_uint<32> x = in.read();
    Record record = {x.to_uint(), ap_int<64>(x * 99991).to_int64(), ap_int<63>(x) - 77};
    records.write(record);
  }
}
void second(hls::stream<Record>& records, hls::stream<Record>& reversed) {
  Record buffer[4];
  for (int t = 0; t < 4; ++t) buffer[t] = records.read();
  buffer[buffer[1].a & 3].b ^= 12345678901;
  for (int t = 0; t < 4; ++t) reversed.write(buffer[3 - t]);
}
void third(hls::stream<Record>& reversed, hls::stream<ap_uint<64>>& out) {
  for (int t = 0; t < 4; ++t) {
    const Record record = reversed.read();
    out.write((ap_uint<64>(record.b) * 3 + record.a) ^ ap_uint<64>(record.c));
  }
}
void struct_buffer(hls::stream<ap_uint<32>>& in, hls::stream<ap_uint<64>>& out) {
#pragma HLS DATAFLOW
  hls::stream<Record> records, reversed;
  first(in, records);
  second(records, reversed);
  third(reversed, out);
}
"""


# Arrays in structures in streams, read and written whole and element by element: one register each.
_ARRAYS_IN_STREAMS = """
#include <array>
namespace arrays {
struct Row { ap_int<9> a[4]; unsigned char b[3]; bool last; };
typedef std::array<ap_uint<12>, 3> Vector;
void first(hls::stream<ap_uint<32>>& in, hls::stream<Row>& rows) {
  Row row;
  const ap_uint<32> x = in.read();
  for (int i = 0; i < 4; ++i) row.a[i] = ap_int<9>(x >> (7 * i));
  for (int i = 0; i < 3; ++i) row.b[i] = (unsigned char)(ap_uint<8>(x >> (9 * i))).to_uint();
  row.a[ap_uint<2>(x)] = -1;
  row.last = x[5];
  rows.write(row);
}
void second(hls::stream<Row>& rows, hls::stream<Vector>& vectors) {
  static Row before = {{1, -2, 3, -4}, {5, 6, 7}, true};
  const Row row = rows.read();
  Vector sums;
  for (int i = 0; i < 3; ++i) {
#pragma HLS PIPELINE II = 1
    sums[i] = row.a[i] * (row.b[2 - i] + before.b[i]) + before.a[i + 1];
  }
  if (row.last) before = row;
  else before.b[row.a[0] & 1] ^= 0x55;
  vectors.write(sums);
}
void third(hls::stream<Vector>& vectors, hls::stream<ap_uint<64>>& out) {
  const Vector vector = vectors.read();
  ap_uint<64> all = vector[ap_uint<1>(vector[2])];
  for (int i = 0; i < 3; ++i) all = (all << 12) ^ vector[i];
  out.write(all);
}
}
void arrays_in_streams(hls::stream<ap_uint<32>>& in, hls::stream<ap_uint<64>>& out) {
#pragma HLS DATAFLOW
  hls::stream<arrays::Row> rows;
  hls::stream<arrays::Vector> vectors;
  arrays::first(in, rows);
  arrays::second(rows, vectors);
  arrays::third(vectors, out);
}
"""


# A static array that nothing writes is no memory, and what reads nothing else needs no clock.
_NEVER_WRITTEN = """
namespace never_written_ {
void zeros(hls::stream<ap_uint<32>>& in, hls::stream<ap_uint<32>>& between) {
  static ap_uint<32> empty[8];
  const ap_uint<32> x = in.read();
  between.write(x + empty[ap_uint<3>(x)]);
}
void table(hls::stream<ap_uint<32>>& between, hls::stream<ap_uint<64>>& out) {
  static ap_uint<40> numbers[4] = {3, 1, 0, 123456789};
  const ap_uint<32> x = between.read();
  if (x < 0) numbers[ap_uint<2>(x)] = x;
  out.write(numbers[ap_uint<2>(x)] ^ x);
}
}
void never_written(hls::stream<ap_uint<32>>& in, hls::stream<ap_uint<64>>& out) {
#pragma HLS DATAFLOW
  hls::stream<ap_uint<32>> between;
  never_written_::zeros(in, between);
  never_written_::table(between, out);
}
"""


# LLVM copies the padding with the fields: a memory of its own, which is read and never written.
_STRUCT_PADDING = """
namespace padding {
struct Record { unsigned short a; ap_uint<9> b; ap_int<8> c; ap_uint<128> d; };
void first(hls::stream<ap_uint<32>>& in, hls::stream<Record>& records) {
  for (int t = 0; t < 4; ++t) {
    const ap_uint<32> x = in.read();
    Record record = {(unsigned short)x.to_uint(), x, ap_int<8>(x >> 20), ap_uint<128>(x) * x};
    records.write(record);
  }
}
void second(hls::stream<Record>& records, hls::stream<Record>& reversed) {
  Record buffer[4];
#pragma HLS BIND_STORAGE variable=buffer impl=bram
  for (int t = 0; t < 4; ++t) buffer[t] = records.read();
  for (int t = 0; t < 4; ++t) reversed.write(buffer[3 - t]);
}
void third(hls::stream<Record>& reversed, hls::stream<ap_uint<64>>& out) {
  for (int t = 0; t < 4; ++t) {
    const Record record = reversed.read();
    out.write(ap_uint<64>(record.d) ^ (ap_uint<64>(record.a) << 40) ^ (ap_uint<64>(record.b) << 31) ^ record.c);
  }
}
}
void struct_padding(hls::stream<ap_uint<32>>& in, hls::stream<ap_uint<64>>& out) {
#pragma HLS DATAFLOW
  hls::stream<padding::Record> records, reversed;
  padding::first(in, records);
  padding::second(records, reversed);
  padding::third(reversed, out);
}
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The C++ programs' words, and the hardware's without and with pauses."""
    folder = tmp_path_factory.mktemp("features")
    programs = [_program(name) for name in FEATURES]
    programs.append(Program("struct_buffer", _STRUCT_BUFFER, {"in": random_words(5, 48, 32)}, calls=12))
    programs.append(Program("struct_stream", _STRUCT_STREAM, {"in": random_words(5, 30, 32)}, calls=30))
    programs.append(Program("never_written", _NEVER_WRITTEN, {"in": random_words(5, 30, 32)}, calls=30))
    programs.append(Program("arrays_in_streams", _ARRAYS_IN_STREAMS, {"in": random_words(5, 48, 32)}, calls=48))
    designs = compile_programs(programs, folder / "rtl")
    pipelined = [_program(name) for name in PIPELINED]
    arrays = _ARRAYS_IN_STREAMS.replace("arrays", "arrays_fast")
    pipelined.append(Program("arrays_fast_in_streams", arrays, {"in": random_words(8, 48, 32)}, calls=48))
    pipelined.append(Program("struct_padding", _STRUCT_PADDING, {"in": random_words(6, 48, 32)}, calls=12))
    designs |= compile_programs(pipelined, folder / "rtl_250", 250.0)
    programs += pipelined
    wanted = run_cpp(programs, designs, folder / "cpp")
    counts = {program.top: {"out": len(wanted[program.top].words["out"])} for program in programs}
    return wanted, run_rtl(programs, designs, counts, folder / "simulation", (0, 50))


@pytest.mark.parametrize(
    "name",
    [
        *FEATURES,
        "struct_buffer",
        "struct_padding",
        "struct_stream",
        "never_written",
        "arrays_in_streams",
        "arrays_fast_in_streams",
        *PIPELINED,
    ],
)
def test_rtl_equals_cpp(name: str, results: Results) -> None:
    """Same words, same order, with and without pauses."""
    wanted, runs = results
    assert len(wanted[name].words["out"]) in (30, 48)
    for run in runs:
        assert run[name].words == wanted[name].words


def test_design_describes_what_was_built(tmp_path: Path) -> None:
    """Ports, FIFOs and processes in design.json."""
    design = compile_programs([Program("struct_stream", _STRUCT_STREAM, {})], tmp_path)["struct_stream"]
    assert Design.model_validate_json((tmp_path / "struct_stream" / "design.json").read_text()) == design
    assert [(port.name, port.direction, port.bits) for port in design.ports] == [("in", "in", 32), ("out", "out", 64)]
    fifos = {fifo.stream: fifo for fifo in design.fifos}
    assert (fifos["tokens"].depth, fifos["numbers"].depth, fifos["in"].depth) == (3, 2, 2)
    assert (fifos["tokens"].producer, fifos["tokens"].consumer) == ("first_u", "second_u")
    assert fifos["in"].producer == "in" and fifos["out"].consumer == "out"
    assert [process.function for process in design.processes] == ["first", "second"]
    assert all(path.exists() for path in design.files)


def test_lanes_are_part_selects(tmp_path: Path) -> None:
    """Lanes of wide words are taken and put together by wiring, not by shifts."""
    design = compile_programs([_program("columns_become_memories")], tmp_path)["columns_become_memories"]
    text = next(path for path in design.files if path.name.endswith("process.sv")).read_text()
    assert "<<" not in text and ">>" not in text
    assert "in_dout[31:24]" in text


def test_arrays_that_nothing_writes_are_tables_or_nothing(tmp_path: Path) -> None:
    """Numbers that are there from the start are a table; zeros are no memory at all."""
    design = compile_programs([Program("never_written", _NEVER_WRITTEN, {})], tmp_path)["never_written"]
    zeros, table = (path.read_text() for path in design.files if path.name.startswith("never_written_"))
    assert "empty[" not in zeros and "always_ff" not in zeros + table and "numbers[3] = " in table


def test_same_source_same_files(tmp_path: Path) -> None:
    """The output depends on nothing but the source."""
    program = _program("early_ways_out")
    first, second = (compile_programs([program], tmp_path / name)[program.top] for name in ("a", "b"))
    for one, other in zip(first.files, second.files, strict=True):
        assert one.read_text() == other.read_text()
