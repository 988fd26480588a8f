// Client identifiers and the instance name in them.
#include "config/identifier.h"

#include "catch.h"
#include "config/config.h"

namespace sluice::config {

TEST_CASE("every placeholder of a client identifier is replaced, also twice") {
  Config config;
  config.server.instance = "i";
  Broker broker;
  broker.name = "b";
  CHECK(client_identifier(config, broker, 7, "h", 42) == "sluice-h-i-b-7");
  broker.client_id = "{pid}{slot}{slot}}-{host}";
  CHECK(client_identifier(config, broker, 0, "{pid}", 42) == "4200}-{pid}");
}

TEST_CASE("an unknown or open placeholder is an error that names it") {
  for (const char* pattern : {"{Host}", "a{", "a{slot", "{}", "{{slot}"}) {
    CAPTURE(pattern);
    const auto replaced = replace_placeholders(pattern, {});
    REQUIRE_FALSE(replaced);
    CHECK(replaced.error().what.find("{host}, {instance}, {broker}, {slot} and {pid}") !=
          std::string::npos);
  }
}

TEST_CASE("the instance is named, or else the first listener's port or socket") {
  Config config;
  CHECK(instance_name(config) == "9501");
  config.server.listen = {{Address::Kind::Unix, "", 0, "/run/x/sluice.sock"},
                          {Address::Kind::Tcp, "h", 1, ""}};
  CHECK(instance_name(config) == "sluice.sock");
  config.server.instance = "named";
  CHECK(instance_name(config) == "named");
}

}  // namespace sluice::config
