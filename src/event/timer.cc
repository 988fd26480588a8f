#include "event/timer.h"

#include <uv.h>

#include <algorithm>

#include "event/loop.h"

namespace sluice::event {

Timer::Timer(Loop& loop, Delegate<void()> fired) : fired_(fired), handle_(new uv_timer_t) {
  uv_timer_init(loop.raw(), handle_.get());
  handle_->data = this;
}

void Timer::start(Duration after) noexcept {
  start(after, Duration(0));
}
void Timer::start_repeating(Duration interval) noexcept {
  start(interval, interval);
}

void Timer::start(Duration after, Duration interval) noexcept {
  const auto to_uv = [](Duration time) {
    return static_cast<std::uint64_t>(std::max<Duration::rep>(time.count(), 0));
  };
  uv_timer_start(
      handle_.get(),
      [](uv_timer_t* handle) {
        if (auto* self = static_cast<Timer*>(handle->data)) self->fired_();
      },
      to_uv(after), to_uv(interval));
}

void Timer::stop() noexcept {
  uv_timer_stop(handle_.get());
}

bool Timer::is_active() const noexcept {
  return uv_is_active(reinterpret_cast<const uv_handle_t*>(handle_.get())) != 0;
}

void Timer::unref() noexcept {
  uv_unref(reinterpret_cast<uv_handle_t*>(handle_.get()));
}

}  // namespace sluice::event
