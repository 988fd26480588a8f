// What packets do to a connection, byte by byte and without a socket.
#include "mqtt/transport/session.h"

#include <chrono>
#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.h"
#include "mqtt/transport/packet_states.h"
#include "mqtt/transport/send_buffer.h"
#include "mqtt_wire.h"
#include "test_broker.h"

using namespace sluice;
using namespace sluice::mqtt;
using config::Protocol;

namespace {

template <std::size_t Size>
std::string bytes(const char (&literal)[Size]) {
  return std::string(literal, Size - 1);
}

/// A session in the hands of a broker; the time is the test's.
struct Scene {
  explicit Scene(Protocol version = Protocol::V5, unsigned keepalive_s = 0)
      : protocol(version), session(version, keepalive_s) {}

  Scene& connect(const std::string& properties = {}) {
    if (protocol == Protocol::V5) {
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
  /// What goes out, all of which the socket takes.
  std::string take_all() {
    const std::string all(session.unsent());
    session.sent(all.size(), now);
    return all;
  }
  std::vector<wire::Type> take_types() { return packet_types(take_all()); }
  /// "ID" or "ID/code" of each message that has its outcome; they are reported now.
  std::string take_acks() {
    std::string all;
    for (const Session::Ack& ack : std::exchange(session.acks(), {})) {
      session.release(ack.packet_id);
      all += (all.empty() ? "" : " ") + std::to_string(ack.packet_id);
      if (ack.reason_code != 0) all += "/" + std::to_string(ack.reason_code);
    }
    return all;
  }
  std::string end() const { return session.end() ? session.end()->text : "(none)"; }
  /// Half a second at a time, as the link does it, until something is said or it is over.
  Duration tick_until_something() {
    const TimePoint begin = now;
    for (int i = 0; i < 1000 && session.unsent().empty() && !session.end(); ++i) {
      now += Duration(500);
      session.tick(now);
    }
    return now - begin;
  }

  const Protocol protocol;
  TimePoint now{std::chrono::hours(1)};
  Session session;
};

std::string ack_of(wire::Type type, std::uint16_t id, std::uint8_t code = 0) {
  std::string packet;
  wire::append_ack(packet, type, true, id, code);
  if (type == wire::Type::Pubrel) packet[0] = static_cast<char>(packet[0] | 2);
  return packet;
}
std::string puback(std::uint16_t id, std::uint8_t code = 0) {
  return ack_of(wire::Type::Puback, id, code);
}
std::string pubrec(std::uint16_t id, std::uint8_t code = 0) {
  return ack_of(wire::Type::Pubrec, id, code);
}
std::string pubcomp(std::uint16_t id, std::uint8_t code = 0) {
  return ack_of(wire::Type::Pubcomp, id, code);
}

}  // namespace

// --- the beginning

TEST_CASE("a CONNACK opens the connection, and what is glued behind it is read", "[session]") {
  Scene scene;
  std::string glued;
  wire::append_connack(glued, true, 0, 20);
  wire::append_pingresp(glued);
  SECTION("at once") {
    scene.receive(glued);
  }
  SECTION("byte by byte") {
    for (const char byte : glued)
      scene.receive(std::string(1, byte));
  }
  CHECK(scene.session.is_connected());
  CHECK(scene.session.connack().receive_maximum == 20);
  CHECK(scene.end() == "(none)");
}

TEST_CASE("a refusal ends it with the code, in the terms of version 5", "[session]") {
  const auto refusal = [](Protocol protocol, const std::string& connack) {
    Scene scene(protocol);
    scene.receive(connack);
    REQUIRE(scene.session.end());
    CHECK(scene.session.end()->kind == Loss::Kind::Refused);
    CHECK_FALSE(scene.session.is_connected());
    return scene.session.end()->reason_code;
  };
  CHECK(refusal(Protocol::V5, bytes("\x20\x03\x00\x87\x00")) == 0x87);
  CHECK(refusal(Protocol::V5, bytes("\x20\x02\x00\x01")) == 0x84);  // by a broker of 3.1.1
  const std::pair<char, int> codes[] = {{1, 0x84}, {2, 0x85}, {3, 0x88}, {4, 0x86}, {5, 0x87}};
  for (const auto& [code, expected] : codes)
    CHECK(refusal(Protocol::V311, bytes("\x20\x02\x00") + code) == expected);
}

TEST_CASE("what comes before the CONNACK, or a second one, ends it in words", "[session]") {
  Scene scene;
  SECTION("a packet of another type") {
    scene.receive(puback(1));
    CHECK(scene.end() == "the broker broke the protocol: PUBACK before the CONNACK");
    CHECK(scene.session.end()->kind == Loss::Kind::Unreachable);
  }
  SECTION("no packet at all") {
    scene.receive("SSH-2.0-OpenSSH_9.2p1\r\n");
    CHECK(scene.end() == "the broker broke the protocol: PUBREC: flags 3 instead of 0");
  }
  SECTION("a second one") {
    scene.connect().receive(bytes("\x20\x03\x00\x00\x00"));
    CHECK(scene.end() == "the broker broke the protocol: a second CONNACK");
    CHECK(scene.session.end()->kind == Loss::Kind::HungUp);
  }
}

// --- messages

TEST_CASE("each QoS 1 message is acknowledged by its PUBACK, once", "[session]") {
  Scene scene;
  scene.connect();
  CHECK(scene.publish(1) == 1);
  CHECK(scene.publish(1) == 2);
  CHECK(scene.take_types() == std::vector(2, wire::Type::Publish));
  scene.receive(puback(2, 0x10) + puback(1) + puback(1) + puback(99));
  CHECK(scene.take_acks() == "2/16 1");
  scene.receive(puback(1));
  CHECK(scene.take_acks().empty());
  CHECK(scene.end() == "(none)");
}

TEST_CASE("QoS 2 is PUBREC, PUBREL, PUBCOMP, and then done", "[session]") {
  const Protocol protocol = GENERATE(Protocol::V5, Protocol::V311);
  Scene scene(protocol);
  scene.connect();
  CHECK(scene.publish(2) == 1);
  scene.take_all();
  scene.receive(pubrec(1));
  CHECK(scene.take_acks().empty());
  CHECK(scene.take_all() == bytes("\x62\x02\x00\x01"));
  scene.receive(pubrec(1));  // again: the broker has not got the answer yet
  CHECK(scene.take_all() == bytes("\x62\x02\x00\x01"));
  scene.receive(pubcomp(1));
  CHECK(scene.take_acks() == "1");
  scene.receive(pubcomp(1));
  CHECK(scene.take_acks().empty());
}

TEST_CASE("a PUBREC that refuses is the end of its message, and asks for no PUBREL", "[session]") {
  Scene scene;
  scene.connect();
  scene.publish(2);
  scene.take_all();
  scene.receive(pubrec(1, 0x87));
  CHECK(scene.take_acks() == "1/135");
  CHECK(scene.take_all().empty());
}

TEST_CASE("an answer that does not fit its message ends the connection in words", "[session]") {
  Scene scene;
  scene.connect();
  scene.publish(1);
  scene.publish(2);
  const auto expect = [&](const std::string& answer, const std::string& what) {
    scene.receive(answer);
    CHECK(scene.end() == "the broker broke the protocol: " + what);
    CHECK(scene.take_acks().empty());
  };
  SECTION("a PUBREC for QoS 1") {
    expect(pubrec(1), "a PUBREC for a message of QoS 1");
  }
  SECTION("a PUBCOMP for QoS 1") {
    expect(pubcomp(1), "a PUBCOMP for a message of QoS 1");
  }
  SECTION("a PUBACK for QoS 2") {
    expect(puback(2), "a PUBACK for a message of QoS 2");
  }
  SECTION("a SUBACK for nothing") {
    expect(bytes("\x90\x04\x00\x01\x00\x01"), "SUBACK, which nothing has asked for");
  }
  SECTION("and behind that nothing counts") {
    expect(pubrec(1) + puback(1), "a PUBREC for a message of QoS 1");
  }
}

TEST_CASE("QoS 0 is done with its last byte, and its identifier waits for no PUBACK", "[session]") {
  Scene scene;
  scene.connect();
  CHECK(scene.publish(0) == 1);
  const std::size_t first = scene.session.unsent().size();
  CHECK(scene.publish(0) == 2);
  scene.receive(puback(2));
  scene.session.sent(first - 1, scene.now);
  CHECK(scene.take_acks().empty());
  scene.session.sent(1, scene.now);
  CHECK(scene.take_acks() == "1");
  scene.take_all();
  CHECK(scene.take_acks() == "2");
  CHECK(scene.end() == "(none)");
}

TEST_CASE("a message that fits no packet is refused and leaves nothing behind", "[session]") {
  Scene scene;
  scene.connect();
  std::uint16_t id = 0;
  const protocol::Request request = protocol::Request::make(std::string(65536, 't'), "");
  CHECK(scene.session.publish(request, id) == PublishStatus::Refused);
  CHECK(scene.session.unsent().empty());
  CHECK(scene.publish(1) == 1);
}

TEST_CASE("a broker may publish without having been asked: it gets its answers", "[session]") {
  Scene scene;
  scene.connect();
  scene.receive(bytes("\x30\x04\x00\x01t\x00"));
  CHECK(scene.take_all().empty());
  scene.receive(bytes("\x32\x06\x00\x01t\x00\x07\x00"));
  CHECK(scene.take_all() == bytes("\x40\x02\x00\x07"));
  scene.receive(bytes("\x34\x06\x00\x01t\x00\x08\x00"));
  CHECK(scene.take_all() == bytes("\x50\x02\x00\x08"));
  scene.receive(ack_of(wire::Type::Pubrel, 8));
  CHECK(scene.take_all() == bytes("\x70\x02\x00\x08"));
}

TEST_CASE("a broker that sends without reading is not read from until it does", "[session]") {
  Scene scene;
  scene.connect();
  const std::string publish = bytes("\x32\x06\x00\x01t\x00\x07\x00");
  std::size_t rounds = 0;
  while (scene.session.wants_input() && rounds++ < 100'000)
    scene.receive(publish);
  CHECK(scene.session.unsent().size() < 70'000);
  scene.take_all();
  CHECK(scene.session.wants_input());
  // What is published is not counted there: its answers have to be read while it waits.
  scene.publish(1, std::string(200'000, 'x'));
  scene.receive(publish);
  CHECK(scene.session.wants_input());
}

TEST_CASE("a DISCONNECT ends it with its code; a code that is no error is none", "[session]") {
  Scene scene;
  scene.connect();
  scene.publish(1);
  SECTION("an error") {
    scene.receive(puback(1) + bytes("\xe0\x01\x8b"));
    CHECK(scene.session.end()->reason_code == 0x8b);
  }
  SECTION("none") {
    scene.receive(puback(1) + bytes("\xe0\x00"));
    CHECK(scene.session.end()->reason_code == 0);
  }
  CHECK(scene.session.end()->kind == Loss::Kind::HungUp);
  CHECK(scene.take_acks() == "1");
}

// --- keep alive

TEST_CASE("a ping goes out before a keep alive has passed in silence, and an answer is enough",
          "[session]") {
  Scene scene(Protocol::V5, 10);
  scene.connect();
  for (int i = 0; i < 3; ++i) {
    CHECK(scene.tick_until_something() == Duration(9500));
    CHECK(scene.take_types() == std::vector{wire::Type::Pingreq});
    scene.receive(bytes("\xd0\x00"));
  }
  CHECK(scene.end() == "(none)");
}

TEST_CASE("a ping without an answer is the end after one more keep alive", "[session]") {
  Scene scene(Protocol::V5, 10);
  scene.connect();
  scene.tick_until_something();
  scene.take_all();
  CHECK(scene.tick_until_something() == Duration(10'000));
  REQUIRE(scene.session.end());
  CHECK(scene.session.end()->kind == Loss::Kind::Silent);
  CHECK(scene.end() == "the broker did not answer a ping in time");
}

TEST_CASE("whatever comes keeps a connection alive whose ping waits behind a backlog",
          "[session]") {
  Scene scene(Protocol::V5, 10);
  scene.connect();
  scene.publish(1);
  scene.take_all();
  scene.tick_until_something();
  for (int i = 0; i < 100; ++i) {
    scene.now += Duration(500);
    if (i % 10 == 0) scene.receive(puback(99));
    scene.session.tick(scene.now);
  }
  CHECK(scene.end() == "(none)");
  CHECK(scene.take_types() == std::vector{wire::Type::Pingreq});
}

TEST_CASE("a broker that takes messages but never says anything is pinged, too", "[session]") {
  Scene scene(Protocol::V5, 10);
  scene.connect();
  std::size_t pings = 0;
  for (int i = 0; i < 100 && !scene.session.end(); ++i) {
    scene.now += Duration(500);
    scene.publish(0);
    scene.session.tick(scene.now);
    for (const wire::Type type : scene.take_types())
      pings += type == wire::Type::Pingreq ? 1 : 0;
    scene.take_acks();
  }
  CHECK(pings == 1);
  CHECK(scene.session.end()->kind == Loss::Kind::Silent);
}

TEST_CASE("the broker's keep alive goes before ours", "[session]") {
  Scene scene(Protocol::V5, 60);
  SECTION("a shorter one") {
    scene.connect(bytes("\x13\x00\x05"));
    CHECK(scene.tick_until_something() == Duration(4500));
  }
  SECTION("none") {
    scene.connect(bytes("\x13\x00\x00"));
    CHECK(scene.tick_until_something() == Duration(500'000));
  }
}

TEST_CASE("without a keep alive there is no ping, and before the CONNACK neither", "[session]") {
  Scene without;
  without.connect();
  CHECK(without.tick_until_something() == Duration(500'000));
  Scene early(Protocol::V5, 5);
  CHECK(early.tick_until_something() == Duration(500'000));
}

TEST_CASE("behind DISCONNECT nothing is sent any more", "[session]") {
  Scene scene(Protocol::V5, 5);
  scene.connect();
  scene.session.disconnect();
  CHECK(scene.take_all() == bytes("\xe0\x00"));
  scene.receive(bytes("\x32\x06\x00\x01t\x00\x07\x00"));
  CHECK(scene.tick_until_something() == Duration(500'000));
  CHECK(scene.take_all().empty());
}

// --- packet identifiers

TEST_CASE("an identifier is not used again before its message is reported", "[session]") {
  Scene scene;
  scene.connect();
  CHECK(scene.publish(1) == 1);
  CHECK(scene.publish(1) == 2);
  scene.receive(puback(2));
  scene.take_acks();
  for (unsigned expected = 3; expected <= 65535; ++expected) {
    REQUIRE(scene.publish(0) == expected);
    scene.take_all();
    scene.take_acks();
  }
  CHECK(scene.publish(1) == 2);  // 0 is none, and 1 is still out
  CHECK(scene.publish(1) == 3);
}

TEST_CASE("when all identifiers are in use, the next message ends the connection in words",
          "[session]") {
  PacketStates states;
  std::set<std::uint16_t> ids;
  for (unsigned i = 0; i < 65535; ++i)
    ids.insert(states.take(Awaits::Puback));
  CHECK(ids.size() == 65535);
  CHECK(ids.count(0) == 0);
  CHECK(states.take(Awaits::Puback) == 0);
  states.set(40'000, Awaits::Nothing);
  CHECK(states.take(Awaits::Pubrec) == 40'000);
  CHECK(states.of(40'000) == Awaits::Pubrec);
  CHECK(states.of(39'999) == Awaits::Puback);

  Scene scene;
  scene.connect();
  for (unsigned i = 0; i < 65535; ++i)
    scene.publish(1);
  std::uint16_t id = 0;
  CHECK(scene.session.publish(protocol::Request::make("t", ""), id) == PublishStatus::Poisoned);
  CHECK(scene.end() == "all 65535 packet identifiers are in use");
}

// --- the bytes to be sent

TEST_CASE("bytes leave in the order in which they came, however much is taken at a time",
          "[send_buffer]") {
  SendBuffer buffer;
  std::string expected;
  std::string taken;
  for (unsigned i = 0; i < 3000; ++i) {
    const std::string piece(1 + i % 97, static_cast<char>('a' + i % 26));
    buffer.append(piece);
    expected += piece;
    const std::size_t size = std::min<std::size_t>(i % 89, buffer.unsent().size());
    taken += buffer.unsent().substr(0, size);
    buffer.take(size);
    REQUIRE(buffer.written() == expected.size());
    REQUIRE(buffer.taken() == taken.size());
    if (i % 100 == 0) buffer.trim();
  }
  taken += buffer.unsent();
  CHECK(taken == expected);
}

TEST_CASE("a buffer gives its memory back when nothing has come for a while, and works on",
          "[send_buffer]") {
  SendBuffer buffer;
  buffer.trim();
  buffer.append("one");
  buffer.trim();
  buffer.trim();
  CHECK(buffer.unsent() == "one");
  buffer.take(3);
  buffer.trim();
  CHECK(buffer.is_empty());
  buffer.append("two");
  CHECK(buffer.unsent() == "two");
  buffer.append(std::string(100'000, 'x'));  // more than is kept
  buffer.take(100'003);
  buffer.append("three");
  CHECK(buffer.unsent() == "three");
  CHECK(buffer.taken() == 3 + 100'003);
}
