// The CRC-32 of Ethernet, zip and PNG, four bytes a clock, by one table for each byte of the word.
//
// size: one word a call, the message's bytes (0 to 2^20 - 1). in: the message in words of four bytes, the first byte
// lowest; the last word may be part full, its upper bytes are ignored. out: the CRC. A message takes a clock a word,
// and one for each byte of a part word.
#include "ap_int.h"
#include "hls_stream.h"

typedef ap_uint<20> Size;
typedef ap_uint<32> Word;

// Row k is what a byte does to the CRC when k bytes follow it in the word.
struct Tables {
  unsigned rows[4][256];
  constexpr Tables() : rows() {
    for (unsigned byte = 0; byte < 256; ++byte) {
      unsigned crc = byte;
      for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0u);
      rows[0][byte] = crc;
    }
    for (int row = 1; row < 4; ++row)
      for (unsigned byte = 0; byte < 256; ++byte)
        rows[row][byte] = rows[row - 1][byte] >> 8 ^ rows[0][rows[row - 1][byte] & 255];
  }
};
static constexpr Tables kTables;

static void checksum(hls::stream<Size>& size, hls::stream<Word>& in, hls::stream<Word>& out) {
  const Size bytes = size.read();
  const ap_uint<18> words = bytes >> 2;
  Word crc = 0xFFFFFFFF;
whole_words:
  for (ap_uint<18> i = 0; i < words; ++i) {
#pragma HLS PIPELINE II = 1
    const Word mixed = crc ^ in.read();
    Word next = 0;
    for (int byte = 0; byte < 4; ++byte) {
#pragma HLS UNROLL
      next ^= kTables.rows[3 - byte][mixed.range(8 * byte + 7, 8 * byte).to_uint()];
    }
    crc = next;
  }
  Word rest = 0;
  const ap_uint<2> left = bytes;
  if (left != 0) rest = in.read();
single_bytes:
  for (ap_uint<2> i = 0; i < left; ++i) {
#pragma HLS PIPELINE II = 1
    crc = crc >> 8 ^ kTables.rows[0][(crc ^ rest).range(7, 0).to_uint()];
    rest >>= 8;
  }
  out.write(~crc);
}

void crc32(hls::stream<Size>& size, hls::stream<Word>& in, hls::stream<Word>& out) {
#pragma HLS INTERFACE axis port = size
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
#pragma HLS DATAFLOW
  checksum(size, in, out);
}
