// Words that travel between the processes of the accelerator.
//
// A *feature word* carries `Lanes` neighbouring 8-bit pixels of one channel, row after row; lane 0 is the lowest byte.
// Widths follow from the configuration, nothing else does.
#pragma once

// Words of several pixels are wider than the default limit of 1,024 bits of the vendor's header.
#ifndef AP_INT_MAX_W
#define AP_INT_MAX_W 4096
#endif

#include <ap_int.h>
#include <hls_stream.h>

#include "layouts.h"

namespace zeroskip {

template <int Lanes>
using FeatureWord = ap_uint<8 * Lanes>;

// A decoded weight of each of `Outputs` output channels: those behind the first lie above the layout's fields.
template <int Outputs>
using EntryWord = ap_uint<entry_word::kBits + 8 * (Outputs - 1)>;

using WeightWord = ap_uint<kWeightBits>;
using PairNumber = ap_uint<token_word::pair::bits>;
// What the FC engine keeps of a pointer word: where columns end, and the base.
using PointerWord = ap_uint<kPointerWordBits>;
using Descriptor = ap_uint<kDescriptorBits>;
using ChannelWord = ap_uint<channel_word::kBits>;
using ScaleWord = ap_uint<scale_word::kBits>;
// With the activations of the first image; those of further images of a batch, even and odd, lie above.
template <int Images>
using TokenWord = ap_uint<token_word::kBits + 18 * (Images - 1)>;
template <int Images>
using CommandWord = ap_uint<command_word::kBits + 18 * (Images - 1)>;
template <int Images>
using SlotWord = ap_uint<slot_word::kBits + 9 * (Images - 1)>;
using RequestWord = ap_uint<request_word::kBits>;
using Accumulator = ap_int<32>;
// A pixel with its sign made explicit: 0..255 and -128..127 both fit.
using Pixel = ap_int<9>;

// The largest power of two that is no greater.
constexpr int floor_power_of_two(int number) { return number < 2 ? 1 : 2 * floor_power_of_two(number / 2); }

// Field `F` (see layouts.h) of a packed word.
template <typename F, int Bits>
ap_uint<F::bits> get(const ap_uint<Bits>& word) {
#pragma HLS INLINE
  return word.range(F::low + F::bits - 1, F::low);
}

// Field `F` of a packed word, read as two's complement.
template <typename F, int Bits>
ap_int<F::bits> get_signed(const ap_uint<Bits>& word) {
#pragma HLS INLINE
  return ap_int<F::bits>(get<F>(word));
}

// Sets field `F` of a packed word.
template <typename F, int Bits>
void put(ap_uint<Bits>& word, ap_uint<F::bits> value) {
#pragma HLS INLINE
  word.range(F::low + F::bits - 1, F::low) = value;
}

// Lane `lane` of a word of `LaneBits`-bit lanes.
template <int LaneBits, int Bits>
ap_uint<LaneBits> lane_of(const ap_uint<Bits>& word, int lane) {
#pragma HLS INLINE
  return word.range(LaneBits * lane + LaneBits - 1, LaneBits * lane);
}

// An 8-bit pixel as a signed number, by the layer's activation type.
inline Pixel to_pixel(ap_uint<8> bits, bool is_signed) {
#pragma HLS INLINE
  ap_uint<9> extended = bits;
  extended[8] = is_signed && bits[7];
  return Pixel(extended);
}

// first + second + carry, of which the carry is added in a place of its own below the lowest: it costs no second sum.
template <int Bits>
ap_uint<Bits> sum_with_carry(ap_uint<Bits> first, ap_uint<Bits> second, bool carry) {
#pragma HLS INLINE
  ap_uint<Bits + 1> left = first;
  ap_uint<Bits + 1> right = second;
  left = (left << 1) | 1;
  right = (right << 1) | ap_uint<1>(carry);
  return ap_uint<Bits>(ap_uint<Bits + 1>(left + right) >> 1);
}

}  // namespace zeroskip
