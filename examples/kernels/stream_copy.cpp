// Copies `count` words of 64 bits from one stream to another.
//
// size: one word a call, the count (0 to 65535). in: count words. out: count words. One word a clock.
#include "ap_int.h"
#include "hls_stream.h"

typedef ap_uint<64> Word;
typedef ap_uint<16> Count;

static void copy(hls::stream<Count>& size, hls::stream<Word>& in, hls::stream<Word>& out) {
  const Count count = size.read();
copy_words:
  for (Count i = 0; i < count; ++i) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_TRIPCOUNT min = 1 max = 65535
    out.write(in.read());
  }
}

void stream_copy(hls::stream<Count>& size, hls::stream<Word>& in, hls::stream<Word>& out) {
#pragma HLS INTERFACE axis port = size
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
#pragma HLS DATAFLOW
  copy(size, in, out);
}
