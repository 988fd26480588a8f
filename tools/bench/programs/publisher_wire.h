// What a publisher of our own writes in MQTT; the broker's side is in tests/support/mqtt_wire.h.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sluice::bench {

/// A 16-bit length and the text, as MQTT writes strings.
inline std::string counted(std::string_view text) {
  std::string out{static_cast<char>(text.size() >> 8), static_cast<char>(text.size() & 0xFF)};
  out += text;
  return out;
}

/// The first byte of a packet and its remaining length (MQTT 3.1.1, section 2.2).
inline std::string fixed_header(unsigned char first, std::size_t length) {
  std::string out(1, static_cast<char>(first));
  do {
    const auto digit = static_cast<unsigned char>(length % 128);
    length /= 128;
    out += static_cast<char>(length > 0 ? digit | 0x80 : digit);
  } while (length > 0);
  return out;
}

/// A CONNECT that starts clean, without a keep alive and, in version 5, without properties.
inline std::string connect_packet(int version, std::string_view client_id) {
  std::string body = counted("MQTT") + static_cast<char>(version) + std::string("\x02\x00\x00", 3);
  if (version == 5) body += '\0';
  body += counted(client_id);
  return fixed_header(0x10, body.size()) + body;
}

}  // namespace sluice::bench
