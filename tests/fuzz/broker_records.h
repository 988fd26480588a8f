// What is known of the requests of a run, from their submission to their answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "require.h"

namespace sluice::fuzz {

/// One request, with what the broker was given of it and has said about it.
struct Record {
  std::uint8_t qos = 0;
  unsigned handed_over = 0;   ///< to connections
  bool acknowledged = false;  ///< by an acknowledgement; QoS 0: its last byte was taken
  bool refused = false;       ///< by an acknowledgement
  bool delivered = false;     ///< the ledger has reported its outcome
  bool settled = false;       ///< it is answered
  bool ok = false;            ///< with code 1
  bool dropped = false;       ///< it waited for room when its stream was closed: it gets no answer
};

/// Of all requests, by number. Counts the work of a turn, too.
class Records {
 public:
  std::size_t add(std::uint8_t qos) {
    Record& record = all_.emplace_back();
    record.qos = qos;
    return all_.size() - 1;
  }
  Record& operator[](std::size_t number) {
    require(number < all_.size());
    return all_[number];
  }
  std::size_t size() const noexcept { return all_.size(); }
  const std::vector<Record>& all() const noexcept { return all_; }

  /// A link has called its transport, or was called by it.
  void count_call() noexcept {
    // Each request may pass through a turn a few times: served, handed over, lost, given up.
    constexpr std::size_t kCallsPerTurn = 200;
    constexpr std::size_t kCallsPerRequest = 20;
    require(++calls_ <= kCallsPerTurn + kCallsPerRequest * all_.size());
  }
  void begin_turn() noexcept { calls_ = 0; }

 private:
  std::vector<Record> all_;
  std::size_t calls_ = 0;  // in this turn
};

}  // namespace sluice::fuzz
