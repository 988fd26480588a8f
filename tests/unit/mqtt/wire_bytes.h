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
