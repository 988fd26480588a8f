// The MQTT packets that a fake broker reads and writes, in versions 5 and 3.1.1. Pure functions
// over bytes; properties are skipped.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::wire {

enum class Type : std::uint8_t {
  Connect = 1,
  Connack = 2,
  Publish = 3,
  Puback = 4,
  Pubrec = 5,
  Pubrel = 6,
  Pubcomp = 7,
  Pingreq = 12,
  Pingresp = 13,
  Disconnect = 14,
};

/// The beginning of a packet; `size` and `body_size` are in bytes.
struct FixedHeader {
  Type type = Type::Connect;
  std::uint8_t flags = 0;
  std::size_t size = 0;
  std::size_t body_size = 0;
};

/// One packet as received. The body points into the caller's buffer.
struct Packet {
  Type type = Type::Connect;
  std::uint8_t flags = 0;
  std::string_view body;
};

struct Connect {
  bool is_v5 = false;
  bool clean_start = false;
  std::uint16_t keep_alive_s = 0;
  std::string_view client_id;
};

struct Publish {
  int qos = 0;
  bool is_duplicate = false;
  bool is_retained = false;
  std::uint16_t packet_id = 0;
  std::string_view topic;
  std::string_view payload;
};

enum class Cut { Whole, Partial, Malformed };

/// Reads the fixed header at the front of `input`, which may lack its body. Inline, because the
/// benchmark's broker calls it for each message.
inline Cut cut_header(std::string_view input, FixedHeader& header) {
  constexpr std::size_t kLongestLength = 4;
  std::size_t length = 0;
  for (std::size_t i = 1; i <= kLongestLength; ++i) {
    if (input.size() <= i) return Cut::Partial;
    const auto part = static_cast<std::uint8_t>(input[i]);
    length |= static_cast<std::size_t>(part & 0x7F) << (7 * (i - 1));
    if (part >= 0x80) continue;
    const auto first = static_cast<std::uint8_t>(input[0]);
    header = {static_cast<Type>(first >> 4), static_cast<std::uint8_t>(first & 0x0F), i + 1,
              length};
    return Cut::Whole;
  }
  return Cut::Malformed;
}

/// Reads one packet at the front of `input`. Whole: `packet` is set, and has `used` bytes.
Cut cut_packet(std::string_view input, Packet& packet, std::size_t& used);

std::optional<Connect> parse_connect(std::string_view body);
std::optional<Publish> parse_publish(const Packet& packet, bool is_v5);
/// The packet identifier of a PUBACK, PUBREC, PUBREL or PUBCOMP.
std::optional<std::uint16_t> parse_packet_id(std::string_view body);

/// `receive_maximum` is for a version 5 client only.
void append_connack(std::string& out, bool is_v5, std::uint8_t code,
                    std::optional<std::uint16_t> receive_maximum = std::nullopt);
/// PUBACK, PUBREC or PUBCOMP with success, for both versions.
constexpr std::array<char, 4> ack(Type type, std::uint16_t packet_id) {
  return {static_cast<char>(static_cast<unsigned>(type) << 4), 2, static_cast<char>(packet_id >> 8),
          static_cast<char>(packet_id & 0xFF)};
}
/// PUBACK, PUBREC or PUBCOMP; a code is for a version 5 client only.
void append_ack(std::string& out, Type type, bool is_v5, std::uint16_t packet_id,
                std::uint8_t code = 0);
void append_pingresp(std::string& out);
/// Version 5 only: in 3.1.1 a server sends no DISCONNECT.
void append_disconnect(std::string& out, std::uint8_t code);

}  // namespace sluice::wire
