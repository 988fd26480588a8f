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
struct BrokerLane;

/// What goes to one broker, with the request and the broker it belongs to.
struct BrokerDelivery : mqtt::Delivery {
  PendingRequest* pending = nullptr;
  BrokerLane* lane = nullptr;
};

/// Lives from the decoding of a request until it is answered and no pool refers to it any more.
/// Recycled through the ledger's free list.
struct PendingRequest : DeadlineMember<PendingRequest>, mqtt::Waiter {
  protocol::Request request;  ///< until it is answered
  Origin origin;
  std::chrono::nanoseconds received{};        ///< when it was decoded
  BrokerDelivery only;                        ///< for a request to one broker
  std::unique_ptr<BrokerDelivery[]> several;  ///< for one to several brokers
  std::size_t capacity = 0;                   ///< of `several`
  std::size_t brokers = 0;                    ///< number of deliveries in use
  BrokerLane* waits_at = nullptr;  ///< the broker whose room it waits for; its origin waits, too
  bool answered = false;

  /// Makes a delivery for each of `count` brokers.
  void set_brokers(std::size_t count) {
    if (count > 1 && count > capacity) {
      several = std::make_unique<BrokerDelivery[]>(count);
      capacity = count;
    }
    brokers = count;
  }
  std::span<BrokerDelivery> deliveries() noexcept {
    return {brokers > 1 ? several.get() : &only, brokers};
  }
  bool is_settled() noexcept {
    for (const BrokerDelivery& delivery : deliveries()) {
      if (!delivery.is_settled()) return false;
    }
    return true;
  }
  bool is_held() noexcept {
    for (const BrokerDelivery& delivery : deliveries()) {
      if (delivery.is_held()) return true;
    }
    return false;
  }
};

}  // namespace sluice::ledger
