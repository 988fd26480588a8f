// MosquittoTransport and a broker that the test controls, over a real socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "catch.h"
#include "mqtt/transport/mosquitto_transport.h"
#include "mqtt_wire.h"
#include "test_broker.h"
#include "test_loop.h"

namespace sluice::mqtt {

struct RecordedEvents final : TransportEvents {
  void on_connected(const Connack&) noexcept override { connected = true; }
  void on_acknowledged(std::uint16_t, int, std::string_view) noexcept override { ++acknowledged; }
  void on_qos2_downgraded() noexcept override {}
  void on_writable() noexcept override { ++writable; }
  void on_lost(const Loss& loss) noexcept override { losses.push_back(loss); }

  bool connected = false;
  std::size_t acknowledged = 0;
  std::size_t writable = 0;
  std::vector<Loss> losses;
};

/// A transport that is about to connect.
struct TransportAttempt {
  TransportAttempt() {
    config.keepalive_s = 60;
    transport = std::make_unique<MosquittoTransport>(loop, events, config, nullptr);
    REQUIRE(transport->connect({.address = "127.0.0.1",
                                .port = broker.port(),
                                .client_id = "test",
                                .protocol = config::Protocol::V5}));
    REQUIRE(broker.accept());  // the kernel has connected it already
  }

  void run_until(const std::function<bool()>& condition) { loop.run_until(condition); }
  void publish(std::uint8_t qos, std::size_t size = 100) {
    protocol::Request request = protocol::Request::make("t", std::string(size, 'x'));
    request.qos = qos;
    std::uint16_t id = 0;
    REQUIRE(transport->publish(request, id) == PublishStatus::Queued);
  }
  /// Waits until the broker has received `count` packets of this type in all.
  void wait_for(wire::Type type, std::size_t count) {
    run_until([&] {
      broker.read();
      return broker.count(type) == count;
    });
  }
  /// Publishes a first message.
  void bring_one() {
    publish(1);
    transport->flush();
    wait_for(wire::Type::Publish, 1);
  }
  /// The transport's socket.
  int socket() const { return broker.peer(); }

  MosquittoLibrary library;
  event::TestLoop loop;
  TestBroker broker;
  RecordedEvents events;
  config::Broker config;
  std::unique_ptr<MosquittoTransport> transport;
};

/// Establishes a connection.
struct TransportScene : TransportAttempt {
  TransportScene() {
    wait_for(wire::Type::Connect, 1);
    std::string connack;
    wire::append_connack(connack, true, 0);
    broker.send(connack);
    run_until([this] { return events.connected; });
  }
};

/// PUBACKs of these packet identifiers.
inline std::string pubacks(std::uint16_t first, std::uint16_t last) {
  std::string acks;
  for (std::uint16_t id = first; id <= last; ++id)
    wire::append_ack(acks, wire::Type::Puback, true, id);
  return acks;
}

}  // namespace sluice::mqtt
