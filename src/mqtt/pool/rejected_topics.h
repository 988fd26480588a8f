// The topics on which the broker recently disconnected, by device.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace sluice::mqtt {

/// Finding a poison message takes four disconnects; a repeat must take none. Remembers the latest
/// kMost for kKept. Not thread-safe.
class RejectedTopics {
 public:
  static constexpr std::size_t kMost = 64;
  static constexpr Duration kKept = std::chrono::minutes(1);

  /// `reason_code`: the broker's, or 0.
  void add(std::int64_t device, std::string_view topic, int reason_code, TimePoint now);
  /// The reason code that it was added with; -1: not rejected recently.
  int find(std::int64_t device, std::string_view topic, TimePoint now) noexcept;
  void clear() noexcept { entries_.clear(); }

 private:
  struct Entry {
    std::int64_t device;
    std::string topic;
    int reason_code;
    TimePoint until;
  };

  void drop_old(TimePoint now) noexcept;

  std::vector<Entry> entries_;  // ordered by `until`
};

}  // namespace sluice::mqtt
