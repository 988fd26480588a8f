#include "admin/wall_clock.h"

#include <fmt/format.h>

#include <ctime>

namespace sluice::admin {

std::string WallClock::text(TimePoint at) const {
  using std::chrono::floor;
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  const auto since_epoch = floor<milliseconds>(at.time_since_epoch() + offset_);
  const auto whole = floor<seconds>(since_epoch);
  const std::time_t time = whole.count();
  std::tm utc{};
  ::gmtime_r(&time, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                     (since_epoch - whole).count());
}

}  // namespace sluice::admin
