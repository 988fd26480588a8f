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
///
/// After a stall (SIGSTOP, a paused machine, a long turn) what has come meanwhile may be what a
/// timer waits for. So a late timer fires after a whole poll at the earliest, and while sockets
/// still hold more than was read, after kMostPolls at the latest.
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
  void fire_at_once() noexcept { fire_due(at_once_); }
  /// The same for Lateness::AfterInput, after a poll. `has_unread`: a socket may hold more than was
  /// read.
  void fire_after_input(bool has_unread) noexcept;
  /// Sets the libuv timer to the earliest deadline. Only with the system's clock.
  void arm() noexcept;
  /// TimePoint::max() if no timer is running.
  TimePoint earliest() const noexcept;

  bool has_timers() const noexcept { return timers_ > 0; }
  /// Enough to read the acknowledgements of a full window, 16 KiB at a time.
  static constexpr unsigned kMostPolls = 16;
  /// A timer may be late by this for other reasons than a stall.
  static constexpr Duration kOnTime{10};

  /// Closes the libuv timer: nothing fires any more.
  void close() noexcept { waker_.reset(); }

 private:
  using Queue = DeadlineQueue<Timer>;
  Queue& queue_of(const Timer& timer) noexcept;
  void fire_due(Queue& queue) noexcept;
  bool may_be_in_unread_input(bool has_unread) noexcept;
  void wake_after(std::uint64_t milliseconds) noexcept;
  void set_referenced(std::size_t running) noexcept;

  Loop& loop_;
  Queue after_input_;
  Queue at_once_;
  // Always active, so that libuv goes on exactly while it is referenced.
  Handle<uv_timer_s> waker_;
  TimePoint armed_for_ = TimePoint::max();
  std::size_t timers_ = 0;      // running or not
  std::size_t referenced_ = 0;  // of the running ones
  std::uint64_t round_ = 0;     // of fire_due()
  unsigned polls_ = 0;          // for which late timers wait; 0: none is late
  TimePoint latest_{};          // then they wait no longer: as late again as they were
};

}  // namespace sluice::event
