// A FIR filter whose taps, up to 64, are loaded at run time and share four multipliers.
//
// size: two words a call, taps (1 to 64) and samples (0 to 65535). taps: so many 16-bit coefficients, the newest
// sample's first. in: so many 16-bit samples. out: so many exact sums of 38 bits. The samples before the first one are
// 0. A sample takes a clock, and one for every four taps; taps need not be a multiple of four.
#include "ap_int.h"
#include "hls_stream.h"

constexpr int kMostTaps = 64;
typedef ap_int<16> Sample;
typedef ap_int<38> Sum;
typedef ap_uint<16> Count;
typedef ap_uint<6> Place;

static void filter(hls::stream<Count>& size, hls::stream<Sample>& taps, hls::stream<Sample>& in,
                   hls::stream<Sum>& out) {
  Sample kept[kMostTaps];  // a ring; place p holds the newest sample
#pragma HLS ARRAY_PARTITION variable = kept cyclic factor = 4
  Sample coefficients[kMostTaps];
#pragma HLS ARRAY_PARTITION variable = coefficients cyclic factor = 4
  const Count count = size.read();
  const Count samples = size.read();
load_taps:
  for (Count k = 0; k < count; ++k) {
#pragma HLS PIPELINE II = 1
    coefficients[Place(k)] = taps.read();
  }
  Place newest = 0;
each_sample:
  for (Count i = 0; i < samples; ++i) {
    kept[newest] = in.read();
    const Count reach = i < count ? Count(i + 1) : count;  // there are no samples before the first
    Sum sum = 0;
  each_tap:
    for (Count k = 0; k < reach; ++k) {
#pragma HLS PIPELINE II = 1
#pragma HLS UNROLL factor = 4
      sum += kept[Place(newest - k)] * coefficients[Place(k)];
    }
    ++newest;
    out.write(sum);
  }
}

void fir_reloadable(hls::stream<Count>& size, hls::stream<Sample>& taps, hls::stream<Sample>& in,
                    hls::stream<Sum>& out) {
#pragma HLS INTERFACE axis port = size
#pragma HLS INTERFACE axis port = taps
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
#pragma HLS DATAFLOW
  filter(size, taps, in, out);
}
