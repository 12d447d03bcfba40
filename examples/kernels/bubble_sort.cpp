// Sorts up to 64 keys of 32 bits in an array.
//
// size: one word a call, the number of keys (0 to 64). in: so many keys. out: the same, ascending.
// The largest key so far travels in a register, so that a comparison takes one read and one write of the array: II = 1,
// and (n - 1) (n + 4) / 2 clocks between loading and sending n keys.
#include "ap_int.h"
#include "hls_stream.h"

constexpr int kMost = 64;
typedef ap_int<32> Key;
typedef ap_uint<7> Count;

static void sort(hls::stream<Count>& size, hls::stream<Key>& in, hls::stream<Key>& out) {
  Key keys[kMost];
  const Count count = size.read();
load:
  for (Count i = 0; i < count; ++i) {
#pragma HLS PIPELINE II = 1
    keys[i] = in.read();
  }
passes:
  for (Count last = count; last > 1; --last) {
    Key largest = keys[0];
  compare:
    for (Count i = 1; i <= last; ++i) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_TRIPCOUNT min = 2 max = 64
      const Key key = i < last ? keys[i] : largest;
      keys[i - 1] = key < largest ? key : largest;
      if (key > largest) largest = key;
    }
  }
send:
  for (Count i = 0; i < count; ++i) {
#pragma HLS PIPELINE II = 1
    out.write(keys[i]);
  }
}

void bubble_sort(hls::stream<Count>& size, hls::stream<Key>& in, hls::stream<Key>& out) {
#pragma HLS INTERFACE axis port = size
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
#pragma HLS DATAFLOW
  sort(size, in, out);
}
