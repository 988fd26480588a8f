// Requests for several brokers: accepted by all or by none, answered once.
#include <string>
#include <utility>
#include <vector>

#include "ledger_lab.h"
#include "mqtt/reason_codes.h"

using namespace sluice;
using namespace sluice::ledger;
using client::Peer;
using Texts = std::vector<std::string>;

namespace {

/// Devices from 1 to 499 go to a and b, from 500 to b alone. b takes one message, and queues one.
std::vector<config::Broker> two_brokers() {
  config::Broker a = broker_named("a");
  a.max_dev_no = 500;
  return {a, narrow_broker("b")};
}

/// Brings both up, and waits until both have received this request of a client.
Peer& send_to_both(LedgerLab& lab, const std::string& wanted) {
  lab.bring_up();
  Peer& peer = lab.connect();
  peer.send(wanted);
  lab.wait_for_sent(1, 0);
  lab.wait_for_sent(1, 1);
  return peer;
}

}  // namespace

TEST_CASE("a request for two brokers is sent when both have acknowledged", "[fan-out]") {
  LedgerLab lab(two_brokers());
  Peer& peer = send_to_both(lab, request("x", 7));
  lab.connection(0).ack();
  lab.settle();
  CHECK(peer.lines() == 0);
  lab.connection(1).ack();
  CHECK(lab.wait_for_line(peer, 0) == R"({"code":1,"msg":"sent","id":"x"})");
}

TEST_CASE("one deadline for both: each broker's part is told, late ones change nothing",
          "[fan-out]") {
  std::vector<config::Broker> brokers = two_brokers();
  brokers[1].max_inflight = 2;  // a window full of late messages would be replaced
  LedgerLab lab(brokers);
  Peer& peer = send_to_both(lab, request("x", 7, {.timeout_ms = 50}));
  lab.connection(0).ack();
  lab.advance(Duration(50));
  const std::string reply = lab.wait_for_line(peer, 0);
  CHECK(has(reply, R"("error":"timeout","published":"unknown")"));
  CHECK(has(reply, R"("brokers":{"a":"ok","b":"timeout"})"));
  lab.connection(1).ack();
  lab.settle();
  CHECK(peer.lines() == 1);
}

TEST_CASE("where one broker acknowledged and another refused, it is partial", "[fan-out]") {
  LedgerLab lab(two_brokers());
  Peer& peer = send_to_both(lab, request("x", 7));
  lab.connection(1).ack(0, 0x87);
  lab.connection(0).ack();
  const std::string reply = lab.wait_for_line(peer, 0);
  CHECK(has(reply, R"("error":"partial","published":"some")"));
  CHECK(has(reply, R"("brokers":{"a":"ok","b":"rejected"})"));
}

TEST_CASE("where one broker has no room, none is sent anything until it has", "[fan-out]") {
  LedgerLab lab(two_brokers());
  lab.bring_up();
  Peer& one = lab.connect();
  Peer& two = lab.connect();
  lab.fill(one, 1);
  two.send(request("x", 7));
  lab.wait_for_parked(1);
  lab.settle();
  CHECK(lab.connection(0).sent.empty());
  lab.connection(1).ack();
  lab.wait_for_sent(1, 0);
  lab.wait_for_sent(2, 1);
  lab.connection(1).ack();
  lab.wait_for_sent(3, 1);
  lab.connection(0).ack();
  lab.connection(1).ack();
  CHECK(has(lab.wait_for_line(two, 0), R"("code":1)"));
}

TEST_CASE(
    "a request for two brokers that finds others before it in its client's turn is not forgotten",
    "[fan-out]") {
  std::vector<config::Broker> brokers = two_brokers();
  brokers[1].queue_messages = 100;
  LedgerLab lab(std::move(brokers));
  lab.bring_up();
  Peer& filler = lab.connect();
  Peer& one = lab.connect();
  Peer& two = lab.connect();
  for (int device = 501; device <= 601; ++device)
    filler.send(request("filler", device));
  lab.run_until([&] { return lab.pools[1]->queued() == 100; });
  one.send(request("alone", 701) + request("both", 7));
  lab.wait_for_parked(1);
  two.send(request("two", 702));
  lab.wait_for_parked(2);
  // "both" finds the queue three quarters full again, and the second client waiting.
  for (std::size_t i = 1; i <= 103; ++i) {
    lab.wait_for_sent(i, 1);
    lab.connection(1).ack();
  }
  lab.settle();
  CHECK(lab.connection(0).sent.size() == 1);
  CHECK(lab.connection(1).sent.size() == 104);
}

TEST_CASE("where one broker is dead and full, none is sent anything", "[fan-out]") {
  std::vector<config::Broker> brokers = two_brokers();
  LedgerLab lab(brokers);
  lab.bring_up(0, {});  // b never connects
  Peer& peer = lab.connect();
  peer.send(request("held", 900));
  lab.run_until([&] { return lab.pools[1]->queued() == 1; });
  peer.send(request("x", 7));
  const std::string reply = lab.wait_for_line(peer, 0);
  CHECK(has(reply, R"("error":"broker_unavailable","published":"no")"));
  CHECK(has(reply, "broker b"));
  lab.settle();
  CHECK(lab.connection(0).sent.empty());
}

TEST_CASE("what one broker announces to refuse is sent to none", "[fan-out]") {
  LedgerLab lab(two_brokers());
  lab.bring_up(0, {});
  lab.bring_up(1, without_qos2());
  Peer& peer = lab.connect();
  peer.send(request("x", 7, {.qos = 2}));
  const std::string reply = lab.wait_for_line(peer, 0);
  CHECK(has(reply, R"("error":"rejected","published":"no")"));
  CHECK(has(reply, R"("reason_code":155)"));
  CHECK(lab.connection(0).sent.empty());
  CHECK(lab.connection(1).sent.empty());
  CHECK(lab.ledger->is_idle());
}

TEST_CASE("a refusal inside the hand-over leaves the other broker's copy alone", "[fan-out]") {
  LedgerLab lab(two_brokers());
  lab.bring_up();
  lab.brokers[0].status = mqtt::PublishStatus::Refused;
  Peer& peer = lab.connect();
  peer.send(request("x", 7));
  lab.wait_for_sent(1, 1);
  lab.settle();
  CHECK(peer.lines() == 0);
  lab.connection(1).ack();
  CHECK(has(lab.wait_for_line(peer, 0), R"("brokers":{"a":"rejected","b":"ok"})"));
  // Refused by both inside the hand-over: answered before it was even accepted.
  lab.brokers[1].status = mqtt::PublishStatus::Refused;
  peer.send(request("y", 7));
  CHECK(has(lab.wait_for_line(peer, 1), R"("error":"rejected","published":"no")"));
  CHECK(lab.ledger->is_idle());
}

TEST_CASE("a request parked at a slow broker is answered once its other one is dead and full",
          "[fan_out]") {
  std::vector<config::Broker> brokers{narrow_broker("a"), narrow_broker("b")};
  brokers[0].max_dev_no = 500;
  brokers[1].dead_after = Duration(50);
  brokers[1].reconnect_min = std::chrono::hours(1);
  brokers[1].reconnect_max = std::chrono::hours(1);
  LedgerLab lab(std::move(brokers));
  lab.bring_up();
  lab.connect().send(request("a1", 100) + request("a2", 101));
  lab.connect().send(request("b1", 901) + request("b2", 902));
  lab.run_until([&] { return lab.pools[0]->queued() == 1 && lab.pools[1]->queued() == 1; });
  Peer& both = lab.connect();
  both.send(request("x", 7));
  lab.wait_for_parked(1);
  lab.connection(1).lose();
  lab.advance(Duration(49));
  CHECK(both.lines() == 0);
  lab.advance(Duration(1));
  CHECK(has(lab.wait_for_line(both, 0), R"("error":"broker_unavailable","published":"no")"));
}
