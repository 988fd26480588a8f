// The values of `error` and `published` in a reply. They are part of the protocol.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::protocol {

/// Why a request failed: the reply's `error`.
enum class ErrorKind {
  BadRequest,
  TooLarge,
  Unauthorized,
  Forbidden,
  NoRoute,
  Overloaded,
  BrokerUnavailable,
  Rejected,
  Timeout,
  Partial,
  ShuttingDown,
};
inline constexpr std::size_t kErrorKinds = static_cast<std::size_t>(ErrorKind::ShuttingDown) + 1;

/// Whether a failed request's message may have reached a broker: the reply's `published`.
enum class Published { No, Unknown, Some };

constexpr std::string_view to_string(ErrorKind error) noexcept {
  switch (error) {
    case ErrorKind::BadRequest:
      return "bad_request";
    case ErrorKind::TooLarge:
      return "too_large";
    case ErrorKind::Unauthorized:
      return "unauthorized";
    case ErrorKind::Forbidden:
      return "forbidden";
    case ErrorKind::NoRoute:
      return "no_route";
    case ErrorKind::Overloaded:
      return "overloaded";
    case ErrorKind::BrokerUnavailable:
      return "broker_unavailable";
    case ErrorKind::Rejected:
      return "rejected";
    case ErrorKind::Timeout:
      return "timeout";
    case ErrorKind::Partial:
      return "partial";
    case ErrorKind::ShuttingDown:
      return "shutting_down";
  }
  return "";
}

constexpr std::string_view to_string(Published published) noexcept {
  switch (published) {
    case Published::No:
      return "no";
    case Published::Unknown:
      return "unknown";
    case Published::Some:
      return "some";
  }
  return "";
}

}  // namespace sluice::protocol
