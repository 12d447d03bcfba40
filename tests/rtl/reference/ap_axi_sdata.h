// hls::axis for compiling the test programs with g++: the members alone.
#pragma once

#include <cstddef>
#include <type_traits>

#include "ap_int.h"

// Bits of a built-in integer, or of an ap_int or ap_fixed.
template <typename T>
constexpr int width_of() {
  if constexpr (std::is_integral_v<T>)
    return 8 * sizeof(T);
  else
    return T::width;
}

namespace hls {

template <typename T, std::size_t WUser = 0, std::size_t WId = 0, std::size_t WDest = 0>
struct axis {
  static constexpr int kBytes = (width_of<T>() + 7) / 8;
  T data;
  ap_uint<kBytes> keep;
  ap_uint<kBytes> strb;
  ap_uint<WUser ? WUser : 1> user;
  ap_uint<1> last;
  ap_uint<WId ? WId : 1> id;
  ap_uint<WDest ? WDest : 1> dest;

  ap_uint<1> get_last() const { return last; }
  void set_last(const ap_uint<1>& value) { last = value; }
  void keep_all() {
    keep = -1;
    strb = -1;
  }
};

}  // namespace hls

template <std::size_t WData, std::size_t WUser, std::size_t WId, std::size_t WDest>
using ap_axis = hls::axis<ap_int<WData>, WUser, WId, WDest>;
template <std::size_t WData, std::size_t WUser, std::size_t WId, std::size_t WDest>
using ap_axiu = hls::axis<ap_uint<WData>, WUser, WId, WDest>;
