// The running timers of a loop, in the order in which they fire.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "base/deadline_queue.h"
#include "event/handle.h"

namespace sluice::event {

class Loop;
class Timer;

/// One libuv timer wakes the loop for the earliest of them. Starting and stopping a timer neither
/// allocates nor touches the libuv timer; that is set before the loop sleeps, and only if the
/// earliest deadline is another one than before. Not thread-safe.
class TimerQueue {
 public:
  explicit TimerQueue(Loop& loop);

  /// Makes room for one more timer; it may be started from now on.
  void add();
  void remove(Timer& timer) noexcept;
  void start(Timer& timer, Duration after) noexcept;
  void stop(Timer& timer) noexcept;
  void unref(Timer& timer) noexcept;

  /// Fires what is due by Loop::now(): the earliest deadline first, equal ones in the order in
  /// which they were started. A timer that is started meanwhile fires in a later turn.
  void run_due() noexcept;
  /// Sets the libuv timer to the earliest deadline. Only with the system's clock.
  void arm() noexcept;
  /// TimePoint::max() if no timer is running.
  TimePoint earliest() const noexcept;

  bool has_timers() const noexcept { return timers_ > 0; }
  /// Closes the libuv timer: nothing fires any more.
  void close() noexcept { waker_.reset(); }

 private:
  void wake_after(std::uint64_t milliseconds) noexcept;
  void set_referenced(std::size_t running) noexcept;

  Loop& loop_;
  DeadlineQueue<Timer> queue_;
  // Always active, so that libuv goes on exactly while it is referenced.
  Handle<uv_timer_s> waker_;
  TimePoint armed_for_ = TimePoint::max();
  std::size_t timers_ = 0;      // running or not
  std::size_t referenced_ = 0;  // of the running ones
  std::uint64_t round_ = 0;     // of run_due()
};

}  // namespace sluice::event
