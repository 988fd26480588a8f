// New settings for a running pool: what is replaced, in which order, and what is kept.
#include <chrono>

#include "pool_changes.h"

using namespace sluice;
using namespace sluice::mqtt;

namespace {

auto to_prefix(const char* prefix) {
  return [prefix](PoolSettings& settings) {
    const auto count = static_cast<unsigned>(settings.client_ids.size());
    settings.client_ids = PoolLab::identifiers(count, prefix);
  };
}

}  // namespace

TEST_CASE("a connection is replaced once all is acknowledged, and takes nothing new before",
          "[pool][reconfigure]") {
  PoolLab lab;
  lab.bring_up();
  Note& old = lab.send(1);
  Connection& former = lab.connection();
  lab.change(connect_otherwise);
  lab.turn();
  Note& next = lab.send(1);
  Note& other = lab.send(2);
  CHECK(former.is_open());
  CHECK(former.sent.size() == 1);
  former.ack();
  lab.turn();
  CHECK(old.is_acknowledged());
  CHECK(former.sent_disconnect);
  lab.accept_until(1);
  CHECK(attempted(lab) == Texts{"c0", "c0"});
  CHECK(lab.connection().payloads() == Texts{"2", "3"});
  lab.connection().ack_all();
  CHECK(next.is_acknowledged());
  CHECK(other.is_acknowledged());
  CHECK(lab.pool->counters().reconnects == 0);
}

TEST_CASE("settings that connections do not depend on leave them alone", "[pool][reconfigure]") {
  PoolLab lab(4);
  lab.bring_up();
  lab.change([](PoolSettings& settings) {
    settings.broker.queue_messages = 7;
    settings.broker.max_inflight = 3;
    settings.broker.name = "renamed";
  });
  lab.turn(10);
  CHECK(lab.broker.attempts.size() == 4);
  CHECK(lab.pool->ready_links() == 4);
  CHECK(lab.pool->name() == "renamed");
  CHECK(lab.pool->link(0).window() == 3);
}

TEST_CASE("a quarter of the connections at a time is replaced, and the next when those are up",
          "[pool][reconfigure]") {
  PoolLab lab(8);
  lab.bring_up();
  lab.change(connect_otherwise);
  for (std::size_t replaced = 2; replaced <= 8; replaced += 2) {
    lab.run_until([&] { return lab.broker.attempts.size() == 8 + replaced; });
    lab.turn(10);
    CHECK(lab.broker.attempts.size() == 8 + replaced);
    CHECK(lab.pool->ready_links() == 6);
    lab.broker.accept_pending();
  }
  lab.turn(10);
  CHECK(lab.pool->ready_links() == 8);
  CHECK(lab.broker.attempts.size() == 16);
}

TEST_CASE("where the successor cannot connect the others keep their connections",
          "[pool][reconfigure]") {
  PoolLab lab(4, without_retries);
  lab.bring_up();
  lab.change(connect_otherwise);
  lab.run_until([&] { return lab.broker.pending() == 1; });
  lab.broker.attempts.back()->refuse(135);
  lab.turn(10);
  CHECK(lab.pool->ready_links() == 3);

  // The former settings again: only the replaced connections are made again.
  lab.change([](PoolSettings& settings) { settings.connection_key.pop_back(); });
  lab.run_until([&] { return lab.broker.pending() == 1; });
  lab.accept_until(4);
  lab.turn(10);
  CHECK(lab.broker.attempts.size() == 4 + 2);
}

TEST_CASE("an attempt under way and one that waits begin again under the new settings",
          "[pool][reconfigure]") {
  PoolLab lab(2, without_retries);
  start_with_a_failure(lab);
  Connection& under_way = *lab.broker.attempts.back();
  lab.change(connect_otherwise);
  CHECK_FALSE(under_way.is_open());
  lab.accept_until(2);
}

TEST_CASE("an attempt that is begun again does not end the fence of a lost connection",
          "[pool][reconfigure]") {
  PoolLab lab(2);
  lab.bring_up();
  Note& late = lab.send(7);
  const unsigned slot = lab.slot_of(late);
  lab.give_up(late);
  lab.connection(slot).lose();
  lab.run_until([&] { return lab.connection(slot).is_pending(); });
  lab.change(connect_otherwise);
  CHECK_FALSE(late.is_gone());
  Note& next = lab.send(7);
  CHECK(next.state() == State::Pinned);
  lab.accept_until(2);
  CHECK(late.is(DeliveryOutcome::Kind::GivenUp));
}

// --- identifiers
// ----------------------------------------------------------------------------------

TEST_CASE("another identifier takes the place of one under which nothing is left",
          "[pool][reconfigure]") {
  PoolLab lab(2);
  lab.bring_up();
  lab.change(to_prefix("d"));
  lab.run_until([&] {
    lab.broker.accept_pending();
    return lab.broker.attempts.size() == 4 && lab.pool->ready_links() == 2;
  });
  CHECK(attempted(lab) == Texts{"c0", "c1", "d0", "d1"});
}

TEST_CASE("what a lost connection had been given goes again under its identifier before the change",
          "[pool][reconfigure]") {
  PoolLab lab;
  lab.bring_up();
  Note& note = lab.send(1);
  lab.change(to_prefix("d"));
  lab.turn();
  lab.connection().lose();
  Note& next = lab.send(1);
  lab.accept_until(1);
  CHECK(attempted(lab) == Texts{"c0", "c0"});
  CHECK(lab.broker.latest("c0").payloads() == Texts{"1"});
  lab.broker.latest("c0").ack();
  CHECK(note.is_acknowledged());
  lab.run_until([&] {
    lab.broker.accept_pending();
    return next.handed_over;
  });
  CHECK(lab.broker.latest("d0").payloads() == Texts{"2"});
}

// --- QoS 0
// ----------------------------------------------------------------------------------------

TEST_CASE("QoS 0 waits until the broker has read all of a connection that ends",
          "[pool][reconfigure]") {
  PoolLab lab(2);
  lab.bring_up();
  const std::int64_t device = 1;  // its QoS 0 affinity is slot 1
  Note& before = lab.send(device, {.qos = 0});
  REQUIRE(lab.slot_of(before) == 1);
  Connection& former = lab.connection(1);
  former.ack();
  former.ignores_disconnect = true;
  lab.change(to_count(1));
  lab.turn();
  CHECK(former.sent_disconnect);
  Note& next = lab.send(device, {.qos = 0});
  CHECK(next.state() == State::Pinned);
  former.lose(Loss::Kind::Closed);
  lab.turn();
  CHECK(lab.slot_of(next) == 0);
}

TEST_CASE("a broker that does not close is waited for a second", "[link][reconfigure]") {
  PoolLab lab;
  lab.bring_up();
  Connection& former = lab.connection();
  former.ignores_disconnect = true;
  lab.change(connect_otherwise);
  CHECK(lab.run_until([&] { return !former.is_open(); }) == std::chrono::seconds(1));
  lab.accept_until(1);
}

TEST_CASE("a larger window opens at once, also one that was full and waits for a part of it",
          "[reconfigure]") {
  PoolLab lab(1, window_of(16));
  lab.bring_up();
  for (int device = 1; device <= 20; ++device)
    lab.send(device);
  REQUIRE(lab.pool->in_flight() == 16);
  lab.change([](PoolSettings& settings) { settings.broker.max_inflight = 64; });
  lab.turn();
  CHECK(lab.pool->in_flight() == 20);
}

TEST_CASE("a smaller window holds for what is in flight, a larger one finds its messages",
          "[link][reconfigure]") {
  PoolLab lab(1, window_of(4));
  lab.bring_up();
  for (int device = 1; device <= 8; ++device)
    lab.send(device);
  lab.change([](PoolSettings& settings) { settings.broker.max_inflight = 2; });
  lab.connection().ack();
  lab.connection().ack();
  lab.turn();
  CHECK(lab.connection().sent.size() == 4);
  lab.change([](PoolSettings& settings) { settings.broker.max_inflight = 64; });
  lab.turn();
  CHECK(lab.connection().sent.size() == 8);
  lab.connection().ack_all();
  for (const Note& note : lab.notes)
    CHECK(note.is_acknowledged());
}

TEST_CASE("a request that waits for room finds it when the queue becomes larger",
          "[pool][reconfigure]") {
  PoolLab lab(1, [](config::Broker& broker) {
    broker.max_inflight = 1;
    broker.queue_messages = 1;
  });
  lab.bring_up();
  lab.send(1);
  lab.send(1);
  lab.wait(1);  // for room in the link's backlog
  lab.wait(3);
  lab.change([](PoolSettings& settings) { settings.broker.queue_messages = 10; });
  lab.turn();
  CHECK(lab.rooms.size() == 2);
  CHECK(lab.ask(3) == Admission::Accept);
}
