// Finds the message because of which a broker disconnects again and again.
#pragma once

#include <cstddef>

#include "base/clock.h"
#include "mqtt/delivery.h"
#include "mqtt/link/in_flight.h"
#include "mqtt/link/resend_queue.h"

namespace sluice::mqtt {

/// A message that was the oldest in flight at two disconnects, while other connections of the
/// broker stayed up, makes the slot send what it holds one at a time. A message that was alone in
/// flight at two more is poison. A connection lost with nothing in flight clears all strikes.
class PoisonDetector {
 public:
  /// How long a connection has to be up with nothing in flight before the next message is tried.
  static constexpr Duration kTestDelay = std::chrono::milliseconds(250);

  /// `queue` outlives it.
  explicit PoisonDetector(ResendQueue& queue) noexcept : queue_(queue) {}
  PoisonDetector(const PoisonDetector&) = delete;
  PoisonDetector& operator=(const PoisonDetector&) = delete;

  /// A connection is lost with this in flight; perhaps note_disconnect() follows.
  void begin_loss(InFlight& lost) noexcept;
  /// The broker closed the latest connection, others of its connections stayed up, and the reason
  /// it gave, if any, may be about a message: a strike.
  void note_disconnect(int reason_code) noexcept;
  /// The disconnects so far had another cause.
  void clear() noexcept;

  /// Messages go one at a time, and new ones not before all that is to be sent again.
  bool is_one_at_a_time() const noexcept { return one_at_a_time_; }
  /// May the next message be sent again, on a connection that has been up for this long? False only
  /// for a while: ask again after kTestDelay.
  bool may_send(Duration connected_for, std::size_t in_flight) const noexcept;
  /// It was alone in flight at two disconnects.
  static bool is_poison(const Delivery& delivery) noexcept;
  /// A message has left the link; `in_flight` remain. Ends the search once all have left.
  void note_left(std::size_t in_flight) noexcept;

 private:
  ResendQueue& queue_;
  Delivery* oldest_ = nullptr;  // of the latest loss, unless it was abandoned
  std::size_t lost_ = 0;        // how many were in flight at the latest loss
  bool one_at_a_time_ = false;
};

}  // namespace sluice::mqtt
