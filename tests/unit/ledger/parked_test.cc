// Many clients that wait for room in one link's backlog.
#include <string>
#include <vector>

#include "ledger_lab.h"

using namespace sluice;
using namespace sluice::ledger;
using client::Peer;
using mqtt::Connection;
using Texts = std::vector<std::string>;

namespace {

constexpr int kWaiting = 20;

/// Device 7 is pinned to a link that acknowledges nothing, with one message in flight and two in
/// its backlog; the other link is free.
class Stuck {
 public:
  Stuck() : lab({two_links()}) {
    lab.bring_up();
    filler_ = &lab.connect();
    for (const char* name : {"f1", "f2", "f3"})
      filler_->send(request(name, 7));
    lab.run_until([&] { return lab.pools[0]->in_flight() + lab.pools[0]->queued() == 3; });
    for (int i = 0; i < kWaiting; ++i) {
      clients.push_back(&lab.connect());
      clients.back()->send(request("w" + std::to_string(i), 7));
      lab.wait_for_parked(clients.size());
    }
  }

  Connection& stuck() { return lab.brokers[0].latest(is_first_stuck() ? "c0" : "c1"); }
  Connection& healthy() { return lab.brokers[0].latest(is_first_stuck() ? "c1" : "c0"); }
  /// Acknowledges until nothing is left.
  void finish() {
    lab.run_until([&] {
      stuck().ack_all();
      return lab.ledger->is_idle();
    });
  }

  LedgerLab lab;
  std::vector<Peer*> clients;

 private:
  static config::Broker two_links() {
    config::Broker broker = broker_named("a");
    broker.connections = 2;
    broker.max_inflight = 1;
    broker.queue_messages = 4;
    return broker;
  }
  bool is_first_stuck() {
    const Connection& first = lab.brokers[0].latest("c0");
    return !first.sent.empty() && first.sent[0].payload == "f1";
  }

  Peer* filler_ = nullptr;
};

}  // namespace

TEST_CASE("clients that wait for one link's line hold up nobody else, and are served in turn",
          "[parked]") {
  Stuck test;
  Peer& other = test.lab.connect();
  for (std::size_t i = 0; i < 30; ++i) {
    other.send(request("other", 100 + static_cast<int>(i)));
    test.lab.run_until([&] {
      test.healthy().ack_all();
      return other.lines() == i + 1;
    });
  }
  CHECK(test.lab.pools[0]->waiters() == kWaiting);
  CHECK(test.stuck().payloads() == Texts{"f1"});

  test.finish();
  Texts expected{"f1", "f2", "f3"};
  for (int i = 0; i < kWaiting; ++i)
    expected.push_back("w" + std::to_string(i));
  CHECK(test.stuck().payloads() == expected);
  for (Peer* client : test.clients)
    CHECK(has(test.lab.wait_for_line(*client, 0), R"("code":1)"));
}

TEST_CASE("of those that wait for a line one may leave and one may come to its deadline",
          "[parked]") {
  Stuck test;
  Peer& late = test.lab.connect();
  late.send(request("late", 7, {.timeout_ms = 20}));
  test.lab.wait_for_parked(kWaiting + 1);
  test.lab.advance(Duration(20));
  CHECK(has(test.lab.wait_for_line(late, 0), R"("error":"broker_unavailable","published":"no")"));
  test.lab.ledger->forget({.source = test.lab.server.get(), .index = 6, .generation = 1});
  CHECK(test.lab.pools[0]->waiters() == kWaiting - 1);
  test.finish();
  CHECK(test.stuck().sent.size() == 3 + kWaiting - 1);
}
