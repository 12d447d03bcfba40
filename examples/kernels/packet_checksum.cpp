// The Internet checksum (RFC 1071) of packets of any length: TLAST ends a packet, TKEEP says which bytes of it count.
//
// in: packets in beats of eight bytes, the first byte lowest; of a packet's last beat the lowest bytes may count alone.
// out: one beat for each packet, with its checksum, and with TID and TDEST of its first beat. A packet takes a clock a
// beat and one more.
#include "ap_axi_sdata.h"
#include "ap_int.h"
#include "hls_stream.h"

typedef ap_axiu<64, 0, 3, 4> Beat;
typedef ap_axiu<16, 0, 3, 4> Checksum;

// Adds with the carry going round, as one's complement does.
static ap_uint<16> added(ap_uint<16> a, ap_uint<16> b) {
  const ap_uint<17> sum = a + b;
  return ap_uint<16>(sum) + sum[16];
}

// The sum of the four big-endian halfwords of a beat.
static ap_uint<16> beat_sum(const Beat& beat) {
  ap_uint<18> sum = 0;
  for (int half = 0; half < 4; ++half) {
#pragma HLS UNROLL
    ap_uint<16> word = 0;
    if (beat.keep[2 * half]) word.range(15, 8) = beat.data.range(16 * half + 7, 16 * half);
    if (beat.keep[2 * half + 1]) word.range(7, 0) = beat.data.range(16 * half + 15, 16 * half + 8);
    sum += word;
  }
  return added(sum.range(15, 0), sum.range(17, 16));
}

static void checksum(hls::stream<Beat>& in, hls::stream<Checksum>& out) {
  ap_uint<16> sum = 0;
  Checksum result;
  bool first = true, last;
each_beat:
  do {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_TRIPCOUNT min = 1 max = 190
    const Beat beat = in.read();
    sum = added(sum, beat_sum(beat));
    if (first) {
      result.id = beat.id;
      result.dest = beat.dest;
    }
    first = false;
    last = beat.last;
  } while (!last);
  result.data = ~sum;
  result.keep_all();
  result.user = 0;
  result.last = 1;
  out.write(result);
}

void packet_checksum(hls::stream<Beat>& in, hls::stream<Checksum>& out) {
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
#pragma HLS DATAFLOW
  checksum(in, out);
}
