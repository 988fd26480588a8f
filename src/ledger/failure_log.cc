#include "ledger/failure_log.h"

#include <fmt/format.h>

#include <utility>

#include "base/plural.h"
#include "base/utf8.h"
#include "protocol/excerpt.h"

namespace sluice::ledger {
namespace {

/// Of a reason, which a broker may have worded.
constexpr std::size_t kMaxReasonBytes = 200;

/// What follows a number: "requests answered timeout".
std::string words(std::string_view noun, std::size_t kind) {
  return fmt::format("{} answered {}", noun, to_string(static_cast<protocol::ErrorKind>(kind)));
}

std::string text_of(const LogThrottle::Summary& summary, std::size_t kind) {
  return summary.text(words("request", kind), words("requests", kind));
}

}  // namespace

bool FailureLog::count(protocol::ErrorKind error) noexcept {
  is_going_on_ = true;
  return ++kinds_[static_cast<std::size_t>(error)].fresh == 1;
}

void FailureLog::set_example(protocol::ErrorKind error, const protocol::Request& request,
                             std::string_view why) {
  const std::string_view reason = cut_utf8(why, kMaxReasonBytes);
  kinds_[static_cast<std::size_t>(error)].example = fmt::format(
      "device {}, topic {}: {}{}", request.device_id, protocol::quoted_excerpt(request.topic()),
      reason, reason.size() < why.size() ? "..." : "");
}

void FailureLog::tick(TimePoint now, const log::Subject& about) {
  is_going_on_ = false;
  for (std::size_t i = 0; i < kinds_.size(); ++i) {
    Kind& kind = kinds_[i];
    const std::uint64_t fresh = std::exchange(kind.fresh, 0);
    if (fresh > 0 && kind.throttle.note(now, fresh)) {
      log::warn(about, "{} (such as {})", plural(fresh, words("request", i), words("requests", i)),
                kind.example);
    }
    const auto summary = kind.throttle.look(now);
    if (summary && summary->more > 0) {
      const bool is_reminder = summary->quiet_for == Duration(0);
      log::warn(about, "{}{}", text_of(*summary, i),
                is_reminder ? fmt::format(" (such as {})", kind.example) : "");
    }
    is_going_on_ = is_going_on_ || kind.throttle.is_going_on();
  }
}

void FailureLog::finish(TimePoint now, const log::Subject& about) {
  tick(now, about);
  for (std::size_t i = 0; i < kinds_.size(); ++i) {
    const LogThrottle::Summary summary = kinds_[i].throttle.end();
    if (summary.more > 0) log::warn(about, "{}", text_of(summary, i));
  }
  is_going_on_ = false;
}

}  // namespace sluice::ledger
