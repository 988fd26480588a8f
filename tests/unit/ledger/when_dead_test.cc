// when_dead = "refuse", seen by clients: a request to a dead broker is answered at once.
#include <string>
#include <vector>

#include "ledger_lab.h"

using namespace sluice;
using namespace sluice::ledger;
using client::Peer;

namespace {

constexpr Duration kDeadAfter{1000};

config::Broker refusing(config::Broker broker) {
  broker.dead_after = kDeadAfter;
  broker.when_dead = config::WhenDead::Refuse;
  broker.reconnect_min = broker.reconnect_max = std::chrono::hours(1);
  return broker;
}

void lose(LedgerLab& lab, std::size_t pool) {
  lab.connection(pool).lose(mqtt::Loss::Kind::Disconnected);
  lab.settle();
}

}  // namespace

TEST_CASE("a request to a dead broker that refuses is answered at once, with the reason",
          "[when_dead]") {
  LedgerLab lab({refusing(broker_named("a"))});
  lab.pools[0]->start();
  lab.settle();
  lab.connection().fail();
  Peer& peer = lab.connect();
  peer.send(request("x", 7));
  const std::string reply = lab.wait_for_line(peer, 0);
  CHECK(has(reply, R"("error":"broker_unavailable","published":"no")"));
  CHECK(has(reply, "broker a has no connection: unreachable; not queued (when_dead = refuse)"));
}

TEST_CASE("at the moment of death queued and waiting requests are answered, those handed over wait",
          "[when_dead]") {
  FullLab lab(refusing(narrow_broker()));
  lab.park(request("parked", 902));
  lose(lab, 0);
  CHECK(lab.one.lines() + lab.two.lines() == 0);
  lab.advance(kDeadAfter);
  CHECK(has(lab.wait_for_line(lab.one, 0), R"("error":"broker_unavailable","published":"no")"));
  CHECK(has(lab.one.line(0), R"("id":"second")"));
  CHECK(has(lab.wait_for_line(lab.two, 0), R"("error":"broker_unavailable","published":"no")"));
  lab.settle();
  CHECK(lab.one.lines() == 1);
  lab.advance(std::chrono::seconds(3));  // it is tried every 2 s
  lab.bring_up();
  lab.wait_for_sent(1);
  lab.connection().ack();
  CHECK(has(lab.wait_for_line(lab.one, 1), R"({"code":1,"msg":"sent","id":"first"})"));
}

TEST_CASE("of several brokers none is sent a request that a dead one refuses", "[when_dead]") {
  LedgerLab lab({broker_named("a"), refusing(broker_named("b"))});
  lab.bring_up();
  lose(lab, 1);
  lab.advance(kDeadAfter);
  Peer& peer = lab.connect();
  peer.send(request("x", 7));
  CHECK(has(lab.wait_for_line(peer, 0), R"("error":"broker_unavailable","published":"no")"));
  CHECK(lab.connection(0).sent.empty());
  CHECK(lab.ledger->lanes()[1]->counters.results.of(protocol::ErrorKind::BrokerUnavailable) == 1);
}

TEST_CASE("a copy that waits for a broker when that dies is refused, the other goes its way",
          "[when_dead]") {
  config::Broker b = refusing(broker_named("b"));
  b.max_inflight = 1;
  LedgerLab lab({broker_named("a"), b});
  lab.bring_up();
  Peer& peer = lab.connect();
  peer.send(request("first", 7) + request("second", 7));
  lab.wait_for_sent(2, 0);
  lab.wait_for_sent(1, 1);
  lose(lab, 1);
  lab.advance(kDeadAfter);
  lab.settle();
  CHECK(peer.lines() == 0);
  lab.connection(0).ack_all();
  const std::string reply = lab.wait_for_line(peer, 0);
  CHECK(has(reply, R"("error":"partial","published":"some")"));
  CHECK(has(reply, R"("brokers":{"a":"ok","b":"broker_unavailable"})"));
  CHECK(has(reply, R"("id":"second")"));
}

TEST_CASE("a request that waits at another broker is answered when one that it needs refuses",
          "[when_dead]") {
  LedgerLab lab({narrow_broker("a"), refusing(broker_named("b"))});
  lab.config.brokers[0].max_dev_no = 1000;
  lab.bring_up();
  Peer& one = lab.connect();
  Peer& two = lab.connect();
  one.send(request("first", 900) + request("second", 901));
  lab.run_until([&] { return lab.pools[0]->in_flight() + lab.pools[0]->queued() == 2; });
  two.send(request("parked", 902));
  lab.wait_for_parked(1);
  lose(lab, 1);
  lab.advance(kDeadAfter);
  CHECK(has(lab.wait_for_line(two, 0), R"("error":"broker_unavailable","published":"no")"));
}
