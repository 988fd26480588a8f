// Each request is counted once for each of its brokers, or once if it reached none.
#include <string>
#include <vector>

#include "ledger_lab.h"

using namespace sluice;
using namespace sluice::ledger;
using client::Peer;
using protocol::ErrorKind;

namespace {

constexpr unsigned kSoon = 30;

const BrokerCounters& counters(const LedgerLab& lab, std::size_t broker = 0) {
  return lab.ledger->lanes()[broker]->counters;
}

std::uint64_t sum(const ResultCounters& results) {
  std::uint64_t all = results.ok();
  for (std::size_t i = 0; i < protocol::kErrorKinds; ++i)
    all += results.of(static_cast<ErrorKind>(i));
  return all;
}

}  // namespace

TEST_CASE("every reply about one broker counts once, by its result", "[counters]") {
  LedgerLab lab;
  lab.bring_up();
  Peer& peer = lab.connect();
  peer.send(request("good", 1) + request("bad", 2) + request("slow", 3, {.timeout_ms = kSoon}));
  lab.wait_for_sent(3);
  lab.connection().ack();
  lab.connection().ack(0, 0x87);
  lab.advance(Duration(kSoon));
  lab.wait_for_line(peer, 2);
  lab.connection().ack();  // after its time-out
  peer.send(request("nowhere", 1000));
  lab.wait_for_line(peer, 3);
  lab.ledger->drain();
  peer.send(request("late", 1));
  lab.wait_for_line(peer, 4);

  const ResultCounters& results = counters(lab).results;
  CHECK(results.ok() == 1);
  CHECK(results.of(ErrorKind::Rejected) == 1);
  CHECK(results.of(ErrorKind::Timeout) == 1);
  CHECK(counters(lab).latency.count() == 3);
  const ResultCounters& unrouted = lab.ledger->unrouted();
  CHECK(unrouted.of(ErrorKind::NoRoute) == 1);
  CHECK(unrouted.of(ErrorKind::ShuttingDown) == 1);
  CHECK(sum(results) + sum(unrouted) == peer.lines());
}

TEST_CASE("the latency of a copy ends when it is settled", "[counters]") {
  LedgerLab lab;
  lab.bring_up();
  Peer& peer = lab.connect();
  peer.send(request("slow", 3, {.timeout_ms = kSoon}));
  lab.wait_for_sent(1);
  lab.advance(Duration(kSoon));
  lab.wait_for_line(peer, 0);
  CHECK(counters(lab).latency.sum_seconds() == kSoon / 1000.0);
}

TEST_CASE("a fan-out counts once per broker, each with its own result", "[counters]") {
  LedgerLab lab({broker_named("a"), broker_named("b")});
  lab.bring_up();
  Peer& peer = lab.connect();
  peer.send(request("x", 7, {.timeout_ms = kSoon}));
  lab.wait_for_sent(1, 0);
  lab.wait_for_sent(1, 1);
  lab.connection(0).ack();
  CHECK(counters(lab, 0).results.ok() == 1);  // without waiting for the other one
  lab.advance(Duration(kSoon));
  lab.wait_for_line(peer, 0);
  CHECK(sum(counters(lab, 0).results) == 1);
  CHECK(sum(counters(lab, 1).results) == 1);
  CHECK(counters(lab, 1).results.of(ErrorKind::Timeout) == 1);
  CHECK(sum(lab.ledger->unrouted()) == 0);
}

TEST_CASE("what one broker says beforehand counts for that one alone", "[counters]") {
  LedgerLab lab({broker_named("a"), broker_named("b")});
  lab.bring_up(0, {});
  lab.bring_up(1, without_qos2());
  Peer& peer = lab.connect();
  peer.send(request("x", 7, {.qos = 2}));
  lab.wait_for_line(peer, 0);
  CHECK(sum(counters(lab, 0).results) == 0);
  CHECK(sum(counters(lab, 1).results) == 1);
  CHECK(counters(lab, 1).results.of(ErrorKind::Rejected) == 1);
  CHECK(counters(lab, 1).latency.count() == 1);
}

TEST_CASE("a dead and full broker counts what it turns away", "[counters]") {
  LedgerLab lab({narrow_broker()});  // never connects
  Peer& peer = lab.connect();
  peer.send(request("held", 1));
  lab.run_until([&] { return lab.pools[0]->queued() == 1; });
  peer.send(request("away", 2));
  lab.wait_for_line(peer, 0);
  CHECK(counters(lab).results.of(ErrorKind::BrokerUnavailable) == 1);
  CHECK(sum(counters(lab).results) == 1);
}

TEST_CASE("a request that waits for room counts when it is answered, and names its broker",
          "[counters]") {
  LedgerLab lab({narrow_broker()});
  lab.bring_up();
  Peer& one = lab.connect();
  Peer& two = lab.connect();
  one.send(request("first", 1) + request("second", 2));
  lab.run_until([&] { return lab.pools[0]->in_flight() + lab.pools[0]->queued() == 2; });
  two.send(request("parked", 3, {.timeout_ms = kSoon}));
  lab.wait_for_parked(1);
  CHECK(lab.pools[0]->waiters() == 1);
  const client::PauseReport report = lab.server->paused_clients(20);
  REQUIRE(report.longest.size() == 1);
  CHECK(lab.ledger->awaited_by(report.longest[0].origin) == lab.pools[0].get());
  CHECK(sum(counters(lab).results) == 0);
  lab.advance(Duration(kSoon));
  lab.wait_for_line(two, 0);
  CHECK(counters(lab).results.of(ErrorKind::BrokerUnavailable) == 1);
  CHECK(sum(counters(lab).results) == 1);
  CHECK(lab.ledger->awaited_by(report.longest[0].origin) == nullptr);
}

TEST_CASE("an accepted request counts although its client is gone", "[counters]") {
  LedgerLab lab;
  lab.bring_up();
  Peer& gone = lab.connect();
  gone.send(request("x", 1));
  lab.wait_for_sent(1);
  gone.reset();
  lab.run_until([&] { return lab.server->counters().connections == 0; });
  lab.connection().ack();
  CHECK(counters(lab).results.ok() == 1);
}
