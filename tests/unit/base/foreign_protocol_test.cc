// Servers of other protocols by what they send first.
#include "base/foreign_protocol.h"

#include <string_view>

#include "catch.h"

using namespace sluice;
using namespace std::string_view_literals;

TEST_CASE("five bytes are enough to name a protocol", "[foreign_protocol]") {
  CHECK(protocol_of("HTTP/") == "HTTP");
  CHECK(protocol_of("SSH-2") == "SSH");
  CHECK(protocol_of("220 m") == "SMTP or FTP");
  CHECK(protocol_of("220-m") == "SMTP or FTP");
  CHECK(protocol_of("AMQP\0"sv) == "AMQP");
  CHECK(protocol_of("\x15\x03\x03\0\x02"sv) == "TLS");
  CHECK(protocol_of("\x16\x03\x01\x02\0"sv) == "TLS");
}

TEST_CASE("what may be MQTT, or is too short, has no name", "[foreign_protocol]") {
  for (const std::string_view bytes :
       {""sv, "H"sv, "SSH"sv, "\x16"sv, "\x20\x02\0\0"sv, "\x20\x03\0\0\0"sv, "\x10\x03\0\x04M"sv,
        "\x18\x03\0\0"sv, "\x16\x02\0\0"sv, "221 bye"sv})
    CHECK(protocol_of(bytes).empty());
}
