// The ledger between a real server with clients on sockets and pools with scripted brokers.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "catch.h"
#include "client/server.h"
#include "client/support.h"
#include "config/config.h"
#include "ledger/ledger.h"
#include "mqtt/fake_transport.h"
#include "mqtt/pool/pool.h"
#include "test_loop.h"

namespace sluice::ledger {

/// One link and every device from 1 to 999, unless the test changes it. Timeouts are so long that
/// none expires by itself.
config::Broker broker_named(std::string name);
/// The same, with room for one message in flight and one in the queue.
config::Broker narrow_broker(std::string name = "a");

/// The CONNACK of a broker without QoS 2.
inline mqtt::Connack without_qos2() {
  mqtt::Connack connack;
  connack.maximum_qos = 1;
  return connack;
}

/// The destructor closes the loop, which proves that no handle is left.
class LedgerLab {
 public:
  explicit LedgerLab(std::vector<config::Broker> brokers = {broker_named("a")});
  ~LedgerLab();
  LedgerLab(const LedgerLab&) = delete;
  LedgerLab& operator=(const LedgerLab&) = delete;

  /// Starts all pools and accepts all their connections.
  void bring_up(const mqtt::Connack& connack = {});
  void bring_up(std::size_t pool, const mqtt::Connack& connack);
  client::Peer& connect();
  /// Sends two messages of this client, which leave no room in a narrow broker.
  void fill(client::Peer& peer, std::size_t pool = 0);
  /// The latest connection of a broker's only link.
  mqtt::Connection& connection(std::size_t pool = 0) { return brokers[pool].latest("c0"); }

  /// Waits for the condition while no time passes.
  void run_until(const std::function<bool()>& condition) { loop.run_until(condition); }
  /// Advances the clock.
  void advance(Duration time) { loop.advance(time); }
  /// Runs enough turns for all consequences of what has happened so far.
  void settle() { loop.run_turns(20); }
  std::string wait_for_line(client::Peer& peer, std::size_t number);
  /// Waits until `count` messages in all were sent on a connection.
  void wait_for_sent(std::size_t count, std::size_t pool = 0);
  /// Waits until `count` clients wait for room.
  void wait_for_parked(std::size_t count);

  event::TestLoop loop;
  Random random{3};
  config::Config config;
  std::deque<mqtt::FakeBroker> brokers;
  std::unique_ptr<Ledger> ledger;
  std::vector<std::unique_ptr<mqtt::Pool>> pools;
  std::unique_ptr<client::Server> server;

 private:
  std::vector<std::unique_ptr<client::Peer>> peers_;
};

/// A narrow broker without room: `one` has a message in flight and one in the queue.
class FullLab : public LedgerLab {
 public:
  explicit FullLab(config::Broker broker = narrow_broker());

  /// Sends requests from `two`, the first of which waits for room.
  void park(const std::string& requests);

  client::Peer& one = connect();
  client::Peer& two = connect();
};

struct RequestOptions {
  unsigned timeout_ms = 60000;
  unsigned qos = 1;
};

/// A request whose message and id are both `name`.
std::string request(std::string_view name, std::int64_t device, const RequestOptions& options = {});

inline bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace sluice::ledger
