#include "event/timer.h"

#include "event/loop.h"
#include "event/timer_queue.h"

namespace sluice::event {

Timer::Timer(Loop& loop, Delegate<void()> fired, Lateness lateness)
    : loop_(loop), fired_(fired), lateness_(lateness) {
  loop_.timers().add();
}

Timer::~Timer() {
  loop_.timers().remove(*this);
}

void Timer::start(Duration after) noexcept {
  interval_ = Duration(0);
  loop_.timers().start(*this, after);
}

void Timer::start_repeating(Duration interval) noexcept {
  interval_ = interval;
  loop_.timers().start(*this, interval);
}

void Timer::stop() noexcept {
  loop_.timers().stop(*this);
}

void Timer::unref() noexcept {
  loop_.timers().unref(*this);
}

void Timer::fire() noexcept {
  if (interval_ > Duration(0)) {
    start_repeating(interval_);
  } else {
    stop();
  }
  fired_();  // which may destroy this timer
}

}  // namespace sluice::event
