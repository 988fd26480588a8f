// One link: its window, acknowledgements, and what is sent again after a loss.
#include <chrono>
#include <string>
#include <vector>

#include "mqtt/reason_codes.h"
#include "pool_lab.h"

using namespace sluice;
using namespace sluice::mqtt;
using Texts = std::vector<std::string>;

namespace {

constexpr auto kAnyDevice = std::int64_t{1};

/// Loses the only link's connection and has it connected again.
void reconnect(PoolLab& lab, Loss::Kind kind = Loss::Kind::Silent, const Connack& connack = {}) {
  lab.connection().lose(kind);
  lab.accept_until(1, connack);
}

}  // namespace

TEST_CASE("a message handed over and acknowledged is done once", "[link]") {
  PoolLab lab;
  lab.bring_up();
  Note& note = lab.send(kAnyDevice);
  CHECK(note.handed_over);
  CHECK(note.times_done == 0);
  CHECK(lab.pool->in_flight() == 1);
  lab.connection().ack();
  CHECK(note.is_acknowledged());
  CHECK(lab.pool->in_flight() == 0);
}

TEST_CASE("a link identifies itself and its broker in its attempt", "[link]") {
  PoolLab lab(2, [](config::Broker& broker) { broker.port = 1884; });
  lab.bring_up();
  CHECK(lab.connection(0).options.client_id == "c0");
  CHECK(lab.connection(1).options.client_id == "c1");
  CHECK(lab.connection(0).options.address == "127.0.0.1");
  CHECK(lab.connection(0).options.port == 1884);
  CHECK(lab.connection(0).options.protocol == config::Protocol::V5);
}

TEST_CASE("messages of one turn leave in one flush", "[link]") {
  PoolLab lab;
  lab.bring_up();
  for (int i = 0; i < 5; ++i)
    lab.hand_in(i);
  CHECK(lab.connection().flushes == 0);
  lab.turn();
  CHECK(lab.connection().sent.size() == 5);
  CHECK(lab.connection().flushes == 1);
}

TEST_CASE("a full socket takes nothing until it is writable, and is counted", "[link]") {
  PoolLab lab;
  lab.bring_up();
  lab.hand_in(1);
  lab.connection().congested = true;  // found out by the flush
  lab.turn();
  CHECK(lab.pool->counters().socket_full == 1);
  lab.send(2);
  CHECK(lab.connection().payloads() == Texts{"1"});
  lab.connection().set_congested(false);
  lab.turn();
  CHECK(lab.connection().payloads() == Texts{"1", "2"});
}

TEST_CASE("a refusing acknowledgement carries the broker's reason", "[link]") {
  PoolLab lab;
  lab.bring_up();
  Note& refused = lab.send(1);
  Note& unheard = lab.send(2);
  lab.connection().ack(0, 0x87);
  lab.connection().ack(0, reason::kNoMatchingSubscribers);
  CHECK(refused.is(DeliveryOutcome::Kind::Rejected));
  CHECK(refused.outcome.reason_code == 0x87);
  CHECK_FALSE(refused.outcome.may_be_published);
  CHECK(unheard.is_acknowledged());
  CHECK(unheard.outcome.reason_code == reason::kNoMatchingSubscribers);
}

TEST_CASE("an acknowledgement of something unknown does nothing", "[link]") {
  PoolLab lab;
  lab.bring_up();
  Note& note = lab.send(1);
  lab.connection().events->on_acknowledged(4711, 0, {});
  lab.connection().events->on_acknowledged(0, 0, {});
  CHECK(note.times_done == 0);
  const std::uint16_t id = lab.connection().unacked[0].packet_id;
  lab.connection().ack();
  lab.connection().events->on_acknowledged(id, 0, {});
  CHECK(note.times_done == 1);
}

TEST_CASE("packet identifiers may wrap while the window is full", "[link]") {
  PoolLab lab(1, window_of(4));
  lab.broker.first_packet_id = 65533;
  lab.bring_up();
  for (int i = 0; i < 12; ++i)
    lab.send(i);
  for (int i = 0; i < 12; ++i) {
    lab.connection().ack(lab.connection().unacked.size() / 2);
    lab.turn();
  }
  for (const Note& note : lab.notes)
    CHECK(note.is_acknowledged());
}

TEST_CASE("what the library finds impossible is rejected alone", "[link]") {
  PoolLab lab;
  lab.bring_up();
  lab.broker.status = PublishStatus::Refused;
  Note& impossible = lab.send(1);
  CHECK(impossible.is(DeliveryOutcome::Kind::Rejected));
  CHECK(impossible.outcome.reason_code == reason::kTopicNameInvalid);
  CHECK_FALSE(impossible.handed_over);
  lab.broker.status = PublishStatus::Queued;
  Note& next = lab.send(1);
  lab.connection().ack();
  CHECK(next.is_acknowledged());
  CHECK(lab.pool->in_flight() == 0);
}

TEST_CASE("a message that met a useless handle is sent again on the next one", "[link]") {
  PoolLab lab;
  lab.bring_up();
  lab.broker.status = PublishStatus::Broken;
  Note& note = lab.send(1);
  CHECK(note.handed_over);  // it may have been sent
  CHECK(note.times_done == 0);
  lab.broker.status = PublishStatus::Queued;
  lab.accept_until(1);
  CHECK(lab.connection().payloads() == Texts{"1"});
  lab.connection().ack();
  CHECK(note.is_acknowledged());
}

TEST_CASE("a message whose flush finds the connection dead is sent again on the next one",
          "[link]") {
  PoolLab lab;
  lab.bring_up();
  Connection& dead = lab.connection();
  dead.breaks_at_flush = true;
  Note& note = lab.send(1);
  CHECK_FALSE(dead.is_open());
  CHECK(note.times_done == 0);
  lab.accept_until(1);
  CHECK(lab.connection().payloads() == Texts{"1"});
  lab.connection().ack();
  CHECK(note.is_acknowledged());
}

TEST_CASE("after a loss the unacknowledged are sent again first, oldest first", "[link]") {
  PoolLab lab(1, window_of(4));
  lab.bring_up();
  for (int i = 0; i < 6; ++i)
    lab.send(i % 2);
  lab.connection().ack(1);  // of 2: 5 follows
  lab.turn();
  CHECK(lab.connection().payloads() == Texts{"1", "2", "3", "4", "5"});
  reconnect(lab);
  CHECK(lab.connection().payloads() == Texts{"1", "3", "4", "5"});
  lab.connection().ack_all();
  lab.turn();
  CHECK(lab.connection().payloads() == Texts{"1", "3", "4", "5", "6"});
  CHECK(lab.pool->counters().redelivered == 4);
  CHECK(lab.pool->counters().reconnects == 1);
}

TEST_CASE("a second loss amid sending again keeps the order", "[link]") {
  PoolLab lab(1, window_of(4));
  lab.bring_up();
  for (int i = 0; i < 4; ++i)
    lab.send(1);
  Connack narrow;
  narrow.receive_maximum = 2;
  reconnect(lab, Loss::Kind::Silent, narrow);
  CHECK(lab.connection().payloads() == Texts{"1", "2"});
  lab.connection().ack(1);
  lab.turn();
  CHECK(lab.connection().payloads() == Texts{"1", "2", "3"});
  reconnect(lab);
  CHECK(lab.connection().payloads() == Texts{"1", "3", "4"});
}

TEST_CASE("a connection lost with something in flight is reset, an empty one is not", "[link]") {
  PoolLab lab;
  lab.bring_up();
  Connection& empty = lab.connection();
  reconnect(lab);
  CHECK_FALSE(empty.was_reset);
  lab.send(1);
  Connection& busy = lab.connection();
  reconnect(lab);
  CHECK(busy.was_reset);
}

TEST_CASE("an answered message in flight keeps its window slot until acknowledged", "[link]") {
  PoolLab lab(1, window_of(2));
  lab.bring_up();
  Note& late = lab.send(1);
  lab.send(1);
  Note& next = lab.send(2);
  lab.give_up(late);
  lab.turn();
  CHECK_FALSE(late.is_gone());
  CHECK_FALSE(next.handed_over);
  lab.connection().ack();
  lab.turn();
  CHECK(late.times_done == 1);
  CHECK(next.handed_over);
}

TEST_CASE("an answered message is over when the broker's own keep alive has ended its connection",
          "[link]") {
  PoolLab lab(1, [](config::Broker& broker) {
    without_retries(broker);
    broker.keepalive_s = 2;
  });
  Connack connack;
  connack.server_keep_alive_s = 60;
  lab.bring_up(connack);
  Note& answered = lab.send(1);
  lab.give_up(answered);
  lab.connection().lose();
  lab.advance(std::chrono::seconds(89));
  CHECK_FALSE(answered.is_gone());
  lab.advance(std::chrono::seconds(2));
  CHECK(answered.is(DeliveryOutcome::Kind::GivenUp));
}

TEST_CASE("an answered message is over with the next connection, and never sent again", "[link]") {
  PoolLab lab;
  lab.bring_up();
  Note& answered = lab.send(1);
  Note& open = lab.send(1);
  lab.give_up(answered);
  lab.connection().lose();
  CHECK_FALSE(answered.is_gone());
  lab.accept_until(1);
  CHECK(answered.is(DeliveryOutcome::Kind::GivenUp));
  CHECK(lab.connection().payloads() == Texts{"2"});
  lab.connection().ack();
  CHECK(open.is_acknowledged());
}

TEST_CASE("a message given up while it waits to be sent again is not sent", "[link]") {
  PoolLab lab;
  lab.bring_up();
  Note& answered = lab.send(1);
  lab.send(1);
  lab.connection().lose();
  CHECK(lab.pool->in_flight() == 0);
  lab.give_up(answered);
  CHECK_FALSE(answered.is_gone());
  lab.accept_until(1);
  CHECK(answered.is(DeliveryOutcome::Kind::GivenUp));
  CHECK(lab.connection().payloads() == Texts{"2"});
}

TEST_CASE("a message given up in the queue or in a backlog is never handed over", "[link]") {
  PoolLab lab(1, window_of(1));
  lab.bring_up();
  lab.send(1);
  Note& in_line = lab.send(1);
  Note& queued = lab.send(2);
  CHECK(in_line.state() == State::Pinned);
  CHECK((queued.state() == State::Queued || queued.state() == State::Pinned));
  lab.give_up(in_line);
  lab.give_up(queued);
  CHECK(in_line.is_gone());
  CHECK(queued.is_gone());
  CHECK(lab.pool->queued() == 0);
  lab.connection().ack();
  lab.turn();
  CHECK(lab.connection().payloads() == Texts{"1"});
}

TEST_CASE("QoS 0 counts in the window until the socket has taken it", "[link]") {
  PoolLab lab(1, window_of(1));
  lab.bring_up();
  Note& first = lab.send(1, {.qos = 0});
  Note& second = lab.send(2, {.qos = 0});
  CHECK(first.times_done == 0);
  CHECK_FALSE(second.handed_over);
  lab.connection().ack();
  lab.turn();
  CHECK(first.is_acknowledged());
  CHECK(second.handed_over);
}

TEST_CASE("a message refused when it is sent again may have been published before", "[link]") {
  PoolLab lab;
  lab.bring_up();
  Note& announced = lab.send(1, {.qos = 2});
  Note& acknowledged = lab.send(2);
  Connack connack;
  connack.maximum_qos = 1;
  reconnect(lab, Loss::Kind::Silent, connack);
  CHECK(announced.is(DeliveryOutcome::Kind::Rejected));
  CHECK(announced.outcome.reason_code == reason::kQosNotSupported);
  CHECK(announced.outcome.may_be_published);
  lab.connection().ack(0, 0x97);
  CHECK(acknowledged.is(DeliveryOutcome::Kind::Rejected));
  CHECK(acknowledged.outcome.may_be_published);
}

// --- time-outs
// ------------------------------------------------------------------------------------

TEST_CASE("a connection that acknowledges nothing for ack_timeout is replaced", "[link]") {
  PoolLab lab(1, [](config::Broker& broker) { broker.ack_timeout = Duration(2000); });
  lab.bring_up();
  Note& note = lab.send(1);
  Connection& mute = lab.connection();
  CHECK(lab.run_until([&] { return !mute.is_open(); }) == Duration(2000));
  CHECK(mute.was_reset);
  lab.accept_until(1);
  CHECK(lab.connection().payloads() == Texts{"1"});
  lab.connection().ack();
  CHECK(note.is_acknowledged());
}

TEST_CASE("ack_timeout runs from the first message, not from the idle time before", "[link]") {
  PoolLab lab(1, [](config::Broker& broker) { broker.ack_timeout = std::chrono::seconds(10); });
  lab.bring_up();
  lab.advance(std::chrono::seconds(60));
  lab.send(1);
  Connection& connection = lab.connection();
  CHECK(lab.run_until([&] { return !connection.is_open(); }) == std::chrono::seconds(10));
}

TEST_CASE("an attempt without CONNACK ends after connect_timeout and is made again", "[link]") {
  PoolLab lab(1, [](config::Broker& broker) { broker.connect_timeout = std::chrono::seconds(5); });
  lab.pool->start();
  const auto attempts = [&] { return lab.broker.attempts.size(); };
  lab.run_until([&] { return attempts() == 1; });
  for (std::size_t ended = 0; ended < 3; ++ended) {
    const Connection& attempt = *lab.broker.attempts[ended];
    CHECK(lab.run_until([&] { return !attempt.is_open(); }) == std::chrono::seconds(5));
    lab.run_until([&] { return attempts() == ended + 2; });
  }
  CHECK(lab.pool->ready_links() == 0);
}
