#include "ledger_lab.h"

#include <fmt/format.h>

#include <chrono>
#include <stdexcept>
#include <utility>

#include "base/log.h"

namespace sluice::ledger {

config::Broker broker_named(std::string name) {
  config::Broker broker;
  broker.name = std::move(name);
  broker.host = "127.0.0.1";
  broker.url = "mqtt://127.0.0.1:1883";
  broker.min_dev_no = 0;
  broker.max_dev_no = 1000;
  broker.connections = 1;
  broker.connect_timeout = std::chrono::hours(1);
  broker.ack_timeout = std::chrono::hours(1);
  broker.reconnect_min = Duration(1);
  broker.reconnect_max = Duration(1);
  broker.dead_after = std::chrono::hours(1);
  return broker;
}

config::Broker narrow_broker(std::string name) {
  config::Broker broker = broker_named(std::move(name));
  broker.max_inflight = 1;
  broker.queue_messages = 1;
  return broker;
}

LedgerLab::LedgerLab(std::vector<config::Broker> settings) {
  log::Settings quiet;
  quiet.level = log::Level::Error;
  CHECK(log::configure(quiet));
  config.server.listen = {{config::Address::Kind::Tcp, "127.0.0.1", 0, ""}};
  config.replies.success = "sent";
  config.replies.failure = "failed";
  config.brokers = std::move(settings);
  ledger = std::make_unique<Ledger>(loop);
  std::vector<Route> routes;
  std::vector<mqtt::Pool*> raw;
  for (const config::Broker& broker : config.brokers) {
    std::vector<std::string> client_ids;
    for (unsigned slot = 0; slot < broker.connections; ++slot)
      client_ids.push_back(fmt::format("c{}", slot));
    brokers.emplace_back();
    pools.push_back(std::make_unique<mqtt::Pool>(
        loop, *ledger, random, mqtt::PoolSettings{broker, client_ids, brokers.back().factory()}));
    raw.push_back(pools.back().get());
    routes.push_back({broker.min_dev_no, broker.max_dev_no, routes.size()});
  }
  server = std::make_unique<client::Server>(loop, config, *ledger);
  ledger->reroute(raw, Router(routes));
  if (const Result<void> bound = server->listen(); !bound) {
    throw std::runtime_error(bound.error().what);
  }
  loop.after_turn = [this] {
    for (const auto& peer : peers_)
      peer->pump();
  };
}

LedgerLab::~LedgerLab() {
  ledger->drain();
  ledger->give_up_all();
  CHECK(ledger->is_idle());
  for (const auto& pool : pools) {
    pool->stop();
    pool->close_now();
    CHECK(pool->in_flight() + pool->queued() == 0);
  }
  peers_.clear();
  pools.clear();
  server.reset();
  ledger.reset();
}

void LedgerLab::bring_up(const mqtt::Connack& connack) {
  for (std::size_t i = 0; i < pools.size(); ++i)
    bring_up(i, connack);
}

void LedgerLab::bring_up(std::size_t pool, const mqtt::Connack& connack) {
  // A pool that is up only reconnects.
  if (brokers[pool].attempts.empty()) pools[pool]->start();
  run_until([&] {
    brokers[pool].accept_pending(connack);
    return pools[pool]->ready_links() == pools[pool]->connections();
  });
}

client::Peer& LedgerLab::connect() {
  peers_.push_back(std::make_unique<client::Peer>(client::Peer::tcp(server->port(0))));
  return *peers_.back();
}

void LedgerLab::fill(client::Peer& peer, std::size_t pool) {
  peer.send(request("first", 900) + request("second", 901));
  run_until([&] { return pools[pool]->in_flight() + pools[pool]->queued() == 2; });
}

std::string LedgerLab::wait_for_line(client::Peer& peer, std::size_t number) {
  run_until([&] { return peer.lines() > number; });
  return peer.line(number);
}

void LedgerLab::wait_for_sent(std::size_t count, std::size_t pool) {
  run_until([&] { return connection(pool).sent.size() >= count; });
}

void LedgerLab::wait_for_parked(std::size_t count) {
  run_until([&] { return server->counters().paused >= count; });
}

FullLab::FullLab(config::Broker broker) : LedgerLab({std::move(broker)}) {
  bring_up();
  fill(one);
}

void FullLab::park(const std::string& requests) {
  two.send(requests);
  wait_for_parked(1);
}

std::string request(std::string_view name, std::int64_t device, const RequestOptions& options) {
  return fmt::format(
      R"({{"id":"{0}","device_id":{1},"mqtt_topic":"t","message":"{0}","timeout_ms":{2},"qos":{3}}})",
      name, device, options.timeout_ms, options.qos);
}

}  // namespace sluice::ledger
