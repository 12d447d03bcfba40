/// \file hls_stream.h
/// hls::stream for C-simulation with g++: unbounded between sequential processes, bounded between fibers.
///
/// A stream knows by itself which of the two it is in:
///  - outside dataflow_fibers.h (plain C-simulation, as Vitis runs it): processes are called one after another, a
///  stream
///    holds as many words as are written, and reading an empty stream ends the program with the stream's name;
///  - inside a zs::Fibers run: a stream holds at most its depth, and a read of an empty or a write to a full stream
///  lets
///    another process run. Depth 0 stands for Vitis' default of 2.
///
/// stream<T, Depth> is a stream<T>, so that `stream<T, 16> s; f(s);` binds to `void f(hls::stream<T>&)` as in Vitis.
/// There is no read_nb, write_nb or full: kernels whose behaviour hangs on timing are not simulated faithfully by
/// anything. empty() and size() are for test benches.
///
/// Every stream counts its words and its highest fill; zs::stream_report() lists them by name.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <string>
#include <utility>

namespace zs {

class StreamBase;

/// Exit code of a program that read an empty stream or found a deadlock.
constexpr int kDeadlockExitCode = 3;
/// Depth of a stream that names none, as in Vitis HLS.
constexpr std::size_t kDefaultDepth = 2;

/// What a stream asks of the scheduler when one is running.
class StreamScheduler {
 public:
  virtual ~StreamScheduler() = default;
  /// Returns when `stream` holds a word.
  virtual void wait_for_word(const StreamBase& stream) = 0;
  /// Returns when `stream` has room for a word.
  virtual void wait_for_room(const StreamBase& stream) = 0;
};

/// The scheduler of the process that is running, or nullptr in sequential C-simulation. It cannot be a constructor
/// argument: streams are constructed by source code that Vitis reads too.
inline StreamScheduler* running_scheduler = nullptr;

/// Use of all streams of one name over the whole run.
struct StreamUse {
  std::size_t depth = 0;       ///< words it may hold on the board
  std::size_t high_water = 0;  ///< most words held at once
  std::size_t written = 0;     ///< words written
  std::size_t left_over = 0;   ///< words never read, over all streams that are gone
};

inline std::map<std::string, StreamUse>& stream_uses() {
  static std::map<std::string, StreamUse> uses;
  return uses;
}

/// Name, depth and counters of a stream; its words are in hls::stream.
class StreamBase {
 public:
  StreamBase(const char* name, std::size_t depth) : name_(name), depth_(depth == 0 ? kDefaultDepth : depth) {}
  StreamBase(const StreamBase&) = delete;
  StreamBase& operator=(const StreamBase&) = delete;
  virtual ~StreamBase() {
    StreamUse& use = stream_uses()[name_];
    use.depth = depth_;
    use.high_water = std::max(use.high_water, high_water_);
    use.written += written_;
    use.left_over += held_;
  }

  const std::string& name() const { return name_; }
  void set_name(const char* name) { name_ = name; }
  std::size_t depth() const { return depth_; }
  std::size_t high_water() const { return high_water_; }
  std::size_t size() const { return held_; }
  bool empty() const { return held_ == 0; }
  bool at_depth() const { return bounded_ && held_ >= depth_; }
  /// Lifts the bound, for streams that a test bench fills ahead of time.
  void set_unbounded() { bounded_ = false; }

 protected:
  void before_read() const {
    if (running_scheduler != nullptr) {
      running_scheduler->wait_for_word(*this);
    } else if (empty()) {
      std::fflush(stdout);
      std::fprintf(stderr, "DEADLOCK: stream '%s' is read while it is empty\n", name_.c_str());
      std::exit(kDeadlockExitCode);
    }
  }
  void before_write() const {
    if (running_scheduler != nullptr) running_scheduler->wait_for_room(*this);
  }
  void after_read() { --held_; }
  void after_write() {
    ++held_;
    ++written_;
    high_water_ = std::max(high_water_, held_);
  }

 private:
  std::string name_;
  std::size_t depth_;
  std::size_t held_ = 0;
  std::size_t high_water_ = 0;
  std::size_t written_ = 0;
  bool bounded_ = true;
};

/// Prints `STREAM name depth high_water written left_over` for every stream that is gone, in the order of their names.
inline void stream_report(std::FILE* file) {
  for (const auto& [name, use] : stream_uses())
    std::fprintf(file, "STREAM %s %zu %zu %zu %zu\n", name.empty() ? "-" : name.c_str(), use.depth, use.high_water,
                 use.written, use.left_over);
}

}  // namespace zs

namespace hls {

/// A first-in, first-out channel of words of type T.
/// \tparam T     word
/// \tparam Depth words it holds on the board, 0 for the default (2)
template <typename T, int Depth = 0>
class stream;

template <typename T>
class stream<T, 0> : public zs::StreamBase {
 public:
  stream() : StreamBase("", 0) {}
  explicit stream(const char* name) : StreamBase(name, 0) {}

  /// Takes the oldest word.
  T read() {
    before_read();
    T word = std::move(words_.front());
    words_.pop_front();
    after_read();
    return word;
  }
  void read(T& word) { word = read(); }
  void operator>>(T& word) { word = read(); }

  /// Appends a word.
  void write(const T& word) {
    before_write();
    words_.push_back(word);
    after_write();
  }
  void operator<<(const T& word) { write(word); }

 protected:
  stream(const char* name, std::size_t depth) : StreamBase(name, depth) {}

 private:
  std::deque<T> words_;
};

template <typename T, int Depth>
class stream : public stream<T, 0> {
  static_assert(Depth > 0, "a stream's depth must be positive, or 0 for the default");

 public:
  stream() : stream<T, 0>("", static_cast<std::size_t>(Depth)) {}
  explicit stream(const char* name) : stream<T, 0>(name, static_cast<std::size_t>(Depth)) {}
};

}  // namespace hls
