// Lost acknowledgements, which replace a connection, and what is sent again after a loss.
#include <chrono>
#include <string>
#include <vector>

#include "mqtt/reason_codes.h"
#include "pool_lab.h"

using namespace sluice;
using namespace sluice::mqtt;
using Texts = std::vector<std::string>;

namespace {

void with_messages(PoolLab& lab, int count) {
  lab.bring_up();
  for (int i = 0; i < count; ++i)
    lab.hand_in(1);
  lab.turn();
}

/// Of this many messages on one link the first two are given up.
void with_two_given_up(PoolLab& lab, int count) {
  with_messages(lab, count);
  lab.give_up(lab.notes[0]);
  lab.give_up(lab.notes[1]);
}

/// Makes a link with a window of eight drain: two of its messages are given up, a later one is
/// acknowledged.
void drain(PoolLab& lab) {
  with_two_given_up(lab, 8);
  lab.connection().ack(2);
  lab.turn();
  REQUIRE(lab.pool->link(0).state() == LinkState::Leaking);
}

}  // namespace

TEST_CASE("answered messages that later ones overtook have a full link drained and replaced",
          "[link][leak]") {
  PoolLab lab(1, window_of(8));
  with_two_given_up(lab, 8);
  lab.turn();
  CHECK(lab.connection().is_open());  // nothing later was acknowledged: the broker may be slow
  lab.connection().ack(2);
  lab.turn();
  CHECK(lab.pool->link(0).state() == LinkState::Leaking);
  Note& next = lab.send(1);
  CHECK(lab.connection().sent.size() == 8);  // a draining link takes nothing new
  while (lab.connection().unacked.size() > 2)
    lab.connection().ack(2);
  CHECK(lab.notes[7].is_acknowledged());
  Connection& drained = lab.connection();
  lab.turn();
  CHECK_FALSE(drained.is_open());
  lab.accept_until(1);
  CHECK(lab.notes[0].is(DeliveryOutcome::Kind::GivenUp));
  CHECK(lab.connection().payloads() == Texts{"9"});
  lab.connection().ack();
  CHECK(next.is_acknowledged());
}

TEST_CASE("fewer lost acknowledgements than a quarter of the window are borne", "[link][leak]") {
  PoolLab lab(1, window_of(8));
  with_messages(lab, 4);
  lab.give_up(lab.notes[0]);
  lab.connection().ack(3);
  lab.turn();
  CHECK(lab.pool->link(0).state() == LinkState::Ready);
  CHECK_FALSE(lab.notes[0].is_gone());
}

TEST_CASE("a window of which a quarter is less than one is replaced at the first lost one",
          "[link][leak]") {
  PoolLab lab(1, window_of(2));
  with_messages(lab, 2);
  lab.give_up(lab.notes[0]);
  Connection& leaking = lab.connection();
  leaking.ack(1);
  lab.turn();
  CHECK_FALSE(leaking.is_open());
}

TEST_CASE("a window full of answered messages is replaced after 2 s without an acknowledgement",
          "[link][leak]") {
  PoolLab lab(1, window_of(8));
  with_messages(lab, 8);
  Connection& stuck = lab.connection();
  for (Note& note : lab.notes)
    lab.give_up(note);
  lab.advance(Duration(1500));
  CHECK(stuck.is_open());
  lab.advance(Duration(1000));
  CHECK_FALSE(stuck.is_open());
  lab.accept_until(1);
  for (const Note& note : lab.notes)
    CHECK(note.is(DeliveryOutcome::Kind::GivenUp));
}

TEST_CASE("a broker that is only slow keeps its connection, however late it acknowledges",
          "[link][leak]") {
  PoolLab lab(1, window_of(8));
  with_messages(lab, 8);
  Connection& slow = lab.connection();
  for (int second = 0; second < 60; ++second) {
    for (Note& note : lab.notes) {
      if (!note.given_up && note.times_done == 0) lab.give_up(note);
    }
    lab.advance(Duration(1000));
    slow.ack();
    lab.send(1);
  }
  CHECK(slow.is_open());
  CHECK(lab.broker.attempts.size() == 1);
}

TEST_CASE("while a link drains its devices keep it, and others do without it", "[pool][leak]") {
  PoolLab lab(2, window_of(2));
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
  PoolLab lab(1, window_of(8));
  drain(lab);
  lab.connection().ack_all();
  lab.turn();
  lab.accept_until(1);
  CHECK(lab.connection().payloads().empty());
  Note& next = lab.send(1);
  CHECK(next.handed_over);
}

TEST_CASE("a link that drains is ended by a stop", "[pool][leak]") {
  PoolLab lab(1, window_of(8));
  drain(lab);
  for (Note& note : lab.notes)
    lab.give_up(note);
  lab.pool->stop();
  CHECK(lab.pool->is_stopped());
}

TEST_CASE("an acknowledgement that comes late after all frees its place", "[link][leak]") {
  PoolLab lab(1, window_of(8));
  with_messages(lab, 8);
  lab.give_up(lab.notes[0]);
  lab.connection().ack(1);
  lab.turn();
  lab.connection().ack(0);
  CHECK(lab.notes[0].is_gone());
  Note& next = lab.send(1);
  lab.give_up(lab.notes[2]);
  lab.connection().ack(1);
  lab.turn();
  CHECK(lab.pool->link(0).state() == LinkState::Ready);
  CHECK(lab.slot_of(next) == 0);
}

TEST_CASE("after an outage all that was in flight is sent again at once, in order", "[link]") {
  PoolLab lab(1, window_of(5000));
  with_messages(lab, 4000);
  const auto former = lab.connection().payloads();
  lab.connection().lose();
  lab.accept_until(1);
  CHECK(lab.connection().payloads() == former);
  lab.connection().ack_all();
  for (const Note& note : lab.notes)
    CHECK(note.is_acknowledged());
}

TEST_CASE("what a link was given in the turn in which it begins to drain is written",
          "[link][leak]") {
  PoolLab lab(1, window_of(8));
  with_two_given_up(lab, 4);
  lab.turn();
  const unsigned before = lab.connection().flushes;
  lab.connection().ack(2);  // in the same turn as the next one is handed over
  lab.send(2);
  CHECK(lab.pool->link(0).state() == LinkState::Leaking);
  CHECK(lab.connection().flushes > before);
}

TEST_CASE("QoS 0 neither hides missing acknowledgements nor overtakes them", "[link][leak]") {
  PoolLab lab(1, [](config::Broker& broker) {
    broker.max_inflight = 4;
    broker.ack_timeout = std::chrono::seconds(1);
  });
  lab.bring_up();
  Connection& silent = lab.connection();
  Note& late = lab.send(1);
  lab.give_up(late);
  const auto take_qos0 = [&] {
    lab.send(2, {.qos = 0});
    if (silent.is_open()) silent.ack(silent.unacked.size() - 1);
    lab.turn();
  };
  take_qos0();
  CHECK(lab.pool->link(0).state() == LinkState::Ready);
  for (int tenths = 0; tenths < 9; ++tenths) {
    lab.advance(Duration(100));
    take_qos0();
  }
  CHECK(silent.is_open());
  lab.advance(Duration(100));
  CHECK_FALSE(silent.is_open());
  CHECK(late.link->state() != LinkState::Ready);
}

TEST_CASE("a leaking connection is replaced without a growing pause", "[link][leak]") {
  PoolLab lab(1, [](config::Broker& broker) {
    broker.max_inflight = 1;
    broker.reconnect_max = std::chrono::hours(1);
  });
  lab.bring_up();
  for (int i = 0; i < 14; ++i) {  // doubling from 1 ms would have come to 16 s
    lab.give_up(lab.send(1));
    lab.run_until([&] { return lab.broker.pending() == 1; });
    lab.accept_until(1);
  }
  CHECK(lab.notes.back().is(DeliveryOutcome::Kind::GivenUp));
}

TEST_CASE(
    "a device leaves a slot that cannot reconnect once the broker must have ended the old one",
    "[pool][leak]") {
  const bool attempts_go_on = GENERATE(false, true);
  PoolLab lab(2, [&](config::Broker& broker) {
    broker.keepalive_s = 1;
    broker.reconnect_min = attempts_go_on ? Duration(10) : std::chrono::hours(1);
    broker.reconnect_max = broker.reconnect_min;
  });
  lab.bring_up();
  Note& late = lab.send(7);
  const unsigned slot = lab.slot_of(late);
  lab.give_up(late);
  lab.connection(slot).lose();
  Note& next = lab.send(7);
  CHECK(next.state() == State::Pinned);
  const Duration fenced = lab.run_until([&] {
    if (lab.connection(slot).is_pending()) lab.connection(slot).fail();
    return next.handed_over;
  });
  CHECK(fenced == Duration(1500));  // one and a half keep alives
  CHECK(lab.slot_of(next) == 1 - slot);
}

TEST_CASE("a DISCONNECT says that nothing can come from the lost connection any more",
          "[pool][leak]") {
  PoolLab lab(2);
  lab.bring_up();
  Note& late = lab.send(7);
  lab.give_up(late);
  lab.connection(lab.slot_of(late)).lose(Loss::Kind::Disconnected, reason::kServerBusy);
  CHECK(late.is(DeliveryOutcome::Kind::GivenUp));
}
