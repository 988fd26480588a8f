// One request in the ledger, with a copy for each broker it goes to.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/deadline_queue.h"
#include "client/request_sink.h"
#include "mqtt/message.h"
#include "mqtt/pool/waiters.h"
#include "protocol/errors.h"
#include "protocol/request.h"

namespace sluice::ledger {

struct Entry;
struct Lane;

/// How one broker dealt with its copy.
struct CopyResult {
  bool settled = false;
  bool ok = false;
  protocol::ErrorKind error = protocol::ErrorKind::Timeout;
  protocol::Published published = protocol::Published::No;
  int reason_code = 0;
  std::string detail = {};
};

/// What one pool holds of a request.
struct Copy : mqtt::Message {
  Entry* entry = nullptr;
  Lane* lane = nullptr;
  bool held = false;  ///< the pool still refers to it
  CopyResult result;
};

/// Lives from the decoding of a request until it is answered and no pool refers to it any more.
/// Recycled through the ledger's free list.
struct Entry : DeadlineEntry, mqtt::Waiter {
  protocol::Request request;
  client::ReplyTo reply_to;
  std::chrono::nanoseconds received{};  ///< when it was read whole
  std::unique_ptr<Copy[]> copies;
  std::size_t capacity = 0;   ///< of `copies`
  std::size_t brokers = 0;    ///< how many of them are in use
  Lane* parked_at = nullptr;  ///< where its client waits for room
  bool answered = false;

  std::span<Copy> used() noexcept { return {copies.get(), brokers}; }
  bool is_held() noexcept {
    for (const Copy& copy : used()) {
      if (copy.held) return true;
    }
    return false;
  }
};

}  // namespace sluice::ledger
