// What one connection was given and has not acknowledged yet, in the order in which it was given.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "base/list.h"
#include "mqtt/delivery.h"
#include "mqtt/link/packet_ids.h"

namespace sluice::mqtt {

/// Not thread-safe. Messages belong to the ledger; this one only lists them.
class InFlight {
 public:
  /// For a new connection. Needs is_empty().
  void open() noexcept;

  /// A message was handed over. Its packet identifier follows by identify(), if it got one.
  void add(Delivery& delivery, TimePoint now) noexcept;
  void identify(Delivery& delivery, std::uint16_t packet_id) noexcept;
  /// Takes out the message that this acknowledgement is for; null if there is none.
  Delivery* acknowledge(std::uint16_t packet_id, TimePoint now) noexcept;
  /// Takes out the oldest one, acknowledged or not; null if there is none.
  Delivery* take_oldest() noexcept;
  /// One of them was abandoned; it keeps its place until acknowledged.
  void note_abandoned() noexcept { ++abandoned_; }

  bool is_empty() const noexcept { return list_.empty(); }
  std::size_t size() const noexcept { return list_.size(); }
  Delivery& oldest() noexcept { return list_.front(); }
  /// How many of them are QoS 2.
  std::size_t qos2() const noexcept { return qos2_; }
  /// How many of them were abandoned.
  std::size_t abandoned() const noexcept { return abandoned_; }
  /// How many of the abandoned ones are older than one that was acknowledged: a broker acknowledges
  /// in order (MQTT 5, section 4.6), so theirs will not come any more.
  std::size_t skipped_by_later_acks() noexcept;
  /// When the last acknowledgement came, or the first message after all had been acknowledged. That
  /// the socket took a QoS 0 message says nothing of what the broker owes.
  TimePoint last_progress() const noexcept { return last_progress_; }

 private:
  void remove(Delivery& delivery) noexcept;
  bool awaits_acknowledgements() const noexcept { return size() > qos0_; }

  List<Delivery> list_;
  PacketIds ids_;
  std::size_t qos0_ = 0;
  std::size_t qos2_ = 0;
  std::size_t abandoned_ = 0;
  std::uint64_t next_sequence_ = 1;
  std::array<std::uint64_t, 3> newest_acknowledged_{};  // by QoS: each keeps an order of its own
  TimePoint last_progress_{};
};

}  // namespace sluice::mqtt
