// A symmetric low-pass FIR filter of 31 taps: 16-bit samples, 18-bit coefficients, one sample a clock.
//
// size: one word a call, the number of samples (0 to 65535). in: so many samples. out: so many, rounded and saturated
// to 16 bits. The delay line is kept from call to call, so that a long signal may come in pieces; it starts at 0.
// Coefficients: a Hamming window design with its edge at 0.2 of half the sampling rate, times 2^17.
#include "ap_int.h"
#include "hls_stream.h"

constexpr int kTaps = 31;
constexpr int kFraction = 17;
typedef ap_int<16> Sample;
typedef ap_uint<16> Count;

// The sum of two samples, times a coefficient, 16 of them: no bit is lost.
typedef ap_int<17 + 18 + 4> Sum;

static const ap_int<18> kHalf[kTaps / 2 + 1] = {0,     157,   365, 554,  517,   0,     -1082, -2436,
                                                -3328, -2783, 0,   5189, 12044, 19018, 24236, 26170};

static Sample rounded(Sum sum) {
  const Sum shifted = (sum + (Sum(1) << (kFraction - 1))) >> kFraction;
  if (shifted > 32767) return 32767;
  if (shifted < -32768) return -32768;
  return Sample(shifted);
}

static void filter(hls::stream<Count>& size, hls::stream<Sample>& in, hls::stream<Sample>& out) {
  static Sample line[kTaps] = {};
#pragma HLS ARRAY_PARTITION variable = line complete
  const Count count = size.read();
filter_samples:
  for (Count i = 0; i < count; ++i) {
#pragma HLS PIPELINE II = 1
  shift:
    for (int tap = kTaps - 1; tap > 0; --tap) {
#pragma HLS UNROLL
      line[tap] = line[tap - 1];
    }
    line[0] = in.read();
    Sum sum = line[kTaps / 2] * kHalf[kTaps / 2];
  multiply:
    for (int tap = 0; tap < kTaps / 2; ++tap) {
#pragma HLS UNROLL
      sum += (line[tap] + line[kTaps - 1 - tap]) * kHalf[tap];
    }
    out.write(rounded(sum));
  }
}

void fir_filter(hls::stream<Count>& size, hls::stream<Sample>& in, hls::stream<Sample>& out) {
#pragma HLS INTERFACE axis port = size
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
#pragma HLS DATAFLOW
  filter(size, in, out);
}
