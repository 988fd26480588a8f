// What a broker may send besides acknowledgements, what it says in words, and what is too much.
#include <string>
#include <string_view>

#include "catch.h"
#include "session_scene.h"

using namespace sluice;
using namespace sluice::mqtt;
using config::Protocol;
using Scene = SessionScene;

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

TEST_CASE("a PUBACK for QoS 2 is its acknowledgement, and is reported once", "[session]") {
  Scene scene;
  scene.connect();
  scene.publish(2);
  scene.publish(2);
  scene.publish(1);
  scene.take_all();
  scene.receive(puback(3));
  CHECK_FALSE(scene.session.take_qos2_downgrade());
  scene.receive(puback(1) + puback(2));
  CHECK(scene.take_acks() == "3 1 2");
  CHECK(scene.session.take_qos2_downgrade());
  CHECK_FALSE(scene.session.take_qos2_downgrade());
  CHECK(scene.end() == "(none)");
}

TEST_CASE("a refusal of a QoS 2 message by PUBACK says nothing of QoS 2", "[session]") {
  Scene scene;
  scene.connect();
  scene.publish(2);
  scene.receive(puback(1, 0x87));
  CHECK(scene.take_acks() == "1/135");
  CHECK_FALSE(scene.session.take_qos2_downgrade());
}

TEST_CASE("the reason of a refusal is kept, cut between two characters", "[session]") {
  Scene scene;
  scene.connect();
  for (int i = 0; i < 3; ++i)
    scene.publish(1);
  const auto refused = [](char id, const std::string& reason) {
    std::string body = std::string(1, '\0') + id + '\x87';
    std::string properties = "\x1f" + wire_text(reason);
    body += varint(properties.size()) + properties;
    return "\x40" + varint(body.size()) + body;
  };
  std::string wide;
  for (int i = 0; i < 100; ++i)
    wide += "\u4e0d";  // three bytes each
  scene.receive(refused(1, "no\r\nway") + puback(2, 0x87) + refused(3, wide));
  CHECK(scene.take_acks() == "1/135: no\r\nway 2/135 3/135: " + wide.substr(0, 198));
  scene.publish(1);
  scene.receive(puback(4, 0x10));
  CHECK(scene.take_acks() == "4/16");
}

TEST_CASE("what a broker says with its refusal or its DISCONNECT is kept", "[session]") {
  Scene scene;
  const std::string words = bytes(
      "\x1f\x00\x04"
      "busy"
      "\x1c\x00\x03"
      "b:1");
  SECTION("with a refusal") {
    scene.receive(bytes("\x20\x10\x00\x9c\x0d") + words);
    CHECK(scene.session.end()->kind == Loss::Kind::Refused);
    CHECK(scene.session.end()->reason_code == 0x9c);
  }
  SECTION("with a DISCONNECT") {
    scene.connect().receive(bytes("\xe0\x0f\x9d\x0d") + words);
    CHECK(scene.session.end()->kind == Loss::Kind::Disconnected);
    CHECK(scene.session.end()->reason_code == 0x9d);
  }
  CHECK(scene.end() == "\"busy\"; it names another server: b:1");
}

TEST_CASE("a broker that sends without reading is read from, and left once it owes too much",
          "[session]") {
  Scene scene;
  scene.connect();
  const std::string publish = bytes("\x32\x06\x00\x01t\x00\x07\x00");
  const auto receive = [&](std::size_t times) {
    for (std::size_t i = 0; i < times; ++i)
      scene.receive(publish);
  };
  receive(1000);  // of one turn: nothing was to be sent yet
  CHECK(scene.take_types().size() == 1000);
  scene.publish(1);
  scene.publish(1, std::string(200'000, 'x'));
  scene.session.sent(100, scene.now);  // and no more: the socket is full
  receive(18);
  CHECK(scene.end() == "(none)");
  SECTION("what goes out makes room") {
    scene.take_all();
    receive(1000);
    CHECK(scene.end() == "(none)");
  }
  SECTION("one more is too many") {
    receive(1);
    CHECK(scene.end() ==
          "protocol error by the broker: it does not read, and 19 answers wait for it");
    CHECK(scene.session.end()->kind == Loss::Kind::Faulty);
  }
}

TEST_CASE("from a 3.1.1 broker a message above the limit is passed over and acknowledged",
          "[session]") {
  Scene scene(Protocol::V311);
  scene.connect();
  const std::uint8_t qos = GENERATE(as<std::uint8_t>{}, 0, 1, 2);
  const std::size_t piece = GENERATE(as<std::size_t>{}, 1, 1000, 1 << 20);
  std::string body = bytes("\x00\x03top");
  if (qos > 0) body += bytes("\x01\x02");
  body += std::string(100'000, 'x');
  std::string packets = static_cast<char>(0x30 | qos << 1) + varint(body.size()) + body;
  packets += bytes("\xd0\x00");
  for (std::size_t at = 0; at < packets.size(); at += piece)
    scene.receive(packets.substr(at, piece));
  const std::string answers[] = {"", bytes("\x40\x02\x01\x02"), bytes("\x50\x02\x01\x02")};
  CHECK(scene.take_all() == answers[qos]);
  CHECK(scene.end() == "(none)");
}

TEST_CASE("a packet above the limit ends the connection in words", "[session]") {
  const auto end_of = [](Protocol protocol, const std::string& begin) {
    Scene scene(protocol);
    scene.connect().receive(begin);
    CHECK(scene.session.end()->kind == Loss::Kind::Faulty);
    return scene.end();
  };
  CHECK(end_of(Protocol::V5, bytes("\x30\x80\x80\x04")) ==
        "protocol error by the broker: PUBLISH of 65540 bytes; max_incoming_packet_bytes is 65536");
  CHECK(end_of(Protocol::V311, bytes("\x40\xff\xff\xff\x7f")) ==
        "protocol error by the broker: PUBACK of 268435460 bytes; max_incoming_packet_bytes is "
        "65536");
}
