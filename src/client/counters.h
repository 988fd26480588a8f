// The clients' counters: plain numbers, read at each scrape.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/errors.h"

namespace sluice::client {

/// Why sluice does not read from a client.
enum class PauseReason : std::uint8_t {
  Queue,     ///< its next request waits for room at a broker
  Pipeline,  ///< it has max_pipeline unanswered requests
  Output,    ///< more than output_bytes of its replies are unread
  Input,     ///< all clients together hold input_bytes
};
inline constexpr std::size_t kPauseReasons = 4;
inline constexpr std::array<PauseReason, kPauseReasons> kAllPauseReasons = {
    PauseReason::Queue, PauseReason::Pipeline, PauseReason::Output, PauseReason::Input};

constexpr std::string_view to_string(PauseReason reason) noexcept {
  switch (reason) {
    case PauseReason::Queue:
      return "queue";
    case PauseReason::Pipeline:
      return "pipeline";
    case PauseReason::Output:
      return "output";
    case PauseReason::Input:
      return "input";
  }
  return "";
}

struct ServerCounters {
  std::size_t connections = 0;  ///< now, without refused and half-closed ones
  std::size_t paused = 0;       ///< of these, for any reason
  std::size_t half_closed = 0;  ///< now: they send nothing more and get the rest of their replies
  std::uint64_t accepted_total = 0;
  std::uint64_t refused_total = 0;  ///< beyond max_connections
  std::uint64_t closed_total = 0;   ///< of the accepted ones
  std::array<std::uint64_t, kPauseReasons> pauses{};
  /// Errors answered here, refused connections included.
  std::array<std::uint64_t, protocol::kErrorKinds> faults{};
  std::uint64_t dropped = 0;        ///< requests that waited for room when their client was closed
  std::uint64_t authenticated = 0;  ///< requests with only a token, answered with ok

  std::uint64_t& pauses_for(PauseReason reason) noexcept {
    return pauses[static_cast<std::size_t>(reason)];
  }
  std::uint64_t pauses_for(PauseReason reason) const noexcept {
    return pauses[static_cast<std::size_t>(reason)];
  }
  std::uint64_t& faults_of(protocol::ErrorKind error) noexcept {
    return faults[static_cast<std::size_t>(error)];
  }
  std::uint64_t faults_of(protocol::ErrorKind error) const noexcept {
    return faults[static_cast<std::size_t>(error)];
  }
};

}  // namespace sluice::client
