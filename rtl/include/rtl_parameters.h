// What the parameters of a top function are, as numbers that the compiler reads from the constant `rtl_parameters`.
#pragma once

#include <cstddef>

#include "hls_stream.h"

namespace rtl {

// Kind (0 number, 1 stream, 2 pointer to what is only read, 3 pointer), bits of a value, bytes of a value in memory.
template <typename T>
struct parameter {
  static constexpr int kind = 0, bits = transport<T>::bits, bytes = sizeof(T);
};
template <typename T>
struct parameter<T*> : parameter<T> {
  static constexpr int kind = 3;
};
template <typename T>
struct parameter<const T*> : parameter<T> {
  static constexpr int kind = 2;
};
template <typename T>
struct parameter<T&> : parameter<T*> {};
template <typename T, int Depth>
struct parameter<hls::stream<T, Depth>&> : parameter<T> {
  static constexpr int kind = 1;
};
template <typename T, int Depth, std::size_t Count>
struct parameter<hls::stream<T, Depth> (&)[Count]> : parameter<hls::stream<T, Depth>&> {};

template <int Count>
struct parameter_table {
  int numbers[Count + 1];
};

template <typename... Parameters>
constexpr parameter_table<3 * sizeof...(Parameters)> describe(void (*)(Parameters...)) {
  return {{parameter<Parameters>::kind..., parameter<Parameters>::bits..., parameter<Parameters>::bytes..., 1}};
}

template <typename Result, typename... Parameters>
__attribute__((unavailable("it returns a value; give results by reference"))) constexpr parameter_table<0> describe(
    Result (*)(Parameters...)) {
  return {};
}

}  // namespace rtl
