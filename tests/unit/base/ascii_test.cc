// Case and numbers, without a locale.
#include "base/ascii.h"

#include <cstdint>

#include "catch.h"

namespace sluice {

TEST_CASE("only A to Z have a lower case", "[ascii]") {
  CHECK(to_lower(std::string("MQTT.Example-1 Ä[@")) == "mqtt.example-1 Ä[@");
}

TEST_CASE("a number is the whole text and fits its type", "[ascii]") {
  CHECK(to_integer<std::int64_t>("-9223372036854775808") == INT64_MIN);
  CHECK(to_integer<std::uint16_t>("65535") == 65535);
  CHECK(to_integer<int>("007") == 7);
  for (const char* text : {"", " 1", "1 ", "+1", "0x1", "1.0", "-", "9223372036854775808"}) {
    CAPTURE(text);
    CHECK_FALSE(to_integer<std::int64_t>(text));
  }
  CHECK_FALSE(to_integer<std::uint16_t>("65536"));
  CHECK_FALSE(to_integer<std::uint16_t>("-1"));
}

}  // namespace sluice
