// hls::stream for compiling the test programs with g++: an unbounded queue.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <deque>

namespace hls {

template <typename T, int Depth = 0>
class stream;

template <typename T>
class stream<T, 0> {
  std::deque<T> words_;

 public:
  stream() = default;
  explicit stream(const char*) {}
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;

  T read() {
    if (words_.empty()) {
      std::fprintf(stderr, "read from an empty stream\n");
      std::exit(3);
    }
    const T value = words_.front();
    words_.pop_front();
    return value;
  }
  void read(T& value) { value = read(); }
  void write(const T& value) { words_.push_back(value); }
  void operator>>(T& value) { value = read(); }
  void operator<<(const T& value) { write(value); }
  bool empty() const { return words_.empty(); }
};

template <typename T, int Depth>
class stream : public stream<T, 0> {
 public:
  stream() = default;
  explicit stream(const char*) {}
};

}  // namespace hls
