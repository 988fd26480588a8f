// What a reload finds changed: keys, listeners, and which broker is which.
#include "config/difference.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support.h"

using namespace sluice;
using namespace sluice::config;
using Texts = std::vector<std::string>;

namespace {

Broker broker(std::string name, std::string host, std::int64_t max = 10) {
  Broker made;
  made.name = std::move(name);
  made.host = std::move(host);
  made.max_dev_no = max;
  return made;
}

/// The place in `known` of each of `next`; -1: a new one.
std::vector<int> matches(const std::vector<Broker>& known, const std::vector<Broker>& next,
                         std::optional<std::size_t> leaving = {}) {
  std::vector<KnownBroker> all;
  for (std::size_t at = 0; at < known.size(); ++at)
    all.push_back({known[at], leaving == at});
  std::vector<int> places;
  for (const auto& match : match_brokers(all, next))
    places.push_back(match ? static_cast<int>(*match) : -1);
  return places;
}

using Places = std::vector<int>;

}  // namespace

TEST_CASE("a broker is the one of its name, wherever it stands in the file", "[difference]") {
  const std::vector<Broker> known = {broker("a", "x"), broker("b", "y")};
  CHECK(matches(known, known) == Places{0, 1});
  CHECK(matches(known, {broker("b", "y"), broker("a", "x")}) == Places{1, 0});
  CHECK(matches(known, {broker("a", "z")}) == Places{0});
  CHECK(matches(known, {broker("a", "x", 99), broker("c", "z")}) == Places{0, -1});
}

TEST_CASE("a broker of another name at the same url is the same broker, renamed", "[difference]") {
  CHECK(matches({broker("a", "x")}, {broker("b", "X")}) == Places{0});
  CHECK(matches({broker("a", "x")}, {broker("b", "x", 99)}) == Places{0});
  CHECK(matches({broker("a", "x")}, {broker("b", "y")}) == Places{-1});
}

TEST_CASE("brokers that swap their names keep their messages", "[difference]") {
  const std::vector<Broker> known = {broker("a", "x", 10), broker("b", "y", 20)};
  CHECK(matches(known, {broker("b", "x", 10), broker("a", "y", 20)}) == Places{0, 1});
}

TEST_CASE("brokers that swap their urls are still who they were", "[difference]") {
  const std::vector<Broker> known = {broker("a", "x", 10), broker("b", "y", 20)};
  CHECK(matches(known, {broker("a", "y", 10), broker("b", "x", 20)}) == Places{0, 1});
}

TEST_CASE("a broker that comes back is found while it is still leaving", "[difference]") {
  CHECK(matches({broker("a", "x")}, {broker("a", "x")}, 0) == Places{0});
  CHECK(matches({broker("a", "x")}, {broker("a", "y")}, 0) == Places{0});
  CHECK(matches({broker("a", "x")}, {broker("b", "x")}, 0) == Places{0});
  CHECK(matches({broker("a", "x")}, {broker("b", "y")}, 0) == Places{-1});
}

TEST_CASE("what a broker that is leaving holds goes to nobody with another login", "[difference]") {
  Broker other = broker("b", "x");
  other.username = "u";
  CHECK(matches({broker("a", "x")}, {other}, 0) == Places{-1});
}

TEST_CASE("a live broker that moves to where another one is leaving takes its messages along",
          "[difference]") {
  const std::vector<Broker> known = {broker("b", "y"), broker("a", "x")};
  CHECK(matches(known, {broker("b", "x")}, 1) == Places{0});
}

TEST_CASE("no broker is taken for two", "[difference]") {
  CHECK(matches({broker("a", "x")}, {broker("b", "x"), broker("c", "x")}) == Places{0, -1});
}

TEST_CASE("connections depend on address, login, protocol, keep alive and TLS, and on no more",
          "[difference]") {
  const Broker base = broker("a", "x");
  const auto changes_key = [&](void (*change)(Broker&)) {
    Broker changed = base;
    change(changed);
    return connection_key(changed) != connection_key(base);
  };
  CHECK(changes_key([](Broker& b) { b.host = "y"; }));
  CHECK(changes_key([](Broker& b) { b.port = 1; }));
  CHECK(changes_key([](Broker& b) { b.username = "u"; }));
  CHECK(changes_key([](Broker& b) { b.password = "p"; }));
  CHECK(changes_key([](Broker& b) { b.protocol = Protocol::V311; }));
  CHECK(changes_key([](Broker& b) { b.keepalive_s = 7; }));
  CHECK(changes_key([](Broker& b) { b.max_incoming_packet_bytes = 7; }));
  CHECK(changes_key([](Broker& b) { b.tls_enabled = true; }));
  CHECK(changes_key([](Broker& b) { b.tls.insecure = true; }));
  CHECK_FALSE(changes_key([](Broker& b) { b.name = "b"; }));
  CHECK_FALSE(changes_key([](Broker& b) { b.max_dev_no = 99; }));
  CHECK_FALSE(changes_key([](Broker& b) { b.connections = 1; }));
  CHECK_FALSE(changes_key([](Broker& b) { b.max_inflight = 1; }));
  CHECK_FALSE(changes_key([](Broker& b) { b.queue_messages = 1; }));
  Broker one = base;
  Broker other = base;
  one.username = "u password=1:p";
  other.username = "u";
  other.password = "p";
  CHECK(connection_key(one) != connection_key(other));
}

TEST_CASE("what a running listener cannot change stays as it is, and is named", "[difference]") {
  Config running;
  Config next;
  next.server.reuse_port = true;
  next.server.max_connections = 5;
  CHECK(keep_what_needs_restart(running, next) == Texts{"server.reuse_port"});
  CHECK_FALSE(next.server.reuse_port);
  CHECK(next.server.max_connections == 5);
  CHECK(keep_what_needs_restart(running, next).empty());
  next.server.tcp_fastopen = true;
  CHECK(keep_what_needs_restart(running, next) == Texts{"server.tcp_fastopen"});
}

TEST_CASE("listeners are told apart by their whole address", "[difference]") {
  const Address tcp{Address::Kind::Tcp, "127.0.0.1", 1, ""};
  const Address other{Address::Kind::Tcp, "127.0.0.1", 2, ""};
  const Address file{Address::Kind::Unix, "", 0, "/s"};
  CHECK(missing_addresses({tcp, file}, {file, other}) == std::vector<Address>{tcp});
  CHECK(missing_addresses({tcp}, {tcp}).empty());
}

TEST_CASE("changes are told by section, and listeners one by one", "[difference]") {
  Config former = config_of(broker_with(""));
  CHECK(describe_changes(former, former).empty());
  Config next =
      config_of(broker_with("") + "\n[replies]\nsuccess = \"ok\"\n[log]\nlevel = \"warn\"");
  CHECK(describe_changes(former, next) == Texts{"[replies] changed", "[log] changed"});
  next = former;
  next.server.listen[0].port = 1;
  CHECK(describe_changes(former, next) ==
        Texts{"listener tcp://127.0.0.1:1 added", "listener tcp://127.0.0.1:9501 removed"});
}
