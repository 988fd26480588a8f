#include "broker_lab.h"

#include <sanitizer/allocator_interface.h>
#include <uv.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "base/log.h"
#include "ledger/router.h"

namespace sluice::fuzz {
namespace {

using namespace std::chrono_literals;

/// With work left after so many turns in which nothing comes from outside, the loop never sleeps.
constexpr int kMostTurns = 16;
/// Timers that fire at different times. Each connection's attempts are at least 100 ms apart.
constexpr std::size_t kWakeUpsPerSecond = 60;
/// All that a run allocates: half of it was the most that was seen.
constexpr std::size_t kMostHeap = 512 * 1024;
/// Longer than the longest delay before an attempt.
constexpr Duration kAllAttempts = 5s;
constexpr Duration kStep = 500ms;
constexpr unsigned kWindow = 4;
constexpr std::size_t kQueueMessages = 6;

config::Broker broker_of(const LabSettings& settings) {
  config::Broker broker;
  broker.name = "b";
  broker.host = "127.0.0.1";
  broker.url = "mqtt://127.0.0.1:1883";
  broker.min_dev_no = 0;
  broker.max_dev_no = 1000;
  broker.connections = settings.connections;
  broker.protocol = settings.protocol;
  broker.keepalive_s = 5;
  broker.connect_timeout = 1s;
  broker.ack_timeout = 4s;
  broker.reconnect_min = 100ms;
  broker.reconnect_max = 1s;
  broker.dead_after = 1s;
  if (settings.has_fixed_window) broker.max_inflight = kWindow;
  broker.max_topic_levels = 4;
  broker.max_incoming_packet_bytes = 300;
  broker.inflight_bytes = 40000;
  broker.queue_messages = kQueueMessages;
  broker.queue_bytes = 60000;
  return broker;
}

}  // namespace

BrokerLab::BrokerLab(const LabSettings& settings)
    : heap_before_(__sanitizer_get_current_allocated_bytes()) {
  keeper_.start(Duration::max());
  settings_.broker = broker_of(settings);
  settings_.client_ids = {"c0", "c1"};
  settings_.client_ids.resize(settings.connections);
  settings_.factory = [this](event::Loop& loop, mqtt::TransportEvents& events,
                             const config::Broker& broker) {
    return std::make_unique<BrokerTransport>(loop, events, broker, network_);
  };
  pool_.emplace(loop_, ledger_, random_, settings_);
  ledger_.reroute({&*pool_}, ledger::Router({{.min = 0, .max = 1000, .broker = 0}}));
  pool_->start();
  settle();
}

/// Nothing is left: neither a request nor a handle.
BrokerLab::~BrokerLab() {
  pool_->stop();
  advance(2s);
  require(pool_->is_stopped());
  pool_->close_now();
  settle();
  require(network_.open.empty() && ledger_.is_idle());
  for (const Record& record : network_.records.all())
    require(record.settled != record.dropped);
  pool_.reset();
  keeper_.stop();
}

// --- what the clients do

void BrokerLab::submit(const Wish& wish) {
  require(wish.timeout <= kLongestTimeout);
  Stream& stream = streams_[wish.stream % kStreams];
  if (stream.waiting) return;
  const std::size_t number = network_.records.add(wish.qos);
  std::string payload = std::to_string(number) + ' ';
  payload.resize(std::max(payload.size(), wish.bytes), '.');
  protocol::Request request = protocol::Request::make("t", payload);
  request.device_id = wish.device;
  request.qos = wish.qos;
  const ledger::Origin origin{.source = this,
                              .index = static_cast<std::uint32_t>(wish.stream % kStreams),
                              .generation = stream.generation,
                              .slot = number};
  const ledger::Terms terms{.deadline = loop_.now() + wish.timeout,
                            .received = loop_.precise_now()};
  network_.records.begin_turn();
  switch (ledger_.submit(origin, request, terms)) {
    case ledger::Taken::Accepted:
      break;
    case ledger::Taken::Settled:
      require(network_.records[number].settled);
      break;
    case ledger::Taken::Waits:
      stream.waiting = number;
      break;
    case ledger::Taken::Full:
      require(false);
  }
}

void BrokerLab::close_stream(std::size_t number) {
  Stream& stream = streams_[number % kStreams];
  ledger_.forget({.source = this,
                  .index = static_cast<std::uint32_t>(number % kStreams),
                  .generation = stream.generation++,
                  .slot = 0});
  if (stream.waiting) network_.records[*stream.waiting].dropped = true;
  stream.waiting.reset();
}

void BrokerLab::reconfigure() {
  settings_.connection_key += 'x';
  pool_->reconfigure(settings_);
}

// --- what they are answered

void BrokerLab::delivered(const ledger::Origin& origin, const std::string&,
                          const mqtt::DeliveryOutcome& outcome) noexcept {
  Record& record = network_.records[origin.slot];
  require(!std::exchange(record.delivered, true) && !record.settled);
  const bool is_acknowledged = outcome.kind == mqtt::DeliveryOutcome::Kind::Acknowledged;
  require(!is_acknowledged || record.acknowledged);
}

/// Exactly once; code 1 only after an acknowledgement. What is said not to be published was sent on
/// no connection, or refused on its only one.
void BrokerLab::settled(const ledger::Origin& origin, const protocol::Reply& reply,
                        protocol::Request) noexcept {
  Record& record = network_.records[origin.slot];
  require(!std::exchange(record.settled, true) && !record.dropped);
  record.ok = reply.ok;
  if (reply.ok) {
    require(record.acknowledged);
  } else if (reply.published == protocol::Published::No) {
    require(record.handed_over == 0 || (record.handed_over == 1 && record.refused));
  }
  Stream& stream = streams_[origin.index];
  if (stream.waiting == origin.slot) stream.waiting.reset();
}

unsigned BrokerLab::grant(const ledger::Origin& origin, unsigned) noexcept {
  Stream& stream = streams_[origin.index];
  if (stream.generation == origin.generation) stream.waiting.reset();
  return 0;
}

// --- time

void BrokerLab::turn() {
  network_.records.begin_turn();
  loop_.run_once();
}

void BrokerLab::settle() {
  int turns = 0;
  do {
    require(++turns <= kMostTurns);
    turn();
  } while (uv_backend_timeout(loop_.raw()) == 0);
  check_limits();
}

void BrokerLab::check_limits() {
  require(pool_->queued() <= kQueueMessages * (1 + pool_->connections()));
  require(pool_->waiters() <= kStreams);
  for (std::size_t slot = 0; slot < pool_->connections(); ++slot) {
    const mqtt::Link& link = pool_->link(slot);
    if (!link.is_connected()) continue;
    require(link.in_flight() <= link.connack().receive_maximum.value_or(65535));
    require(!settings_.broker.max_inflight || link.in_flight() <= kWindow);
  }
  require(__sanitizer_get_current_allocated_bytes() <= heap_before_ + kMostHeap);
}

void BrokerLab::advance(Duration time) {
  const TimePoint end = TimePoint(std::chrono::floor<Duration>(clock_.now())) + time;
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(time).count();
  const std::size_t most = kWakeUpsPerSecond * (static_cast<std::size_t>(seconds) + 1);
  settle();
  for (std::size_t wake_ups = 0; loop_.next_deadline() <= end; settle()) {
    require(++wake_ups <= most);
    clock_.time =
        std::max(clock_.time, std::chrono::nanoseconds(loop_.next_deadline().time_since_epoch()));
  }
  clock_.time = end.time_since_epoch();
  settle();
}

// --- the end

void BrokerLab::finish() {
  network_.is_unreachable = false;
  for (Duration waited{}; !ledger_.is_idle(); waited += kStep) {
    require(waited <= kLongestTimeout);
    advance(kStep);
  }
  while (!network_.open.empty()) {
    network_.open.front()->hang_up();
    settle();
  }
  for (Duration waited{}; pool_->ready_links() < pool_->connections(); waited += kStep) {
    require(waited <= kAllAttempts);
    advance(kStep);
    behave();
  }
  require(pool_->is_empty() && pool_->in_flight() + pool_->queued() + pool_->waiters() == 0);
  submit({.device = 999});
  behave();
  require(network_.records.all().back().ok);
}

/// Accepts all attempts, and acknowledges what is in flight.
void BrokerLab::behave() {
  settle();
  for (BrokerTransport* each : std::vector(network_.open)) {
    if (!each->is_established()) {
      each->accept();
      std::string connack;
      wire::append_connack(connack, each->witness().is_v5(), 0);
      each->receive(connack);
    } else {
      const auto ack = wire::ack(wire::Type::Puback, each->witness().id_of(0));
      each->receive({ack.data(), ack.size()});
    }
  }
  settle();
}

}  // namespace sluice::fuzz
