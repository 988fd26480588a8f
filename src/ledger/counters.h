// What an operator can see of the ledger: plain numbers, read at a scrape.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/histogram.h"
#include "protocol/errors.h"

namespace sluice::ledger {

/// How requests ended: well, or by which error. Never reset.
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

/// One broker's share. Each delivery that is settled counts once in both.
struct BrokerCounters {
  ResultCounters results;
  LatencyHistogram latency;  ///< from the request read whole to its delivery settled
};

}  // namespace sluice::ledger
