// Deadlines after the process was stopped: what the broker had sent meanwhile counts.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger_lab.h"
#include "mqtt/test_broker.h"
#include "mqtt/transport/mosquitto_transport.h"
#include "mqtt_wire.h"
#include "test_source.h"

using namespace sluice;
using namespace sluice::ledger;
using wire::Type;
using Texts = std::vector<std::string>;

namespace {

constexpr Duration kDeadline{1000};
constexpr Duration kStall = std::chrono::seconds(11);

/// A ledger and a pool with one connection, over a real socket, to a broker that the test plays.
class Scene {
 public:
  explicit Scene(const std::function<void(config::Broker&)>& change = {}) {
    config::Broker settings = broker_named("a");
    settings.port = broker.port();
    settings.max_inflight = 100;
    if (change) change(settings);
    const auto factory = [](event::Loop& on, mqtt::TransportEvents& events,
                            const config::Broker& to) {
      return std::make_unique<mqtt::MosquittoTransport>(on, events, to, nullptr);
    };
    pool = std::make_unique<mqtt::Pool>(loop, ledger, random,
                                        mqtt::PoolSettings{settings, {"c0"}, factory});
    ledger.reroute({pool.get()}, Router({{0, 1000, 0}}));
    loop.after_turn = [this] {
      if (broker.accept()) broker.read();
    };
    pool->start();
    wait_for(Type::Connect, 1);
  }
  ~Scene() {
    ledger.give_up_all();
    pool->stop();
    pool->close_now();
    loop.after_turn = {};
  }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  void send_connack() {
    std::string connack;
    wire::append_connack(connack, true, 0);
    broker.send(connack);
  }
  void bring_up() {
    send_connack();
    loop.run_until([this] { return pool->ready_links() == 1; });
  }
  /// Waits until the broker has received `count` packets of this type in all.
  void wait_for(Type type, std::size_t count) {
    loop.run_until([&] { return broker.count(type) == count; });
  }
  /// Submits requests "1", "2" and so on with the deadline; they are in flight or queued then.
  void submit(int count, std::optional<Duration> deadline = kDeadline) {
    Terms terms;
    if (deadline) terms.deadline = loop.now() + *deadline;
    for (int i = 1; i <= count; ++i)
      source.submit(std::to_string(i), i % 900 + 1, terms);
    loop.run_turns(4);
  }
  /// PUBACKs of the first `count` packet identifiers.
  void acknowledge(int count) {
    std::string acks;
    for (int id = 1; id <= count; ++id)
      wire::append_ack(acks, Type::Puback, true, static_cast<std::uint16_t>(id));
    broker.send(acks);
  }
  /// The process is stopped: time passes between two turns.
  void stall(Duration time = kStall) { loop.clock.move_to(loop.clock.now() + time); }
  std::size_t count(std::string_view result) const {
    return static_cast<std::size_t>(
        std::count_if(source.replies.begin(), source.replies.end(),
                      [result](const std::string& reply) { return reply.ends_with(result); }));
  }

  mqtt::MosquittoLibrary library;
  event::TestLoop loop;
  Random random{3};
  mqtt::TestBroker broker;
  Ledger ledger{loop};
  std::unique_ptr<mqtt::Pool> pool;
  TestSource source{loop, ledger};
};

}  // namespace

TEST_CASE("requests whose PUBACK came while the process was stopped are ok", "[stall]") {
  const bool is_poll_cut_short = GENERATE(false, true);  // by the SIGCONT
  Scene scene;
  scene.bring_up();
  scene.submit(50);
  scene.wait_for(Type::Publish, 50);
  if (!is_poll_cut_short) scene.acknowledge(50);
  scene.stall();
  scene.loop.run_turns(1);
  if (is_poll_cut_short) scene.acknowledge(50);
  scene.loop.run_turns(8);
  CHECK(scene.count("ok") == 50);
}

TEST_CASE("requests without a PUBACK are a timeout at the end of the stall", "[stall]") {
  Scene scene;
  scene.bring_up();
  scene.submit(3);
  scene.wait_for(Type::Publish, 3);
  scene.acknowledge(1);
  scene.stall();
  scene.loop.run_turns(2);
  CHECK(scene.source.replies == Texts{"1 1 ok", "2 2 timeout", "3 3 timeout"});
}

TEST_CASE("acknowledgements too few to make a batching socket readable count, too", "[stall]") {
  Scene scene([](config::Broker& broker) { broker.max_inflight = 8; });
  scene.bring_up();
  scene.submit(8, Duration(2));  // before the timer that reads them
  scene.wait_for(Type::Publish, 8);
  REQUIRE(mqtt::low_water_mark(scene.broker.peer()) > 4);
  scene.acknowledge(1);
  scene.stall();
  scene.loop.run_turns(8);
  CHECK(scene.count("ok") == 1);
  CHECK(scene.count("timeout") == 7);
}

TEST_CASE("the acknowledgements of a large window count, which take several reads", "[stall]") {
  Scene scene([](config::Broker& broker) {
    broker.max_inflight = 9000;
    broker.inflight_bytes = 100 << 20;
  });
  scene.bring_up();
  scene.submit(9000);
  scene.wait_for(Type::Publish, 9000);
  scene.acknowledge(9000);
  scene.stall();
  scene.loop.run_until([&] { return scene.ledger.is_idle(); });
  CHECK(scene.count("ok") == 9000);
}

TEST_CASE("an overdue request is handed to no connection while it waits for the input", "[stall]") {
  Scene scene([](config::Broker& broker) {
    broker.max_inflight = 1;
    broker.queue_messages = 1;
  });
  scene.bring_up();
  scene.submit(3);  // in flight, queued, waiting for room
  REQUIRE(scene.source.taken.back() == Taken::Waits);
  scene.wait_for(Type::Publish, 1);
  scene.acknowledge(1);
  scene.stall();
  scene.loop.run_turns(8);
  CHECK(scene.source.replies ==
        Texts{"2 2 broker_unavailable", "3 3 broker_unavailable", "1 1 ok"});
  CHECK(mqtt::payloads_of(scene.broker.input()) == Texts{"1"});
}

TEST_CASE("a connection whose acknowledgements came in time outlives the stall", "[stall]") {
  Scene scene([](config::Broker& broker) { broker.ack_timeout = Duration(5000); });
  scene.bring_up();
  scene.submit(2, std::nullopt);
  scene.wait_for(Type::Publish, 2);
  scene.acknowledge(1);
  scene.stall();
  scene.loop.run_turns(8);
  CHECK(scene.count("ok") == 1);
  CHECK(scene.pool->ready_links() == 1);
  scene.stall();  // the other one has no acknowledgement
  scene.loop.run_turns(8);
  CHECK(scene.pool->ready_links() == 0);
}

TEST_CASE("a PINGRESP that came while the process was stopped keeps the connection", "[stall]") {
  Scene scene([](config::Broker& broker) { broker.keepalive_s = 10; });
  scene.bring_up();
  scene.loop.advance_until([&] { return scene.broker.count(Type::Pingreq) == 1; });
  const bool is_answered = GENERATE(true, false);
  std::string pong;
  wire::append_pingresp(pong);
  if (is_answered) scene.broker.send(pong);
  scene.stall();
  scene.loop.run_turns(8);
  CHECK(scene.pool->ready_links() == (is_answered ? 1 : 0));
}

TEST_CASE("a CONNACK that came while the process was stopped is no connect timeout", "[stall]") {
  Scene scene([](config::Broker& broker) { broker.connect_timeout = Duration(5000); });
  const bool is_answered = GENERATE(true, false);
  if (is_answered) scene.send_connack();
  scene.stall();
  scene.loop.run_turns(8);
  CHECK(scene.pool->ready_links() == (is_answered ? 1 : 0));
}

// --- a request for two brokers

namespace {

constexpr unsigned kSoon = 1000;

std::uint64_t unavailable_at_b(const LedgerLab& lab) {
  return lab.ledger->lane_of(*lab.pools[1])
      .counters.results.of(protocol::ErrorKind::BrokerUnavailable);
}

}  // namespace

TEST_CASE("of two brokers the one that has the message may still acknowledge it", "[stall]") {
  LedgerLab lab({broker_named("a"), narrow_broker("b")});
  lab.bring_up();
  client::Peer& peer = lab.connect();
  peer.send(request("y", 8) + request("x", 7, {.timeout_ms = kSoon}));
  lab.run_until([&] { return lab.pools[1]->queued() == 1; });
  lab.loop.clock.move_to(lab.loop.clock.now() + kStall);
  lab.loop.run_turns(1);
  CHECK(unavailable_at_b(lab) == 1);
  CHECK(peer.lines() == 0);
  lab.connection(0).ack(1);
  const std::string reply = lab.wait_for_line(peer, 0);
  CHECK(has(reply, R"("published":"some")"));
  CHECK(has(reply, R"("brokers":{"a":"ok","b":"broker_unavailable"})"));
  CHECK(unavailable_at_b(lab) == 1);
}

TEST_CASE("what was given up at one broker is counted once, whenever its device is released",
          "[stall]") {
  LedgerLab lab({broker_named("a"), narrow_broker("b")});
  lab.bring_up();
  client::Peer& peer = lab.connect();
  peer.send(request("x", 7, {.timeout_ms = kSoon}));
  lab.wait_for_sent(1, 0);
  lab.wait_for_sent(1, 1);
  lab.connection(1).lose();
  lab.run_until([&] { return lab.brokers[1].attempts.size() == 1; });
  lab.advance(Duration(2));
  REQUIRE(lab.brokers[1].pending() == 1);
  lab.loop.clock.move_to(lab.loop.clock.now() + kStall);
  lab.loop.run_turns(1);
  lab.brokers[1].accept_pending();
  lab.connection(0).ack();
  CHECK(has(lab.wait_for_line(peer, 0), R"("brokers":{"a":"ok","b":"timeout"})"));
  const auto& counters = lab.ledger->lane_of(*lab.pools[1]).counters.results;
  CHECK(counters.of(protocol::ErrorKind::Timeout) == 1);
  CHECK(lab.connection(1).sent.empty());
}
