// What a source may rely on: one that serves its own queue for one broker, and one like a TCP
// client, which waits.
#include "ledger/source.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "ledger_lab.h"
#include "test_source.h"

using namespace sluice;
using namespace sluice::ledger;
using Texts = std::vector<std::string>;

namespace {

const Terms kForB{.broker = "b", .when_full = WhenFull::Refuse};

/// Two brokers: both have the devices from 1 to 99, only the first one those up to 999.
std::vector<config::Broker> two_brokers() {
  config::Broker b = narrow_broker("b");
  b.max_dev_no = 100;
  return {broker_named("a"), b};
}

struct TwoBrokers : LedgerLab {
  TwoBrokers() : LedgerLab(two_brokers()) { bring_up(); }
  ~TwoBrokers() { ledger->give_up_all(); }
  TestSource source{loop, *ledger};
};

config::Broker slow_broker(std::size_t queue, std::string name = "a") {
  config::Broker broker = narrow_broker(std::move(name));
  broker.queue_messages = queue;
  return broker;
}

/// A broker without room, and acknowledgements until there is room again.
struct Busy : LedgerLab {
  explicit Busy(std::size_t queue, std::vector<config::Broker> more = {})
      : LedgerLab(with(slow_broker(queue), std::move(more))) {
    bring_up();
    for (std::size_t i = 0; i <= queue; ++i)
      filler.submit("filler", 500 + static_cast<std::int64_t>(i), {.broker = "a"});
  }
  ~Busy() { ledger->give_up_all(); }
  static std::vector<config::Broker> with(config::Broker first, std::vector<config::Broker> more) {
    more.insert(more.begin(), std::move(first));
    return more;
  }
  void acknowledge(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      connection().ack();
      settle();
    }
  }
  /// The names of the messages sent after the fillers, with all acknowledged.
  Texts sent_behind(std::size_t fillers) {
    run_until([&] {
      connection().ack_all();
      return ledger->is_idle();
    });
    Texts all = connection().payloads();
    all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(fillers));
    return all;
  }

  TestSource filler{loop, *ledger};
  TestSource source{loop, *ledger};
};

}  // namespace

// --- without a deadline, for one broker, refused when full

TEST_CASE("a request for one named broker goes there alone, whatever the ranges", "[source]") {
  TwoBrokers lab;
  CHECK(lab.source.submit("both", 500, kForB) == Taken::Accepted);
  lab.wait_for_sent(1, 1);
  lab.connection(1).ack();
  CHECK(lab.source.deliveries == Texts{"1 b acknowledged"});
  CHECK(lab.source.replies == Texts{"1 both ok"});  // with its request
  CHECK(lab.connection(0).sent.empty());
  CHECK(lab.ledger->is_idle());
}

TEST_CASE("a broker that there is not is named in the answer", "[source]") {
  TwoBrokers lab;
  CHECK(lab.source.submit("x", 7, {.broker = "c"}) == Taken::Settled);
  CHECK(lab.source.replies == Texts{"1 x no_route"});
  CHECK(has(lab.source.full_replies[0].detail, "broker c"));
  CHECK(lab.source.deliveries.empty());
  CHECK(lab.ledger->unrouted().of(protocol::ErrorKind::NoRoute) == 1);
}

TEST_CASE("a broker that is leaving gets nothing new, by its name either", "[source]") {
  TwoBrokers lab;
  lab.ledger->reroute({lab.pools[0].get()}, Router({{0, 1000, 0}}));
  CHECK(lab.source.submit("x", 7, kForB) == Taken::Settled);
  CHECK(lab.source.replies == Texts{"1 x no_route"});
}

TEST_CASE("a full broker refuses a request that does not wait, and leaves it to its source",
          "[source]") {
  TwoBrokers lab;
  CHECK(lab.source.submit("first", 1, kForB) == Taken::Accepted);
  CHECK(lab.source.submit("second", 2, kForB) == Taken::Accepted);
  CHECK(lab.source.submit("third", 3, kForB) == Taken::Full);
  CHECK(lab.source.last.payload() == "third");
  CHECK(lab.source.replies.empty());
  CHECK(lab.pools[1]->waiters() == 0);
  lab.wait_for_sent(1, 1);
  lab.connection(1).ack();
  lab.wait_for_sent(2, 1);
  CHECK(lab.source.submit("third", 3, kForB) == Taken::Accepted);
  lab.connection(1).ack();
  lab.wait_for_sent(3, 1);
  lab.connection(1).ack();
  CHECK(lab.source.replies == Texts{"1 first ok", "2 second ok", "4 third ok"});
  CHECK(lab.ledger->is_done_with(*lab.pools[1]));
  CHECK(lab.source.grants.empty());
}

TEST_CASE("without a deadline nothing is given up for time, but for the stop", "[source]") {
  TwoBrokers lab;
  lab.source.submit("first", 1, kForB);
  lab.source.submit("second", 2, kForB);
  lab.wait_for_sent(1, 1);
  lab.advance(std::chrono::minutes(1));
  CHECK(lab.source.replies.empty());
  CHECK_FALSE(lab.ledger->is_idle());
  const Leftover leftover = lab.ledger->give_up_all();
  CHECK(leftover.timed_out == 1);
  CHECK(leftover.unavailable == 1);
  CHECK(lab.source.replies == Texts{"1 first timeout", "2 second broker_unavailable"});
  CHECK(lab.source.deliveries == Texts{"1 b given up, perhaps published", "2 b given up"});
  CHECK(lab.ledger->is_idle());
}

TEST_CASE("each broker's outcome is reported when it is known, the answer once for all",
          "[source]") {
  TwoBrokers lab;
  lab.source.submit("x", 7);
  lab.wait_for_sent(1, 0);
  lab.wait_for_sent(1, 1);
  lab.connection(1).ack(0, 0x87);
  CHECK(lab.source.deliveries == Texts{"1 b rejected"});
  CHECK(lab.source.replies.empty());
  lab.connection(0).ack();
  CHECK(lab.source.deliveries == Texts{"1 b rejected", "1 a acknowledged"});
  CHECK(lab.source.replies == Texts{"1 x partial"});
}

TEST_CASE("an acknowledgement after the deadline is not reported", "[source]") {
  TwoBrokers lab;
  lab.source.submit("x", 7, {.broker = "a", .deadline = lab.loop.now() + Duration(20)});
  lab.wait_for_sent(1, 0);
  lab.advance(Duration(20));
  CHECK(lab.source.replies == Texts{"1 x timeout"});  // with its request
  CHECK(lab.pools[0]->in_flight() == 1);
  lab.connection(0).ack();
  CHECK(lab.pools[0]->in_flight() == 0);
  CHECK(lab.source.deliveries == Texts{"1 a given up, perhaps published"});
  CHECK(lab.source.replies.size() == 1);
  CHECK(lab.ledger->is_done_with(*lab.pools[0]));
}

TEST_CASE("what a broker announces to refuse is reported before it is answered", "[source]") {
  LedgerLab lab;
  lab.bring_up(without_qos2());
  TestSource source(lab.loop, *lab.ledger);
  protocol::Request request = make_request("x", 7);
  request.qos = 2;
  CHECK(lab.ledger->submit(source.origin(0, 1), request, {}) == Taken::Settled);
  CHECK(source.deliveries == Texts{"1 a rejected"});
  CHECK(source.replies == Texts{"1 x rejected"});
}

// --- one that waits

TEST_CASE("a stream that waited is granted room for what it has, before others that wait",
          "[source]") {
  Busy lab(16);
  lab.source.add(1, "one", 1, 3);
  lab.source.add(2, "two", 2, 1);
  lab.settle();
  CHECK(lab.source.taken == std::vector{Taken::Waits, Taken::Waits});
  lab.acknowledge(4);
  CHECK(lab.source.grants.empty());
  lab.acknowledge(1);  // below three quarters
  CHECK(lab.source.grants == std::vector<unsigned>{4, 1});
  CHECK(lab.sent_behind(17) == Texts{"one", "two", "one", "one"});
}

TEST_CASE("a stream whose turn has come submits 32 requests, and waits again behind others",
          "[source]") {
  Busy lab(400);
  lab.source.add(1, "one", 1, 40);
  lab.source.add(2, "two", 2, 40);
  lab.source.add(3, "three", 3, 40);
  lab.source.add(4, "four", 4, 40);
  lab.settle();
  lab.acknowledge(101);
  const auto first = lab.sent_behind(401);
  const auto count = [&](const std::string& name, std::ptrdiff_t of) {
    return std::count(first.begin(), first.begin() + of, name);
  };
  // 101 places: three have their 32, and the fourth its first one with the rest.
  CHECK(count("one", 101) == 32);
  CHECK(count("two", 101) == 32);
  CHECK(count("three", 101) == 32);
  CHECK(count("four", 101) == 5);
  CHECK(first.size() == 160);
}

TEST_CASE("a stream that has nothing more to submit holds up nobody", "[source]") {
  Busy lab(16);
  for (std::uint32_t stream = 1; stream <= 5; ++stream)
    lab.source.add(stream, "x", stream, 1);
  lab.settle();
  lab.acknowledge(5);
  CHECK(lab.source.grants == std::vector<unsigned>{4, 3, 2, 1, 0});
}

TEST_CASE("room that a stream lets lapse serves the next one, above the low mark too", "[source]") {
  Busy lab(16);
  lab.source.add(1, "one", 1, 10);
  lab.source.add(2, "two", 2, 1);
  lab.settle();
  lab.acknowledge(4);
  lab.source.at_turn_end = [] {};  // it has four more to submit, and does not
  lab.acknowledge(1);
  CHECK(lab.source.grants == std::vector<unsigned>{4, 3});
  CHECK(lab.pools[0]->queued() == 13);
}

TEST_CASE("what was said not to follow has no turn", "[source]") {
  Busy lab(16);
  lab.source.claims_nothing = true;
  lab.source.add(1, "one", 1, 10);
  for (std::uint32_t stream = 2; stream <= 9; ++stream)
    lab.source.add(stream, "other", stream, 1);
  lab.settle();
  lab.acknowledge(5);
  const Texts sent = lab.sent_behind(17);
  CHECK(std::count(sent.begin(), sent.begin() + 5, "one") == 1);
}

TEST_CASE("a grant for one broker is none for another", "[source]") {
  config::Broker b = slow_broker(4, "b");
  b.min_dev_no = 1000;
  b.max_dev_no = 2000;
  Busy lab(16, {b});
  for (std::int64_t device = 1101; device <= 1105; ++device)
    lab.filler.submit("filler", device);
  lab.source.add(1, "one", 1, 1);
  lab.settle();
  lab.source.add(2, "waits", 1002, 1);
  lab.settle();
  lab.source.add(1, "one", 1001, 2);
  lab.settle();
  lab.connection(1).ack();  // one place at b, for which the other one waits
  lab.settle();
  lab.acknowledge(5);
  CHECK(lab.source.grants == std::vector<unsigned>{4});
  CHECK(lab.pools[1]->waiters() == 2);  // the grant is for a
  CHECK(lab.pools[1]->queued() == 3);
  lab.run_until([&] {
    lab.connection(0).ack_all();
    lab.connection(1).ack_all();
    return lab.ledger->is_idle();
  });
  Texts at_b = lab.connection(1).payloads();
  at_b.erase(at_b.begin(), at_b.begin() + 5);
  CHECK(at_b == Texts{"waits", "one", "one"});
}

TEST_CASE("the grant of a stream that is gone is free for others at once", "[source]") {
  Busy lab(16);
  const protocol::Request like = make_request("one", 1);
  lab.source.add(1, "one", 1, 10);
  lab.settle();
  std::vector<unsigned> rooms;
  lab.source.at_turn_end = [&] {
    rooms.push_back(lab.pools[0]->room_for(like, 31));
    lab.source.forget(1);
    rooms.push_back(lab.pools[0]->room_for(like, 31));
  };
  lab.acknowledge(5);
  CHECK(rooms == std::vector<unsigned>{0, 4});
}

TEST_CASE("what waits of a stream that is gone is dropped, what was accepted goes on", "[source]") {
  Busy lab(4);
  lab.source.add(1, "waits", 1, 2);
  lab.settle();
  CHECK(lab.ledger->awaited_by(lab.source.origin(1)) == lab.pools[0].get());
  CHECK(lab.ledger->awaited_by(lab.source.origin(2)) == nullptr);
  lab.source.forget(1);
  CHECK(lab.ledger->awaited_by(lab.source.origin(1)) == nullptr);
  CHECK(lab.sent_behind(5).empty());
  CHECK(lab.source.replies.empty());
  CHECK(lab.filler.replies.size() == 5);
}

TEST_CASE("a request that waited until its deadline is reported, answered, and its stream goes on",
          "[source]") {
  Busy lab(4);
  CHECK(lab.source.submit("late", 1, {.deadline = lab.loop.now() + Duration(20)}) == Taken::Waits);
  lab.advance(Duration(20));
  CHECK(lab.source.deliveries == Texts{"1 a given up"});
  CHECK(lab.source.replies == Texts{"1 late broker_unavailable"});
  CHECK(lab.source.grants == std::vector<unsigned>{0});
}

TEST_CASE("what a connection refuses that was not asked before is settled at once, too",
          "[source]") {
  config::Broker two = broker_named("a");
  two.connections = 2;
  LedgerLab lab({two});
  lab.pools[0]->start();
  lab.run_until([&] { return lab.brokers[0].pending() == 1; });
  mqtt::Connection& roomy = *lab.brokers[0].attempts[0];
  roomy.accept();
  mqtt::Connack small;
  small.maximum_packet_size = 40;
  lab.bring_up(0, small);
  TestSource source(lab.loop, *lab.ledger);
  // The connection without a maximum packet size has no room; refusal_of() asks that one.
  roomy.set_congested(true);
  CHECK(source.submit("short", 1) == Taken::Accepted);
  CHECK(source.submit(std::string(100, 'x'), 2) == Taken::Settled);
  CHECK(source.full_replies.back().error == protocol::ErrorKind::Rejected);
  CHECK(source.deliveries == Texts{"2 a rejected"});
  lab.brokers[0].attempts[1]->ack();
  CHECK(lab.ledger->is_idle());
}
