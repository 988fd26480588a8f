#include "bridge/bridge.h"

#include <algorithm>
#include <map>
#include <random>
#include <utility>

#include "base/log.h"
#include "mqtt/mosquitto_transport.h"
#include "mqtt/tls_context.h"

namespace sluice::bridge {
namespace {

/// While stopping, how often it is looked whether the phase is over.
constexpr Duration kProgressCheck = std::chrono::milliseconds(10);
/// How long clients that go on sending are told `shutting_down` before they are ended.
constexpr Duration kLastReplies = std::chrono::milliseconds(200);
/// A gentle end takes a second at most; then a little more for what hangs.
constexpr Duration kClosing = std::chrono::milliseconds(1100);
constexpr Duration kDisconnecting = std::chrono::milliseconds(200);

std::uint64_t seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

}  // namespace

/// Made before the pools and gone after them.
struct Bridge::TlsByBroker {
  mqtt::MosquittoLibrary library;
  std::map<std::string, std::unique_ptr<mqtt::TlsContext>> contexts;
};

Bridge::Bridge(event::Loop& loop, config::Config config, const Identity& identity,
               Delegate<void()> finished)
    : loop_(loop),
      config_(std::move(config)),
      identity_(identity),
      finished_(finished),
      random_(seed()),
      tls_(std::make_unique<TlsByBroker>()),
      dispatcher_(loop),
      server_(loop, config_, dispatcher_),
      phase_timer_(loop, bind<&Bridge::on_phase_timeout>(this)),
      progress_timer_(loop, bind<&Bridge::on_progress>(this)) {}

Bridge::~Bridge() = default;

Result<void> Bridge::start() {
  if (Result<void> made = make_pools(identity_); !made) return made;
  if (Result<void> bound = server_.listen(); !bound) return bound;
  for (const auto& pool : pools_)
    pool->start();
  return {};
}

Result<void> Bridge::make_pools(const Identity& identity) {
  std::vector<Route> routes;
  std::vector<mqtt::Pool*> pools;
  for (const config::Broker& broker : config_.brokers) {
    mqtt::TlsContext* tls = nullptr;
    if (broker.tls_enabled) {
      auto context = mqtt::TlsContext::make(broker);
      if (!context) return Error{"broker " + broker.name + ": " + context.error().what};
      tls = (tls_->contexts[broker.name] = std::move(context).value()).get();
    }
    std::vector<std::string> client_ids;
    for (unsigned slot = 0; slot < broker.connections; ++slot) {
      client_ids.push_back(
          config::client_identifier(config_, broker, slot, identity.host, identity.pid));
    }
    const auto make_transport = [tls](
                                    event::Loop& loop, mqtt::TransportEvents& events,
                                    const config::Broker& to) -> std::unique_ptr<mqtt::Transport> {
      return std::make_unique<mqtt::MosquittoTransport>(loop, events, to, tls);
    };
    pools_.push_back(std::make_unique<mqtt::Pool>(loop_, dispatcher_, random_, broker, client_ids,
                                                  make_transport));
    pools.push_back(pools_.back().get());
    routes.push_back({broker.min_dev_no, broker.max_dev_no, routes.size()});
  }
  dispatcher_.connect(server_, pools, Router(routes));
  return {};
}

std::vector<std::string> Bridge::unconnected_brokers() const {
  std::vector<std::string> names;
  for (const auto& pool : pools_) {
    if (pool->ready_links() == 0) names.push_back(pool->name());
  }
  return names;
}

std::vector<BrokerView> Bridge::brokers() const {
  std::vector<BrokerView> views;
  for (const Lane& lane : dispatcher_.lanes())
    views.push_back({*lane.pool, lane.counters, lane.parked.size()});
  return views;
}

// --- stopping
// -------------------------------------------------------------------------------------

void Bridge::stop() noexcept {
  if (phase_ == Phase::Running) enter(Phase::Delay);
}

void Bridge::enter(Phase next) noexcept {
  phase_ = next;
  switch (next) {
    case Phase::Running:
      break;
    case Phase::Delay:
      log::info("stopping: not ready any more; listeners close in {} ms",
                config_.server.drain_delay.count());
      phase_timer_.start(config_.server.drain_delay);
      break;
    case Phase::Draining:
      log::info("stopping: no new clients; what was taken is settled within {} ms",
                config_.server.drain_timeout.count());
      server_.close_listeners();
      dispatcher_.drain();
      server_.drain();
      phase_timer_.start(config_.server.drain_timeout);
      progress_timer_.start_repeating(kProgressCheck);
      break;
    case Phase::LastReplies:
      phase_timer_.start(kLastReplies);
      break;
    case Phase::Closing:
      server_.end_all();
      phase_timer_.start(kClosing);
      break;
    case Phase::Disconnecting:
      for (const auto& pool : pools_)
        pool->stop();
      phase_timer_.start(kDisconnecting);
      break;
    case Phase::Done:
      phase_timer_.stop();
      progress_timer_.stop();
      for (const auto& pool : pools_)
        pool->abandon();
      log::info("stopped");
      finished_();
      break;
  }
}

void Bridge::on_phase_timeout() noexcept {
  switch (phase_) {
    case Phase::Running:
    case Phase::Done:
      break;
    case Phase::Delay:
      enter(Phase::Draining);
      break;
    case Phase::Draining:
      run_out();
      break;
    case Phase::LastReplies:
      enter(Phase::Closing);
      break;
    case Phase::Closing:
      enter(Phase::Disconnecting);
      break;
    case Phase::Disconnecting:
      enter(Phase::Done);
      break;
  }
}

void Bridge::on_progress() noexcept {
  if (phase_ == Phase::Draining && dispatcher_.is_idle()) {
    // All is answered; whoever is left is told `shutting_down` or ended gently.
    enter(Phase::LastReplies);
  }
  const bool is_ending = phase_ == Phase::LastReplies || phase_ == Phase::Closing;
  if (is_ending && server_.empty()) enter(Phase::Disconnecting);
  if (phase_ != Phase::Disconnecting) return;
  const bool all_stopped = std::all_of(pools_.begin(), pools_.end(),
                                       [](const auto& pool) { return pool->is_stopped(); });
  if (all_stopped) enter(Phase::Done);
}

void Bridge::run_out() noexcept {
  const Leftover leftover = dispatcher_.give_up_all();
  if (leftover.timed_out + leftover.unavailable > 0) {
    drain_ran_out_ = true;
    log::warn(
        "drain_timeout_ms ran out with {} requests open: {} answered timeout, {} "
        "broker_unavailable",
        leftover.timed_out + leftover.unavailable, leftover.timed_out, leftover.unavailable);
  }
  enter(Phase::LastReplies);
}

}  // namespace sluice::bridge
