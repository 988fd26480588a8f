// Writes the packets that a client sends once it is connected.
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

/// The PUBLISH that a request becomes (MQTT 5, section 3.3). Its size is known before it is
/// written. The request outlives it, and has been checked by the decoder of requests; over 3.1.1
/// its properties are left out.
class PublishPacket {
 public:
  PublishPacket(const protocol::Request& request, config::Protocol protocol) noexcept;

  /// MQTT has a length for each of its parts, and one for the whole.
  bool is_possible() const noexcept;
  /// In bytes, from its first one on: as counted for the broker's Maximum Packet Size.
  std::size_t size() const noexcept { return 1 + varint_size(remaining_) + remaining_; }
  /// Writes size() bytes. The identifier is left out at QoS 0.
  void write(char* to, std::uint16_t packet_id) const noexcept;

  /// The same up to the payload, which is the end of the packet.
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

/// PUBACK, PUBREC, PUBREL or PUBCOMP of a success, in either version.
constexpr std::array<char, 4> ack_packet(PacketType type, std::uint16_t packet_id) noexcept {
  const unsigned flags = type == PacketType::Pubrel ? kRequiredFlags : 0;
  return {static_cast<char>(static_cast<unsigned>(type) << 4 | flags), 2,
          static_cast<char>(packet_id >> 8), static_cast<char>(packet_id & 0xFF)};
}

constexpr std::array<char, 2> pingreq_packet() noexcept {
  return {static_cast<char>(0xC0), 0};
}

/// Normal disconnection (MQTT 5, section 3.14), in either version.
constexpr std::array<char, 2> disconnect_packet() noexcept {
  return {static_cast<char>(0xE0), 0};
}

/// SUBSCRIBE for one topic filter of at most 65,535 bytes.
std::string subscribe_packet(std::uint16_t packet_id, std::string_view filter, std::uint8_t qos,
                             config::Protocol protocol);

}  // namespace sluice::mqtt
