// The messages that were handed to a slot's lost connections, for its next connection.
#pragma once

#include <cstddef>

#include "base/clock.h"
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
  /// A new connection takes what is queued: at most 1,000 messages in its first second, and twice
  /// as many in each further one.
  void on_connected(TimePoint now) noexcept;
  bool is_empty() const noexcept { return list_.empty(); }
  Delivery& front() noexcept { return list_.front(); }
  /// The one behind it, or null.
  Delivery* next(Delivery& delivery) noexcept { return list_.next(delivery); }
  /// May front() go now? False only for a while: ask again at every tick.
  bool may_send(TimePoint now) const noexcept;
  /// front() goes to the connection: a move to another state has to follow.
  void take(Delivery& delivery) noexcept;
  /// The message is not to be sent again: abandoned, or rejected. A move to another state has to
  /// follow.
  void remove(Delivery& delivery) noexcept;

 private:
  List<Delivery> list_;
  Delivery* newer_ = nullptr;  // queued before this loss, so newer than what comes in now
  TimePoint connected_at_{};
  std::size_t sent_ = 0;  // again, on this connection
};

}  // namespace sluice::mqtt
