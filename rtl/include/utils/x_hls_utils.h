// hls::numeric_limits of the ap types, from the header in which Xilinx' open ap_types have them.
#pragma once

#include <limits>

#include "ap_fixed.h"

namespace hls {

template <typename T>
class numeric_limits {
 public:
  static constexpr T max() { return std::numeric_limits<T>::max(); }
  static constexpr T min() { return std::numeric_limits<T>::min(); }
  static constexpr T epsilon() { return std::numeric_limits<T>::epsilon(); }
};

// Largest and smallest number of W bits, and the smallest step.
template <typename T, int W, bool S>
class ap_limits {
  static constexpr T with_bits(const ap_uint<W>& bits) {
    T value = 0;
    value.range(W - 1, 0) = bits;
    return value;
  }

 public:
  static constexpr T max() { return with_bits(ap_uint<W>(-1) >> int(S)); }
  static constexpr T min() { return with_bits(S ? ap_uint<W>(1) << (W - 1) : ap_uint<W>(0)); }
  static constexpr T epsilon() { return with_bits(1); }
};

template <int W>
class numeric_limits<ap_int<W>> : public ap_limits<ap_int<W>, W, true> {};
template <int W>
class numeric_limits<ap_uint<W>> : public ap_limits<ap_uint<W>, W, false> {};
template <int W, int I, ap_q_mode Q, ap_o_mode O>
class numeric_limits<ap_fixed<W, I, Q, O>> : public ap_limits<ap_fixed<W, I, Q, O>, W, true> {};
template <int W, int I, ap_q_mode Q, ap_o_mode O>
class numeric_limits<ap_ufixed<W, I, Q, O>> : public ap_limits<ap_ufixed<W, I, Q, O>, W, false> {};

}  // namespace hls
