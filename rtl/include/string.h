// memcpy between arrays, or an array and memory, of the same elements: the loop that it stands for, an element an
// iteration. Anything else is left to the C library's, which has no hardware.
#pragma once

#include_next <string.h>

#ifdef __cplusplus
extern "C++" {
#include <type_traits>

extern "C" void rtl_refuse_part_of_an_element();

namespace rtl {
template <typename T>
using element = std::remove_cv_t<std::remove_all_extents_t<T>>;
}

template <typename To, typename From>
inline std::enable_if_t<std::is_same<rtl::element<To>, rtl::element<From>>::value && !std::is_void<To>::value, void*>
memcpy(To* to, From* from, size_t bytes) {
  using T = rtl::element<To>;
  auto* const target = reinterpret_cast<T*>(to);
  auto* const source = reinterpret_cast<const T*>(from);
  if (bytes % sizeof(T) != 0) rtl_refuse_part_of_an_element();
  const unsigned count = static_cast<unsigned>(bytes / sizeof(T));
  for (unsigned i = 0; i < count; ++i) target[i] = source[i];
  return to;
}
}
#endif
