#include "mqtt/transport/wire_decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "mqtt/transport/wire_properties.h"

namespace sluice::mqtt {
namespace {

constexpr std::size_t kKeptBytes = 4096;  // memory kept between split packets
constexpr unsigned kDuplicateFlag = 8;

constexpr char kTruncated[] = "truncated";

std::uint8_t byte_at(std::string_view bytes, std::size_t at) noexcept {
  return static_cast<std::uint8_t>(bytes[at]);
}

PacketType type_of(std::uint8_t first) noexcept {
  return static_cast<PacketType>(first >> 4);
}

/// The fault of a body that must have this size; empty: none.
std::string exactly(std::string_view body, std::size_t size) {
  if (body.size() == size) return {};
  return fmt::format("{} bytes instead of {}", body.size(), size);
}

}  // namespace

PacketDecoder::Next PacketDecoder::next_of_any_kind(Packet& packet) {
  const Next result = fault_.empty() ? cut_and_parse(packet) : Next::Malformed;
  if (result == Next::Malformed) rest_ = {};
  return result;
}

PacketDecoder::Next PacketDecoder::cut_and_parse(Packet& packet) {
  if (std::exchange(partial_is_given_, false)) {
    partial_.clear();
    if (partial_.capacity() > kKeptBytes) partial_.shrink_to_fit();
  }
  if (oversized_.is_under_way()) return skip_oversized(packet);
  if (!partial_.empty()) return complete_partial(packet);
  wanted_ = size_of(rest_);
  if (!fault_.empty()) return Next::Malformed;
  if (wanted_ > longest_) {
    const std::uint8_t first = byte_at(rest_, 0);
    rest_.remove_prefix(head_size_);
    return begin_oversized(first, packet);
  }
  if (wanted_ == 0 || rest_.size() < wanted_) {
    partial_ = std::exchange(rest_, {});
    return Next::NeedMore;
  }
  const std::string_view whole = rest_.substr(0, wanted_);
  rest_.remove_prefix(wanted_);
  return parse(whole, packet);
}

PacketDecoder::Next PacketDecoder::complete_partial(Packet& packet) {
  while (wanted_ == 0 && !rest_.empty()) {
    partial_ += rest_.front();
    rest_.remove_prefix(1);
    wanted_ = size_of(partial_);
    if (!fault_.empty()) return Next::Malformed;
  }
  if (wanted_ == 0) return Next::NeedMore;
  if (wanted_ > longest_) {
    const std::uint8_t first = byte_at(partial_, 0);
    partial_.clear();
    return begin_oversized(first, packet);
  }
  const std::size_t missing = std::min(wanted_ - partial_.size(), rest_.size());
  partial_ += rest_.substr(0, missing);
  rest_.remove_prefix(missing);
  if (partial_.size() < wanted_) return Next::NeedMore;
  partial_is_given_ = true;
  return parse(partial_, packet);
}

/// Behind the fixed header.
PacketDecoder::Next PacketDecoder::begin_oversized(std::uint8_t first, Packet& packet) {
  const auto qos = static_cast<std::uint8_t>(first >> 1 & 3);
  if (qos == 3) {
    fault_ = "PUBLISH: QoS 3";
    return Next::Malformed;
  }
  oversized_ = OversizedPublish(qos, wanted_ - head_size_);
  return skip_oversized(packet);
}

PacketDecoder::Next PacketDecoder::skip_oversized(Packet& packet) {
  oversized_.skip(rest_);
  if (oversized_.is_under_way()) return Next::NeedMore;
  packet = Packet();
  packet.type = PacketType::Publish;
  packet.qos = oversized_.qos();
  packet.packet_id = oversized_.packet_id();
  if ((packet.qos > 0) == (packet.packet_id > 0)) return Next::Packet;
  fault_ = "PUBLISH: cut off, or packet identifier 0";
  return Next::Malformed;
}

std::optional<PacketType> PacketDecoder::begun() const noexcept {
  if (partial_.empty()) return std::nullopt;
  return type_of(byte_at(partial_, 0));
}

std::size_t PacketDecoder::size_of(std::string_view begin) {
  if (begin.empty()) return 0;
  fault_ = fault_of_first(byte_at(begin, 0));
  if (!fault_.empty()) return 0;
  constexpr std::size_t kMostLengthBytes = 4;
  std::size_t length = 0;
  for (std::size_t i = 1; i <= kMostLengthBytes; ++i) {
    if (begin.size() <= i) return 0;
    const std::uint8_t part = byte_at(begin, i);
    length |= static_cast<std::size_t>(part & 0x7F) << (7 * (i - 1));
    if (part >= 0x80) continue;
    head_size_ = 1 + i;
    fault_ = fault_of_size(type_of(byte_at(begin, 0)), head_size_ + length);
    return fault_.empty() ? head_size_ + length : 0;
  }
  fault_ =
      fmt::format("{}: length field of more than 4 bytes", to_string(type_of(byte_at(begin, 0))));
  return 0;
}

/// Only to an MQTT 5 broker the limit is announced; any other may send a message of any size.
std::string PacketDecoder::fault_of_size(PacketType type, std::size_t size) const {
  if (size <= longest_ || (!is_v5_ && type == PacketType::Publish)) return {};
  return fmt::format("{} of {} bytes; max_incoming_packet_bytes is {}", to_string(type), size,
                     longest_);
}

/// A packet's first byte holds its type and its flags.
std::string PacketDecoder::fault_of_first(std::uint8_t first) const {
  const PacketType type = type_of(first);
  const unsigned flags = first & 0x0FU;
  switch (type) {
    case PacketType::Publish:
      return {};  // all its flags are used
    case PacketType::Connack:
    case PacketType::Puback:
    case PacketType::Pubrec:
    case PacketType::Pubrel:
    case PacketType::Pubcomp:
    case PacketType::Suback:
    case PacketType::Pingresp:
      break;
    case PacketType::Disconnect:
      if (!is_v5_) return "unexpected DISCONNECT (MQTT 3.1.1)";
      break;
    case PacketType::Unsuback:
      return "unexpected UNSUBACK";
    case PacketType::Auth:
      if (is_v5_) return "unexpected AUTH";
      return "unknown packet type 15";
    case PacketType::Connect:
    case PacketType::Subscribe:
    case PacketType::Unsubscribe:
    case PacketType::Pingreq:
      return fmt::format("unexpected {} from a server", to_string(type));
    default:
      return "unknown packet type 0";
  }
  const unsigned required = type == PacketType::Pubrel ? kRequiredFlags : 0;
  if (flags == required) return {};
  return fmt::format("{}: flags {} instead of {}", to_string(type), flags, required);
}

PacketDecoder::Next PacketDecoder::parse(std::string_view bytes, Packet& packet) {
  const std::uint8_t first = byte_at(bytes, 0);
  WireReader reader(bytes.substr(1));
  std::size_t length = 0;
  reader.take_varint(length);
  const std::string_view body = reader.rest();
  packet.type = type_of(first);
  packet.reason_code = 0;
  packet.properties = {};
  std::string fault;
  switch (packet.type) {
    case PacketType::Connack:
      fault = parse_connack(body, packet);
      break;
    case PacketType::Publish:
      fault = parse_publish(first & 0x0F, body, packet);
      break;
    case PacketType::Suback:
      fault = parse_suback(body, packet);
      break;
    case PacketType::Disconnect:
      fault = parse_disconnect(body, packet);
      break;
    case PacketType::Pingresp:
      fault = exactly(body, 0);
      break;
    default:
      fault = parse_ack(body, packet);
  }
  if (fault.empty()) fault = property_fault(packet.type, packet.properties);
  if (fault.empty()) return Next::Packet;
  fault_ = fmt::format("{}: {}", to_string(packet.type), fault);
  return Next::Malformed;
}

/// A broker without MQTT 5 answers with a CONNACK of its own version, without properties. A refusal
/// is read in any form.
std::string PacketDecoder::parse_connack(std::string_view body, Packet& packet) const {
  WireReader reader(body);
  std::uint8_t flags = 0;
  if (!reader.take_byte(flags) || !reader.take_byte(packet.reason_code)) return kTruncated;
  if (flags > 1) return fmt::format("flags {} instead of 0 or 1", flags);
  packet.is_session_present = flags == 1;
  packet.is_of_v311 = reader.rest().empty();
  if (!is_v5_) return packet.reason_code == 0 ? exactly(body, 2) : std::string();
  if (packet.is_of_v311) return {};
  if (!reader.take_properties(packet.properties)) return "truncated properties";
  if (!reader.rest().empty()) return "bytes after the properties";
  return {};
}

/// PUBACK, PUBREC, PUBREL, PUBCOMP.
std::string PacketDecoder::parse_ack(std::string_view body, Packet& packet) const {
  WireReader reader(body);
  if (!reader.take_number16(packet.packet_id)) return kTruncated;
  if (packet.packet_id == 0) return "packet identifier 0";
  if (!is_v5_) return exactly(body, 2);
  if (!reader.take_byte(packet.reason_code) || reader.rest().empty()) return {};
  if (!reader.take_properties(packet.properties)) return "truncated properties";
  if (!reader.rest().empty()) return "bytes after the properties";
  return {};
}

std::string PacketDecoder::parse_publish(std::uint8_t flags, std::string_view body,
                                         Packet& packet) const {
  WireReader reader(body);
  packet.qos = static_cast<std::uint8_t>(flags >> 1 & 3);
  packet.is_duplicate = (flags & kDuplicateFlag) != 0;
  packet.is_retained = (flags & 1) != 0;
  packet.packet_id = 0;
  if (packet.qos == 3) return "QoS 3";
  if (packet.qos == 0 && packet.is_duplicate) return "a duplicate at QoS 0";
  if (!reader.take_text(packet.topic)) return "topic truncated or not UTF-8";
  if (packet.qos > 0 && !reader.take_number16(packet.packet_id)) return kTruncated;
  if (packet.qos > 0 && packet.packet_id == 0) return "packet identifier 0";
  if (is_v5_ && !reader.take_properties(packet.properties)) return "truncated properties";
  packet.payload = reader.rest();
  return {};
}

std::string PacketDecoder::parse_suback(std::string_view body, Packet& packet) const {
  WireReader reader(body);
  if (!reader.take_number16(packet.packet_id)) return kTruncated;
  if (packet.packet_id == 0) return "packet identifier 0";
  if (is_v5_ && !reader.take_properties(packet.properties)) return "truncated properties";
  packet.payload = reader.rest();
  return packet.payload.empty() ? "no reason code" : "";
}

std::string PacketDecoder::parse_disconnect(std::string_view body, Packet& packet) {
  WireReader reader(body);
  if (!reader.take_byte(packet.reason_code) || reader.rest().empty()) return {};
  if (!reader.take_properties(packet.properties)) return "truncated properties";
  if (!reader.rest().empty()) return "bytes after the properties";
  return {};
}

Connack connack_of(const Packet& packet) {
  Connack connack;
  PropertyReader reader(packet.type, packet.properties);
  Property property;
  while (reader.next(property)) {
    switch (property.id) {
      case PropertyId::ReceiveMaximum:
        connack.receive_maximum = static_cast<std::uint16_t>(property.number);
        break;
      case PropertyId::MaximumPacketSize:
        connack.maximum_packet_size = property.number;
        break;
      case PropertyId::MaximumQos:
        connack.maximum_qos = static_cast<std::uint8_t>(property.number);
        break;
      case PropertyId::RetainAvailable:
        connack.retain_available = property.number != 0;
        break;
      case PropertyId::ServerKeepAlive:
        connack.server_keep_alive_s = static_cast<std::uint16_t>(property.number);
        break;
      default:
        break;
    }
  }
  return connack;
}

}  // namespace sluice::mqtt
