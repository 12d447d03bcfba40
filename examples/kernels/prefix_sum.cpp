// Running sums of 32-bit integers, four a clock.
//
// size: one word a call, the number of 128-bit words (0 to 65535). in: so many words of four numbers, number k in bits
// 32 k to 32 k + 31. out: as many words; each number is the sum of all numbers up to its own, modulo 2^32. One word a
// clock.
#include "ap_int.h"
#include "hls_stream.h"

constexpr int kLanes = 4;
typedef ap_uint<32 * kLanes> Vector;
typedef ap_uint<32> Number;
typedef ap_uint<16> Count;

static void scan(hls::stream<Count>& size, hls::stream<Vector>& in, hls::stream<Vector>& out) {
  const Count count = size.read();
  Number before = 0;
scan_words:
  for (Count i = 0; i < count; ++i) {
#pragma HLS PIPELINE II = 1
    const Vector word = in.read();
    // The sums inside the word do not wait for the word before: only one addition is a recurrence.
    Number inside[kLanes];
#pragma HLS ARRAY_PARTITION variable = inside complete
    Number sum = 0;
  scan_lanes:
    for (int lane = 0; lane < kLanes; ++lane) {
#pragma HLS UNROLL
      sum += word.range(32 * lane + 31, 32 * lane);
      inside[lane] = sum;
    }
    Vector result;
  add_before:
    for (int lane = 0; lane < kLanes; ++lane) {
#pragma HLS UNROLL
      result.range(32 * lane + 31, 32 * lane) = Number(before + inside[lane]);
    }
    before += sum;
    out.write(result);
  }
}

void prefix_sum(hls::stream<Count>& size, hls::stream<Vector>& in, hls::stream<Vector>& out) {
#pragma HLS INTERFACE axis port = size
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
#pragma HLS DATAFLOW
  scan(size, in, out);
}
