// Time is whole milliseconds of a monotonic clock that only the loop reads.
#pragma once

#include <chrono>

namespace sluice {

using Duration = std::chrono::milliseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

/// A monotonic clock other than the system's, for tests.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::chrono::nanoseconds now() const noexcept = 0;
};

}  // namespace sluice
