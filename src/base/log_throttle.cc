#include "base/log_throttle.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sluice {

std::string LogThrottle::Summary::text(std::string_view one, std::string_view many) const {
  std::string text = fmt::format("{} more {} since then", more, more == 1 ? one : many);
  if (quiet_for > Duration(0)) {
    text += fmt::format("; none for {} s now",
                        std::chrono::duration_cast<std::chrono::seconds>(quiet_for).count());
  }
  return text;
}

bool LogThrottle::note(TimePoint now, std::uint64_t occurrences) noexcept {
  latest_ = now;
  if (written_ == 0) reported_ = now;
  if (written_ == written_first_) {
    counted_ += occurrences;
    return false;
  }
  ++written_;
  return true;
}

TimePoint LogThrottle::due() const noexcept {
  if (!is_going_on()) return TimePoint::max();
  return std::min(latest_ + quiet_, reported_ + reminder_);
}

std::optional<LogThrottle::Summary> LogThrottle::look(TimePoint now) noexcept {
  if (now < due()) return std::nullopt;
  if (now >= latest_ + quiet_) {
    Summary summary = end();
    summary.quiet_for = quiet_;
    return summary;
  }
  reported_ = now;
  return Summary{.more = std::exchange(counted_, 0), .quiet_for = {}};
}

LogThrottle::Summary LogThrottle::end() noexcept {
  written_ = 0;
  return {.more = std::exchange(counted_, 0), .quiet_for = {}};
}

}  // namespace sluice
