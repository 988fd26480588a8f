// Fewer or more connections in a running pool: slots that are removed, and come back.
#include <chrono>
#include <set>

#include "pool_changes.h"

using namespace sluice;
using namespace sluice::mqtt;

namespace {

/// Two links with a message each, of which the second is removed; returns its message.
Note& take_slot_away(PoolLab& lab) {
  lab.bring_up();
  Note& first = lab.send(1);
  Note& second = lab.send(2);
  lab.change(to_count(1));
  lab.turn();
  return lab.slot_of(first) == 1 ? first : second;
}

}  // namespace

TEST_CASE("more connections are made at once, and none of the others is touched",
          "[pool][reconfigure]") {
  PoolLab lab(1);
  lab.bring_up();
  lab.change(to_count(3));
  lab.accept_until(3);
  CHECK(attempted(lab) == Texts{"c0", "c1", "c2"});
}

TEST_CASE("a slot that is not wanted any more ends when all is acknowledged",
          "[pool][reconfigure]") {
  PoolLab lab(2);
  Note& leaving = take_slot_away(lab);
  Note& next = lab.send(leaving.own.device_id);
  CHECK(next.state() == State::Pinned);  // behind what is unacknowledged there
  lab.acknowledge(leaving);
  lab.run_until([&] { return lab.pool->connections() == 1; });
  CHECK(lab.broker.latest("c1").sent_disconnect);
  CHECK(lab.slot_of(next) == 0);
  CHECK(lab.broker.attempts.size() == 2);
}

TEST_CASE("a slot that is wanted again before DISCONNECT goes on as it was",
          "[pool][reconfigure]") {
  PoolLab lab(2, window_of(64));
  Note& leaving = take_slot_away(lab);
  lab.change(to_count(2));
  CHECK(lab.pool->link(1).state() == LinkState::Ready);
  lab.acknowledge(leaving);
  lab.turn();
  CHECK(lab.broker.attempts.size() == 2);
  CHECK_FALSE(lab.connection(1).sent_disconnect);
  std::set<unsigned> used;
  for (int device = 10; device < 14; ++device)
    used.insert(lab.slot_of(lab.send(device)));
  CHECK(used == std::set<unsigned>{0, 1});
}

TEST_CASE("a slot that is wanted again after DISCONNECT has a successor", "[pool][reconfigure]") {
  PoolLab lab(2);
  Note& leaving = take_slot_away(lab);
  lab.connection(1).ignores_disconnect = true;
  lab.acknowledge(leaving);
  lab.turn();
  REQUIRE(lab.connection(1).sent_disconnect);
  lab.change(to_count(2));
  CHECK(lab.pool->link(1).state() == LinkState::Replacing);
  lab.run_until([&] { return lab.broker.pending() == 1; });
  lab.accept_until(2);
  CHECK(lab.pool->connections() == 2);
}

TEST_CASE("what a retiring slot's lost connection had been given is sent again before it ends",
          "[pool][reconfigure]") {
  PoolLab lab(2);
  Note& leaving = take_slot_away(lab);
  lab.connection(1).lose();
  lab.accept_until(2);
  lab.acknowledge(leaving);
  CHECK(leaving.is_acknowledged());
  lab.run_until([&] { return lab.pool->connections() == 1; });
}

TEST_CASE("a retiring slot that connects for what it holds does so under new settings, too",
          "[pool][reconfigure]") {
  PoolLab lab(2);
  lab.bring_up();
  Note& first = lab.send(1);
  Note& second = lab.send(2);
  Note& leaving = lab.slot_of(first) == 1 ? first : second;
  lab.connection(1).lose();
  lab.run_until([&] { return lab.connection(1).is_pending(); });
  lab.change(to_count(1));
  lab.change(connect_otherwise);
  lab.accept_until(2);
  lab.acknowledge(leaving);
  lab.acknowledge(&leaving == &first ? second : first);
  lab.run_until([&] { return lab.pool->connections() == 1; });
  lab.accept_until(1);
}

TEST_CASE("a retiring slot without a connection ends when its messages are given up",
          "[pool][reconfigure]") {
  PoolLab lab(2, [](config::Broker& broker) {
    broker.reconnect_min = std::chrono::hours(1);
    broker.reconnect_max = std::chrono::hours(1);
    broker.keepalive_s = 1;
  });
  lab.bring_up();
  Note& first = lab.send(1);
  Note& second = lab.send(2);
  Note& leaving = lab.slot_of(first) == 1 ? first : second;
  lab.connection(1).lose();
  lab.change(to_count(1));
  lab.turn();
  CHECK(lab.pool->connections() == 2);
  lab.give_up(leaving);
  lab.run_until([&] { return lab.pool->connections() == 1; });  // when the fence has ended
  CHECK(leaving.is(DeliveryOutcome::Kind::GivenUp));
}

TEST_CASE("a pool that closes all connections sends DISCONNECT on each, and can come back",
          "[pool][reconfigure]") {
  PoolLab lab(2);
  lab.bring_up();
  lab.pool->close_all();
  lab.run_until([&] { return lab.pool->connections() == 0; });
  CHECK(lab.broker.latest("c0").sent_disconnect);
  CHECK(lab.broker.latest("c1").sent_disconnect);
  lab.change(to_count(2));
  lab.accept_until(2);
  CHECK(lab.send(1).handed_over);
}

TEST_CASE("a pool that closes all connections while its broker is down ends its attempts",
          "[pool][reconfigure]") {
  PoolLab lab(3, without_retries);
  start_with_a_failure(lab);
  lab.pool->close_all();
  lab.run_until([&] { return lab.pool->connections() == 0; });
  CHECK(lab.broker.pending() == 0);
}

TEST_CASE("a slot that is wanted again while it was being replaced is replaced after all",
          "[pool][reconfigure]") {
  PoolLab lab(2);
  lab.bring_up();
  lab.send(1);
  lab.send(2);
  lab.change(connect_otherwise);
  lab.turn();
  REQUIRE(lab.pool->link(0).state() == LinkState::Replacing);
  lab.pool->close_all();
  lab.turn();
  REQUIRE(lab.pool->link(0).state() == LinkState::Retiring);
  lab.change([](PoolSettings&) {});
  for (unsigned slot : {0u, 1u})
    lab.connection(slot).ack_all();
  lab.run_until([&] {
    lab.broker.accept_pending();
    return lab.broker.attempts.size() == 4 && lab.pool->ready_links() == 2;
  });
  for (unsigned slot : {0u, 1u})
    CHECK(lab.connection(slot).key == lab.settings.connection_key);
}

TEST_CASE("a removed slot that is down with nothing to send again does not reconnect",
          "[pool][reconfigure]") {
  PoolLab lab(3);
  lab.bring_up();
  for (std::int64_t device = 1; device <= 3; ++device)
    lab.send(device);
  for (unsigned slot : {0u, 1u})
    lab.connection(slot).ack_all();
  REQUIRE(lab.connection(2).unacked.size() == 1);  // it keeps its slot, and those before it
  lab.connection(1).lose();
  lab.run_until([&] { return lab.connection(1).is_pending(); });
  const std::size_t attempts = lab.broker.attempts.size();
  lab.change(to_count(1));
  lab.turn();
  CHECK(lab.pool->connections() == 3);
  CHECK(lab.pool->link(1).state() == LinkState::Idle);
  lab.advance(std::chrono::seconds(10));
  CHECK(lab.broker.attempts.size() == attempts);
}
