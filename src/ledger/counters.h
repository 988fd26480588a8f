// The ledger's counters: plain numbers, read at each scrape.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/histogram.h"
#include "protocol/errors.h"

namespace sluice::ledger {

/// Requests by result: ok, or their error. Never reset.
class ResultCounters {
 public:
  void count_ok() noexcept { ++ok_; }
  void count(protocol::ErrorKind error) noexcept { ++errors_[static_cast<std::size_t>(error)]; }
  std::uint64_t ok() const noexcept { return ok_; }
  std::uint64_t of(protocol::ErrorKind error) const noexcept {
    return errors_[static_cast<std::size_t>(error)];
  }

 private:
  std::uint64_t ok_ = 0;
  std::array<std::uint64_t, protocol::kErrorKinds> errors_{};
};

/// Of one broker. Each settled delivery is counted once in each member.
struct BrokerCounters {
  ResultCounters results;
  LatencyHistogram latency;  ///< from reading the whole request to settling its delivery
};

}  // namespace sluice::ledger
