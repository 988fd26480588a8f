// TLS under the transport: handshakes and what can go wrong in them.
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "catch.h"
#include "mqtt/transport/mosquitto_transport.h"
#include "mqtt_wire.h"
#include "test_loop.h"
#include "tls_broker.h"
#include "wire_bytes.h"

using namespace sluice;
using namespace sluice::mqtt;

namespace {

struct Events final : TransportEvents {
  void on_connected(const Connack&) noexcept override { connected = true; }
  void on_acknowledged(std::uint16_t, int, std::string_view) noexcept override { ++acknowledged; }
  void on_qos2_downgraded() noexcept override {}
  void on_writable() noexcept override {}
  void on_lost(const Loss& loss) noexcept override { losses.push_back(loss); }

  bool connected = false;
  std::size_t acknowledged = 0;
  std::vector<Loss> losses;
};

/// A transport that is to connect to that broker over TLS.
struct Scene {
  explicit Scene(TlsBroker::Versions versions = TlsBroker::Versions::Tls12) : broker(versions) {}
  ~Scene() { transport.drop(/*reset=*/false); }

  Result<void> connect() {
    return transport.connect({.address = "127.0.0.1",
                              .port = broker.port(),
                              .client_id = "test",
                              .protocol = config::Protocol::V5});
  }
  void run_until(const std::function<bool()>& condition) { loop.run_until(condition); }
  /// Why the attempt failed.
  std::string wait_for_loss() {
    run_until([this] { return !events.losses.empty(); });
    CHECK(events.losses.front().kind == Loss::Kind::Unreachable);
    return events.losses.front().text;
  }

  /// Runs the loop and the broker in turn.
  void step_until(const std::function<bool()>& condition) {
    run_until([&] {
      broker.step(32768);
      return condition();
    });
  }
  void establish() {
    REQUIRE(connect());
    step_until([this] { return broker.has_connect(); });
    std::string connack;
    wire::append_connack(connack, true, 0);
    broker.say(connack);
    step_until([this] { return events.connected; });
  }
  /// Sends QoS 0 messages until the socket is full; the broker does not read. Returns their number.
  std::size_t fill_socket() {
    std::size_t published = 0;
    while (!transport.is_congested() && published < 200'000) {
      for (int i = 0; i < 400; ++i, ++published)
        publish(0, 150);
      transport.flush();
    }
    REQUIRE(transport.is_congested());
    return published;
  }
  void publish(std::uint8_t qos, std::size_t size) {
    protocol::Request request = protocol::Request::make("t", std::string(size, 'x'));
    request.qos = qos;
    std::uint16_t id = 0;
    REQUIRE(transport.publish(request, id) == PublishStatus::Queued);
  }

  MosquittoLibrary library;
  event::TestLoop loop;
  TlsBroker broker;
  Events events;
  config::Broker config;
  std::shared_ptr<event::TlsContext> tls = tls_without_checks();
  MosquittoTransport transport{loop, events, config, tls};
};

TlsBroker* quick_broker = nullptr;

/// Answers within the handshake's own step: what was written is answered before it is read for.
void answer_at_once(const SSL*, int, int) {
  quick_broker->step(4096);
}

}  // namespace

TEST_CASE("a handshake may come a byte at a time", "[tls]") {
  Scene scene;
  REQUIRE(scene.connect());
  scene.run_until([&] {
    scene.broker.step(1);
    return scene.broker.has_connect();
  });
  CHECK(scene.events.losses.empty());
}

TEST_CASE("a broker may be so quick that the handshake is over when connecting has just begun",
          "[tls]") {
  Scene scene;
  quick_broker = &scene.broker;
  SSL_CTX_set_info_callback(scene.tls->raw(), answer_at_once);
  REQUIRE(scene.connect());
  scene.run_until([&] {
    scene.broker.step(4096);
    return scene.broker.has_connect();
  });
}

TEST_CASE("an end in the middle of the handshake is noticed, and is named", "[tls]") {
  Scene scene;
  REQUIRE(scene.connect());
  scene.run_until([&] {
    scene.broker.step(/*piece_bytes=*/20);
    return scene.broker.has_heard();
  });
  SECTION("the broker resets the connection") {
    scene.broker.reset();
    CHECK(scene.wait_for_loss() == "TLS handshake: Connection reset by peer (is it mqtt://?)");
  }
  SECTION("the broker closes the connection") {
    scene.broker.close();
    CHECK(scene.wait_for_loss() ==
          "TLS handshake: the broker closed the connection (is it mqtt://?)");
  }
}

TEST_CASE("a port that does not speak TLS is found out by its first bytes", "[tls]") {
  const auto [greeting, text] = GENERATE(table<std::string, std::string>(
      {{"220 ready for mail", "the port speaks SMTP or FTP, not TLS"},
       {"HTTP/1.1 400 Bad Request", "the port speaks HTTP, not TLS"},
       {"SSH-2.0-x", "the port speaks SSH, not TLS"},
       {bytes("\x20\x02\x00\x01\x00"), "the port does not speak TLS (is it mqtt://?)"}}));
  Scene scene;
  REQUIRE(scene.connect());
  scene.run_until([&] {
    scene.broker.step(/*piece_bytes=*/0);
    return scene.broker.has_heard();
  });
  CHECK(scene.transport.awaits() == "TCP connection");  // the loop has not seen it yet
  scene.loop.run_turns(4);
  CHECK(scene.transport.awaits() == "TLS handshake");
  scene.broker.TestBroker::send(greeting);
  CHECK(scene.wait_for_loss() == text);
  CHECK(scene.events.losses.front().reason == FailureReason::Tls);
}

TEST_CASE("a closed port is not taken for a failure of TLS", "[tls]") {
  Scene scene;
  scene.broker.stop_listening();
  REQUIRE(scene.connect());
  CHECK(scene.wait_for_loss() == "Connection refused");
  CHECK(scene.events.losses.front().reason == FailureReason::Refused);
}

TEST_CASE("over TLS messages arrive, and many acknowledgements in small records are seen",
          "[tls]") {
  Scene scene;
  scene.establish();
  constexpr std::uint16_t kMany = 3000;
  for (std::size_t i = 0; i < kMany; ++i)
    scene.publish(1, 100);
  scene.transport.flush();
  scene.step_until([&] { return scene.broker.count(wire::Type::Publish) == kMany; });
  for (std::uint16_t id = 1; id <= kMany; ++id) {
    std::string ack;
    wire::append_ack(ack, wire::Type::Puback, true, id);
    scene.broker.say(ack);
  }
  scene.step_until([&] { return scene.events.acknowledged == kMany; });
  CHECK(scene.events.losses.empty());
}

TEST_CASE("what TLS holds when a read is full is read without a word from the socket", "[tls]") {
  Scene scene;
  scene.establish();
  constexpr std::uint16_t kMany = 4097;
  for (std::size_t i = 0; i < kMany; ++i)
    scene.publish(1, 1);
  scene.transport.flush();
  scene.step_until([&] { return scene.broker.count(wire::Type::Publish) == kMany; });
  // A small record and one of the largest: 4 bytes more than a read takes.
  std::string acks;
  for (std::uint16_t id = 1; id <= kMany; ++id)
    wire::append_ack(acks, wire::Type::Puback, true, id);
  scene.broker.say(acks.substr(0, 4));
  scene.broker.say(acks.substr(4));
  scene.step_until([&] { return scene.events.acknowledged == kMany; });
}

TEST_CASE("over TLS acknowledgements are not waited for: their bytes are not the socket's",
          "[tls]") {
  Scene scene;
  scene.establish();
  scene.transport.expect_acks(8);
  CHECK(low_water_mark(scene.broker.peer()) == 1);
}

TEST_CASE("what is glued behind the CONNACK in one TLS record is read", "[tls]") {
  Scene scene;
  REQUIRE(scene.connect());
  scene.step_until([&] { return scene.broker.has_connect(); });
  std::string glued;
  wire::append_connack(glued, true, 0);
  wire::append_disconnect(glued, 0x8B);
  scene.broker.say(glued);
  scene.step_until([&] { return !scene.events.losses.empty(); });
  CHECK(scene.events.losses.front().reason_code == 0x8B);
}

TEST_CASE("over TLS a full socket is waited for, and QoS 0 is done when TLS has taken it",
          "[tls]") {
  Scene scene;
  scene.establish();
  const std::size_t published = scene.fill_socket();
  scene.loop.run_turns(1);
  CHECK(scene.events.acknowledged < published);
  scene.step_until([&] { return scene.broker.count(wire::Type::Publish) == published; });
  scene.loop.run_turns(4);
  CHECK(scene.events.acknowledged == published);
  CHECK_FALSE(scene.transport.is_congested());
}

TEST_CASE("over TLS large payloads arrive whole, though the socket is full and their requests gone",
          "[tls]") {
  Scene scene;
  scene.establish();
  std::vector<std::string> payloads;
  int seed = 0;
  for (const std::size_t size : std::initializer_list<std::size_t>{
           1, 16383, 16384, 16385, 65536, 100, 6 << 20, 20000, 0, 500000}) {
    payloads.push_back(long_payload(size, ++seed));
    protocol::Request request = protocol::Request::make("t", payloads.back());
    request.qos = static_cast<std::uint8_t>(seed % 3);
    std::uint16_t id = 0;
    REQUIRE(scene.transport.publish(request, id) == PublishStatus::Queued);
    if (seed % 2 == 0) scene.transport.flush();
  }
  CHECK(scene.transport.is_congested());
  scene.step_until([&] { return !scene.transport.is_congested(); });
  scene.step_until([&] { return scene.broker.count(wire::Type::Publish) == payloads.size(); });
  CHECK((payloads_of(scene.broker.input()) == payloads));
  CHECK(scene.events.losses.empty());
}

TEST_CASE("over TLS a DISCONNECT is followed by the end of TLS, and the broker is waited for",
          "[tls]") {
  Scene scene;
  scene.establish();
  scene.publish(0, 10);
  scene.transport.flush();
  scene.transport.disconnect();
  scene.step_until([&] { return scene.broker.was_told_of_the_end(); });
  CHECK(packet_types(scene.broker.input()) ==
        std::vector{wire::Type::Connect, wire::Type::Publish, wire::Type::Disconnect});
  scene.loop.run_turns(8);
  CHECK(scene.events.losses.empty());
  scene.broker.close();
  scene.run_until([&] { return !scene.events.losses.empty(); });
  CHECK(scene.events.losses.front().kind == Loss::Kind::Closed);
}

// --- one direction that waits for the other

TEST_CASE("new keys that are asked for while the socket is full are given when there is room",
          "[tls]") {
  Scene scene(TlsBroker::Versions::Tls13);
  scene.establish();
  scene.publish(1, 10);
  const std::size_t published = 1 + scene.fill_socket();
  scene.loop.run_turns(4);
  scene.broker.tls().ask_for_new_keys();
  std::string ack;
  wire::append_ack(ack, wire::Type::Puback, true, 1);
  scene.broker.say(ack);
  scene.broker.send_pending();
  scene.loop.run_turns(8);
  CHECK(scene.events.losses.empty());
  scene.step_until([&] { return scene.broker.count(wire::Type::Publish) == published; });
  scene.step_until([&] { return scene.events.acknowledged == published; });
  scene.publish(1, 10);
  scene.transport.flush();
  scene.step_until([&] { return scene.broker.count(wire::Type::Publish) == published + 1; });
  CHECK(scene.events.losses.empty());
}

TEST_CASE("a new handshake that is asked for while the socket is full waits for room", "[tls]") {
  Scene scene(TlsBroker::Versions::Tls12);
  scene.establish();
  scene.publish(1, 10);
  scene.transport.flush();
  scene.step_until([&] { return scene.broker.count(wire::Type::Publish) == 1; });
  const std::string bytes(65536, 'x');
  std::size_t filled = 0;
  ssize_t count = 0;
  while ((count = ::send(scene.broker.peer(), bytes.data(), bytes.size(), 0)) > 0)
    filled += static_cast<std::size_t>(count);
  scene.broker.tls().ask_for_new_handshake();
  scene.broker.send_pending();
  scene.loop.run_turns(8);
  CHECK(scene.loop.would_sleep());
  scene.broker.skip(filled);
  scene.step_until([&] { return scene.broker.tls().has_new_handshake(); });
  std::string ack;
  wire::append_ack(ack, wire::Type::Puback, true, 1);
  scene.broker.say(ack);
  scene.step_until([&] { return scene.events.acknowledged == 1; });
  CHECK(scene.events.losses.empty());
}

TEST_CASE("what is published amid a new handshake leaves when that is over", "[tls]") {
  Scene scene(TlsBroker::Versions::Tls12);
  scene.establish();
  scene.broker.tls().ask_for_new_handshake();
  scene.broker.send_pending();
  scene.loop.run_turns(4);  // our part of it is out, and the broker has not answered
  for (int i = 0; i < 3; ++i)
    scene.publish(1, 1000);
  scene.transport.flush();
  scene.loop.run_turns(4);
  CHECK_FALSE(scene.transport.is_congested());
  CHECK(scene.loop.would_sleep());  // the socket has room, which is not what it waits for
  scene.step_until([&] { return scene.broker.count(wire::Type::Publish) == 3; });
  std::string acks;
  for (std::uint16_t id = 1; id <= 3; ++id)
    wire::append_ack(acks, wire::Type::Puback, true, id);
  scene.broker.say(acks);
  scene.step_until([&] { return scene.events.acknowledged == 3; });
  CHECK(scene.events.losses.empty());
}
