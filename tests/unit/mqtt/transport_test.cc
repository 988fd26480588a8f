// MosquittoTransport against a small broker, over a real socket.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "catch.h"
#include "mqtt/transport/mosquitto_transport.h"
#include "mqtt_wire.h"
#include "test_broker.h"
#include "test_loop.h"
#include "transport_scene.h"

using namespace sluice;
using namespace sluice::mqtt;
using Attempt = TransportAttempt;
using Scene = TransportScene;

TEST_CASE("a burst arrives whole, and all of its acknowledgements are seen", "[transport]") {
  Scene scene;
  constexpr std::uint16_t kMany =
      6000;  // more bytes than one batch, more PUBACKs than one read takes
  for (std::size_t i = 0; i < kMany; ++i)
    scene.publish(1);
  scene.transport->flush();
  scene.wait_for(wire::Type::Publish, kMany);
  scene.broker.send(pubacks(1, kMany));
  scene.run_until([&] { return scene.events.acknowledged == kMany; });
  CHECK(scene.events.losses.empty());
}

TEST_CASE("acknowledgements that may come together do, and all are seen", "[transport]") {
  Scene scene;
  for (int i = 0; i < 3; ++i)
    scene.publish(1);
  scene.transport->flush();
  scene.wait_for(wire::Type::Publish, 3);
  scene.transport->expect_acks(3);
  CHECK(low_water_mark(scene.socket()) == 12);
  for (std::uint16_t id = 1; id <= 3; ++id) {  // fewer than it waits for: a few milliseconds later
    scene.broker.send(pubacks(id, id));
    scene.loop.advance(Duration(2));
    CHECK(scene.events.acknowledged + 1 == id);
    scene.loop.advance(Duration(1));
    CHECK(scene.events.acknowledged == id);
  }
  scene.transport->expect_acks(1);
  CHECK(low_water_mark(scene.socket()) == 1);
}

TEST_CASE("a broker that has more to send does not wait long for TCP's own one", "[transport]") {
  Scene scene;
  scene.bring_one();
  scene.publish(1);
  const int off = 0;  // the kernel would delay it by 40 ms
  REQUIRE(::setsockopt(scene.socket(), IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off) == 0);
  scene.broker.send(pubacks(1, 1));
  scene.run_until([&] { return scene.events.acknowledged == 1; });
  scene.loop.run_turns(8);
  CHECK(scene.broker.unacknowledged() == 0);
}

TEST_CASE("QoS 0 is done when the socket has all of the message: neither before nor later",
          "[transport]") {
  Scene scene;
  constexpr std::size_t kMany = 400;  // one write of many, of which the socket takes a part at last
  // Until the socket takes no more; the broker does not read.
  for (int batch = 0; batch < 200 && !scene.transport->is_congested(); ++batch) {
    for (std::size_t i = 0; i < kMany; ++i)
      scene.publish(0, 150);
    scene.transport->flush();
  }
  REQUIRE(scene.transport->is_congested());
  scene.loop.run_turns(1);
  const std::size_t done = scene.events.acknowledged;
  REQUIRE(done > 0);
  scene.transport->drop(/*reset=*/false);  // what the socket took still arrives
  while (scene.broker.read()) {
  }
  // One more would be published twice, as it is sent again on the next connection.
  CHECK(scene.broker.count(wire::Type::Publish) == done);
}

TEST_CASE("QoS 0 that the socket took is done, also if what follows cannot be sent any more",
          "[transport]") {
  Scene scene;
  scene.broker.close();
  constexpr std::size_t kMany = 2000;  // many writes: the peer answers the first one with a reset
  for (std::size_t i = 0; i < kMany; ++i)
    scene.publish(0, 150);
  scene.transport->flush();
  scene.run_until([&] { return !scene.events.losses.empty(); });
  CHECK(scene.events.acknowledged > 0);
}

TEST_CASE("QoS 0 is not done when the connection is found dead in sending it", "[transport]") {
  Scene scene;
  scene.broker.reset();
  scene.publish(0);
  scene.transport->flush();
  scene.loop.run_turns(1);
  CHECK(scene.events.losses.size() == 1);
  CHECK(scene.events.acknowledged == 0);
}

TEST_CASE("QoS 0 that a flush has sent is not waited for", "[transport]") {
  Scene scene;
  for (int i = 0; i < 8; ++i)
    scene.publish(0);
  scene.transport->flush();
  scene.transport->expect_acks(8);
  CHECK(low_water_mark(scene.socket()) == 1);
  scene.loop.run_turns(1);
  CHECK(scene.events.acknowledged == 8);
}

TEST_CASE("a full socket is reported, and what waited for it is sent as soon as there is room",
          "[transport]") {
  Scene scene;
  std::size_t published = 0;
  while (!scene.transport->is_congested() && published < 200'000) {
    for (int i = 0; i < 400; ++i, ++published)
      scene.publish(0, 150);
    scene.transport->flush();
  }
  REQUIRE(scene.transport->is_congested());
  REQUIRE(scene.events.acknowledged < published);
  scene.wait_for(wire::Type::Publish, published);
  scene.run_until([&] { return scene.events.acknowledged == published; });
  CHECK(scene.events.writable > 0);
  CHECK_FALSE(scene.transport->is_congested());
}

TEST_CASE("a connection holds three descriptors: its socket, and two that the library never uses",
          "[transport]") {
  const auto count_descriptors = [] {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return std::distance(begin(all), end(all));
  };
  Scene scene;
  const auto before = count_descriptors();
  scene.transport->drop(/*reset=*/false);
  CHECK(count_descriptors() == before - 3);
}

TEST_CASE("DISCONNECT reaches the broker behind everything else", "[transport]") {
  Scene scene;
  scene.publish(0);
  scene.transport->flush();
  scene.transport->disconnect();
  scene.wait_for(wire::Type::Disconnect, 1);
  scene.broker.close();
  scene.run_until([&] { return !scene.events.losses.empty(); });
  CHECK(scene.events.losses.front().kind == Loss::Kind::Closed);
  CHECK(packet_types(scene.broker.input()) ==
        std::vector{wire::Type::Connect, wire::Type::Publish, wire::Type::Disconnect});
}

TEST_CASE("acknowledgements that came before the end of a connection count", "[transport]") {
  Scene scene;
  scene.publish(1);
  scene.publish(1);
  scene.transport->flush();
  scene.wait_for(wire::Type::Publish, 2);
  std::string last = pubacks(1, 2);
  wire::append_disconnect(last, 0x8B);  // server shutting down
  scene.broker.send(last);
  scene.run_until([&] { return !scene.events.losses.empty(); });
  CHECK(scene.events.acknowledged == 2);
  CHECK(scene.events.losses.front().reason_code == 0x8B);
}

TEST_CASE("what the broker said last counts, if a send finds the connection dead", "[transport]") {
  Scene scene;
  scene.bring_one();
  std::string last = pubacks(1, 1);
  wire::append_disconnect(last, 0x8B);
  scene.broker.send(last);
  scene.broker.reset();
  scene.publish(1);
  scene.transport->flush();
  scene.loop.run_turns(1);
  REQUIRE(scene.events.losses.size() == 1);
  CHECK(scene.events.acknowledged == 1);
  CHECK(scene.events.losses.front().reason_code == 0x8B);
}

TEST_CASE("what is handed over leaves with the flush, whatever is read before", "[transport]") {
  Scene scene;
  scene.bring_one();
  scene.publish(1);
  scene.broker.send(pubacks(1, 1));
  scene.run_until([&] { return scene.events.acknowledged == 1; });
  scene.broker.read();
  CHECK(scene.broker.count(wire::Type::Publish) == 1);
  scene.transport->flush();
  scene.wait_for(wire::Type::Publish, 2);
}

// --- what a broker may do at the beginning

TEST_CASE("a broker that accepts before it has read the CONNECT is taken at its word",
          "[transport]") {
  Attempt attempt;
  std::string connack;
  wire::append_connack(connack, true, 0);
  attempt.broker.send(connack);
  attempt.run_until([&] { return attempt.events.connected; });
  attempt.wait_for(wire::Type::Connect, 1);
  attempt.publish(1);
  attempt.transport->flush();
  attempt.wait_for(wire::Type::Publish, 1);
}

TEST_CASE("a CONNACK may come a byte at a time, and have packets glued behind it", "[transport]") {
  Attempt attempt;
  attempt.wait_for(wire::Type::Connect, 1);
  std::string first;
  wire::append_connack(first, true, 0, 20);
  wire::append_pingresp(first);
  for (std::size_t i = 0; i < first.size(); ++i) {
    CHECK(attempt.events.connected == (i > 7));
    attempt.broker.send(first.substr(i, 1));
    attempt.loop.run_turns(8);
  }
  CHECK(attempt.events.connected);
  CHECK(attempt.events.losses.empty());
}

TEST_CASE("a DISCONNECT glued behind the CONNACK is the end of the attempt", "[transport]") {
  Attempt attempt;
  attempt.wait_for(wire::Type::Connect, 1);
  std::string glued;
  wire::append_connack(glued, true, 0);
  wire::append_disconnect(glued, 0x89);  // server busy
  attempt.broker.send(glued);
  attempt.run_until([&] { return !attempt.events.losses.empty(); });
  CHECK_FALSE(attempt.events.connected);
  CHECK(attempt.events.losses.front().reason_code == 0x89);
}

TEST_CASE("what is no MQTT ends the attempt in words", "[transport]") {
  Attempt attempt;
  attempt.broker.send("HTTP/1.1 400 Bad Request\r\n");
  attempt.run_until([&] { return !attempt.events.losses.empty(); });
  CHECK(attempt.events.losses.front().kind == Loss::Kind::Unreachable);
  CHECK(attempt.events.losses.front().text == "the port speaks HTTP, not MQTT");
}

TEST_CASE("a broker's reason reads as part of a sentence", "[transport]") {
  Attempt attempt;
  attempt.wait_for(wire::Type::Connect, 1);
  std::string answer;
  SECTION("a refusal") {
    wire::append_connack(answer, true, 0x86);
    attempt.broker.send(answer);
    attempt.run_until([&] { return !attempt.events.losses.empty(); });
    CHECK(attempt.events.losses.front().text == "bad user name or password");
  }
  SECTION("a DISCONNECT, with an abbreviation") {
    wire::append_connack(answer, true, 0);
    wire::append_disconnect(answer, 0x9B);
    attempt.broker.send(answer);
    attempt.run_until([&] { return !attempt.events.losses.empty(); });
    CHECK(attempt.events.losses.front().text == "the broker disconnected: QoS not supported");
  }
}

TEST_CASE("a broker that closes on the CONNECT leaves the questions to be asked", "[transport]") {
  Attempt attempt;
  attempt.wait_for(wire::Type::Connect, 1);
  CHECK(attempt.transport->awaits() == "CONNACK");
  attempt.broker.close();
  attempt.run_until([&] { return !attempt.events.losses.empty(); });
  CHECK(attempt.events.losses.front().reason == FailureReason::Closed);
  CHECK(attempt.events.losses.front().text ==
        "the broker closed the connection instead of answering the CONNECT (it may be full, refuse "
        "the login, expect TLS (mqtts://), or not speak this MQTT version)");
}

TEST_CASE("an unknown property ends the connection that it came by, in words", "[transport]") {
  const auto packet = GENERATE(as<std::string>(), "\x40\x06", "\x50\x06", "\x62\x06", "\x70\x06");
  Scene scene;
  scene.bring_one();
  using namespace std::string_literals;
  scene.broker.send(packet + "\x00\x01\x00\x02\x7f\x00"s);
  scene.run_until([&] { return !scene.events.losses.empty(); });
  CHECK(scene.events.losses.front().kind == Loss::Kind::Faulty);
  CHECK(scene.events.losses.front().text.ends_with(": unknown property 0x7F"));
  CHECK(scene.events.acknowledged == 0);
}

TEST_CASE("QoS 2 goes all the way, and its PUBREL does not wait for a flush", "[transport]") {
  Scene scene;
  scene.publish(2);
  scene.transport->flush();
  scene.wait_for(wire::Type::Publish, 1);
  std::string answer;
  wire::append_ack(answer, wire::Type::Pubrec, true, 1);
  scene.broker.send(answer);
  scene.wait_for(wire::Type::Pubrel, 1);
  CHECK(scene.events.acknowledged == 0);
  answer.clear();
  wire::append_ack(answer, wire::Type::Pubcomp, true, 1);
  scene.broker.send(answer);
  scene.run_until([&] { return scene.events.acknowledged == 1; });
}

TEST_CASE("a connection at rest is kept alive by the loop's clock, and ended by silence",
          "[transport]") {
  Scene scene;
  const auto tick_for = [&](std::chrono::seconds time) {
    for (Duration passed{}; passed < time; passed += Duration(500)) {
      scene.loop.advance(Duration(500));
      scene.transport->tick();
    }
    scene.loop.run_turns(4);
    scene.broker.read();
  };
  tick_for(std::chrono::seconds(59));
  CHECK(scene.broker.count(wire::Type::Pingreq) == 0);
  tick_for(std::chrono::seconds(1));
  CHECK(scene.broker.count(wire::Type::Pingreq) == 1);
  CHECK(scene.events.losses.empty());
  tick_for(std::chrono::seconds(61));
  REQUIRE(scene.events.losses.size() == 1);
  CHECK(scene.events.losses.front().kind == Loss::Kind::Silent);
}

TEST_CASE("a broker that sends without reading is read from, and loses its connection",
          "[transport]") {
  Scene scene;
  const int small = 4096;
  REQUIRE(::setsockopt(scene.socket(), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) == 0);
  using namespace std::string_literals;
  std::string publishes;
  for (int i = 0; i < 1000; ++i)
    publishes += "\x32\x06\x00\x01t\x00\x07\x00"s;
  int rounds = 0;
  while (scene.events.losses.empty() && ++rounds < 10'000) {
    scene.broker.try_send(publishes);
    scene.loop.run_turns(1);
  }
  REQUIRE(scene.events.losses.size() == 1);
  CHECK(scene.events.losses.front().kind == Loss::Kind::Faulty);
}
