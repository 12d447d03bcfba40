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
  // One half less the last place, and that place too where the floor is odd: only then a half is rounded up.
  const ap_uint<50> below_half = ap_uint<50>(~(ap_uint<50>(-1) << shift)) >> 1;
  const bool odd = shift != 0 && ap_uint<50>(product >> shift)[0];
  const ap_int<50> sum = ap_int<50>(sum_with_carry<50>(ap_uint<50>(product), below_half, odd));
  const ap_int<50> rounded = sum >> shift;
  // Ten bits, or the nearest number of ten bits, so that the limits are compared with no more.
  const bool negative = rounded[49];
  const bool fits = ap_int<41>(rounded >> 9) == (negative ? ap_int<41>(-1) : ap_int<41>(0));
  const ap_int<10> near = fits ? ap_int<10>(rounded) : negative ? ap_int<10>(-512) : ap_int<10>(511);
  ap_int<9> clamped = ap_int<9>(near);
  if (near < minimum) clamped = minimum;
  if (near > maximum) clamped = maximum;
  return ap_uint<8>(clamped);
}

}  // namespace zeroskip
