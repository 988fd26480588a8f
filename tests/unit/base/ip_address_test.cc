#include "base/ip_address.h"

#include <string>

#include "catch.h"

using sluice::IpAddress;

TEST_CASE("an address is written in its shortest form, whatever form it was read in") {
  const auto text_of = [](std::string_view text) {
    const auto address = IpAddress::parse(text);
    return address ? address->text() : "";
  };
  CHECK(text_of("10.1.2.3") == "10.1.2.3");
  CHECK(text_of("2001:DB8:0::1") == "2001:db8::1");
  CHECK(text_of("::") == "::");
  CHECK(text_of("::ffff:10.1.2.3") == "10.1.2.3");
  CHECK(IpAddress::parse("10.1.2.3")->text_with_port(80) == "10.1.2.3:80");
  CHECK(IpAddress::parse("2001:db8::1")->text_with_port(80) == "[2001:db8::1]:80");
}

TEST_CASE("both forms of an IPv4 address are equal") {
  CHECK(IpAddress::parse("10.1.2.3") == IpAddress::parse("::ffff:a01:203"));
  CHECK_FALSE(IpAddress::parse("10.1.2.3") == IpAddress::parse("::10.1.2.3"));
  CHECK(IpAddress::parse("::ffff:a01:203")->is_v4());
  CHECK_FALSE(IpAddress::parse("::1")->is_v4());
}

TEST_CASE("what is no address, or more than one, is none") {
  for (const std::string_view text :
       {"", "10.1.2", "10.1.2.3.4", "10.1.2.256", "010.1.2.3", "10.1.2.3 ", "10.1.2.3:80", "[::1]",
        ":::", "fe80::1%lo", "12345::", "localhost", "1.2.3.4/8"}) {
    CAPTURE(text);
    CHECK_FALSE(IpAddress::parse(text));
  }
  CHECK_FALSE(IpAddress::parse(std::string_view("10.1.2.3\0", 9)));
  CHECK_FALSE(IpAddress::parse(std::string(1000, ':')));
}
