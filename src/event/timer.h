// A timer as a member: it dies with its owner and can never fire late.
#pragma once

#include "base/clock.h"
#include "base/delegate.h"
#include "event/handle.h"

namespace sluice::event {

class Loop;

/// Calls its delegate once after a delay, or again and again. Not thread-safe.
class Timer {
 public:
  Timer(Loop& loop, Delegate<void()> fired);
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  /// Fires once, `after` from the start of this turn. An earlier start is replaced.
  void start(Duration after) noexcept;
  /// Fires every `interval`, first after one interval.
  void start_repeating(Duration interval) noexcept;
  void stop() noexcept;
  bool is_active() const noexcept;
  /// The loop may end although this timer is running.
  void unref() noexcept;

 private:
  void start(Duration after, Duration interval) noexcept;

  Delegate<void()> fired_;
  Handle<uv_timer_s> handle_;
};

}  // namespace sluice::event
