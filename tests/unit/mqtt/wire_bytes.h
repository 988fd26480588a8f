// MQTT packets as text, for tests of what is written and read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "catch.h"
#include "mqtt/transport/wire_encoder.h"
#include "protocol/request.h"

namespace sluice::mqtt {

/// A literal with its NULs.
template <std::size_t Size>
std::string bytes(const char (&literal)[Size]) {
  return std::string(literal, Size - 1);
}

/// A Variable Byte Integer.
inline std::string varint(std::size_t value) {
  std::string out;
  do {
    out += static_cast<char>(value % 128 + (value >= 128 ? 128 : 0));
    value /= 128;
  } while (value > 0);
  return out;
}

/// A text behind its length.
inline std::string wire_text(std::string_view text) {
  std::string out{static_cast<char>(text.size() >> 8), static_cast<char>(text.size())};
  return out += text;
}

inline protocol::Request request_of(std::uint8_t qos, std::string_view topic,
                                    std::string_view payload,
                                    std::unique_ptr<protocol::Properties> properties = nullptr) {
  protocol::Request made =
      protocol::Request::make(topic, payload, "\"id\"", "token", std::move(properties));
  made.qos = qos;
  return made;
}

inline std::string publish_packet(const protocol::Request& of, config::Protocol protocol,
                                  std::uint16_t id = 1) {
  const PublishPacket packet(of, protocol);
  REQUIRE(packet.is_possible());
  std::string written(packet.size(), '#');
  packet.write(written.data(), id);
  return written;
}

}  // namespace sluice::mqtt
