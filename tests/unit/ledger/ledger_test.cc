// The ledger: one reply to each request, deadlines, waiting in turn, and shutdown.
#include "ledger/ledger.h"

#include <chrono>
#include <string>
#include <vector>

#include "ledger_lab.h"

using namespace sluice;
using namespace sluice::ledger;
using client::Peer;
using mqtt::Connection;
using Texts = std::vector<std::string>;

namespace {

constexpr unsigned kSoon = 20;
constexpr Duration kJustBefore(kSoon - 1);

/// Checks that no reply comes before the deadline of kSoon; returns the line that comes then.
std::string wait_for_deadline(LedgerLab& lab, Peer& peer) {
  lab.advance(kJustBefore);
  CHECK(peer.lines() == 0);
  lab.advance(Duration(1));
  return lab.wait_for_line(peer, 0);
}

}  // namespace

TEST_CASE("a request is answered once its broker acknowledges it", "[ledger]") {
  LedgerLab lab;
  lab.bring_up();
  Peer& peer = lab.connect();
  peer.send(request("x", 7));
  lab.wait_for_sent(1);
  lab.settle();
  CHECK(peer.lines() == 0);
  lab.connection().ack();
  CHECK(lab.wait_for_line(peer, 0) == R"({"code":1,"msg":"sent","id":"x"})");
  CHECK(lab.ledger->is_idle());
}

TEST_CASE("the reply says that nobody is subscribed, and why a broker refused", "[ledger]") {
  LedgerLab lab;
  lab.bring_up();
  Peer& peer = lab.connect();
  peer.send(request("x", 7) + request("y", 7));
  lab.wait_for_sent(2);
  lab.connection().ack(0, 0x10);
  CHECK(has(lab.wait_for_line(peer, 0), R"("subscribers":0)"));
  lab.connection().ack(0, 0x87);
  const std::string refused = lab.wait_for_line(peer, 1);
  CHECK(has(refused, R"("error":"rejected","published":"no")"));
  CHECK(has(refused, R"("reason_code":135)"));
}

TEST_CASE("a device in no range has no route", "[ledger]") {
  LedgerLab lab;
  lab.bring_up();
  Peer& peer = lab.connect();
  peer.send(request("x", 1000));
  const std::string reply = lab.wait_for_line(peer, 0);
  CHECK(has(reply, R"("error":"no_route","published":"no")"));
  CHECK(has(reply, "no broker serves device 1000; nearest: broker a, 1 to 999"));
  peer.send(request("y", 999));
  lab.wait_for_sent(1);
}

TEST_CASE("no_route names the nearest range on each side of the device", "[ledger]") {
  config::Broker b = broker_named("b");
  b.min_dev_no = 1000;
  b.max_dev_no = 2000;
  LedgerLab lab({broker_named("a"), b});
  Peer& peer = lab.connect();
  peer.send(request("x", 1000) + request("y", 5000));
  CHECK(has(lab.wait_for_line(peer, 0),
            "device 1000; nearest: broker a, 1 to 999, and broker b, 1001 to 1999"));
  CHECK(has(lab.wait_for_line(peer, 1), "device 5000; nearest: broker b, 1001 to 1999"));
}

// --- deadlines

TEST_CASE("a request handed over and not acknowledged in time is a timeout, answered once",
          "[ledger]") {
  LedgerLab lab;
  lab.bring_up();
  Peer& peer = lab.connect();
  peer.send(request("x", 7, {.timeout_ms = kSoon}));
  lab.wait_for_sent(1);
  CHECK(has(wait_for_deadline(lab, peer), R"("error":"timeout","published":"unknown")"));
  CHECK(lab.pools[0]->in_flight() == 1);
  CHECK(lab.connection().sent[0].request->topic().data() == nullptr);  // its texts are freed
  lab.connection().ack();                                              // late
  CHECK(lab.pools[0]->in_flight() == 0);
  peer.send(request("y", 7));
  lab.wait_for_sent(2);
  lab.connection().ack();
  CHECK(has(lab.wait_for_line(peer, 1), R"("id":"y")"));
  lab.settle();
  CHECK(peer.lines() == 2);
}

TEST_CASE("a request that no connection took in time is unavailable and never sent", "[ledger]") {
  LedgerLab lab({narrow_broker()});
  lab.bring_up();
  Peer& peer = lab.connect();
  peer.send(request("x", 7));
  lab.wait_for_sent(1);
  peer.send(request("y", 8, {.timeout_ms = kSoon}));
  lab.run_until([&] { return lab.pools[0]->queued() == 1; });
  CHECK(has(wait_for_deadline(lab, peer), R"("error":"broker_unavailable","published":"no")"));
  lab.connection().ack();
  lab.wait_for_line(peer, 1);
  lab.settle();
  CHECK(lab.connection().payloads() == Texts{"x"});
}

TEST_CASE("a request lost with its connection and answered is not sent again", "[ledger]") {
  LedgerLab lab;
  lab.bring_up();
  Peer& peer = lab.connect();
  peer.send(request("x", 7, {.timeout_ms = kSoon}));
  lab.wait_for_sent(1);
  lab.connection().lose();
  CHECK(has(wait_for_deadline(lab, peer), R"("error":"timeout","published":"unknown")"));
  lab.bring_up();
  lab.settle();
  CHECK(lab.connection().sent.empty());
}

TEST_CASE("a shorter deadline set later comes first", "[ledger]") {
  LedgerLab lab;
  lab.bring_up();
  Peer& peer = lab.connect();
  peer.send(request("late", 7));
  lab.wait_for_sent(1);
  peer.send(request("soon", 7, {.timeout_ms = kSoon}));
  lab.wait_for_sent(2);
  CHECK(has(wait_for_deadline(lab, peer), R"("id":"soon")"));
  CHECK_FALSE(lab.ledger->is_idle());
}

// --- waiting for room

TEST_CASE("clients without room are served in turn", "[ledger]") {
  FullLab lab;
  lab.one.send(request("one-1", 1) + request("one-2", 2));
  lab.wait_for_parked(1);
  lab.two.send(request("two-1", 3) + request("two-2", 4));
  lab.wait_for_parked(2);
  for (std::size_t i = 1; i <= 6; ++i) {
    lab.wait_for_sent(i);
    lab.settle();
    lab.connection().ack();
  }
  CHECK(lab.connection().payloads() ==
        Texts{"first", "second", "one-1", "two-1", "one-2", "two-2"});
  lab.run_until([&] { return lab.one.lines() == 4 && lab.two.lines() == 2; });
}

namespace {

/// In one piece, so that all of it was read before the client is paused.
std::string forty(const std::string& delivery, int first_device) {
  std::string all;
  for (int device = first_device; device < first_device + 40; ++device)
    all += request(delivery, device);
  return all;
}

}  // namespace

TEST_CASE("a client whose turn has come hands in up to 32 requests, if there is room", "[ledger]") {
  config::Broker broker = broker_named("a");
  broker.max_inflight = 1;
  broker.queue_messages = 200;
  LedgerLab lab({broker});
  lab.bring_up();
  Peer& filler = lab.connect();
  Peer& one = lab.connect();
  Peer& two = lab.connect();
  for (int device = 1; device <= 201; ++device)
    filler.send(request("filler", device));
  lab.run_until([&] { return lab.pools[0]->queued() == 200; });
  one.send(forty("one", 301));
  lab.wait_for_parked(1);
  two.send(forty("two", 401));
  lab.wait_for_parked(2);
  // The queue is served again when 51 places are free.
  for (std::size_t i = 1; i <= 201 + 51; ++i) {
    lab.wait_for_sent(i);
    lab.settle();
    lab.connection().ack();
  }
  const Texts sent = lab.connection().payloads();
  CHECK(std::count(sent.begin() + 201, sent.begin() + 201 + 51, "one") == 32);
  CHECK(std::count(sent.begin() + 201, sent.begin() + 201 + 51, "two") == 19);
}

TEST_CASE("a client that comes later does not take the room before those who wait", "[ledger]") {
  config::Broker broker = broker_named("a");
  broker.max_inflight = 1;
  broker.queue_messages = 4;
  LedgerLab lab({broker});
  lab.bring_up();
  Peer& one = lab.connect();
  Peer& two = lab.connect();
  Peer& three = lab.connect();
  for (int device = 1; device <= 5; ++device)
    one.send(request("one", device));
  lab.run_until([&] { return lab.pools[0]->queued() == 4; });
  two.send(request("two", 11));
  lab.wait_for_parked(1);
  lab.connection().ack();
  lab.run_until([&] { return lab.pools[0]->queued() == 3; });
  three.send(request("three", 12));  // there is room now, but not yet for waiting requests
  lab.wait_for_parked(2);
  for (std::size_t i = 2; i <= 7; ++i) {
    lab.wait_for_sent(i);
    lab.connection().ack();
  }
  CHECK(lab.connection().payloads() == Texts{"one", "one", "one", "one", "one", "two", "three"});
}

TEST_CASE("a client that waits for room holds up no device that has a link of its own",
          "[ledger]") {
  config::Broker broker = broker_named("a");
  broker.connections = 2;
  broker.max_inflight = 1;
  broker.queue_messages = 4;
  LedgerLab lab({broker});
  lab.bring_up();
  Peer& flood = lab.connect();
  for (int i = 0; i < 6; ++i)
    flood.send(request("flood", 7));
  lab.wait_for_parked(1);
  CHECK(lab.pools[0]->queued() == 2);  // the link's backlog has its half of the queue
  Peer& other = lab.connect();
  other.send(request("other", 8));
  lab.run_until([&] { return lab.pools[0]->in_flight() == 2; });
  Connection& taken = lab.brokers[0].latest(
      lab.brokers[0].latest("c0").sent.back().payload == "other" ? "c0" : "c1");
  taken.ack();
  lab.wait_for_line(other, 0);
  CHECK(flood.lines() == 0);
}

TEST_CASE("a request that found no room until its deadline is answered, and its client goes on",
          "[ledger]") {
  FullLab lab;
  lab.park(request("parked", 1, {.timeout_ms = kSoon}) + request("next", 1000));
  CHECK(has(wait_for_deadline(lab, lab.two), R"("error":"broker_unavailable","published":"no")"));
  CHECK(has(lab.wait_for_line(lab.two, 1), R"("error":"no_route")"));
}

TEST_CASE("a parked request is dropped with its client", "[ledger]") {
  FullLab lab;
  lab.park(request("parked", 1));
  lab.server->end_all();  // a paused client is read only now, so its end is seen only now
  lab.two.reset();
  lab.run_until([&] { return lab.server->counters().connections <= 1; });
  lab.connection().ack();
  lab.wait_for_sent(2);
  lab.connection().ack();
  lab.settle();
  CHECK(lab.connection().payloads() == Texts{"first", "second"});
  CHECK(lab.ledger->is_idle());
}

TEST_CASE("an accepted request goes on without its client", "[ledger]") {
  LedgerLab lab({narrow_broker()});
  lab.bring_up();
  Peer& gone = lab.connect();
  lab.fill(gone);
  gone.reset();
  lab.run_until([&] { return lab.server->counters().connections == 0; });
  lab.connection().ack();
  lab.wait_for_sent(2);
  lab.connection().ack();
  CHECK(lab.ledger->is_idle());
}

TEST_CASE("whoever waits for a broker that is found dead is told at once", "[ledger]") {
  config::Broker broker = narrow_broker();
  broker.dead_after = Duration(1);
  broker.reconnect_min = std::chrono::hours(1);
  broker.reconnect_max = std::chrono::hours(1);
  FullLab lab(broker);
  lab.park(request("parked", 1));
  lab.connection().lose();
  lab.advance(Duration(1));
  CHECK(has(lab.wait_for_line(lab.two, 0), R"("error":"broker_unavailable","published":"no")"));
  lab.two.send(request("another", 1));
  CHECK(has(lab.wait_for_line(lab.two, 1), R"("error":"broker_unavailable","published":"no")"));
  CHECK(lab.one.lines() == 0);  // what fits the queue is kept
}

// --- the stop

TEST_CASE("while draining new requests are refused and old ones settled", "[ledger]") {
  LedgerLab lab;
  lab.bring_up();
  Peer& peer = lab.connect();
  peer.send(request("old", 7));
  lab.wait_for_sent(1);
  lab.ledger->drain();
  peer.send(request("new", 7));
  CHECK(has(lab.wait_for_line(peer, 0), R"("error":"shutting_down","published":"no")"));
  CHECK_FALSE(lab.ledger->is_idle());
  lab.connection().ack();
  CHECK(has(lab.wait_for_line(peer, 1), R"("code":1)"));
  CHECK(lab.ledger->is_idle());
  CHECK(lab.connection().payloads() == Texts{"old"});
}

TEST_CASE("what is left when the drain runs out is answered and counted", "[ledger]") {
  FullLab lab;
  lab.park(request("parked", 1));
  lab.ledger->drain();
  const Leftover leftover = lab.ledger->give_up_all();
  CHECK(leftover.timed_out == 1);
  CHECK(leftover.unavailable == 2);
  CHECK(lab.ledger->is_idle());
  lab.wait_for_line(lab.one, 1);
  CHECK(has(lab.one.received(), R"("error":"timeout","published":"unknown")"));
  CHECK(has(lab.one.received(), R"("error":"broker_unavailable","published":"no")"));
  CHECK(has(lab.wait_for_line(lab.two, 0), R"("error":"broker_unavailable","published":"no")"));
  CHECK(lab.ledger->give_up_all().timed_out == 0);
}
