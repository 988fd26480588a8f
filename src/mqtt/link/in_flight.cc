#include "mqtt/link/in_flight.h"

#include <algorithm>
#include <cassert>

namespace sluice::mqtt {

void InFlight::open() noexcept {
  assert(is_empty());
  next_sequence_ = 1;
  newest_acknowledged_ = {};
}

void InFlight::add(Message& message, TimePoint now) noexcept {
  const std::uint8_t qos = message.request->qos;
  if (is_empty() || (qos > 0 && !owes_acknowledgements())) last_progress_ = now;
  message.place = Place::InFlight;
  message.sequence = next_sequence_++;
  messages_.push_back(message);
  if (qos == 0) ++qos0_;
  if (qos == 2) ++qos2_;
}

void InFlight::identify(Message& message, std::uint16_t packet_id) noexcept {
  message.packet_id = packet_id;
  // An identifier still in flight 65,535 publishes later: its acknowledgement was lost for good.
  if (Message* stuck = ids_.take(packet_id)) stuck->packet_id = 0;
  ids_.insert(packet_id, message);
}

Message* InFlight::acknowledge(std::uint16_t packet_id, TimePoint now) noexcept {
  Message* message = ids_.take(packet_id);
  if (message == nullptr) return nullptr;
  const std::uint8_t qos = message->request->qos;
  if (qos > 0 || !owes_acknowledgements()) last_progress_ = now;
  newest_acknowledged_[qos] = std::max(newest_acknowledged_[qos], message->sequence);
  remove(*message);
  return message;
}

Message* InFlight::take_oldest() noexcept {
  if (is_empty()) return nullptr;
  Message& message = messages_.front();
  if (message.packet_id != 0) ids_.take(message.packet_id);
  remove(message);
  return &message;
}

void InFlight::note_answered(Message& message) noexcept {
  message.answered = true;
  ++answered_;
}

void InFlight::remove(Message& message) noexcept {
  messages_.remove(message);
  message.place = Place::Nowhere;
  message.packet_id = 0;
  if (message.request->qos == 0) --qos0_;
  if (message.request->qos == 2) --qos2_;
  if (message.answered) --answered_;
}

std::size_t InFlight::overtaken() noexcept {
  std::size_t count = 0;
  for (Message* message = is_empty() ? nullptr : &messages_.front(); message != nullptr;
       message = messages_.next(*message)) {
    const bool is_older = message->sequence < newest_acknowledged_[message->request->qos];
    if (message->answered && is_older) ++count;
  }
  return count;
}

}  // namespace sluice::mqtt
