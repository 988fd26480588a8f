#include "test_loop.h"

#include <poll.h>
#include <uv.h>

#include <cassert>
#include <stdexcept>

#include "catch.h"

namespace sluice::event {
namespace {

/// After this many turns work deferred by a timer is done, and work that it defers in turn.
constexpr int kTurns = 4;
/// By the loop's clock. Tests set time-outs that shall not come to an hour.
constexpr Duration kLongest = std::chrono::minutes(10);
/// By the system's clock; only so that a test that would hang fails.
constexpr std::chrono::seconds kPatience{30};

struct Idle {
  void on_timer() noexcept {}
} idle;

/// False if none has come within `limit` milliseconds.
bool wait_for_event(Loop& loop, int limit) {
  if (uv_backend_timeout(loop.raw()) == 0) return true;  // deferred work, if nothing else
  pollfd events{.fd = uv_backend_fd(loop.raw()), .events = POLLIN, .revents = 0};
  return ::poll(&events, 1, limit) > 0;
}

}  // namespace

void ManualClock::move_to(std::chrono::nanoseconds time) noexcept {
  assert(time >= now_);
  now_ = time;
}

TestLoop::TestLoop() : keeper_(new Timer(loop_, bind<&Idle::on_timer>(&idle))) {
  keeper_->start(Duration::max());
}

TestLoop::~TestLoop() {
  keeper_.reset();
  CHECK(loop_.close() == 0);
}

void TestLoop::turn() {
  loop_.run_once();
  if (after_turn) after_turn();
}

void TestLoop::run_turns(int count) {
  while (count-- > 0)
    turn();
}

void TestLoop::run_until(const std::function<bool()>& condition) {
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  for (int turns = 0; !condition(); turn()) {
    // Not longer: what comes next may come to one of the test's own sockets.
    if (++turns % kTurns == 0) wait_for_event(loop_, 1);
    if (std::chrono::steady_clock::now() > give_up) {
      throw std::runtime_error("what the test waits for has not come");
    }
  }
}

void TestLoop::advance(Duration time) {
  const TimePoint end = time_of_clock() + time;
  run_turns(kTurns);
  while (move_to_next_timer(end))
    run_turns(kTurns);
  clock.move_to(end.time_since_epoch());
  run_turns(kTurns);
}

Duration TestLoop::advance_until(const std::function<bool()>& condition) {
  const TimePoint begin = time_of_clock();
  for (int turns = 0; !condition(); turn()) {
    if (++turns % kTurns != 0) continue;
    if (loop_.has_requests()) {
      wait_for_event(loop_, 1);
    } else if (!move_to_next_timer(begin + kLongest)) {
      throw std::runtime_error("what the test waits for does not come");
    }
  }
  return time_of_clock() - begin;
}

bool TestLoop::would_sleep() {
  return !wait_for_event(loop_, 0);
}

TimePoint TestLoop::time_of_clock() const noexcept {
  return TimePoint(std::chrono::floor<Duration>(clock.now()));
}

bool TestLoop::move_to_next_timer(TimePoint latest) noexcept {
  const TimePoint next = loop_.next_deadline();
  if (next > latest) return false;
  if (next > time_of_clock()) clock.move_to(next.time_since_epoch());
  return true;
}

}  // namespace sluice::event
