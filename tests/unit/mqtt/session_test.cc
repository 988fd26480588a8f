// How a session handles packets, byte by byte and without a socket.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "allocations.h"
#include "catch.h"
#include "session_scene.h"

using namespace sluice;
using namespace sluice::mqtt;
using config::Protocol;
using Scene = SessionScene;

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
  CHECK(refusal(Protocol::V5, bytes("\x20\x02\x00\x01")) == 0x84);        // by a broker of 3.1.1
  CHECK(refusal(Protocol::V311, bytes("\x20\x03\x00\x84\x00")) == 0x84);  // and the other way round
  const std::pair<char, int> codes[] = {{1, 0x84}, {2, 0x85}, {3, 0x88}, {4, 0x86}, {5, 0x87}};
  for (const auto& [code, expected] : codes)
    CHECK(refusal(Protocol::V311, bytes("\x20\x02\x00") + code) == expected);
}

TEST_CASE("what comes before the CONNACK, or a second one, ends it in words", "[session]") {
  Scene scene;
  SECTION("a packet of another type") {
    scene.receive(puback(1));
    CHECK(scene.end() == "protocol error by the broker: PUBACK before the CONNACK");
    CHECK(scene.session.end()->kind == Loss::Kind::Unreachable);
  }
  SECTION("what begins like a packet of another type, and is not whole") {
    scene.receive(bytes("\x30\x7f\x00"));
    CHECK(scene.end() == "protocol error by the broker: PUBLISH before the CONNACK");
  }
  SECTION("no packet at all") {
    scene.receive(bytes("\x00\x00"));
    CHECK(scene.end() == "protocol error by the broker: unknown packet type 0");
    CHECK(scene.session.end()->reason == FailureReason::Protocol);
  }
  SECTION("a second one") {
    scene.connect().receive(bytes("\x20\x03\x00\x00\x00"));
    CHECK(scene.end() == "protocol error by the broker: a second CONNACK");
    CHECK(scene.session.end()->kind == Loss::Kind::Faulty);
  }
}

TEST_CASE("a broker that accepts MQTT 5 in the form of 3.1.1 does not speak it", "[session]") {
  Scene scene;
  scene.receive(bytes("\x20\x02\x00\x00"));
  REQUIRE(scene.session.end());
  CHECK(scene.session.end()->kind == Loss::Kind::Refused);
  CHECK(scene.session.end()->reason_code == 0x84);
}

TEST_CASE("what sluice does not use in a CONNACK does no harm", "[session]") {
  Scene scene;
  scene.connect(
      bytes("\x12\x00\x03own\x1a\x00\x01r\x11\x00\x00\x00\x05\x22\x00\x0a\x28\x00\x29\x00\x2a"
            "\x00\x26\x00\x01k\x00\x01v\x26\x00\x01k\x00\x01v\x1f\x00\x04hi\r\n"));
  CHECK(scene.end() == "(none)");
}

TEST_CASE("a server of another protocol is called by its name, or by what it sent", "[session]") {
  const auto expect = [](const std::string& greeting, const std::string& text) {
    Scene scene;
    scene.receive(greeting);
    CHECK(scene.end() == text);
    REQUIRE(scene.session.end());
    CHECK(scene.session.end()->kind == Loss::Kind::Unreachable);
    CHECK(scene.session.end()->reason == FailureReason::Protocol);
  };
  const std::string tls = "the port speaks TLS (is it mqtts:// with s?)";
  expect(bytes("\x15\x03\x03\x00\x02\x02\x46"), tls);  // an alert, as of a server without OpenSSL
  expect(bytes("\x16\x03\x01\x02\x00"), tls);
  expect("HTTP/1.1 400 Bad Request\r\n", "the port speaks HTTP, not MQTT");
  expect("SSH-2.0-OpenSSH_9.2p1\r\n", "the port speaks SSH, not MQTT");
  expect("220 mail ESMTP\r\n", "the port speaks SMTP or FTP, not MQTT");
  expect(bytes("AMQP\x00\x00\x09\x01"), "the port speaks AMQP, not MQTT");
  expect("-ERR unknown command 'x', with args beginning with",
         "the port does not speak MQTT; it sent \"-ERR unknown command 'x'\"");
  expect("+OK POP3\x1b[2J\r\n", "the port does not speak MQTT; it sent \"+OK POP3\"");
}

TEST_CASE("an established connection is not taken for one of another protocol", "[session]") {
  Scene scene;
  scene.connect().receive("HTTP/1.1 400 Bad Request\r\n");
  CHECK(scene.end() == "protocol error by the broker: PUBACK: flags 8 instead of 0");
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

TEST_CASE("a PUBCOMP that refuses says that the broker had the message", "[session]") {
  Scene scene;
  scene.connect();
  scene.publish(2);
  scene.take_all();
  scene.receive(pubrec(1) + pubcomp(1, 0x80));
  CHECK(scene.take_acks() == "1/146");  // 0x92: packet identifier not found
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
    CHECK(scene.end() == "protocol error by the broker: " + what);
    CHECK(scene.take_acks().empty());
  };
  SECTION("a PUBREC for QoS 1") {
    expect(pubrec(1), "a PUBREC for a message of QoS 1");
  }
  SECTION("a PUBCOMP for QoS 1") {
    expect(pubcomp(1), "a PUBCOMP for a message of QoS 1");
  }
  SECTION("a PUBACK behind a PUBREC") {
    expect(pubrec(2) + puback(2), "a PUBACK behind the PUBREC of a message of QoS 2");
  }
  SECTION("a SUBACK for nothing") {
    expect(bytes("\x90\x04\x00\x01\x00\x01"), "unexpected SUBACK");
  }
  SECTION("and behind that nothing counts") {
    expect(pubrec(1) + puback(1), "a PUBREC for a message of QoS 1");
  }
}

TEST_CASE("QoS 0 is done with its last byte, and its identifier waits for no PUBACK", "[session]") {
  Scene scene;
  scene.connect();
  CHECK(scene.publish(0) == 1);
  const std::size_t first = scene.session.unsent();
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
  CHECK(scene.session.unsent() == 0);
  CHECK(scene.publish(1) == 1);
}

TEST_CASE("a large payload goes out whole though its request is gone, however little is taken",
          "[session]") {
  const std::size_t size = GENERATE(as<std::size_t>{}, 16383, 16384, 65536);
  const std::size_t step = GENERATE(as<std::size_t>{}, 999, 16384, 1 << 20);
  Scene scene;
  scene.connect();
  scene.publish(1, long_payload(size, 1));
  scene.publish(0, long_payload(size, 2));
  scene.publish(1, "small");
  scene.publish(2, long_payload(size, 3));
  scene.receive(puback(1));  // for a message that was not sent
  std::string out;
  while (scene.session.unsent() > 0) {
    const std::string next = scene.output().substr(0, step);
    out += next;
    scene.session.sent(next.size(), scene.now);
  }
  CHECK(scene.take_acks() == "1 2");
  CHECK(packet_types(out) == std::vector(4, wire::Type::Publish));
  CHECK((payloads_of(out) == std::vector<std::string>{long_payload(size, 1), long_payload(size, 2),
                                                      "small", long_payload(size, 3)}));
}

TEST_CASE("what a payload lies in is held until the socket has it, and not longer", "[session]") {
  Scene scene;
  scene.connect();
  protocol::Request request = protocol::Request::make("t", std::string(20000, 'x'));
  std::uint16_t id = 0;
  REQUIRE(scene.session.publish(request, id) == PublishStatus::Queued);
  CHECK(request.payload_block().is_shared());
  scene.session.sent(scene.session.unsent() - 1, scene.now);
  CHECK(request.payload_block().is_shared());
  scene.session.sent(1, scene.now);
  CHECK_FALSE(request.payload_block().is_shared());
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
  CHECK(scene.session.end()->kind == Loss::Kind::Disconnected);
  CHECK(scene.take_acks() == "1");
}

TEST_CASE("a steady load of messages allocates nothing", "[session]") {
  Scene scene;
  scene.connect();
  const protocol::Request request = protocol::Request::make("t", "payload");
  std::string acks;
  bool went_well = true;  // checked at the end: each assertion of the test framework allocates
  const auto round = [&] {
    acks.clear();
    for (int i = 0; i < 64; ++i) {
      std::uint16_t id = 0;
      went_well = went_well && scene.session.publish(request, id) == PublishStatus::Queued;
      wire::append_ack(acks, wire::Type::Puback, true, id);
    }
    scene.session.sent(scene.session.unsent(), scene.now);
    scene.session.receive(acks, scene.now);
    went_well = went_well && scene.session.acks().size() == 64;
    for (const Session::Ack& ack : scene.session.acks())
      scene.session.release(ack.packet_id);
    scene.session.acks().clear();
  };
  for (int i = 0; i < 40; ++i)  // through more than two pages of identifiers
    round();
  take_allocations();
  for (int i = 0; i < 2000; ++i)  // through all of them, twice
    round();
  const std::size_t taken = take_allocations().count;
  CHECK(taken == 0);
  CHECK(went_well);
}
