// Requantisation: from a 32-bit sum to an 8-bit pixel, exactly as docs/arithmetic.md defines it.
#pragma once

#include "types.h"

namespace zeroskip {

// clamp(round_half_even(accumulator * multiplier / 2^shift), minimum, maximum), as the low 8 bits of the result.
//
// `multiplier` is unsigned and 16 bits wide (1 for power-of-two scales), `shift` is 0..47. The product fits 48 bits.
inline ap_uint<8> requantise(Accumulator accumulator, ap_uint<16> multiplier, ap_uint<6> shift, ap_int<9> minimum,
                             ap_int<9> maximum) {
#pragma HLS INLINE
  const ap_int<50> product = accumulator * ap_int<17>(multiplier);
  const ap_int<50> floor = product >> shift;
  // What the shift dropped, against one half: above -> up; exactly half -> to even.
  const ap_uint<50> one = 1;
  const ap_uint<50> dropped = ap_uint<50>(product) & ap_uint<50>((one << shift) - 1);
  const ap_uint<50> half = (one << shift) >> 1;
  const bool round_up = shift != 0 && (dropped > half || (dropped == half && floor[0]));
  const ap_int<51> rounded = floor + ap_int<2>(round_up ? 1 : 0);
  ap_int<9> clamped = ap_int<9>(rounded);
  if (rounded < minimum) clamped = minimum;
  if (rounded > maximum) clamped = maximum;
  return ap_uint<8>(clamped);
}

}  // namespace zeroskip
