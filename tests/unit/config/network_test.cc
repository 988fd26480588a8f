#include "config/network.h"

#include "support.h"

namespace sluice::config {
namespace {

bool holds(std::string_view network, std::string_view address) {
  const auto parsed = parse_network(network);
  REQUIRE(parsed);
  return parsed.value().contains(IpAddress::parse(address).value());
}

}  // namespace

TEST_CASE("a network holds the addresses that begin with its prefix") {
  CHECK(holds("10.0.0.0/8", "10.255.255.255"));
  CHECK_FALSE(holds("10.0.0.0/8", "11.0.0.0"));
  CHECK(holds("10.1.2.128/25", "10.1.2.255"));
  CHECK_FALSE(holds("10.1.2.128/25", "10.1.2.127"));
  CHECK(holds("2001:db8::/33", "2001:db8:7fff::1"));
  CHECK_FALSE(holds("2001:db8::/33", "2001:db8:8000::"));
}

TEST_CASE("an address alone is a network of one") {
  CHECK(holds("10.1.2.3", "10.1.2.3"));
  CHECK_FALSE(holds("10.1.2.3", "10.1.2.2"));
  CHECK(holds("::1", "::1"));
  CHECK_FALSE(holds("::1", "::"));
}

TEST_CASE("an IPv4 network holds IPv4-mapped addresses, and no others") {
  CHECK(holds("10.0.0.0/8", "::ffff:10.1.2.3"));
  CHECK(holds("0.0.0.0/0", "255.255.255.255"));
  CHECK_FALSE(holds("0.0.0.0/0", "::1"));
  CHECK(holds("::/0", "10.1.2.3"));
  CHECK(holds("::ffff:10.0.0.0/104", "10.1.2.3"));
}

TEST_CASE("bits beyond the prefix say nothing") {
  CHECK(parse_network("127.0.0.1/8").value() == parse_network("127.0.0.0/8").value());
  CHECK(holds("127.0.0.1/8", "127.9.9.9"));
}

TEST_CASE("what is no network is quoted with what would be one") {
  for (const std::string text :
       {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0/8", "::/129",
        "10.0.0.0/255.0.0.0", "localhost", "tcp://10.0.0.1", "unix://"}) {
    CAPTURE(text);
    const auto network = parse_network(text);
    REQUIRE_FALSE(network);
    CHECK(network.error().what ==
          "expected a network such as 10.0.0.0/8 or fd00::/8, an IP address, or \"unix\" for Unix "
          "sockets, found \"" +
              text + "\"");
  }
}

TEST_CASE("proxy_protocol and proxy_from are read together") {
  const Config config =
      config_of(with_broker("[server]\nproxy_protocol = \"required\"\nproxy_from = "
                            "[\"10.0.0.0/8\", \"::1\", \"unix\"]\n"));
  CHECK(config.server.proxy_protocol == ProxyProtocol::Required);
  CHECK(config.server.proxy_from.networks.size() == 2);
  CHECK(config.server.proxy_from.unix_sockets);
  CHECK(config.server.proxy_from.contains(IpAddress::parse("10.9.9.9").value()));
  CHECK(config.server.proxy_from.contains(IpAddress::parse("::1").value()));
  CHECK_FALSE(config.server.proxy_from.contains(IpAddress::parse("127.0.0.1").value()));
  CHECK(config_of(broker_with("")).server.proxy_protocol == ProxyProtocol::Off);
  CHECK_FALSE(config == config_of(broker_with("")));
}

TEST_CASE("a PROXY protocol header that is required from nowhere is a fault") {
  const std::string what =
      "with proxy_protocol = \"required\" expected the load balancer's addresses in proxy_from, "
      "such "
      "as [\"10.0.0.0/8\"], found none\n";
  CHECK(faults_of(with_broker("[server]\nproxy_protocol = \"required\"\n")) ==
        "f:2:18: server.proxy_protocol: " + what);
  CHECK(faults_of(with_broker("[server]\nproxy_protocol = \"required\"\nproxy_from = []\n")) ==
        "f:3:14: server.proxy_from: " + what);
  CHECK(faults_of(with_broker("[server]\nproxy_protocol = \"on\"\nproxy_from = [\"10\"]\n")) ==
        "f:2:18: server.proxy_protocol: expected \"off\" or \"required\", found \"on\"\n"
        "f:3:15: server.proxy_from: expected a network such as 10.0.0.0/8 or fd00::/8, an IP "
        "address, or \"unix\" for Unix sockets, found \"10\"\n");
}

TEST_CASE("proxy_from has at most 256 entries") {
  std::string entries;
  for (int i = 0; i < 256; ++i)
    entries += "\"10.0.0.1\", ";
  const auto text = [](const std::string& list) {
    return with_broker("[server]\nproxy_from = [" + list + "]\n");
  };
  CHECK(faults_of(text(entries)).empty());
  CHECK(faults_of(text(entries + "\"unix\"")) ==
        "f:2:14: server.proxy_from: expected at most 256 entries, found 257; larger networks name "
        "more addresses at once\n");
}

TEST_CASE("a TCP listener that no client could use is warned of") {
  const std::string required = "proxy_protocol = \"required\"\nproxy_from = [\"unix\"]\n";
  const Loaded loaded = parse_text(with_broker("[server]\n" + required));
  REQUIRE(loaded.warnings.size() == 1);
  CHECK(loaded.warnings[0].what ==
        "server.proxy_from: names no network, so no client can use a tcp:// listener");
  CHECK(
      parse_text(with_broker("[server]\nlisten = [\"unix:///s\"]\n" + required)).warnings.empty());
}

}  // namespace sluice::config
