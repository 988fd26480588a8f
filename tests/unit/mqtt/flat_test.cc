// The work per message does not depend on the number of links.
#include <chrono>
#include <cstddef>

#include "pool_lab.h"

using namespace sluice;
using namespace sluice::mqtt;

namespace {

/// How often any of the connections was asked whether it has room.
std::size_t times_asked(const PoolLab& lab) {
  std::size_t sum = 0;
  for (const auto& attempt : lab.broker.attempts)
    sum += attempt->times_asked;
  return sum;
}

/// Each link gets a message of a device of its own: device n of link n.
void fill(PoolLab& lab, unsigned per_link = 1) {
  const auto links = static_cast<int>(lab.pool->connections());
  for (int device = 0; device < links; ++device)
    lab.send(device);
  for (int device = 0; device < links; ++device) {
    for (unsigned more = 1; more < per_link; ++more)
      lab.send(device);
  }
}

}  // namespace

TEST_CASE("a message looks at a few links, however many there are", "[pool][flat]") {
  for (const unsigned links : {20u, 200u}) {
    PoolLab lab(links);
    lab.bring_up();
    fill(lab);  // so that no link is free, which would end the search
    const std::size_t before = times_asked(lab);
    for (int device = 1000; device < 1010; ++device)
      lab.send(device);
    CHECK((times_asked(lab) - before) / 10 <= 2 * ReadyLinks::kCompared);
    const std::size_t sent = times_asked(lab);
    for (int device = 1000; device < 1010; ++device)
      lab.acknowledge(lab.notes[links + static_cast<std::size_t>(device) - 1000]);
    lab.turn();
    CHECK((times_asked(lab) - sent) / 10 <= 2 * ReadyLinks::kCompared);
  }
}

TEST_CASE("the one link with room is found among many that are full", "[pool][flat]") {
  PoolLab lab(50, [](config::Broker& broker) { broker.max_inflight = 1; });
  lab.bring_up();
  fill(lab);
  for (const unsigned slot : {49u, 0u, 17u}) {
    lab.connection(slot).ack();
    CHECK(lab.slot_of(lab.send(1000 + slot)) == slot);
  }
  CHECK(lab.send(2000).state() == State::Queued);
  lab.connection(33).ack();
  lab.turn();
  CHECK(lab.slot_of(lab.notes.back()) == 33);
}

TEST_CASE("a link with room that was not compared gets the message in the same turn",
          "[pool][flat]") {
  PoolLab lab(12, [](config::Broker& broker) { broker.max_inflight = 2; });
  lab.bring_up();
  fill(lab, 3);
  // Before the free link come ten with room only for their pinned messages.
  Note& free = lab.make(1000);
  for (unsigned slot = 0; slot < 10; ++slot)
    lab.connection(slot).ack();
  lab.connection(11).ack();
  lab.connection(11).ack();
  lab.pool->accept(free);
  lab.turn();
  CHECK(lab.slot_of(free) == 11);
}

TEST_CASE("a message that may pass what its links have pinned does not wait for an event",
          "[pool][flat]") {
  PoolLab lab(10, [](config::Broker& broker) { broker.protocol = config::Protocol::V311; });
  lab.bring_up();
  // The last message of each device waits: a 3.1.1 broker gets at most 16 QoS 2 messages.
  for (int device = 0; device < 10; ++device) {
    for (int i = 0; i < 17; ++i)
      lab.send(device, {.qos = 2});
  }
  REQUIRE(lab.pool->queued() == 10);
  CHECK(lab.send(1000).handed_over);
}

TEST_CASE("QoS 0 of a lost link's devices is shared out among the links that are left",
          "[pool][flat]") {
  PoolLab lab(4, [](config::Broker& broker) {
    broker.reconnect_min = std::chrono::hours(1);
    broker.reconnect_max = std::chrono::hours(1);
  });
  lab.bring_up();
  lab.connection(3).lose();
  for (int device = 0; device < 400; ++device)
    lab.acknowledge(lab.send(device, {.qos = 0}));
  for (unsigned slot = 0; slot < 3; ++slot) {
    CHECK(lab.connection(slot).sent.size() > 110);
    CHECK(lab.connection(slot).sent.size() < 160);
  }
}
