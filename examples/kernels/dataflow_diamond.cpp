// Level and peak of a signal: one process gives every sample to two others, which work side by side; a fourth joins
// them.
//
// size: one word a call, the number of samples (0 to 65535). in: so many 16-bit samples. out: so many pairs; the mean
// of the last 16 samples, rounded down, and the largest magnitude among them. Both start with zeros in each call. One
// sample a clock. The two branches have streams of their own, and may take different numbers of clocks.
#include "ap_int.h"
#include "hls_stream.h"

constexpr int kWindow = 16;
typedef ap_int<16> Sample;
typedef ap_uint<16> Count;

static void split(hls::stream<Count>& size, hls::stream<Sample>& in, hls::stream<Count>& mean_size,
                  hls::stream<Count>& peak_size, hls::stream<Count>& join_size, hls::stream<Sample>& to_mean,
                  hls::stream<Sample>& to_peak) {
  const Count count = size.read();
  mean_size.write(count);
  peak_size.write(count);
  join_size.write(count);
split_samples:
  for (Count i = 0; i < count; ++i) {
#pragma HLS PIPELINE II = 1
    const Sample sample = in.read();
    to_mean.write(sample);
    to_peak.write(sample);
  }
}

static void moving_mean(hls::stream<Count>& size, hls::stream<Sample>& in, hls::stream<Sample>& out) {
  Sample line[kWindow];
#pragma HLS ARRAY_PARTITION variable = line complete
clear_line:
  for (int k = 0; k < kWindow; ++k) {
#pragma HLS UNROLL
    line[k] = 0;
  }
  ap_int<20> sum = 0;
  const Count count = size.read();
mean_samples:
  for (Count i = 0; i < count; ++i) {
#pragma HLS PIPELINE II = 1
    const Sample sample = in.read();
    sum += sample - line[kWindow - 1];
  shift_line:
    for (int k = kWindow - 1; k > 0; --k) {
#pragma HLS UNROLL
      line[k] = line[k - 1];
    }
    line[0] = sample;
    out.write(Sample(sum >> 4));
  }
}

static void moving_peak(hls::stream<Count>& size, hls::stream<Sample>& in, hls::stream<Count>& out) {
  Count line[kWindow];
#pragma HLS ARRAY_PARTITION variable = line complete
clear_line:
  for (int k = 0; k < kWindow; ++k) {
#pragma HLS UNROLL
    line[k] = 0;
  }
  const Count count = size.read();
peak_samples:
  for (Count i = 0; i < count; ++i) {
#pragma HLS PIPELINE II = 1
    const Sample sample = in.read();
  shift_line:
    for (int k = kWindow - 1; k > 0; --k) {
#pragma HLS UNROLL
      line[k] = line[k - 1];
    }
    line[0] = sample < 0 ? Count(-sample) : Count(sample);
    Count peak = 0;
  largest:
    for (int k = 0; k < kWindow; ++k) {
#pragma HLS UNROLL
      if (line[k] > peak) peak = line[k];
    }
    out.write(peak);
  }
}

static void join(hls::stream<Count>& size, hls::stream<Sample>& means, hls::stream<Count>& peaks,
                 hls::stream<ap_uint<32>>& out) {
  const Count count = size.read();
join_samples:
  for (Count i = 0; i < count; ++i) {
#pragma HLS PIPELINE II = 1
    const Sample mean = means.read();
    const Count peak = peaks.read();
    out.write((mean, peak));
  }
}

void dataflow_diamond(hls::stream<Count>& size, hls::stream<Sample>& in, hls::stream<ap_uint<32>>& out) {
#pragma HLS INTERFACE axis port = size
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
#pragma HLS DATAFLOW
  hls::stream<Count> mean_size("mean_size"), peak_size("peak_size"), join_size("join_size");
  hls::stream<Sample, 16> to_mean("to_mean"), to_peak("to_peak");
  hls::stream<Sample, 16> means("means");
  hls::stream<Count, 16> peaks("peaks");
  split(size, in, mean_size, peak_size, join_size, to_mean, to_peak);
  moving_mean(mean_size, to_mean, means);
  moving_peak(peak_size, to_peak, peaks);
  join(join_size, means, peaks, out);
}
