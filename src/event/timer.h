// A timer as a member: destroyed with its owner, it cannot fire afterwards.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/deadline_queue.h"
#include "base/delegate.h"

namespace sluice::event {

class Loop;

/// When a timer fires whose time has come while the process was stopped or busy.
enum class Lateness : std::uint8_t {
  AfterInput,  ///< once the input that came meanwhile was handled: for deadlines
  AtOnce,      ///< before any work deferred to the end of the turn
};

/// Calls its delegate once after a delay, or again and again. It may be started, stopped and
/// destroyed at any time, also while it or another timer fires. Not thread-safe.
class Timer : private DeadlineEntry {
 public:
  Timer(Loop& loop, Delegate<void()> fired, Lateness lateness = Lateness::AfterInput);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  /// Fires once, `after` from the start of this turn. An earlier start is replaced.
  void start(Duration after) noexcept;
  /// Fires every `interval`, first after one interval.
  void start_repeating(Duration interval) noexcept;
  void stop() noexcept;
  bool is_active() const noexcept { return is_waiting(); }
  /// When it fires next; only while active.
  TimePoint due() const noexcept { return deadline(); }
  /// The loop may end although this timer is running.
  void unref() noexcept;

 private:
  friend class DeadlineQueue<Timer>;
  friend class TimerQueue;
  void fire() noexcept;

  Loop& loop_;
  Delegate<void()> fired_;
  Duration interval_{};  // 0: only once
  const Lateness lateness_;
  bool is_referenced_ = true;
  std::uint64_t round_ = 0;  // of TimerQueue::fire_due(), in or after which it was started
};

}  // namespace sluice::event
