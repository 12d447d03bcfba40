// Merges two ascending streams of 32-bit keys into one, a key a clock, as the passes of an external sort do.
//
// sizes: two words a call, how many keys come on `left` and `right` (0 to 65535 each). out: all of them, ascending.
// Equal keys come from the left first.
#include "ap_int.h"
#include "hls_stream.h"

typedef ap_int<32> Key;
typedef ap_uint<16> Count;

static void merge(hls::stream<Count>& sizes, hls::stream<Key>& left, hls::stream<Key>& right, hls::stream<Key>& out) {
  Count left_unread = sizes.read(), right_unread = sizes.read();
  ap_uint<17> missing = left_unread + right_unread;
  // The smallest key of each side that is not out yet, while there is one.
  Key left_key = 0, right_key = 0;
  bool has_left = left_unread > 0, has_right = right_unread > 0;
  if (has_left) {
    left_key = left.read();
    --left_unread;
  }
  if (has_right) {
    right_key = right.read();
    --right_unread;
  }
merge_keys:
  while (missing > 0) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_TRIPCOUNT min = 1 max = 131070
    --missing;
    if (has_left && (!has_right || left_key <= right_key)) {
      out.write(left_key);
      has_left = left_unread > 0;
      if (has_left) {
        left_key = left.read();
        --left_unread;
      }
    } else {
      out.write(right_key);
      has_right = right_unread > 0;
      if (has_right) {
        right_key = right.read();
        --right_unread;
      }
    }
  }
}

void merge_sorted(hls::stream<Count>& sizes, hls::stream<Key>& left, hls::stream<Key>& right, hls::stream<Key>& out) {
#pragma HLS INTERFACE axis port = sizes
#pragma HLS INTERFACE axis port = left
#pragma HLS INTERFACE axis port = right
#pragma HLS INTERFACE axis port = out
#pragma HLS DATAFLOW
  merge(sizes, left, right, out);
}
