// Many lines alike: which of them are written, and when it is said how many were not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace sluice {

/// Something that can happen a thousand times, as one episode for the log: the first times are
/// written, further ones counted. The episode is over when it has not happened for `quiet`; then,
/// and once an hour while it goes on, its owner says how many there were. No clock of its own.
class Repeats {
 public:
  struct Summary {
    std::uint64_t more = 0;  ///< happened and was not written
    Duration quiet_for{};    ///< 0: it goes on, or was ended early

    /// "37 more faulty requests since then; none for 60 s now"
    std::string text(std::string_view what) const;
  };

  explicit Repeats(Duration quiet, unsigned written_first = 1) noexcept
      : quiet_(quiet), written_first_(written_first) {}

  /// It happened. True: to be written; false: it is counted.
  bool note(TimePoint now) noexcept;
  /// When look() has something to do next; TimePoint::max() where nothing is going on.
  TimePoint due() const noexcept;
  /// Ends the episode if it is over, also where nothing was counted. Nothing: it is not due.
  std::optional<Summary> look(TimePoint now) noexcept;
  /// Ends the episode whatever its age.
  Summary end() noexcept;

  bool is_going_on() const noexcept { return written_ > 0; }
  /// How many were counted and not summed up yet.
  std::uint64_t counted() const noexcept { return counted_; }

 private:
  const Duration quiet_;
  const unsigned written_first_;
  unsigned written_ = 0;  // of this episode; 0 between episodes
  std::uint64_t counted_ = 0;
  TimePoint latest_{};
  TimePoint told_{};  // when the episode was written of last
};

}  // namespace sluice
