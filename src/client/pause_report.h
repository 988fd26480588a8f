// The clients that are paused now, and why, for /status.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "base/clock.h"
#include "client/counters.h"
#include "ledger/origin.h"

namespace sluice::client {

struct PausedClient {
  ledger::Origin origin;
  std::string peer;
  std::vector<PauseReason> reasons;
  Duration paused_for{};
};

struct PauseReport {
  /// Clients by reason; one with two reasons is in both.
  std::array<std::size_t, kPauseReasons> by_reason{};
  /// The clients paused longest, longest first.
  std::vector<PausedClient> longest;
};

}  // namespace sluice::client
