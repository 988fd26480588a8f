#include "mqtt/link/in_flight.h"

#include <algorithm>
#include <cassert>

namespace sluice::mqtt {

void InFlight::open() noexcept {
  assert(is_empty());
  next_sequence_ = 1;
  newest_acknowledged_ = {};
}

void InFlight::add(Delivery& delivery, TimePoint now) noexcept {
  const std::uint8_t qos = delivery.qos;
  if (is_empty() || (qos > 0 && !awaits_acknowledgements())) last_progress_ = now;
  delivery.sequence = next_sequence_++;
  list_.push_back(delivery);
  delivery.move_to(State::InFlight);
  if (qos == 0) ++qos0_;
  if (qos == 2) ++qos2_;
}

void InFlight::identify(Delivery& delivery, std::uint16_t packet_id) noexcept {
  delivery.packet_id = packet_id;
  ids_.insert(packet_id, delivery);
}

Delivery* InFlight::acknowledge(std::uint16_t packet_id, TimePoint now) noexcept {
  Delivery* delivery = ids_.take(packet_id);
  if (delivery == nullptr) return nullptr;
  const std::uint8_t qos = delivery->qos;
  if (qos > 0 || !awaits_acknowledgements()) last_progress_ = now;
  if (qos > 0) last_acknowledged_ = now;
  newest_acknowledged_[qos] = std::max(newest_acknowledged_[qos], delivery->sequence);
  remove(*delivery);
  return delivery;
}

Delivery* InFlight::take_oldest() noexcept {
  if (is_empty()) return nullptr;
  Delivery& delivery = list_.front();
  if (delivery.packet_id != 0) ids_.take(delivery.packet_id);
  remove(delivery);
  return &delivery;
}

void InFlight::remove(Delivery& delivery) noexcept {
  list_.remove(delivery);
  delivery.packet_id = 0;
  if (delivery.qos == 0) --qos0_;
  if (delivery.qos == 2) --qos2_;
  if (delivery.is_abandoned()) --abandoned_;
}

std::size_t InFlight::skipped_by_later_acks() noexcept {
  std::size_t count = 0;
  for (Delivery* delivery = is_empty() ? nullptr : &list_.front(); delivery != nullptr;
       delivery = list_.next(*delivery)) {
    const bool is_older = delivery->sequence < newest_acknowledged_[delivery->qos];
    if (delivery->is_abandoned() && is_older) ++count;
  }
  return count;
}

}  // namespace sluice::mqtt
