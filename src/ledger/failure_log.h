// The log lines about requests that failed: one with a count for each broker and result, however
// many fail.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_throttle.h"
#include "protocol/errors.h"
#include "protocol/request.h"

namespace sluice::ledger {

/// The failures of one broker, or of requests that reached none. What fails within kWindow shares
/// the first line; further ones are counted, and logged every ten minutes and when there was none
/// for a minute. Not thread-safe.
class FailureLog {
 public:
  static constexpr Duration kWindow = std::chrono::seconds(1);

  /// Counts a failure. True: it is the first one since the latest tick(), and set_example() has to
  /// follow.
  bool count(protocol::ErrorKind error) noexcept;
  /// The request and the reason that the line names; both are shortened.
  void set_example(protocol::ErrorKind error, const protocol::Request& request,
                   std::string_view why);

  /// Logs what is due; to be called every kWindow while is_going_on().
  void tick(TimePoint now, const log::Subject& about);
  /// Logs all that was counted.
  void finish(TimePoint now, const log::Subject& about);
  bool is_going_on() const noexcept { return is_going_on_; }

 private:
  struct Kind {
    std::uint64_t fresh = 0;  // since the latest tick()
    std::string example;
    LogThrottle throttle{std::chrono::minutes(1), 1, std::chrono::minutes(10)};
  };

  std::array<Kind, protocol::kErrorKinds> kinds_;
  bool is_going_on_ = false;
};

}  // namespace sluice::ledger
