/// \file dataflow_fibers.h
/// Runs dataflow processes as cooperating fibers over bounded streams, and reports a deadlock by process and stream.
///
///     hls::stream<ap_uint<8>, 4> bytes("bytes");
///     zs::Fibers fibers;                               // or Fibers fibers(seed): a random order
///     fibers.add("source", [&] { source(bytes); });
///     fibers.add_restarting("sink", [&] { sink(bytes); });
///     if (!fibers.run()) return zs::kDeadlockExitCode;  // the report is on stderr
///
/// A process added with add() runs once and must end. One added with add_restarting() starts again whenever it returns,
/// as hardware without a block-level handshake does; it may be left waiting, but only where it has read and written
/// nothing since it started. The test bench's own sending and checking is a process like any other ("host"). run() may
/// be called once.
#pragma once

#include <sys/mman.h>
#include <ucontext.h>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "hls_stream.h"

namespace zs {

/// Memory of one fiber's stack. Pages are taken when touched, and the lowest page traps an overflow.
class FiberStack {
 public:
  static constexpr std::size_t kBytes = std::size_t{64} << 20;

  FiberStack()
      : memory_(mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
    constexpr std::size_t kGuardBytes = 65536;  // a whole number of pages on every Linux
    if (memory_ == MAP_FAILED || mprotect(memory_, kGuardBytes, PROT_NONE) != 0) {
      std::perror("zeroskip: no memory for a fiber's stack");
      std::exit(1);
    }
  }
  FiberStack(const FiberStack&) = delete;
  FiberStack& operator=(const FiberStack&) = delete;
  ~FiberStack() { munmap(memory_, kBytes); }

  void* memory() const { return memory_; }

 private:
  void* memory_;
};

/// A set of processes and the scheduler that runs them.
class Fibers : public StreamScheduler {
 public:
  /// \param seed 0: processes run in the order they were added, each until it must wait.
  ///             Otherwise: the next process is drawn at random, and a process also gives way at random where it need
  ///             not.
  explicit Fibers(std::uint64_t seed = 0) : random_order_(seed != 0), generator_(seed) {}
  Fibers(const Fibers&) = delete;
  Fibers& operator=(const Fibers&) = delete;

  /// Adds a process that runs once.
  void add(std::string name, std::function<void()> body) { append(std::move(name), std::move(body), false); }

  /// Adds a process that starts again whenever it returns.
  void add_restarting(std::string name, std::function<void()> body) { append(std::move(name), std::move(body), true); }

  /// Runs all processes until none can go on. Returns false, after a report on stderr, when one is stuck in its
  /// middle.
  [[nodiscard]] bool run() {
    StreamScheduler* const outer = running_scheduler;
    running_scheduler = this;
    for (Fiber* next = pick(); next != nullptr; next = pick()) {
      current_ = next;
      swapcontext(&scheduler_context_, &next->context);
      if (failure_) break;
    }
    current_ = nullptr;
    running_scheduler = outer;
    if (failure_) std::rethrow_exception(failure_);
    return report_stuck() == 0;
  }

  void wait_for_word(const StreamBase& stream) override {
    give_way_at_random();
    while (stream.empty()) wait(stream, Wait::kWord);
    current_->untouched = false;
  }

  void wait_for_room(const StreamBase& stream) override {
    give_way_at_random();
    while (stream.at_depth()) wait(stream, Wait::kRoom);
    current_->untouched = false;
  }

 private:
  enum class Wait { kNothing, kWord, kRoom };

  struct Fiber {
    std::string name;
    std::function<void()> body;
    bool restarting = false;
    bool finished = false;
    bool untouched = true;  // no stream read or written since the body was entered
    Wait wait = Wait::kNothing;
    const StreamBase* stream = nullptr;
    FiberStack stack;
    ucontext_t context{};

    bool can_run() const {
      if (finished) return false;
      if (wait == Wait::kWord) return !stream->empty();
      if (wait == Wait::kRoom) return !stream->at_depth();
      return true;
    }
    bool stuck() const { return !finished && !(restarting && untouched); }
  };

  void append(std::string name, std::function<void()> body, bool restarting) {
    auto fiber = std::make_unique<Fiber>();
    fiber->name = std::move(name);
    fiber->body = std::move(body);
    fiber->restarting = restarting;
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->stack.memory();
    fiber->context.uc_stack.ss_size = FiberStack::kBytes;
    fiber->context.uc_link = &scheduler_context_;
    // makecontext passes ints only: the address goes over in two halves.
    const auto address = reinterpret_cast<std::uintptr_t>(this);
    makecontext(&fiber->context, reinterpret_cast<void (*)()>(&Fibers::enter), 2, static_cast<unsigned>(address >> 32),
                static_cast<unsigned>(address));
    fibers_.push_back(std::move(fiber));
  }

  static void enter(unsigned high, unsigned low) {
    const auto address = (static_cast<std::uintptr_t>(high) << 32) | static_cast<std::uintptr_t>(low);
    reinterpret_cast<Fibers*>(address)->run_current();
  }

  void run_current() {
    Fiber& self = *current_;
    try {
      do {
        self.untouched = true;
        self.body();
        if (self.restarting && self.untouched)
          throw std::logic_error("process '" + self.name + "' restarts without using any stream");
      } while (self.restarting);
    } catch (...) {
      failure_ = std::current_exception();
    }
    self.finished = true;
  }

  void yield() { swapcontext(&current_->context, &scheduler_context_); }

  void wait(const StreamBase& stream, Wait what) {
    current_->stream = &stream;
    current_->wait = what;
    yield();
    current_->wait = Wait::kNothing;
  }

  void give_way_at_random() {
    constexpr unsigned kOneIn = 16;
    if (random_order_ && generator_() % kOneIn == 0) yield();
  }

  Fiber* pick() {
    const std::size_t count = fibers_.size();
    if (count == 0) return nullptr;
    const std::size_t start = random_order_ ? generator_() % count : position_;
    for (std::size_t step = 0; step < count; ++step) {
      const std::size_t index = (start + step) % count;
      if (fibers_[index]->can_run()) {
        position_ = index;
        return fibers_[index].get();
      }
    }
    return nullptr;
  }

  int report_stuck() const {
    int stuck = 0;
    for (const auto& fiber : fibers_) {
      if (!fiber->stuck()) continue;
      if (stuck++ == 0) std::fprintf(stderr, "DEADLOCK: no process can run\n");
      const char* const name = fiber->stream->name().c_str();
      if (fiber->wait == Wait::kWord)
        std::fprintf(stderr, "  process '%s' waits to read '%s', which is empty\n", fiber->name.c_str(), name);
      else
        std::fprintf(stderr, "  process '%s' waits to write '%s', which is full (depth %zu)\n", fiber->name.c_str(),
                     name, fiber->stream->depth());
    }
    return stuck;
  }

  bool random_order_;
  std::mt19937_64 generator_;
  std::size_t position_ = 0;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  Fiber* current_ = nullptr;
  ucontext_t scheduler_context_{};
  std::exception_ptr failure_;
};

}  // namespace zs
