// What is refused before it is sent: by the settings, the CONNACK, or as the broker was found.
#include "mqtt/reason_codes.h"
#include "pool_lab.h"

using namespace sluice;
using namespace sluice::mqtt;

TEST_CASE("what a broker has announced is asked once for each announcement", "[link]") {
  PoolLab lab(1, without_retries);
  Connack connack;
  connack.retain_available = false;
  lab.bring_up(connack);
  Note& note = lab.make(1, {.qos = 2});
  CHECK_FALSE(lab.pool->refusal_of(note));
  note.own.retain = true;  // refused, if it were checked again
  CHECK_FALSE(lab.pool->refusal_of(note));
  lab.change([](PoolSettings& settings) { settings.connection_key += "x"; });
  connack.maximum_qos = 1;
  lab.run_until([&] { return lab.broker.pending() == 1; });
  lab.accept_until(1, connack);
  CHECK(lab.pool->refusal_of(note));
}

TEST_CASE("what the CONNACK announces is refused before it is sent", "[link]") {
  PoolLab lab;
  Connack connack;
  connack.maximum_qos = 1;
  lab.bring_up(connack);
  CHECK(lab.pool->refusal_of(lab.make(1, {.qos = 2})));
  CHECK_FALSE(lab.pool->refusal_of(lab.make(1)));
  Note& refused = lab.send(1, {.qos = 2});
  CHECK(refused.is(DeliveryOutcome::Kind::Rejected));
  CHECK_FALSE(refused.outcome.may_be_published);
  CHECK(lab.connection().sent.empty());
  CHECK(lab.pool->in_flight() == 0);
}

TEST_CASE("max_topic_levels counts with a connection and without one", "[link]") {
  PoolLab lab(1, [](config::Broker& broker) { broker.max_topic_levels = 1; });
  Note& deep = lab.make(1);
  deep.own = protocol::Request::make("a/b", "x");
  CHECK(lab.pool->refusal_of(deep));
  CHECK_FALSE(lab.pool->refusal_of(lab.make(1)));
  lab.bring_up();
  CHECK(lab.pool->refusal_of(deep));
}

TEST_CASE("max_qos counts whatever the broker announces, connected or not, and by a reload",
          "[link]") {
  PoolLab lab(1, [](config::Broker& broker) { broker.max_qos = 1; });
  CHECK(lab.pool->refusal_of(lab.make(1, {.qos = 2})));
  lab.bring_up();
  Note& refused = lab.send(1, {.qos = 2});
  CHECK(refused.is(DeliveryOutcome::Kind::Rejected));
  CHECK(refused.outcome.reason_code == reason::kQosNotSupported);
  CHECK(lab.connection().sent.empty());
  lab.change([](PoolSettings& settings) { settings.broker.max_qos = 2; });
  CHECK_FALSE(lab.pool->refusal_of(lab.make(1, {.qos = 2})));
}

TEST_CASE("a broker that takes QoS 2 for QoS 1 is given none until the next reload", "[link]") {
  PoolLab lab;
  lab.bring_up();
  Note& first = lab.send(1, {.qos = 2});
  lab.connection().events->on_qos2_downgraded();
  lab.connection().ack();
  CHECK(first.is_acknowledged());
  CHECK(lab.send(1, {.qos = 2}).outcome.reason_code == reason::kQosNotSupported);
  CHECK(lab.send(1, {.qos = 1}).times_done == 0);
  lab.change([](PoolSettings&) {});
  CHECK(lab.send(2, {.qos = 2}).times_done == 0);
  CHECK(lab.connection().sent.size() == 3);
}

TEST_CASE("what the broker had taken before it refused may be published", "[link]") {
  PoolLab lab;
  lab.bring_up();
  Note& note = lab.send(1, {.qos = 2});
  lab.connection().ack(0, reason::kPacketIdentifierNotFound);
  CHECK(note.is(DeliveryOutcome::Kind::Rejected));
  CHECK(note.outcome.may_be_published);
}

TEST_CASE("what the broker says to a refusal is in the outcome", "[link]") {
  PoolLab lab;
  lab.bring_up();
  Note& note = lab.send(1);
  const std::uint16_t id = lab.connection().unacked.at(0).packet_id;
  lab.connection().events->on_acknowledged(id, 0x97, "over quota");
  CHECK(note.outcome.detail == "message rejected: over quota");
}
