// The lines of which clients could cause thousands: each matter is written once, its repetitions
// are counted.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "base/log.h"
#include "base/log_throttle.h"
#include "event/timer.h"
#include "protocol/errors.h"

namespace sluice::event {
class Loop;
}

namespace sluice::client {

/// One for all clients of a server. At level debug every line is written.
class Notices {
 public:
  explicit Notices(event::Loop& loop);

  /// Somebody came beyond max_connections.
  void refused(unsigned max_connections) noexcept;
  /// A request could not be decoded, or was too long.
  void faulty(const log::Subject& client, protocol::ErrorKind error,
              std::string_view detail) noexcept;
  /// What it sends cannot be requests: most probably HTTP.
  void foreign(const log::Subject& client, std::string_view detail) noexcept;
  /// It held most of input_bytes, and had to go.
  void overrun(const log::Subject& client, std::size_t input_bytes) noexcept;

  /// Tells now how many were counted. For the end.
  void finish() noexcept;

 private:
  struct Matter {
    std::string_view what;  // in the plural, behind "37 more"
    log::Level level;
    LogThrottle repeats{std::chrono::minutes(1)};
  };

  /// The level of one more line about it.
  log::Level note(Matter& matter) noexcept;
  void look() noexcept;

  Matter& refusals() noexcept { return matters_[0]; }
  Matter& faults() noexcept { return matters_[1]; }
  Matter& strangers() noexcept { return matters_[2]; }
  Matter& overruns() noexcept { return matters_[3]; }

  event::Loop& loop_;
  event::Timer timer_;
  std::array<Matter, 4> matters_;
};

}  // namespace sluice::client
