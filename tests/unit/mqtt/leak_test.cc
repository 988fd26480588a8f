// Acknowledgements that never come, and what is sent again after an outage: what a slot's window
// and its next connection make of both.
#include <chrono>
#include <string>
#include <vector>

#include "pool_lab.h"

using namespace sluice;
using namespace sluice::mqtt;
using Texts = std::vector<std::string>;

namespace {

PoolLab& with_messages(PoolLab& lab, int count) {
  lab.bring_up();
  for (int i = 0; i < count; ++i)
    lab.send(1);
  return lab;
}

void window_of_8(config::Broker& broker) {
  broker.max_inflight = 8;
}

}  // namespace

TEST_CASE("answered messages that later ones overtook have a full link drained and replaced",
          "[link][leak]") {
  PoolLab lab(1, window_of_8);
  with_messages(lab, 8);
  lab.give_up(lab.notes[0]);
  lab.give_up(lab.notes[1]);
  lab.turn();
  CHECK(lab.connection().is_open());  // nothing later was acknowledged: the broker may be slow
  lab.connection().ack(2);
  lab.turn();
  CHECK(lab.pool->link(0).state() == LinkState::Draining);
  Note& next = lab.send(1);
  CHECK(lab.connection().sent.size() == 8);  // a draining link takes nothing new
  while (lab.connection().unacked.size() > 2)
    lab.connection().ack(2);
  CHECK(lab.notes[7].is_acknowledged());
  Connection& drained = lab.connection();
  lab.turn();
  CHECK_FALSE(drained.is_open());
  lab.accept_until(1);
  CHECK(lab.notes[0].is(Outcome::Kind::Dropped));
  CHECK(lab.connection().payloads() == Texts{"9"});
  lab.connection().ack();
  CHECK(next.is_acknowledged());
}

TEST_CASE("fewer lost acknowledgements than a quarter of the window are borne", "[link][leak]") {
  PoolLab lab(1, window_of_8);
  with_messages(lab, 4);
  lab.give_up(lab.notes[0]);
  lab.connection().ack(3);
  lab.turn();
  CHECK(lab.pool->link(0).state() == LinkState::Ready);
  CHECK_FALSE(lab.notes[0].gone);
}

TEST_CASE("a window of which a quarter is less than one is replaced at the first lost one",
          "[link][leak]") {
  PoolLab lab(1, [](config::Broker& broker) { broker.max_inflight = 2; });
  with_messages(lab, 2);
  lab.give_up(lab.notes[0]);
  Connection& leaking = lab.connection();
  leaking.ack(1);
  lab.turn();
  CHECK_FALSE(leaking.is_open());
}

TEST_CASE("a window full of answered messages is replaced at once", "[link][leak]") {
  PoolLab lab(1, window_of_8);
  with_messages(lab, 8);
  Connection& stuck = lab.connection();
  for (Note& note : lab.notes)
    lab.give_up(note);
  lab.turn();
  CHECK_FALSE(stuck.is_open());
  lab.accept_until(1);
  for (const Note& note : lab.notes)
    CHECK(note.is(Outcome::Kind::Dropped));
}

TEST_CASE("while a link drains its devices keep it, and others do without it", "[pool][leak]") {
  PoolLab lab(2, [](config::Broker& broker) { broker.max_inflight = 2; });
  lab.bring_up();
  Note& late = lab.send(1);
  const unsigned slot = lab.slot_of(late);
  Note& kept = lab.send(1);
  Note& waits = lab.send(1);
  Note& elsewhere = lab.send(2);
  Note& full = lab.send(2);
  CHECK(lab.slot_of(full) != slot);
  lab.give_up(late);
  lab.acknowledge(kept);
  lab.turn();
  lab.accept_until(2);
  CHECK(lab.connection(lab.slot_of(waits)).unacked.size() == 1);
  for (Note* note : {&waits, &elsewhere, &full})
    lab.acknowledge(*note);
  CHECK(waits.is_acknowledged());
}

TEST_CASE("a link that drains is replaced also if the late acknowledgements come after all",
          "[link][leak]") {
  PoolLab lab(1, window_of_8);
  with_messages(lab, 8);
  lab.give_up(lab.notes[0]);
  lab.give_up(lab.notes[1]);
  lab.connection().ack(2);
  lab.turn();
  REQUIRE(lab.pool->link(0).state() == LinkState::Draining);
  lab.connection().ack_all();
  lab.turn();
  lab.accept_until(1);
  CHECK(lab.connection().payloads().empty());
  Note& next = lab.send(1);
  CHECK(next.handed_over);
}

TEST_CASE("a link that drains is ended by a stop", "[pool][leak]") {
  PoolLab lab(1, window_of_8);
  with_messages(lab, 8);
  lab.give_up(lab.notes[0]);
  lab.give_up(lab.notes[1]);
  lab.connection().ack(2);
  lab.turn();
  REQUIRE(lab.pool->link(0).state() == LinkState::Draining);
  for (Note& note : lab.notes)
    lab.give_up(note);
  lab.pool->stop();
  CHECK(lab.pool->is_stopped());
}

TEST_CASE("an acknowledgement that comes late after all frees its place", "[link][leak]") {
  PoolLab lab(1, window_of_8);
  with_messages(lab, 8);
  lab.give_up(lab.notes[0]);
  lab.connection().ack(1);
  lab.turn();
  lab.connection().ack(0);
  CHECK(lab.notes[0].gone);
  Note& next = lab.send(1);
  lab.give_up(lab.notes[2]);
  lab.connection().ack(1);
  lab.turn();
  CHECK(lab.pool->link(0).state() == LinkState::Ready);
  CHECK(lab.slot_of(next) == 0);
}

TEST_CASE("after an outage 1,000 messages are sent again in the first second, then twice as many",
          "[link][ramp]") {
  PoolLab lab(1, [](config::Broker& broker) { broker.max_inflight = 5000; });
  with_messages(lab, 4000);
  lab.connection().lose();
  lab.accept_until(1);
  const TimePoint connected = lab.loop.now();
  CHECK(lab.connection().sent.size() == 1000);
  lab.connection().ack_all();
  lab.turn();
  CHECK(lab.connection().sent.size() == 1000);
  lab.run_until([&] { return lab.connection().sent.size() > 1000; });
  CHECK(lab.loop.now() - connected >= std::chrono::milliseconds(900));
  CHECK(lab.connection().sent.size() == 3000);
  lab.run_until([&] { return lab.connection().sent.size() > 3000; });
  CHECK(lab.connection().sent.size() == 4000);
  lab.connection().ack_all();
  for (const Note& note : lab.notes)
    CHECK(note.is_acknowledged());
}
