// One MQTT connection without a socket; the test plays the broker.
#pragma once

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.h"
#include "mqtt/transport/session.h"
#include "mqtt_wire.h"
#include "test_broker.h"
#include "wire_bytes.h"

namespace sluice::mqtt {

/// A session in the hands of a broker; the time is the test's.
struct SessionScene {
  static constexpr std::size_t kLongestPacket = 65536;

  explicit SessionScene(config::Protocol version = config::Protocol::V5, unsigned keepalive_s = 0)
      : protocol(version), session(version, keepalive_s, kLongestPacket) {}

  SessionScene& connect(const std::string& properties = {}) {
    if (protocol == config::Protocol::V5) {
      std::string connack = bytes("\x20");
      connack += static_cast<char>(3 + properties.size());
      connack += bytes("\x00\x00");
      connack += static_cast<char>(properties.size());
      receive(connack + properties);
    } else {
      receive(bytes("\x20\x02\x00\x00"));
    }
    REQUIRE(session.is_connected());
    return *this;
  }
  void receive(const std::string& packets) { session.receive(packets, now); }
  std::uint16_t publish(std::uint8_t qos, std::string_view payload = "x") {
    protocol::Request request = protocol::Request::make("t", payload);
    request.qos = qos;
    std::uint16_t id = 0;
    REQUIRE(session.publish(request, id) == PublishStatus::Queued);
    return id;
  }
  /// Takes all output, as the socket would.
  std::string take_all() {
    const std::string all = output();
    session.sent(all.size(), now);
    return all;
  }
  /// The next output, up to 64 pieces.
  std::string output() const {
    std::array<std::string_view, 64> pieces;
    std::string all;
    for (std::size_t i = 0, count = session.next_output(pieces); i < count; ++i)
      all += pieces[i];
    return all;
  }
  std::vector<wire::Type> take_types() { return packet_types(take_all()); }
  /// "ID" or "ID/code" or "ID/code: reason" of each message that has its outcome; they are reported
  /// now.
  std::string take_acks() {
    std::string all;
    for (const Session::Ack& ack : std::exchange(session.acks(), {})) {
      session.release(ack.packet_id);
      all += (all.empty() ? "" : " ") + std::to_string(ack.packet_id);
      if (ack.reason_code != 0) all += "/" + std::to_string(ack.reason_code);
      if (ack.reason != 0) all += ": " + std::string(session.reason_of(ack));
    }
    session.forget_reasons();
    return all;
  }
  std::string end() const { return session.end() ? session.end()->text : "(none)"; }
  /// Ticks every half second, as the link does, until there is output or the session is over.
  Duration tick_until_something() {
    const TimePoint begin = now;
    for (int i = 0; i < 1000 && session.unsent() == 0 && !session.end(); ++i) {
      now += Duration(500);
      session.tick(now);
    }
    return now - begin;
  }

  const config::Protocol protocol;
  TimePoint now{std::chrono::hours(1)};
  Session session;
};

inline std::string ack_of(wire::Type type, std::uint16_t id, std::uint8_t code = 0) {
  std::string packet;
  wire::append_ack(packet, type, true, id, code);
  if (type == wire::Type::Pubrel) packet[0] = static_cast<char>(packet[0] | 2);
  return packet;
}
inline std::string puback(std::uint16_t id, std::uint8_t code = 0) {
  return ack_of(wire::Type::Puback, id, code);
}
inline std::string pubrec(std::uint16_t id, std::uint8_t code = 0) {
  return ack_of(wire::Type::Pubrec, id, code);
}
inline std::string pubcomp(std::uint16_t id, std::uint8_t code = 0) {
  return ack_of(wire::Type::Pubcomp, id, code);
}

}  // namespace sluice::mqtt
