// Addresses and urls in text.
#include "config/address.h"

#include "catch.h"

namespace sluice::config {

TEST_CASE("a listener is a TCP host and port, or the absolute path of a socket") {
  const auto plain = parse_listener("tcp://127.0.0.1:9501");
  REQUIRE(plain);
  CHECK(plain.value() == Address{Address::Kind::Tcp, "127.0.0.1", 9501, ""});
  const auto name = parse_listener("tcp://my-host.example:0");
  REQUIRE(name);
  CHECK(name.value() == Address{Address::Kind::Tcp, "my-host.example", 0, ""});
  const auto six = parse_listener("tcp://[::1]:65535");
  REQUIRE(six);
  CHECK(six.value() == Address{Address::Kind::Tcp, "::1", 65535, ""});
  const auto path = parse_listener("unix:///run/a b.sock");
  REQUIRE(path);
  CHECK(path.value() == Address{Address::Kind::Unix, "", 0, "/run/a b.sock"});
}

TEST_CASE("an address is written as it is read") {
  for (const char* text : {"tcp://127.0.0.1:9501", "tcp://[fe80::1%eth0]:1", "unix:///run/s"}) {
    const auto address = parse_listener(text);
    REQUIRE(address);
    CHECK(address.value().text() == text);
  }
}

TEST_CASE("what is no listener is refused with what is allowed") {
  for (const char* text : {"",
                           "127.0.0.1:9501",
                           "tcp://",
                           "tcp://h",
                           "tcp://h:",
                           "tcp://h:65536",
                           "tcp://h:-1",
                           "tcp://h:1x",
                           "tcp://:1",
                           "tcp://::1:1",
                           "tcp://[::1]",
                           "tcp://[::1]1",
                           "tcp://[::1:1",
                           "tcp://[h]:1",
                           "tcp://256.0.0.1:1",
                           "tcp://1.2.3:1",
                           "tcp://h_ö:1",
                           "tcp://h:1/",
                           "tls://h:1",
                           "http://h:1",
                           "unix://s",
                           "unix://",
                           "unix:///run/"}) {
    CAPTURE(text);
    const auto address = parse_listener(text);
    REQUIRE_FALSE(address);
    CHECK(address.error().what.find("expected tcp://HOST:PORT") == 0);
  }
}

TEST_CASE("a socket path has at most 107 bytes") {
  CHECK(parse_listener("unix:///" + std::string(106, 'x')));
  const auto longer = parse_listener("unix:///" + std::string(107, 'x'));
  REQUIRE_FALSE(longer);
  CHECK(longer.error().what == "expected a socket path of at most 107 bytes, found 108");
}

TEST_CASE("the admin address may do without a scheme, and is never a socket") {
  const Address expected{Address::Kind::Tcp, "::1", 9580, ""};
  const auto bare = parse_host_port("[::1]:9580");
  REQUIRE(bare);
  CHECK(bare.value() == expected);
  const auto full = parse_host_port("tcp://[::1]:9580");
  REQUIRE(full);
  CHECK(full.value() == expected);
  CHECK_FALSE(parse_host_port("unix:///run/s"));
  CHECK_FALSE(parse_host_port("9580"));
}

TEST_CASE("a broker's url says host, port and whether TLS is used") {
  struct Case {
    const char* text;
    bool tls;
    const char* host;
    std::uint16_t port;
  };
  for (const Case& c : {Case{"mqtt://h", false, "h", 1883}, Case{"mqtts://h", true, "h", 8883},
                        Case{"mqtt://10.0.0.1:1", false, "10.0.0.1", 1},
                        Case{"mqtts://[2001:db8::1]:8884", true, "2001:db8::1", 8884},
                        Case{"mqtt://[::1]/", false, "::1", 1883}}) {
    CAPTURE(c.text);
    const auto url = parse_broker_url(c.text);
    REQUIRE(url);
    CHECK(url.value().tls == c.tls);
    CHECK(url.value().host == c.host);
    CHECK(url.value().port == c.port);
  }
  for (const char* text : {"", "h", "tcp://h", "mqtt://", "mqtt://h:0", "mqtt://h:", "mqtt://h/t",
                           "mqtt://h?x", "mqtt://::1", "MQTT://h", "mqtt:h"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_broker_url(text));
  }
}

TEST_CASE("a password in a url is not repeated in the message") {
  for (const char* text : {"mqtt://u:s3cret@h", "tcp://u:s3cret@h"}) {
    const auto url = parse_broker_url(text);
    REQUIRE_FALSE(url);
    CHECK(url.error().what.find("s3cret") == std::string::npos);
    CHECK(url.error().what.find("username and password") != std::string::npos);
  }
}

TEST_CASE("an address that is refused is shown without login, path and query") {
  const auto broker = [](std::string_view url) { return parse_broker_url(url).error().what; };
  CHECK(broker("mqtt://h/?password=S3cr3t").ends_with("found \"mqtt://h/…\""));
  CHECK(broker("ws://h#S3cr3t").ends_with("found \"ws://h#…\""));
  CHECK(broker("mqtt://h/S3cr3t/").ends_with("found \"mqtt://h/…\""));
  CHECK(broker("mqtt://h:1;password=S3cr3t").ends_with("found \"mqtt://h:1;…\""));
  CHECK(broker("ws://h/").ends_with("found \"ws://h/\""));
  CHECK(broker("ws://h/?a@b").find("a@b") == std::string::npos);
  CHECK(parse_listener("tcp://u:S3cr3t@h:1").error().what.ends_with("found \"tcp://…@h:1\""));
  CHECK(parse_listener("tcp://u:S3c@r3t@h:1?x").error().what.ends_with("found \"tcp://…@h:1?…\""));
  CHECK(parse_host_port("u:S3cr3t@h:1").error().what.ends_with("found \"…@h:1\""));
  // A password that holds a mark which ends it, and a query with an "@".
  CHECK(parse_listener("tcp://u:S3?cr3t@h:1").error().what.ends_with("found \"tcp://…\""));
  CHECK(parse_listener("tcp://h:1?x=S3c@r3t").error().what.ends_with("found \"tcp://…\""));
  CHECK(parse_listener("unix://run/s").error().what.ends_with("found \"unix://run/s\""));
}

}  // namespace sluice::config
