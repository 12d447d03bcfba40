// hls::stream for the C++-to-SystemVerilog compiler: blocking reads and writes, nothing else.
//
// A stream object holds no data. Its size tells the compiler its width and depth: one byte per bit of a word, then one
// byte per word of depth (depth 0 stands for Vitis' default of 2).
#pragma once

#include <type_traits>

template <int W>
struct ap_int;
template <int W>
struct ap_uint;

// What the compiler implements: a word of `Bits` bits, which takes `Bytes` bytes of memory.
namespace rtl {

// `Sides` tells what of a word leaves by AXI signals of its own: nothing, or what is beside `Data` bits in an
// hls::axis.
struct plain;
template <int Data, int User, int Id, int Dest>
struct sides;

template <int Bits, int Bytes, typename Sides>
void stream_read(const void* stream, unsigned _BitInt(Bits) & word);
template <int Bits, int Bytes, typename Sides>
void stream_write(const void* stream, const unsigned _BitInt(Bits) & word);

// How a type travels: as a number of `bits` bits, or (plain structures) as the bytes it has in memory.
template <typename T, typename = void>
struct transport {
  static constexpr int bits = 8 * sizeof(T);
  using Sides = plain;
  using Word = unsigned _BitInt(bits);
  static Word pack(const T& value) {
    Word word;
    __builtin_memcpy(&word, &value, sizeof(T));
    return word;
  }
  static void unpack(Word word, T& value) { __builtin_memcpy(static_cast<void*>(&value), &word, sizeof(T)); }
};

template <typename T>
struct transport<T, std::enable_if_t<std::is_integral_v<T> || std::is_enum_v<T>>> {
  static constexpr int bits = std::is_same_v<T, bool> ? 1 : 8 * sizeof(T);
  using Sides = plain;
  using Word = unsigned _BitInt(bits);
  static Word pack(const T& value) { return static_cast<Word>(value); }
  static void unpack(Word word, T& value) { value = static_cast<T>(word); }
};

template <int W>
struct transport<ap_int<W>> {
  static constexpr int bits = W;
  using Sides = plain;
  using Word = unsigned _BitInt(W);
  static Word pack(const ap_int<W>& value) { return value.V; }
  static void unpack(Word word, ap_int<W>& value) { value.V = word; }
};

template <int W>
struct transport<ap_uint<W>> {
  static constexpr int bits = W;
  using Sides = plain;
  using Word = unsigned _BitInt(W);
  static Word pack(const ap_uint<W>& value) { return value.V; }
  static void unpack(Word word, ap_uint<W>& value) { value.V = word; }
};

}  // namespace rtl

namespace hls {

template <typename T, int Depth = 0>
class stream;

template <typename T>
class stream<T, 0> {
  using Transport = rtl::transport<T>;
  unsigned char word_bits_[Transport::bits];

 public:
  stream() = default;
  explicit stream(const char*) {}
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;

  T read() {
    typename Transport::Word word;
    rtl::stream_read<Transport::bits, sizeof(word), typename Transport::Sides>(this, word);
    T value;
    Transport::unpack(word, value);
    return value;
  }
  void read(T& value) {
    typename Transport::Word word;
    rtl::stream_read<Transport::bits, sizeof(word), typename Transport::Sides>(this, word);
    Transport::unpack(word, value);
  }
  void write(const T& value) {
    const typename Transport::Word word = Transport::pack(value);
    rtl::stream_write<Transport::bits, sizeof(word), typename Transport::Sides>(this, word);
  }
  void operator>>(T& value) { read(value); }
  void operator<<(const T& value) { write(value); }

  __attribute__((unavailable("non-blocking access is refused: behaviour must not hang on timing"))) bool empty() const;
  __attribute__((unavailable("non-blocking access is refused: behaviour must not hang on timing"))) bool full() const;
  __attribute__((unavailable("non-blocking access is refused: behaviour must not hang on timing"))) int size() const;
  __attribute__((unavailable("non-blocking access is refused: behaviour must not hang on timing"))) bool read_nb(T&);
  __attribute__((unavailable("non-blocking access is refused: behaviour must not hang on timing"))) bool write_nb(
      const T&);
};

template <typename T, int Depth>
class stream : public stream<T, 0> {
  static_assert(Depth > 0, "a stream has a positive depth");
  unsigned char depth_words_[Depth];

 public:
  stream() = default;
  explicit stream(const char*) {}
};

}  // namespace hls
