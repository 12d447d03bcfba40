// CRC-32 (Ethernet) of packets of 64 words, a word a clock: every bit of the next CRC is the parity of some bits of the
// last one and the word, as amaranth.lib.crc builds it too.
#include "ap_int.h"
#include "hls_stream.h"

typedef ap_uint<32> Word;

// Row i names the bits that bit i of the next CRC is the parity of.
struct Parities {
  unsigned rows[32];
  constexpr Parities() : rows() {
    for (int input = 0; input < 32; ++input) {
      unsigned crc = 1u << input;
      for (int bit = 0; bit < 32; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0u);
      for (int output = 0; output < 32; ++output) rows[output] |= (crc >> output & 1) << input;
    }
  }
};
static constexpr Parities kParities;

static void checksum(hls::stream<Word>& in, hls::stream<Word>& out) {
  Word crc = 0xFFFFFFFF;
  for (int i = 0; i < 64; ++i) {
#pragma HLS PIPELINE II = 1
    const Word mixed = crc ^ in.read();
    for (int bit = 0; bit < 32; ++bit) {
#pragma HLS UNROLL
      crc[bit] = Word(mixed & kParities.rows[bit]).xor_reduce();
    }
  }
  out.write(~crc);
}

void crc_words(hls::stream<Word>& in, hls::stream<Word>& out) {
#pragma HLS DATAFLOW
  checksum(in, out);
}
