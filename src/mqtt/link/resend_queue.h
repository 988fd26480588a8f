// The messages that were handed to a slot's lost connections, for its next connection.
#pragma once

#include "base/list.h"
#include "mqtt/delivery.h"

namespace sluice::mqtt {

/// Oldest first, over any number of lost connections. Not thread-safe.
class ResendQueue {
 public:
  ResendQueue() = default;
  ResendQueue(const ResendQueue&) = delete;
  ResendQueue& operator=(const ResendQueue&) = delete;

  // --- a connection is lost: begin_loss(), then add() for each message, oldest first
  void begin_loss() noexcept;
  /// A message that was handed to the lost connection.
  void add(Delivery& delivery) noexcept;

  // --- sending again
  bool is_empty() const noexcept { return list_.empty(); }
  Delivery& front() noexcept { return list_.front(); }
  /// The one behind it, or null.
  Delivery* next(Delivery& delivery) noexcept { return list_.next(delivery); }
  /// The message goes to the connection, or is not to be sent again: abandoned, or rejected. A move
  /// to another state has to follow.
  void remove(Delivery& delivery) noexcept;

 private:
  List<Delivery> list_;
  Delivery* newer_ = nullptr;  // queued before this loss, so newer than what comes in now
};

}  // namespace sluice::mqtt
