// Converts the loop's times to the time of day, for people.
#pragma once

#include <chrono>
#include <string>

#include "base/clock.h"

namespace sluice::admin {

/// One reading of both clocks. The loop's does not go on while the machine is suspended, and the
/// time of day may be set: both readings are of one moment, and earlier times are as far before it.
class WallClock {
 public:
  using Time = std::chrono::system_clock::time_point;
  WallClock(std::chrono::nanoseconds precise_now, Time now) noexcept
      : offset_(now.time_since_epoch() - precise_now) {}

  /// RFC 3339 in UTC, with milliseconds: "2026-01-31T10:15:09.002Z".
  std::string text(TimePoint at) const;

 private:
  std::chrono::nanoseconds offset_;
};

}  // namespace sluice::admin
