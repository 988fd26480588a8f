// The messages handed to one connection and not acknowledged yet, in the order of handing over.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "base/list.h"
#include "mqtt/delivery.h"
#include "mqtt/link/packet_ids.h"

namespace sluice::mqtt {

/// The ledger owns the messages. Not thread-safe.
class InFlight {
 public:
  /// For a new connection. Needs is_empty().
  void open() noexcept;

  /// A message was handed over.
  void add(Delivery& delivery, TimePoint now) noexcept;
  /// Its packet identifier, if it got one: none that another message in flight has.
  void identify(Delivery& delivery, std::uint16_t packet_id) noexcept;
  /// Removes the message of this acknowledgement; null: there is none.
  Delivery* acknowledge(std::uint16_t packet_id, TimePoint now) noexcept;
  /// Removes the oldest message; null: there is none.
  Delivery* take_oldest() noexcept;
  /// A message was abandoned; it keeps its window slot until it is acknowledged.
  void note_abandoned() noexcept { ++abandoned_; }

  bool is_empty() const noexcept { return list_.empty(); }
  std::size_t size() const noexcept { return list_.size(); }
  Delivery& oldest() noexcept { return list_.front(); }
  /// Messages with QoS 2.
  std::size_t qos2() const noexcept { return qos2_; }
  /// Abandoned messages.
  std::size_t abandoned() const noexcept { return abandoned_; }
  /// Abandoned messages that are older than an acknowledged one. A broker acknowledges in order
  /// (MQTT 5, section 4.6), so their acknowledgements are lost.
  std::size_t skipped_by_later_acks() noexcept;
  /// When the latest acknowledgement came, or, if later, the first message after all had been
  /// acknowledged. QoS 0 counts only while nothing else is in flight.
  TimePoint last_progress() const noexcept { return last_progress_; }
  /// Messages with QoS 1 or 2 are in flight.
  bool awaits_acknowledgements() const noexcept { return size() > qos0_; }
  /// When the latest message with QoS 1 or 2 was acknowledged, on this connection or an earlier
  /// one.
  TimePoint last_acknowledged() const noexcept { return last_acknowledged_; }

 private:
  void remove(Delivery& delivery) noexcept;

  List<Delivery> list_;
  PacketIds ids_;
  std::size_t qos0_ = 0;
  std::size_t qos2_ = 0;
  std::size_t abandoned_ = 0;
  std::uint64_t next_sequence_ = 1;
  std::array<std::uint64_t, 3> newest_acknowledged_{};  // by QoS: each has its own order
  TimePoint last_progress_{};
  TimePoint last_acknowledged_{};
};

}  // namespace sluice::mqtt
