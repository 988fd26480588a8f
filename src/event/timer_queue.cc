#include "event/timer_queue.h"

#include <uv.h>

#include <algorithm>
#include <limits>

#include "event/loop.h"
#include "event/timer.h"

namespace sluice::event {
namespace {

/// For a libuv timer, which counts milliseconds.
constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

TimePoint earliest_of(const DeadlineQueue<Timer>& queue) noexcept {
  return queue.empty() ? TimePoint::max() : queue.earliest();
}

}  // namespace

TimerQueue::TimerQueue(Loop& loop) : loop_(loop), waker_(new uv_timer_t) {
  uv_timer_init(loop.raw(), waker_.get());
  waker_->data = this;
  wake_after(kNever);
  set_referenced(0);
}

TimerQueue::Queue& TimerQueue::queue_of(const Timer& timer) noexcept {
  return timer.lateness_ == Lateness::AtOnce ? at_once_ : after_input_;
}

void TimerQueue::add() {
  ++timers_;
  after_input_.make_room_for(timers_);
  at_once_.make_room_for(timers_);
}

void TimerQueue::remove(Timer& timer) noexcept {
  stop(timer);
  --timers_;
}

void TimerQueue::start(Timer& timer, Duration after) noexcept {
  stop(timer);
  const TimePoint now = loop_.now();
  queue_of(timer).insert(timer, now + std::clamp(after, Duration(0), TimePoint::max() - now));
  timer.round_ = round_;
  if (timer.is_referenced_) set_referenced(referenced_ + 1);
}

void TimerQueue::stop(Timer& timer) noexcept {
  if (!timer.is_waiting()) return;
  queue_of(timer).remove(timer);
  if (timer.is_referenced_) set_referenced(referenced_ - 1);
}

void TimerQueue::unref(Timer& timer) noexcept {
  const bool counts = timer.is_waiting() && timer.is_referenced_;
  timer.is_referenced_ = false;
  if (counts) set_referenced(referenced_ - 1);
}

void TimerQueue::fire_due(Queue& queue) noexcept {
  ++round_;
  const TimePoint now = loop_.now();
  // What was started in this round is behind all that was not: it is due at `now` at the earliest.
  while (earliest_of(queue) <= now && queue.front().round_ != round_)
    queue.front().fire();
}

void TimerQueue::fire_after_input(bool has_unread) noexcept {
  if (earliest_of(after_input_) > loop_.now()) {
    polls_ = 0;
  } else if (!may_be_in_unread_input(has_unread)) {
    polls_ = 0;
    fire_due(after_input_);
  }
}

/// For a due timer. The poll in which it was found late does not count: a signal that ends the
/// sleep, like the SIGCONT after a SIGSTOP, makes libuv return without any event.
bool TimerQueue::may_be_in_unread_input(bool has_unread) noexcept {
  const TimePoint now = loop_.now();
  if (polls_ == 0) {
    const Duration late = now - after_input_.earliest();
    if (late < kOnTime) return false;
    latest_ = now + late;
  } else if (!has_unread || polls_ == kMostPolls || now >= latest_) {
    return false;
  }
  ++polls_;
  return true;
}

TimePoint TimerQueue::earliest() const noexcept {
  return std::min(earliest_of(after_input_), earliest_of(at_once_));
}

void TimerQueue::arm() noexcept {
  const TimePoint next = earliest();
  if (next == armed_for_ || waker_ == nullptr) return;
  armed_for_ = next;
  const Duration left = std::max(Duration(0), next - loop_.now());
  wake_after(next == TimePoint::max() ? kNever : static_cast<std::uint64_t>(left.count()));
}

void TimerQueue::wake_after(std::uint64_t milliseconds) noexcept {
  const auto on_waker = [](uv_timer_t* handle) {
    auto* self = static_cast<TimerQueue*>(handle->data);
    if (self == nullptr) return;
    self->armed_for_ = TimePoint::max();  // as it repeats, after kNever
  };
  uv_timer_start(waker_.get(), on_waker, milliseconds, kNever);
}

void TimerQueue::set_referenced(std::size_t running) noexcept {
  referenced_ = running;
  if (waker_ == nullptr) return;
  auto* handle = reinterpret_cast<uv_handle_t*>(waker_.get());
  running > 0 ? uv_ref(handle) : uv_unref(handle);
}

}  // namespace sluice::event
