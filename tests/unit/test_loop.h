// A loop whose time stands still until the test moves it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "event/loop.h"
#include "event/timer.h"

namespace sluice::event {

class ManualClock final : public Clock {
 public:
  std::chrono::nanoseconds now() const noexcept override { return now_; }
  void move_to(std::chrono::nanoseconds time) noexcept;

 private:
  std::chrono::nanoseconds now_ = std::chrono::hours(1000);
};

/// How often a callback came.
struct Count {
  void up() noexcept { ++times; }
  int times = 0;
};

/// Declare it first in a test, so that all else is gone when it closes the loop.
class TestLoop {
 public:
  TestLoop();
  ~TestLoop();
  TestLoop(const TestLoop&) = delete;
  TestLoop& operator=(const TestLoop&) = delete;

  /// Turns, none of which waits, and in which no time passes.
  void run_turns(int count = 1);
  /// Turns the loop until the condition holds, waiting for sockets and threads while no time
  /// passes; fails the test if it never does.
  void run_until(const std::function<bool()>& condition);
  /// Moves the clock on. Each timer on the way fires at its own time, and what follows from that
  /// happens before the next one fires.
  void advance(Duration time);
  /// The same, from timer to timer until the condition holds; returns how far the clock moved.
  /// Fails the test after ten minutes of that clock.
  Duration advance_until(const std::function<bool()>& condition);

  /// Nothing is left to do before the next timer is due, or something comes from outside.
  bool would_sleep();

  TimePoint now() const noexcept { return loop_.now(); }
  operator Loop&() noexcept { return loop_; }  // NOLINT: stands for the loop
  Loop* operator->() noexcept { return &loop_; }

  ManualClock clock;
  std::function<void()> after_turn;  ///< for the other ends of sockets

 private:
  TimePoint time_of_clock() const noexcept;
  void turn();
  /// False if nothing is due by then.
  bool move_to_next_timer(TimePoint latest) noexcept;

  Loop loop_{&clock};
  std::unique_ptr<Timer> keeper_;  // a loop without anything to wait for has no turns
};

}  // namespace sluice::event
