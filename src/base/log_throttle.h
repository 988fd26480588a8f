// Rate-limits a log line that may repeat: which occurrences are written, and when their number is
// reported.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace sluice {

/// One episode of a repeated event: the first occurrences are written, further ones counted. The
/// episode ends after `quiet` without one; then, and after each `reminder` while it lasts, the
/// owner logs the summary. Has no clock of its own. Not thread-safe.
class LogThrottle {
 public:
  struct Summary {
    std::uint64_t more = 0;  ///< occurrences that were not written
    Duration quiet_for{};    ///< 0: it still lasts, or was ended early

    /// "37 more faulty requests since then; none for 60 s now". `one` and `many` name the event.
    std::string text(std::string_view one, std::string_view many) const;
  };

  explicit LogThrottle(Duration quiet, unsigned written_first = 1,
                       Duration reminder = std::chrono::hours(1)) noexcept
      : quiet_(quiet), reminder_(reminder), written_first_(written_first) {}

  /// Records one occurrence, or several that share a line. True: write it; false: counted.
  bool note(TimePoint now, std::uint64_t occurrences = 1) noexcept;
  /// When look() has something to do next; TimePoint::max() between episodes.
  TimePoint due() const noexcept;
  /// The summary that is due, or nothing. Ends the episode if it is over, also with nothing
  /// counted.
  std::optional<Summary> look(TimePoint now) noexcept;
  /// Ends the episode whatever its age.
  Summary end() noexcept;

  bool is_going_on() const noexcept { return written_ > 0; }
  /// Occurrences counted since the latest summary.
  std::uint64_t counted() const noexcept { return counted_; }

 private:
  const Duration quiet_;
  const Duration reminder_;  // so that what lasts shows up in every rotated log file
  const unsigned written_first_;
  unsigned written_ = 0;  // of this episode; 0 between episodes
  std::uint64_t counted_ = 0;
  TimePoint latest_{};
  TimePoint reported_{};  // when the log last mentioned the episode
};

}  // namespace sluice
