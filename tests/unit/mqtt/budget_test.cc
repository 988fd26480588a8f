// inflight_bytes: the limit over all connections of a pool.
#include <vector>

#include "pool_lab.h"

using namespace sluice;
using namespace sluice::mqtt;

TEST_CASE("inflight_bytes bounds what all connections together hold", "[pool][budget]") {
  PoolLab lab(4, [](config::Broker& broker) { broker.inflight_bytes = 10000; });
  lab.bring_up();
  Note& first = lab.send(1, {.bytes = 4000});
  lab.send(2, {.bytes = 4000});
  lab.send(3, {.bytes = 4000});
  CHECK(lab.pool->in_flight() == 2);
  lab.connection(lab.slot_of(first)).ack();
  lab.turn();
  CHECK(lab.pool->in_flight() == 2);
  CHECK(lab.pool->queued() == 0);
}

TEST_CASE("a message larger than inflight_bytes goes alone and is not starved", "[pool][budget]") {
  PoolLab lab(2, [](config::Broker& broker) { broker.inflight_bytes = 10000; });
  lab.bring_up();
  Note& first = lab.send(1, {.bytes = 3000});
  Note& second = lab.send(2, {.bytes = 3000});
  Note& large = lab.send(3, {.bytes = 50000});
  Note& small = lab.send(4, {.bytes = 1000});
  CHECK_FALSE(large.handed_over);
  CHECK_FALSE(small.handed_over);  // it does not overtake the one that waits
  lab.connection(lab.slot_of(first)).ack();
  lab.turn();
  CHECK_FALSE(large.handed_over);
  lab.connection(lab.slot_of(second)).ack();
  lab.turn();
  CHECK(large.handed_over);
  CHECK_FALSE(small.handed_over);
  lab.connection(lab.slot_of(large)).ack();
  lab.turn();
  CHECK(small.handed_over);
}

TEST_CASE("a large message in a link's backlog is not starved by other links", "[pool][budget]") {
  PoolLab lab(3, [](config::Broker& broker) { broker.inflight_bytes = 10000; });
  lab.bring_up();
  lab.send(1, {.bytes = 3000});
  std::vector<Note*> stream{&lab.send(2, {.bytes = 3000})};
  Note& large = lab.send(1, {.bytes = 9000});
  CHECK(large.state() == State::Pinned);
  lab.connection(lab.slot_of(lab.notes.front())).ack();
  // One more of the small ones each time before the oldest is acknowledged: if they were let
  // through, something would always be in flight.
  for (std::size_t round = 0; round < 20 && !large.handed_over; ++round) {
    stream.push_back(&lab.send(100 + static_cast<int>(round), {.bytes = 3000}));
    const Note& oldest = *stream[round];
    if (oldest.handed_over) lab.connection(lab.slot_of(oldest)).ack();
    lab.turn();
  }
  CHECK(large.handed_over);
}

TEST_CASE("a large message in a link's backlog is not starved by a long queue", "[pool][budget]") {
  PoolLab lab(3, [](config::Broker& broker) { broker.inflight_bytes = 10000; });
  lab.bring_up();
  for (int device = 1; device <= 3; ++device)
    lab.send(device, {.bytes = 3000});
  Note& large = lab.send(1, {.bytes = 9000});
  CHECK(large.state() == State::Pinned);
  for (int device = 100; device < 140; ++device)
    lab.send(device, {.bytes = 3000});
  // The queue comes right before that link in most turns, and has always something small.
  for (int round = 0; round < 20 && !large.handed_over; ++round) {
    for (const Note& note : lab.notes) {
      if (note.state() != State::InFlight) continue;
      lab.acknowledge(note);
      break;
    }
    lab.turn();
  }
  CHECK(large.handed_over);
}

TEST_CASE("what is given up while it waits for the budget lets the others go", "[pool][budget]") {
  PoolLab lab(2, [](config::Broker& broker) { broker.inflight_bytes = 10000; });
  lab.bring_up();
  lab.send(1, {.bytes = 3000});
  Note& large = lab.send(2, {.bytes = 50000});
  Note& small = lab.send(3, {.bytes = 3000});
  CHECK_FALSE(small.handed_over);
  lab.give_up(large);
  lab.turn();
  CHECK(small.handed_over);
}

TEST_CASE("a loss gives the budget back", "[pool][budget]") {
  PoolLab lab(2, [](config::Broker& broker) { broker.inflight_bytes = 10000; });
  lab.bring_up();
  Note& first = lab.send(1, {.bytes = 9000});
  Note& second = lab.send(2, {.bytes = 9000});
  CHECK_FALSE(second.handed_over);
  const unsigned slot = lab.slot_of(first);
  lab.connection(slot).lose();
  lab.turn();
  CHECK(second.handed_over);
  lab.accept_until(2);
  CHECK(lab.connection(slot).sent.empty());  // it waits for the budget in its turn
  lab.connection(lab.slot_of(second)).ack();
  lab.turn();
  CHECK(lab.connection(slot).payloads().size() == 1);
}

TEST_CASE("a device whose message waits for the budget is not overtaken by its own next one",
          "[pool][budget]") {
  // It had waited in a link's backlog without being pinned there.
  for (const std::uint8_t qos : {std::uint8_t{0}, std::uint8_t{1}}) {
    PoolLab lab(3, [](config::Broker& broker) { broker.inflight_bytes = 10000; });
    lab.bring_up();
    lab.send(1, {.bytes = 9000});
    for (int i = 0; i < 3; ++i)
      lab.send(7, {.qos = qos, .bytes = 2000});
    for (int round = 0; round < 4; ++round) {
      for (unsigned slot = 0; slot < 3; ++slot)
        lab.connection(slot).ack_all();
      lab.turn();
    }
    const Note* last = nullptr;
    for (const Note& note : lab.notes) {
      CHECK(note.is_acknowledged());
      if (note.own.device_id != 7) continue;
      if (last != nullptr) CHECK(lab.slot_of(*last) == lab.slot_of(note));
      last = &note;
    }
  }
}
