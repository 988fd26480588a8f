// One request in the ledger, with a delivery for each broker it goes to.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>

#include "base/deadline_queue.h"
#include "base/list.h"
#include "ledger/origin.h"
#include "mqtt/delivery.h"
#include "mqtt/pool/waiters.h"
#include "protocol/request.h"

namespace sluice::ledger {

struct Entry;
struct Lane;

/// The part of a request that goes to one broker, with its way back.
struct Part : mqtt::Delivery {
  Entry* entry = nullptr;
  Lane* lane = nullptr;
};

/// Requests without a deadline.
struct Timeless {};

/// Lives from the decoding of a request until it is answered and no pool refers to it any more.
/// Recycled through the ledger's free list.
struct Entry : DeadlineEntry, mqtt::Waiter, ListNode<Timeless> {
  protocol::Request request;  ///< until it is answered
  Origin origin;
  std::chrono::nanoseconds received{};  ///< when it was read whole
  std::unique_ptr<Part[]> parts;
  std::size_t capacity = 0;  ///< of `parts`
  std::size_t brokers = 0;   ///< how many of them are in use
  Lane* waits_at = nullptr;  ///< where it waits for room, and its origin with it
  bool answered = false;

  std::span<Part> used() noexcept { return {parts.get(), brokers}; }
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
