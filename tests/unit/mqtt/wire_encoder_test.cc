// What sluice writes to a broker, against bytes written by hand from the specifications and against
// the stand-in broker's own codec.
#include "mqtt/transport/wire_encoder.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "catch.h"
#include "mqtt_wire.h"
#include "wire_bytes.h"

using namespace sluice;
using namespace sluice::mqtt;
using config::Protocol;

namespace {

std::unique_ptr<protocol::Properties> all_properties() {
  auto properties = std::make_unique<protocol::Properties>();
  properties->content_type = "text";
  properties->response_topic = "answers";
  properties->correlation_data = bytes("\x00\x01");
  properties->message_expiry_s = 60;
  properties->user = {{"a", "1"}, {"a", ""}};
  return properties;
}

}  // namespace

TEST_CASE("a PUBLISH is written as the specification shows it", "[wire]") {
  CHECK(publish_packet(request_of(0, "t", ""), Protocol::V5) == bytes("\x30\x04\x00\x01t\x00"));
  CHECK(publish_packet(request_of(1, "t", "hello"), Protocol::V5, 0x1234) ==
        bytes("\x32\x0b\x00\x01t\x12\x34\x00hello"));
  CHECK(publish_packet(request_of(1, "t", "hello"), Protocol::V311, 0x1234) ==
        bytes("\x32\x0a\x00\x01t\x12\x34hello"));
  protocol::Request retained = request_of(2, "dev/1001/cmd", "open");
  retained.retain = true;
  CHECK(publish_packet(retained, Protocol::V5) == bytes("\x35\x15\x00\x0c"
                                                        "dev/1001/cmd\x00\x01\x00open"));
}

TEST_CASE("a PUBLISH carries every property over version 5, and none over 3.1.1", "[wire]") {
  const protocol::Request with = request_of(1, "t", "", all_properties());
  CHECK(publish_packet(with, Protocol::V5) == bytes("\x32\x2e\x00\x01t\x00\x01\x28"
                                                    "\x03\x00\x04text"
                                                    "\x08\x00\x07"
                                                    "answers"
                                                    "\x09\x00\x02\x00\x01"
                                                    "\x02\x00\x00\x00\x3c"
                                                    "\x26\x00\x01"
                                                    "a\x00\x01"
                                                    "1"
                                                    "\x26\x00\x01"
                                                    "a\x00\x00"));
  CHECK(publish_packet(with, Protocol::V311) == bytes("\x32\x05\x00\x01t\x00\x01"));
}

TEST_CASE("the length fields of a PUBLISH grow at their borders", "[wire]") {
  // QoS 0 and topic "t" leave the payload and 4 bytes more as the remaining length.
  const std::pair<std::size_t, std::string> borders[] = {{127, bytes("\x7f")},
                                                         {128, bytes("\x80\x01")},
                                                         {16383, bytes("\xff\x7f")},
                                                         {16384, bytes("\x80\x80\x01")},
                                                         {2097151, bytes("\xff\xff\x7f")},
                                                         {2097152, bytes("\x80\x80\x80\x01")}};
  for (const auto& [remaining, length] : borders) {
    const std::string packet =
        publish_packet(request_of(0, "t", std::string(remaining - 4, 'x')), Protocol::V5);
    CHECK(packet.size() == 1 + length.size() + remaining);
    CHECK(packet.substr(1, length.size()) == length);
  }
  auto properties = std::make_unique<protocol::Properties>();
  properties->content_type = std::string(125, 'x');
  const std::string packet =
      publish_packet(request_of(0, "t", "", std::move(properties)), Protocol::V5);
  CHECK(packet.substr(3 + 3, 2) == bytes("\x80\x01"));
}

TEST_CASE("what no MQTT packet can hold is not possible", "[wire]") {
  const std::string longest(65535, 'x');
  CHECK(PublishPacket(request_of(0, longest, ""), Protocol::V5).is_possible());
  CHECK_FALSE(PublishPacket(request_of(0, longest + 'x', ""), Protocol::V5).is_possible());
  CHECK_FALSE(PublishPacket(request_of(0, "", ""), Protocol::V5).is_possible());
  auto properties = std::make_unique<protocol::Properties>();
  properties->user = {{"a", longest + 'x'}};
  const protocol::Request with = request_of(0, "t", "", std::move(properties));
  CHECK_FALSE(PublishPacket(with, Protocol::V5).is_possible());
  CHECK(PublishPacket(with, Protocol::V311).is_possible());  // where it is left out
}

TEST_CASE("the stand-in broker reads what is written", "[wire]") {
  const Protocol protocol = GENERATE(Protocol::V5, Protocol::V311);
  for (std::uint8_t qos = 0; qos <= 2; ++qos) {
    protocol::Request sent = request_of(qos, "a/b", "payload", all_properties());
    sent.retain = qos == 1;
    const std::string written = publish_packet(sent, protocol, 513);
    wire::Packet packet;
    std::size_t used = 0;
    REQUIRE(wire::cut_packet(written, packet, used) == wire::Cut::Whole);
    CHECK(used == written.size());
    const auto read = wire::parse_publish(packet, protocol == Protocol::V5);
    REQUIRE(read);
    CHECK(read->topic == "a/b");
    CHECK(read->payload == "payload");
    CHECK(read->qos == qos);
    CHECK(read->is_retained == (qos == 1));
    CHECK_FALSE(read->is_duplicate);
    CHECK(read->packet_id == (qos == 0 ? 0 : 513));
  }
}

TEST_CASE("short packets are written as the specification shows them", "[wire]") {
  const auto text = [](const auto& packet) { return std::string(packet.data(), packet.size()); };
  CHECK(text(ack_packet(PacketType::Puback, 1)) == bytes("\x40\x02\x00\x01"));
  CHECK(text(ack_packet(PacketType::Pubrec, 0x1234)) == bytes("\x50\x02\x12\x34"));
  CHECK(text(ack_packet(PacketType::Pubrel, 0x1234)) == bytes("\x62\x02\x12\x34"));
  CHECK(text(ack_packet(PacketType::Pubcomp, 65535)) == bytes("\x70\x02\xff\xff"));
  CHECK(text(pingreq_packet()) == bytes("\xc0\x00"));
  CHECK(text(disconnect_packet()) == bytes("\xe0\x00"));
  CHECK(subscribe_packet(7, "a/#", 1, Protocol::V5) == bytes("\x82\x09\x00\x07\x00\x00\x03"
                                                             "a/#\x01"));
  CHECK(subscribe_packet(7, "a/#", 1, Protocol::V311) == bytes("\x82\x08\x00\x07\x00\x03"
                                                               "a/#\x01"));
}
