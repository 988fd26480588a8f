// One request in the ledger, with a delivery for each broker it goes to.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>

#include "base/deadline_queue.h"
#include "client/request_sink.h"
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

/// Lives from the decoding of a request until it is answered and no pool refers to it any more.
/// Recycled through the ledger's free list.
struct Entry : DeadlineEntry, mqtt::Waiter {
  protocol::Request request;  ///< until it is answered
  client::ReplyTo reply_to;
  std::chrono::nanoseconds received{};  ///< when it was read whole
  std::unique_ptr<Part[]> parts;
  std::size_t capacity = 0;   ///< of `parts`
  std::size_t brokers = 0;    ///< how many of them are in use
  Lane* parked_at = nullptr;  ///< where its client waits for room
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
