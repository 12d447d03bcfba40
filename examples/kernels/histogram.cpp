// The histogram of 10-bit samples, one a clock: a bin is read, counted up and written back.
//
// size: one word a call, the number of samples (0 to 2^24 - 1). in: so many samples. out: 1024 counts of 24 bits, bin
// by bin. The newest bin stays in a register until another one is asked for, so that the memory is never read in the
// clock in which the same word is written: a read-modify-write at II = 1 with one port for each.
#include "ap_int.h"
#include "hls_stream.h"

constexpr int kBins = 1024;
typedef ap_uint<10> Sample;
typedef ap_uint<24> Count;

static void count_samples(hls::stream<Count>& size, hls::stream<Sample>& in, hls::stream<Count>& out) {
  Count bins[kBins];
#pragma HLS BIND_STORAGE variable = bins type = ram_2p
  const Count samples = size.read();
clear:
  for (int bin = 0; bin < kBins; ++bin) {
#pragma HLS PIPELINE II = 1
    bins[bin] = 0;
  }
  Sample held = 0;
  Count held_count = 0;
count:
  for (Count i = 0; i < samples; ++i) {
#pragma HLS PIPELINE II = 1
#pragma HLS DEPENDENCE variable = bins inter false
    const Sample sample = in.read();
    if (sample == held) {
      ++held_count;
    } else {
      bins[held] = held_count;
      held_count = bins[sample] + 1;
      held = sample;
    }
  }
send:
  for (int bin = 0; bin < kBins; ++bin) {
#pragma HLS PIPELINE II = 1
    out.write(bin == held ? held_count : bins[bin]);
  }
}

void histogram(hls::stream<Count>& size, hls::stream<Sample>& in, hls::stream<Count>& out) {
#pragma HLS INTERFACE axis port = size
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
#pragma HLS DATAFLOW
  count_samples(size, in, out);
}
