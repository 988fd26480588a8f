// What a slot sends again on its next connection: in which order, how fast, and which of it may be
// what the broker hangs up on.
#pragma once

#include <cstddef>

#include "base/clock.h"
#include "base/list.h"
#include "mqtt/delivery.h"
#include "mqtt/link/in_flight.h"

namespace sluice::mqtt {

/// Finding a poison message goes in steps. A connection dies twice with the same oldest message
/// while others of its broker live on: from then on the slot sends what it holds one at a time. The
/// first on each connection goes only after that has stood for a while with nothing out: if it dies
/// before, messages are not the cause, and all are forgiven. A message that was out alone at two
/// deaths is poison. Not thread-safe.
class Redelivery {
 public:
  /// So long a connection has to stand with nothing out before a suspect is put to the test.
  static constexpr Duration kProof = std::chrono::milliseconds(250);

  Redelivery() = default;
  Redelivery(const Redelivery&) = delete;
  Redelivery& operator=(const Redelivery&) = delete;

  // --- a connection is lost: begin_loss(), keep() for each, oldest first, and perhaps blame()
  void begin_loss(InFlight& lost) noexcept;
  /// A message that the lost connection had been given.
  void keep(Delivery& delivery) noexcept;
  /// The broker hung up, others of its connections live on, and the reason it gave, if any, may be
  /// about a message.
  void blame(int reason_code) noexcept;
  /// Something else explains the deaths so far.
  void forgive() noexcept;

  // --- sending again
  /// A new connection takes what is kept: at most 1,000 messages in its first second, and twice as
  /// many in each further one.
  void on_connected(TimePoint now) noexcept;
  bool is_empty() const noexcept { return list_.empty(); }
  Delivery& front() noexcept { return list_.front(); }
  /// May front() go now, with so many in flight? False only for a while: ask again after kProof,
  /// and at every tick.
  bool may_send(TimePoint now, std::size_t in_flight) const noexcept;
  /// front() goes to the connection: a move to another state has to follow.
  void take(Delivery& delivery) noexcept;
  /// The message is not to be sent again: abandoned, or rejected. A move to another state has to
  /// follow.
  void remove(Delivery& delivery) noexcept;
  /// It was out alone at two deaths.
  static bool is_poison(const Delivery& delivery) noexcept;

  /// Messages go one at a time, and new ones not before all that is kept.
  bool is_one_at_a_time() const noexcept { return one_at_a_time_; }
  /// A message has left the link, and so many are in flight: ends the search if all have left.
  void on_left(std::size_t in_flight) noexcept;

 private:
  List<Delivery> list_;
  Delivery* newer_ = nullptr;   // kept from before this loss, so newer than what comes in now
  Delivery* oldest_ = nullptr;  // of the latest loss, unless it was abandoned
  std::size_t lost_ = 0;        // how many were in flight at the latest loss
  bool one_at_a_time_ = false;
  TimePoint connected_at_{};
  std::size_t sent_ = 0;  // again, on this connection
};

}  // namespace sluice::mqtt
