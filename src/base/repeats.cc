#include "base/repeats.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sluice {
namespace {

/// Whoever looks at today's file shall see what began last week and still goes on.
constexpr Duration kReminder = std::chrono::hours(1);

}  // namespace

std::string Repeats::Summary::text(std::string_view what) const {
  std::string text = fmt::format("{} more {} since then", more, what);
  if (quiet_for > Duration(0)) {
    text += fmt::format("; none for {} s now",
                        std::chrono::duration_cast<std::chrono::seconds>(quiet_for).count());
  }
  return text;
}

bool Repeats::note(TimePoint now) noexcept {
  latest_ = now;
  if (written_ == 0) told_ = now;
  if (written_ == written_first_) {
    ++counted_;
    return false;
  }
  ++written_;
  return true;
}

TimePoint Repeats::due() const noexcept {
  if (!is_going_on()) return TimePoint::max();
  return std::min(latest_ + quiet_, told_ + kReminder);
}

std::optional<Repeats::Summary> Repeats::look(TimePoint now) noexcept {
  if (now < due()) return std::nullopt;
  if (now >= latest_ + quiet_) {
    Summary summary = end();
    summary.quiet_for = quiet_;
    return summary;
  }
  told_ = now;
  return Summary{.more = std::exchange(counted_, 0), .quiet_for = {}};
}

Repeats::Summary Repeats::end() noexcept {
  written_ = 0;
  return {.more = std::exchange(counted_, 0), .quiet_for = {}};
}

}  // namespace sluice
