// What sluice reads from a broker, against bytes written by hand from the specifications and
// against the stand-in broker's own codec.
#include "mqtt/transport/wire_decoder.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.h"
#include "mqtt/transport/wire_properties.h"
#include "mqtt_wire.h"
#include "wire_bytes.h"

using namespace sluice;
using namespace sluice::mqtt;
using config::Protocol;
using Next = PacketDecoder::Next;

constexpr std::size_t kLongest = 1 << 20;

namespace {

/// A packet as a test can keep it.
struct Read {
  PacketType type{};
  unsigned code = 0;
  unsigned id = 0;
  std::string topic;
  std::string payload;
  bool operator==(const Read&) const = default;
};

Read read_of(const Packet& packet) {
  Read read{.type = packet.type, .code = packet.reason_code, .id = 0, .topic = {}, .payload = {}};
  const bool is_publish = packet.type == PacketType::Publish;
  const bool has_id = packet.type != PacketType::Connack && packet.type != PacketType::Pingresp &&
                      packet.type != PacketType::Disconnect;
  if (has_id) read.id = packet.packet_id;
  if (is_publish) read.topic = packet.topic;
  if (is_publish || packet.type == PacketType::Suback) read.payload = packet.payload;
  return read;
}

/// Everything that comes of `input` in pieces of this size, each of which is gone after its turn.
std::pair<std::vector<Read>, std::string> read_in_pieces(std::string_view input, std::size_t size,
                                                         Protocol protocol = Protocol::V5,
                                                         std::size_t longest = kLongest) {
  std::vector<Read> all;
  PacketDecoder decoder(protocol, longest);
  for (; !input.empty(); input.remove_prefix(std::min(size, input.size()))) {
    const auto piece = std::make_unique<std::string>(input.substr(0, size));
    decoder.feed(*piece);
    Packet packet;
    Next result = Next::Packet;
    while ((result = decoder.next(packet)) == Next::Packet)
      all.push_back(read_of(packet));
    if (result == Next::Malformed) break;
  }
  return {all, decoder.fault()};
}

/// What is wrong with `input`, which has to be wrong in the same way however it is split.
std::string fault_of(std::string_view input, Protocol protocol = Protocol::V5) {
  const std::string fault = read_in_pieces(input, input.size(), protocol).second;
  for (std::size_t size = 1; size < input.size(); ++size)
    CHECK(read_in_pieces(input, size, protocol).second == fault);
  return fault;
}

}  // namespace

TEST_CASE("every packet of a broker is read the same, wherever it is split", "[wire]") {
  const std::string input = bytes("\x20\x03\x00\x00\x00") +                    // CONNACK
                            bytes("\x40\x02\x00\x01") +                        // PUBACK
                            bytes("\x40\x03\x00\x02\x10") +                    // with a code
                            bytes("\x40\x09\x00\x03\x87\x05\x1f\x00\x02no") +  // and a text
                            bytes("\x50\x02\x01\x00") +                        // PUBREC
                            bytes("\x62\x02\x01\x01") +                        // PUBREL
                            bytes("\x70\x04\x01\x00\x92\x00") +                // PUBCOMP
                            bytes("\xd0\x00") +                                // PINGRESP
                            bytes("\x90\x05\x00\x07\x00\x01\x87") +            // SUBACK
                            bytes("\x30\x06\x00\x01t\x00hi") +                 // PUBLISH
                            bytes(
                                "\x3d\x0b\x00\x03"
                                "a/b\x00\x09\x02\x01\x01x") +  // QoS 2, again
                            bytes("\xe0\x00") +
                            bytes("\xe0\x01\x8b") +  // DISCONNECT
                            bytes("\xe0\x07\x8e\x05\x1c\x00\x02so");
  const std::vector<Read> expected = {
      {PacketType::Connack, 0, 0, "", ""},        {PacketType::Puback, 0, 1, "", ""},
      {PacketType::Puback, 0x10, 2, "", ""},      {PacketType::Puback, 0x87, 3, "", ""},
      {PacketType::Pubrec, 0, 256, "", ""},       {PacketType::Pubrel, 0, 257, "", ""},
      {PacketType::Pubcomp, 0x92, 256, "", ""},   {PacketType::Pingresp, 0, 0, "", ""},
      {PacketType::Suback, 0, 7, "", "\x01\x87"}, {PacketType::Publish, 0, 0, "t", "hi"},
      {PacketType::Publish, 0, 9, "a/b", "x"},    {PacketType::Disconnect, 0, 0, "", ""},
      {PacketType::Disconnect, 0x8b, 0, "", ""},  {PacketType::Disconnect, 0x8e, 0, "", ""}};
  for (std::size_t size = 1; size <= input.size(); ++size) {
    const auto [all, fault] = read_in_pieces(input, size);
    CHECK(fault.empty());
    CHECK(all == expected);
  }
}

TEST_CASE("a packet of any length may be split, and the next one follows it", "[wire]") {
  const std::string payload(300'000, 'x');
  const std::string input =
      publish_packet(request_of(0, "t", payload), Protocol::V5) + bytes("\x40\x02\x00\x01");
  for (const std::size_t size : {1U, 7U, 4096U, 65536U}) {
    const auto [all, fault] = read_in_pieces(input, size);
    REQUIRE(all.size() == 2);
    CHECK(all[0] == Read{PacketType::Publish, 0, 0, "t", payload});
    CHECK(all[1] == Read{PacketType::Puback, 0, 1, "", ""});
  }
}

TEST_CASE("what the stand-in broker writes is read", "[wire]") {
  const bool is_v5 = GENERATE(true, false);
  std::string input;
  wire::append_connack(input, is_v5, 0, 20);
  wire::append_ack(input, wire::Type::Puback, is_v5, 1);
  wire::append_ack(input, wire::Type::Pubrec, is_v5, 2, 0x87);
  wire::append_ack(input, wire::Type::Pubcomp, is_v5, 3);
  wire::append_pingresp(input);
  if (is_v5) wire::append_disconnect(input, 0x8b);
  const auto [all, fault] =
      read_in_pieces(input, input.size(), is_v5 ? Protocol::V5 : Protocol::V311);
  CHECK(fault.empty());
  std::vector<Read> expected = {{PacketType::Connack, 0, 0, "", ""},
                                {PacketType::Puback, 0, 1, "", ""},
                                {PacketType::Pubrec, is_v5 ? 0x87U : 0U, 2, "", ""},
                                {PacketType::Pubcomp, 0, 3, "", ""},
                                {PacketType::Pingresp, 0, 0, "", ""}};
  if (is_v5) expected.push_back({PacketType::Disconnect, 0x8b, 0, "", ""});
  CHECK(all == expected);
}

namespace {

/// A CONNACK of version 5 with these properties.
std::string connack(const std::string& properties, unsigned code = 0) {
  std::string packet = bytes("\x20");
  packet += static_cast<char>(3 + properties.size());
  packet += '\0';
  packet += static_cast<char>(code);
  packet += static_cast<char>(properties.size());
  return packet + properties;
}

}  // namespace

TEST_CASE("a CONNACK tells what the broker takes", "[wire]") {
  const std::string input = connack(
      bytes("\x13\x00\x0a\x21\x00\x14\x24\x01\x25\x00\x27\x00\x01\x00\x00\x12\x00\x02id"
            "\x1f\x00\x02ok\x26\x00\x01"
            "a\x00\x01"
            "b\x28\x01\x29\x00\x2a\x01\x11\x00\x00\x00\x00\x22\x00\x08\x1a\x00\x01r\x1c\x00\x01s"
            "\x15\x00\x01m\x16\x00\x02\xff\xff"));
  PacketDecoder decoder(Protocol::V5, kLongest);
  decoder.feed(input);
  Packet packet;
  REQUIRE(decoder.next(packet) == Next::Packet);
  const Connack connack = connack_of(packet);
  CHECK(connack.server_keep_alive_s == 10);
  CHECK(connack.receive_maximum == 20);
  CHECK(connack.maximum_qos == 1);
  CHECK_FALSE(connack.retain_available);
  CHECK(connack.maximum_packet_size == 65536);
  std::string assigned;
  std::string reason;
  PropertyReader reader(packet.type, packet.properties);
  Property property;
  std::size_t count = 0;
  for (; reader.next(property); ++count) {
    if (property.id == PropertyId::AssignedClientIdentifier) assigned = property.text;
    if (property.id == PropertyId::ReasonString) reason = property.text;
    if (property.id == PropertyId::UserProperty)
      CHECK((property.text == "a" && property.value == "b"));
  }
  CHECK(reader.fault().empty());
  CHECK(count == 17);
  CHECK(assigned == "id");
  CHECK(reason == "ok");
}

TEST_CASE("a CONNACK without properties leaves the defaults", "[wire]") {
  const Protocol protocol = GENERATE(Protocol::V5, Protocol::V311);
  const std::string input =
      protocol == Protocol::V5 ? bytes("\x20\x03\x01\x00\x00") : bytes("\x20\x02\x01\x00");
  PacketDecoder decoder(protocol, kLongest);
  decoder.feed(input);
  Packet packet;
  REQUIRE(decoder.next(packet) == Next::Packet);
  CHECK(packet.is_session_present);
  const Connack connack = connack_of(packet);
  CHECK_FALSE(connack.receive_maximum);
  CHECK_FALSE(connack.maximum_packet_size);
  CHECK_FALSE(connack.server_keep_alive_s);
  CHECK(connack.maximum_qos == 2);
  CHECK(connack.retain_available);
}

TEST_CASE("a broker may refuse version 5 in the form of its own", "[wire]") {
  const auto [all, fault] = read_in_pieces(bytes("\x20\x02\x00\x01"), 4);
  CHECK(fault.empty());
  CHECK(all == std::vector<Read>{{PacketType::Connack, 1, 0, "", ""}});
  CHECK(fault_of(bytes("\x20\x02\x00\x00")).empty());  // what that means is for the Session
}

TEST_CASE("a first byte that no server sends is refused by itself", "[wire]") {
  const auto fault_of_first = [](unsigned first, Protocol protocol = Protocol::V5) {
    return fault_of(std::string(1, static_cast<char>(first)), protocol);
  };
  CHECK(fault_of_first(0x00) == "unknown packet type 0");
  CHECK(fault_of_first(0x10) == "unexpected CONNECT from a server");
  CHECK(fault_of_first(0x82) == "unexpected SUBSCRIBE from a server");
  CHECK(fault_of_first(0xa2) == "unexpected UNSUBSCRIBE from a server");
  CHECK(fault_of_first(0xc0) == "unexpected PINGREQ from a server");
  CHECK(fault_of_first(0xb0) == "unexpected UNSUBACK");
  CHECK(fault_of_first(0xf0) == "unexpected AUTH");
  CHECK(fault_of_first(0xf0, Protocol::V311) == "unknown packet type 15");
  CHECK(fault_of_first(0xe0, Protocol::V311) == "unexpected DISCONNECT (MQTT 3.1.1)");
  CHECK(fault_of_first('H') == "PUBACK: flags 8 instead of 0");  // an HTTP server
  CHECK(fault_of_first(0x60) == "PUBREL: flags 0 instead of 2");
  CHECK(fault_of_first(0xd1) == "PINGRESP: flags 1 instead of 0");
}

TEST_CASE("a length without an end is refused, and one beyond the limit before it is read",
          "[wire]") {
  CHECK(fault_of(bytes("\x40\xff\xff\xff\xff")) == "PUBACK: length field of more than 4 bytes");
  CHECK(fault_of(bytes("\x30\xff\xff\xff\x7f")) ==
        "PUBLISH of 268435460 bytes; max_incoming_packet_bytes is 1048576");
  const std::string ten = publish_packet(request_of(0, "t", "1234"), Protocol::V5);
  REQUIRE(ten.size() == 10);
  for (std::size_t size = 1; size <= ten.size(); ++size) {
    CHECK(read_in_pieces(ten, size, Protocol::V5, 10).second.empty());
    CHECK(read_in_pieces(ten, size, Protocol::V5, 9).second ==
          "PUBLISH of 10 bytes; max_incoming_packet_bytes is 9");
  }
}

TEST_CASE("a packet that is not what its type says is refused in words", "[wire]") {
  CHECK(fault_of(bytes("\x20\x01\x00")) == "CONNACK: truncated");
  CHECK(fault_of(bytes("\x20\x03\x02\x00\x00")) == "CONNACK: flags 2 instead of 0 or 1");
  CHECK(fault_of(bytes("\x20\x04\x00\x00\x00\x00")) == "CONNACK: bytes after the properties");
  CHECK(fault_of(bytes("\x20\x03\x00\x00\x00"), Protocol::V311) == "CONNACK: 3 bytes instead of 2");
  CHECK(fault_of(bytes("\x40\x01\x00")) == "PUBACK: truncated");
  CHECK(fault_of(bytes("\x40\x02\x00\x00")) == "PUBACK: packet identifier 0");
  CHECK(fault_of(bytes("\x40\x03\x00\x01\x00"), Protocol::V311) == "PUBACK: 3 bytes instead of 2");
  CHECK(fault_of(bytes("\x50\x04\x00\x01\x00\x01")) == "PUBREC: truncated properties");
  CHECK(fault_of(bytes("\x62\x05\x00\x01\x00\x00\x00")) == "PUBREL: bytes after the properties");
  CHECK(fault_of(bytes("\xd0\x01\x00")) == "PINGRESP: 1 bytes instead of 0");
  CHECK(fault_of(bytes("\x90\x03\x00\x01\x00")) == "SUBACK: no reason code");
  CHECK(fault_of(bytes("\x90\x04\x00\x00\x00\x00")) == "SUBACK: packet identifier 0");
  CHECK(fault_of(bytes("\x90\x03\x00\x01\x05")) == "SUBACK: truncated properties");
  CHECK(fault_of(bytes("\x36\x06\x00\x01t\x00\x01\x00")) == "PUBLISH: QoS 3");
  CHECK(fault_of(bytes("\x38\x04\x00\x01t\x00")) == "PUBLISH: a duplicate at QoS 0");
  CHECK(fault_of(bytes("\x30\x04\x00\x03t\x00")) == "PUBLISH: topic truncated or not UTF-8");
  CHECK(fault_of(bytes("\x30\x04\x00\x01\xff\x00")) == "PUBLISH: topic truncated or not UTF-8");
  CHECK(fault_of(bytes("\x32\x04\x00\x01t\x00")) == "PUBLISH: truncated");
  CHECK(fault_of(bytes("\x32\x06\x00\x01t\x00\x00\x00")) == "PUBLISH: packet identifier 0");
  CHECK(fault_of(bytes("\x30\x04\x00\x01t\x01")) == "PUBLISH: truncated properties");
  CHECK(fault_of(bytes("\xe0\x03\x00\x00\x00")) == "DISCONNECT: bytes after the properties");
  CHECK(fault_of(bytes("\xe0\x02\x00\x01")) == "DISCONNECT: truncated properties");
}

TEST_CASE("a property that is unknown ends any packet, and says so", "[wire]") {
  const std::string unknown = bytes("\x02\x7f\x00");
  const std::pair<std::string, std::string> packets[] = {
      {"CONNACK", bytes("\x20\x05\x00\x00") + unknown},
      {"PUBACK", bytes("\x40\x06\x00\x01\x00") + unknown},
      {"PUBREC", bytes("\x50\x06\x00\x01\x00") + unknown},
      {"PUBREL", bytes("\x62\x06\x00\x01\x00") + unknown},
      {"PUBCOMP", bytes("\x70\x06\x00\x01\x00") + unknown},
      {"SUBACK", bytes("\x90\x06\x00\x01") + unknown + bytes("\x00")},
      {"PUBLISH", bytes("\x30\x06\x00\x01t") + unknown},
      {"DISCONNECT", bytes("\xe0\x04\x00") + unknown}};
  for (const auto& [name, packet] : packets)
    CHECK(fault_of(packet) == name + ": unknown property 0x7F");
}

TEST_CASE("a property has to be of its form, once, and where it belongs", "[wire]") {
  CHECK(fault_of(connack(bytes("\x21\x00\x14\x21\x00\x14"))) == "CONNACK: property 0x21 repeated");
  CHECK(fault_of(connack(bytes("\x21\x00\x00"))) ==
        "CONNACK: property 0x21 has the invalid value 0");
  CHECK(fault_of(connack(bytes("\x27\x00\x00\x00\x00"))) ==
        "CONNACK: property 0x27 has the invalid value 0");
  CHECK(fault_of(connack(bytes("\x24\x02"))) == "CONNACK: property 0x24 has the invalid value 2");
  CHECK(fault_of(connack(bytes("\x25\x02"))) == "CONNACK: property 0x25 has the invalid value 2");
  CHECK(fault_of(connack(bytes("\x27\x00\x00\x01"))) ==
        "CONNACK: property 0x27 truncated or not UTF-8");
  CHECK(fault_of(connack(bytes("\x1f\x00\x02\xc3\x28"))) ==
        "CONNACK: property 0x1F truncated or not UTF-8");
  CHECK(fault_of(connack(bytes("\x26\x00\x01"
                               "a\x00\x09"
                               "b"))) == "CONNACK: property 0x26 truncated or not UTF-8");
  CHECK(fault_of(connack(bytes("\x03\x00\x01"
                               "a"))) == "CONNACK: property 0x03 not allowed here");
  CHECK(fault_of(connack(bytes("\xff\xff\xff\xff"))) == "CONNACK: truncated property identifier");
  CHECK(fault_of(connack(bytes("\x80"))) == "CONNACK: truncated property identifier");
  CHECK(fault_of(bytes("\x40\x07\x00\x01\x00\x03\x21\x00\x14")) ==
        "PUBACK: property 0x21 not allowed here");
  // Both may stand there more than once.
  CHECK(fault_of(bytes("\x40\x12\x00\x01\x00\x0e\x26\x00\x01"
                       "a\x00\x01"
                       "b\x26\x00\x01"
                       "a\x00\x01"
                       "b"))
            .empty());
  CHECK(fault_of(bytes("\x30\x08\x00\x01t\x04\x0b\x01\x0b\x02")).empty());
  CHECK(fault_of(bytes("\x30\x06\x00\x01t\x02\x0b\x00")) ==
        "PUBLISH: property 0x0B has the invalid value 0");
}

TEST_CASE("nothing in a message above the limit is taken for a packet", "[wire]") {
  std::string body = bytes("\x00\x01t\x00\x07");
  for (int i = 0; i < 100; ++i)
    body += bytes("\x40\x02\x00\x01");
  const std::string input = "\x32" + varint(body.size()) + body + bytes("\x40\x02\x00\x02");
  const std::vector<Read> expected = {{PacketType::Publish, 0, 7, "", ""},
                                      {PacketType::Puback, 0, 2, "", ""}};
  for (std::size_t size = 1; size <= input.size(); ++size) {
    const auto [all, fault] = read_in_pieces(input, size, Protocol::V311, body.size());
    CHECK(fault.empty());
    CHECK(all == expected);
  }
}

TEST_CASE("behind a fault nothing is read any more", "[wire]") {
  PacketDecoder decoder(Protocol::V5, kLongest);
  Packet packet;
  const std::string acks = bytes("\x40\x02\x00\x00\x40\x02\x00\x01");
  decoder.feed(acks);
  CHECK(decoder.next(packet) == Next::Malformed);
  CHECK(decoder.next(packet) == Next::Malformed);
  decoder.feed(std::string_view(acks).substr(4));
  CHECK(decoder.next(packet) == Next::Malformed);
  CHECK(decoder.fault() == "PUBACK: packet identifier 0");
}
