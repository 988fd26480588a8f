// Writes the packets that a connected client sends.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "config/config.h"
#include "mqtt/transport/wire.h"
#include "protocol/request.h"

namespace sluice::mqtt {

/// The PUBLISH of a request (MQTT 5, section 3.3), with its size known in advance. The request
/// outlives it, and protocol::Decoder has checked it. Over 3.1.1 its properties are left out.
class PublishPacket {
 public:
  PublishPacket(const protocol::Request& request, config::Protocol protocol) noexcept;

  /// False if a part or the whole is longer than MQTT allows.
  bool is_possible() const noexcept;
  /// Of the whole packet, as for the broker's Maximum Packet Size.
  std::size_t size() const noexcept { return 1 + varint_size(remaining_) + remaining_; }
  /// Writes size() bytes; QoS 0 has no identifier.
  void write(char* to, std::uint16_t packet_id) const noexcept;

  /// The packet without its payload, which comes last.
  std::size_t head_size() const noexcept { return size() - request_.payload().size(); }
  void write_head(char* to, std::uint16_t packet_id) const noexcept { put_head(to, packet_id); }

 private:
  char* put_head(char* to, std::uint16_t packet_id) const noexcept;

  const protocol::Request& request_;
  const bool is_v5_;
  const protocol::Properties* properties_;  // null: none are written
  std::size_t properties_size_ = 0;         // without its own length
  std::size_t remaining_ = 0;
};

/// PUBACK, PUBREC, PUBREL or PUBCOMP with success, for both versions.
constexpr std::array<char, 4> ack_packet(PacketType type, std::uint16_t packet_id) noexcept {
  const unsigned flags = type == PacketType::Pubrel ? kRequiredFlags : 0;
  return {static_cast<char>(static_cast<unsigned>(type) << 4 | flags), 2,
          static_cast<char>(packet_id >> 8), static_cast<char>(packet_id & 0xFF)};
}

constexpr std::array<char, 2> pingreq_packet() noexcept {
  return {static_cast<char>(0xC0), 0};
}

/// Normal disconnection (MQTT 5, section 3.14), for both versions.
constexpr std::array<char, 2> disconnect_packet() noexcept {
  return {static_cast<char>(0xE0), 0};
}

/// SUBSCRIBE for one topic filter of at most 65,535 bytes.
std::string subscribe_packet(std::uint16_t packet_id, std::string_view filter, std::uint8_t qos,
                             config::Protocol protocol);

}  // namespace sluice::mqtt
