// Adds two vectors of 32-bit integers, 16 of them a clock: what a memory port of 512 bits brings in.
//
// size: one word a call, the number of 512-bit words (0 to 65535). a, b: so many words each. sum: so many words;
// element k is in bits 32 k to 32 k + 31, and sums wrap. One word a clock.
#include "ap_int.h"
#include "hls_stream.h"

constexpr int kLanes = 16;
typedef ap_uint<32 * kLanes> Vector;
typedef ap_uint<16> Count;

static void add(hls::stream<Count>& size, hls::stream<Vector>& a, hls::stream<Vector>& b, hls::stream<Vector>& sum) {
  const Count count = size.read();
add_words:
  for (Count i = 0; i < count; ++i) {
#pragma HLS PIPELINE II = 1
    const Vector x = a.read(), y = b.read();
    Vector result;
  add_lanes:
    for (int lane = 0; lane < kLanes; ++lane) {
#pragma HLS UNROLL
      const ap_int<32> left = x.range(32 * lane + 31, 32 * lane), right = y.range(32 * lane + 31, 32 * lane);
      result.range(32 * lane + 31, 32 * lane) = ap_int<32>(left + right);
    }
    sum.write(result);
  }
}

void vector_add(hls::stream<Count>& size, hls::stream<Vector>& a, hls::stream<Vector>& b, hls::stream<Vector>& sum) {
#pragma HLS INTERFACE axis port = size
#pragma HLS INTERFACE axis port = a
#pragma HLS INTERFACE axis port = b
#pragma HLS INTERFACE axis port = sum
#pragma HLS DATAFLOW
  add(size, a, b, sum);
}
