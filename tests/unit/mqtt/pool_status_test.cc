// What a pool says of an outage: why, since when, and when it tries again.
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "pool_lab.h"

using namespace sluice;
using namespace sluice::mqtt;

namespace {

constexpr auto kDelay = std::chrono::seconds(8);

/// Attempts are repeated after kDelay at most.
void slowly(config::Broker& broker) {
  broker.name = "o2o";
  broker.reconnect_min = broker.reconnect_max = kDelay;
}

Loss refused_by_tcp() {
  return {Loss::Kind::Unreachable, 0, "Connection refused", FailureReason::Refused};
}

std::uint64_t failures(const PoolLab& lab, FailureReason reason) {
  return lab.pool->counters().connect_failures.at(static_cast<std::size_t>(reason));
}

}  // namespace

TEST_CASE("a broker that was never connected is down since the start, for no reason yet",
          "[pool_status]") {
  PoolLab lab(2, slowly);
  const TimePoint start = lab.loop.now();
  lab.advance(std::chrono::seconds(3));
  CHECK(lab.pool->status().down_since == start);
  CHECK(lab.pool->status_of(1).down_since == start);
  CHECK(lab.pool->status().last_error.empty());
  CHECK_FALSE(lab.pool->status().next_attempt);  // it is not started
  CHECK(lab.pool->describe_outage() == "broker o2o has no connection yet");
}

TEST_CASE("a failed attempt is the latest error, and the next one has a time", "[pool_status]") {
  PoolLab lab(1, slowly);
  lab.pool->start();
  lab.turn();
  CHECK_FALSE(lab.pool->status().next_attempt);  // one is under way
  lab.connection().end(refused_by_tcp());
  lab.turn();
  CHECK(lab.pool->describe_outage() == "broker o2o has no connection: Connection refused");
  CHECK(lab.pool->status_of(0).last_error == "Connection refused");
  const std::optional<TimePoint> next = lab.pool->status().next_attempt;
  REQUIRE(next);
  CHECK(lab.pool->status_of(0).next_attempt >= lab.loop.now() + kDelay / 2);
  CHECK(*next == lab.loop.now() + std::chrono::seconds(2));  // without any connection
  lab.run_until([&] { return lab.broker.attempts.size() == 2; });
  CHECK(lab.loop.now() == *next);
  CHECK(failures(lab, FailureReason::Refused) == 1);
}

TEST_CASE("while one link is refused for all, the others wait for two seconds", "[pool_status]") {
  PoolLab lab(3, slowly);
  lab.pool->start();
  lab.turn();
  lab.connection().refuse(0x87);
  lab.turn();
  CHECK(failures(lab, FailureReason::Login) == 1);
  CHECK(lab.pool->status().last_error == "refused");
  CHECK(lab.pool->status_of(1).last_error.empty());
  CHECK(lab.pool->status_of(0).next_attempt == lab.loop.now() + kDelay);
  for (std::size_t slot = 1; slot < 3; ++slot)
    CHECK(lab.pool->status_of(slot).next_attempt == lab.loop.now() + std::chrono::seconds(2));
}

TEST_CASE("the reason of an outage is none of an earlier one, or of other settings",
          "[pool_status]") {
  PoolLab lab(1, slowly);
  lab.pool->start();
  lab.turn();
  lab.connection().end(refused_by_tcp());
  lab.turn();
  SECTION("after other settings") {
    lab.change([](PoolSettings& settings) { settings.connection_key += "x"; });
    CHECK(lab.pool->describe_outage() == "broker o2o has no connection yet");
  }
  SECTION("after a connection") {
    lab.accept_until(1);
    CHECK(lab.pool->describe_outage() == "broker o2o has no connection yet");
    CHECK(lab.pool->status().last_error == "Connection refused");
  }
}

TEST_CASE("a connection ends the outage, and its loss begins one", "[pool_status]") {
  PoolLab lab(2, slowly);
  lab.pool->start();
  lab.turn();
  lab.connection(0).end(refused_by_tcp());
  lab.accept_until(2);
  CHECK_FALSE(lab.pool->status().down_since);
  CHECK_FALSE(lab.pool->status().next_attempt);
  CHECK(lab.pool->status().last_error == "Connection refused");  // kept
  lab.advance(std::chrono::seconds(60));
  lab.connection(1).end({Loss::Kind::Disconnected, 0, "closed by the broker"});
  const TimePoint lost = lab.loop.now();
  CHECK_FALSE(lab.pool->status().down_since);  // the other one is up
  CHECK(lab.pool->status_of(1).down_since == lost);
  CHECK(lab.pool->status().last_error == "closed by the broker");
  CHECK(lab.pool->status_of(0).last_error == "Connection refused");
  lab.advance(std::chrono::milliseconds(10));
  lab.connection(0).end({Loss::Kind::Silent, 0, "silent"});
  CHECK(lab.pool->status().down_since == lost + std::chrono::milliseconds(10));
  CHECK(lab.pool->describe_outage() == "broker o2o has no connection: silent");
}

TEST_CASE("lost connections, and what sluice ends, count as no failed attempts", "[pool_status]") {
  PoolLab lab(1, slowly);
  lab.bring_up();
  lab.connection().end({Loss::Kind::Disconnected, 0, "closed by the broker"});
  lab.run_until([&] { return lab.broker.attempts.size() == 2; });
  lab.change([](PoolSettings& settings) { settings.connection_key = "other"; });
  lab.turn();
  for (const std::uint64_t count : lab.pool->counters().connect_failures)
    CHECK(count == 0);
  CHECK(lab.pool->status().last_error == "closed by the broker");
}

TEST_CASE("an attempt without CONNACK, or without an address, says what was missing",
          "[pool_status]") {
  SECTION("no CONNACK") {
    PoolLab lab(1, [](config::Broker& broker) {
      slowly(broker);
      broker.connect_timeout = std::chrono::seconds(5);
    });
    lab.pool->start();
    lab.run_until([&] { return !lab.pool->status().last_error.empty(); });
    CHECK(lab.pool->status().last_error == "no CONNACK within 5000 ms");
    CHECK(failures(lab, FailureReason::Timeout) == 1);
  }
  SECTION("no address") {
    PoolLab lab(1, [](config::Broker& broker) {
      slowly(broker);
      broker.host = std::string(300, 'x');  // too long to be looked up
    });
    lab.pool->start();
    lab.run_until([&] { return !lab.pool->status().last_error.empty(); });
    CHECK(lab.pool->status().last_error.starts_with("name xxx"));
    CHECK(failures(lab, FailureReason::Name) == 1);
  }
}

TEST_CASE("a stopped pool makes no further attempt", "[pool_status]") {
  PoolLab lab(1, slowly);
  lab.pool->start();
  lab.turn();
  lab.connection().end(refused_by_tcp());
  lab.pool->stop();
  CHECK_FALSE(lab.pool->status().next_attempt);
}
