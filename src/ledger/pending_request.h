// One request in the ledger, with a delivery for each broker it goes to.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>

#include "base/deadline_lists.h"
#include "ledger/origin.h"
#include "mqtt/delivery.h"
#include "mqtt/pool/waiters.h"
#include "protocol/request.h"

namespace sluice::ledger {

struct PendingRequest;
struct Lane;

/// The part of a request that goes to one broker, with its way back.
struct Part : mqtt::Delivery {
  PendingRequest* pending = nullptr;
  Lane* lane = nullptr;
};

/// Lives from the decoding of a request until it is answered and no pool refers to it any more.
/// Recycled through the ledger's free list.
struct PendingRequest : DeadlineMember<PendingRequest>, mqtt::Waiter {
  protocol::Request request;  ///< until it is answered
  Origin origin;
  std::chrono::nanoseconds received{};  ///< when it was read whole
  Part only;                            ///< where there is just one
  std::unique_ptr<Part[]> parts;        ///< where there are several
  std::size_t capacity = 0;             ///< of `parts`
  std::size_t brokers = 0;              ///< how many parts are in use
  Lane* waits_at = nullptr;             ///< where it waits for room, and its origin with it
  bool answered = false;

  /// Has a part for each of so many brokers.
  void set_brokers(std::size_t count) {
    if (count > 1 && count > capacity) {
      parts = std::make_unique<Part[]>(count);
      capacity = count;
    }
    brokers = count;
  }
  std::span<Part> used() noexcept { return {brokers > 1 ? parts.get() : &only, brokers}; }
  bool is_settled() noexcept {
    for (const Part& part : used()) {
      if (!part.is_settled()) return false;
    }
    return true;
  }
  bool is_held() noexcept {
    for (const Part& part : used()) {
      if (part.is_held()) return true;
    }
    return false;
  }
};

}  // namespace sluice::ledger
