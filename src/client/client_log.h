// Log lines that clients could cause by the thousand: each kind is written once, repetitions are
// counted.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/log_throttle.h"
#include "event/timer.h"
#include "protocol/errors.h"

namespace sluice::event {
class Loop;
}

namespace sluice::client {

/// One for all clients of a server. At level debug every line is written.
class ClientLog {
 public:
  explicit ClientLog(event::Loop& loop);

  /// A connection was refused: max_connections reached.
  void refused(unsigned max_connections) noexcept;
  /// A request could not be decoded, or was too long.
  void faulty(const log::Subject& client, protocol::ErrorKind error,
              std::string_view detail) noexcept;
  /// The client speaks another protocol.
  void not_our_protocol(const log::Subject& client, std::string_view detail) noexcept;
  /// A PROXY protocol header is missing, malformed or not allowed from there.
  void proxy_refused(const log::Subject& client, std::string_view why) noexcept;
  /// The client speaks HTTP: the line names the address that does.
  void http(const log::Subject& client) noexcept;
  /// Of the admin interface, as HOST:PORT; empty: it is off.
  void set_admin_address(std::string address) noexcept { admin_address_ = std::move(address); }
  /// The client was closed because it held most of input_bytes.
  void input_exceeded(const log::Subject& client, std::size_t input_bytes) noexcept;

  /// The client was closed with a request that waited for room.
  void dropped_request(const log::Subject& client, std::string_view why) noexcept;

  /// Logs the counts now, before the process ends.
  void finish() noexcept;

 private:
  struct Kind {
    std::string_view one;  // what follows "1 more"
    std::string_view many;
    log::Level level;
    LogThrottle repeats{std::chrono::minutes(1)};
  };

  /// The level of one more line of this kind.
  log::Level note(Kind& kind) noexcept;
  void report_repeats() noexcept;

  Kind& refusals() noexcept { return kinds_[0]; }
  Kind& faults() noexcept { return kinds_[1]; }
  Kind& wrong_protocols() noexcept { return kinds_[2]; }
  Kind& input_excesses() noexcept { return kinds_[3]; }
  Kind& proxy_refusals() noexcept { return kinds_[4]; }
  Kind& dropped_requests() noexcept { return kinds_[5]; }

  event::Loop& loop_;
  event::Timer timer_;
  std::string admin_address_;
  std::array<Kind, 6> kinds_;
};

}  // namespace sluice::client
