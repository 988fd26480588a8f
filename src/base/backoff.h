// How long to wait before the next attempt: doubling up to a ceiling, with jitter.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace sluice {

/// Grows from `min` to `max` by doubling. Has no clock and no randomness of its own: the caller
/// passes both in, so that a test is deterministic.
class Backoff {
 public:
  Backoff(Duration min, Duration max) noexcept : min_(min), max_(max), current_(min) {}

  /// The next delay: the current step times 0.5..1.0, as `unit` goes from 0 to 1. Never below
  /// half of `min`, never above `max`.
  Duration next(double unit) noexcept {
    const double step = static_cast<double>(current_.count());
    current_ = std::min(current_ * 2, max_);
    return Duration(static_cast<Duration::rep>(step * (0.5 + 0.5 * unit)));
  }

  void reset() noexcept { current_ = min_; }
  /// Sets other bounds and resets.
  void set_bounds(Duration min, Duration max) noexcept {
    min_ = min;
    max_ = max;
    current_ = min;
  }
  /// Jumps to the ceiling: for a refusal that will not go away soon (a wrong password).
  void raise_to_max() noexcept { current_ = max_; }

 private:
  Duration min_;
  Duration max_;
  Duration current_;
};

}  // namespace sluice
