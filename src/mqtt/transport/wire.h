// Packet types and sizes of MQTT 3.1.1 and 5, for a client. wire_encoder.h writes packets,
// wire_decoder.h reads them; neither does I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice::mqtt {

/// MQTT 5, section 2.1.2.
enum class PacketType : std::uint8_t {
  Connect = 1,
  Connack = 2,
  Publish = 3,
  Puback = 4,
  Pubrec = 5,
  Pubrel = 6,
  Pubcomp = 7,
  Subscribe = 8,
  Suback = 9,
  Unsubscribe = 10,
  Unsuback = 11,
  Pingreq = 12,
  Pingresp = 13,
  Disconnect = 14,
  Auth = 15,
};
/// As in the specification; empty for an unknown type.
constexpr std::string_view to_string(PacketType type) noexcept {
  constexpr std::string_view kNames[] = {"",          "CONNECT",  "CONNACK",     "PUBLISH",
                                         "PUBACK",    "PUBREC",   "PUBREL",      "PUBCOMP",
                                         "SUBSCRIBE", "SUBACK",   "UNSUBSCRIBE", "UNSUBACK",
                                         "PINGREQ",   "PINGRESP", "DISCONNECT",  "AUTH"};
  return kNames[static_cast<std::size_t>(type) & 0x0F];
}

/// The flags in the first byte that PUBREL and SUBSCRIBE require.
constexpr unsigned kRequiredFlags = 2;

/// The largest Variable Byte Integer (MQTT 5, section 1.5.5), which limits the length of a packet
/// after its fixed header.
constexpr std::size_t kLargestVarint = 268'435'455;

/// The encoded size of a Variable Byte Integer.
constexpr std::size_t varint_size(std::size_t value) noexcept {
  if (value < 128) return 1;
  if (value < 16384) return 2;
  return value < 2097152 ? 3 : 4;
}

}  // namespace sluice::mqtt
