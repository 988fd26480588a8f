// Why a connection attempt failed: in words, and as one of a few classes for a metric.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::mqtt {

/// The `reason` of sluice_connect_failures_total.
enum class FailureReason : std::uint8_t {
  Name,         ///< the host name has no address
  Refused,      ///< TCP: nothing listens there
  Unreachable,  ///< TCP: no route, or another failure of the network
  Timeout,      ///< no TCP connection, TLS handshake or CONNACK in time
  Tls,          ///< the TLS handshake failed, certificates included
  Closed,       ///< the peer closed the connection before a CONNACK
  Protocol,     ///< the peer does not speak MQTT, or not this version, or breaks its rules
  Login,        ///< CONNACK: not authorized, or its like; only an operator can fix it
  Unavailable,  ///< CONNACK: server busy, or another passing reason
  Other,        ///< sluice or its machine: no descriptor, say
};
constexpr std::size_t kFailureReasons = 10;

/// The label's value.
constexpr std::string_view to_string(FailureReason reason) noexcept {
  constexpr std::array<std::string_view, kFailureReasons> kNames = {
      "name",   "refused",  "unreachable", "timeout",     "tls",
      "closed", "protocol", "login",       "unavailable", "other"};
  return kNames.at(static_cast<std::size_t>(reason));
}

struct Failure {
  FailureReason reason = FailureReason::Other;
  std::string text = {};  ///< for the log and for replies
};

constexpr char kClosedByBroker[] = "the broker closed the connection";

/// Of a socket's errno.
Failure failure_of(int error);

}  // namespace sluice::mqtt
