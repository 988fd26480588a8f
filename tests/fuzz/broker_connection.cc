#include "broker_connection.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace sluice::fuzz {
namespace {

constexpr std::uint8_t kFirstError = 0x80;

bool answers(wire::Type type) noexcept {
  return type == wire::Type::Puback || type == wire::Type::Pubrec || type == wire::Type::Pubrel ||
         type == wire::Type::Pubcomp;
}

}  // namespace

bool PacketCutter::take(std::string_view& bytes) {
  if (is_broken_) return false;
  if (is_whole()) {
    head_.clear();
    size_.reset();
    taken_ = 0;
  }
  while (!bytes.empty() && !is_whole()) {
    const std::size_t count = size_ ? std::min(*size_ - taken_, bytes.size()) : 1;
    head_ += bytes.substr(0, std::min(count, kKeptBytes - std::min(kKeptBytes, head_.size())));
    bytes.remove_prefix(count);
    taken_ += count;
    if (size_) continue;
    wire::FixedHeader header;
    const wire::Cut cut = wire::cut_header(head_, header);
    is_broken_ = cut == wire::Cut::Malformed;
    if (is_broken_) return false;
    if (cut == wire::Cut::Whole) size_ = header.size + header.body_size;
  }
  return is_whole();
}

wire::Packet PacketCutter::packet() const {
  wire::FixedHeader header;
  require(wire::cut_header(head_, header) == wire::Cut::Whole);
  return {header.type, header.flags, std::string_view(head_).substr(header.size)};
}

void ConnectionWitness::on_handed_over(std::uint16_t packet_id, std::size_t number) {
  require(packet_id != 0);
  Record& record = records_[number];
  require(!record.settled && !record.dropped);
  ++record.handed_over;
  require(unacknowledged_.count(packet_id) == 0);
  numbers_[packet_id] = number;
  if (record.qos > 0) unacknowledged_[packet_id] = {.number = number};
}

std::uint16_t ConnectionWitness::id_of(std::size_t n) const {
  for (const auto& each : unacknowledged_) {
    if (n-- == 0) return each.first;
  }
  return static_cast<std::uint16_t>(numbers_.size() + 1 + n);
}

// --- from the broker

void ConnectionWitness::on_received(std::string_view bytes) {
  while (input_.take(bytes))
    read_input(input_.packet());
}

void ConnectionWitness::read_input(const wire::Packet& packet) {
  switch (packet.type) {
    case wire::Type::Publish:
      if ((packet.flags & 6U) != 0) ++answers_wanted_;
      break;
    case wire::Type::Pubrel:
      ++answers_wanted_;
      break;
    case wire::Type::Pubrec:
      if (!has_error(packet)) ++answers_wanted_;
      read_ack(packet);
      break;
    case wire::Type::Puback:
    case wire::Type::Pubcomp:
      read_ack(packet);
      break;
    default:
      break;
  }
}

bool ConnectionWitness::has_error(const wire::Packet& ack) const noexcept {
  const bool has_code = is_v5_ && ack.body.size() > 2;
  return has_code && static_cast<std::uint8_t>(ack.body[2]) >= kFirstError;
}

/// QoS 1: PUBACK. QoS 2: PUBREC with an error, PUBCOMP, or instead of PUBREC a PUBACK.
void ConnectionWitness::read_ack(const wire::Packet& packet) {
  const auto id = wire::parse_packet_id(packet.body);
  if (!id || !unacknowledged_.contains(*id)) return;
  Unacknowledged& message = unacknowledged_[*id];
  Record& record = records_[message.number];
  const bool is_error = has_error(packet);
  if (packet.type == wire::Type::Pubrec) {
    if (record.qos == 1 || message.has_pubrec) return;
    message.has_pubrec = !is_error;
    if (!is_error) return;
  } else if (packet.type == wire::Type::Puback) {
    if (message.has_pubrec) return;
  } else if (record.qos == 1) {
    return;
  }
  (is_error ? record.refused : record.acknowledged) = true;
  outcomes_.push_back(message.number);
  unacknowledged_.erase(*id);
}

void ConnectionWitness::check_outcomes() {
  require(!input_.is_broken());
  for (const std::size_t number : outcomes_)
    require(records_[number].settled);
  outcomes_.clear();
}

// --- from the session

void ConnectionWitness::on_taken(std::string_view bytes) {
  while (output_.take(bytes))
    read_output(output_.packet());
  require(!output_.is_broken());
}

void ConnectionWitness::read_output(const wire::Packet& packet) {
  require(!has_taken_disconnect_);
  if (packet.type == wire::Type::Publish) {
    read_publish(packet);
  } else if (answers(packet.type)) {
    require(wire::parse_packet_id(packet.body).value_or(0) != 0);
    require(++answers_ <= answers_wanted_);
  } else if (packet.type == wire::Type::Disconnect) {
    has_taken_disconnect_ = true;
  } else {
    require(packet.type == wire::Type::Pingreq && packet.body.empty());
  }
}

/// The payload begins with the request's number.
void ConnectionWitness::read_publish(const wire::Packet& packet) {
  const std::optional<wire::Publish> publish = wire::parse_publish(packet, is_v5_);
  require(publish.has_value() && !publish->is_duplicate);
  const std::string_view payload = publish->payload;
  std::size_t number = 0;
  require(std::from_chars(payload.data(), payload.data() + payload.size(), number).ec ==
          std::errc());
  Record& record = records_[number];
  require(record.handed_over > 0 && record.qos == publish->qos);
  if (record.qos == 0) {
    record.acknowledged = true;
  } else {
    require(numbers_.contains(publish->packet_id) && numbers_[publish->packet_id] == number);
  }
}

}  // namespace sluice::fuzz
