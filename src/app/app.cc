#include "app/app.h"

#include <set>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/plural.h"

namespace sluice::app {
namespace {

/// How often a stop checks whether its phase is over.
constexpr Duration kProgressCheck = std::chrono::milliseconds(10);
/// How long clients that keep sending are answered `shutting_down` before they are closed.
constexpr Duration kLastReplies = std::chrono::milliseconds(200);
/// A graceful close takes at most 1 s; 100 ms more for what hangs.
constexpr Duration kClosing = std::chrono::milliseconds(1100);
/// The loop counts whole milliseconds: the delay is to be no shorter than it was asked for.
constexpr Duration kClockStep{1};
constexpr Duration kDisconnecting = std::chrono::milliseconds(200);

}  // namespace

App::App(event::Loop& loop, config::Config config, const Identity& identity,
         Delegate<void()> finished)
    : loop_(loop),
      config_(std::move(config)),
      started_at_(loop.now()),
      finished_(finished),
      ledger_(loop),
      brokers_(loop, ledger_, identity),
      server_(loop, config_, ledger_),
      phase_timer_(loop, bind<&App::on_phase_timeout>(this)),
      progress_timer_(loop, bind<&App::on_progress>(this)) {}

App::~App() = default;

Result<void> App::start() {
  const auto certificates = read_certificates(config_);
  if (!certificates) return certificates.error();
  brokers_.apply(config_, certificates.value());
  if (Result<void> bound = server_.listen(); !bound) return bound;
  brokers_.start();
  return {};
}

std::vector<const mqtt::Pool*> App::failing_brokers() const {
  std::vector<const mqtt::Pool*> pools;
  for (const auto& [pool, is_removed] : brokers_.all()) {
    if (!is_removed && !pool->is_working()) pools.push_back(pool.get());
  }
  return pools;
}

std::vector<BrokerView> App::brokers() const {
  std::vector<BrokerView> views;
  std::set<std::string_view> names;
  for (const auto& [pool, is_removed] : brokers_.all()) {
    // Skip a removed broker whose name is in use again.
    if (!names.insert(pool->name()).second) continue;
    const ledger::BrokerLane& lane = ledger_.lane_of(*pool);
    views.push_back({*pool, lane.counters, pool->waiters(), is_removed});
  }
  return views;
}

// --- stopping
// -------------------------------------------------------------------------------------

void App::stop() noexcept {
  if (phase_ != Phase::Running) return;
  stop_began_ = loop_.now();
  enter(Phase::Delay);
}

void App::enter(Phase next) noexcept {
  phase_ = next;
  switch (next) {
    case Phase::Running:
      break;
    case Phase::Delay:
      log::info("shutting down: /readyz is 503, closing listeners in {} ms",
                config_.server.drain_delay.count());
      phase_timer_.start(config_.server.drain_delay + kClockStep);
      break;
    case Phase::Draining:
      log::info("shutting down: listeners closed, draining requests in progress (up to {} ms)",
                config_.server.drain_timeout.count());
      server_.close_listeners();
      ledger_.drain();
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
      brokers_.stop();
      phase_timer_.start(kDisconnecting);
      break;
    case Phase::Done:
      phase_timer_.stop();
      progress_timer_.stop();
      brokers_.close_now();
      ledger_.finish_log();
      log::info("shut down after {} ms", (loop_.now() - stop_began_).count());
      finished_();
      break;
  }
}

void App::on_phase_timeout() noexcept {
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

void App::on_progress() noexcept {
  if (phase_ == Phase::Draining && ledger_.is_idle()) {
    // Everything is answered: remaining clients get `shutting_down` or are closed gracefully.
    enter(Phase::LastReplies);
  }
  const bool is_ending = phase_ == Phase::LastReplies || phase_ == Phase::Closing;
  if (is_ending && server_.empty()) enter(Phase::Disconnecting);
  if (phase_ != Phase::Disconnecting) return;
  if (brokers_.are_stopped()) enter(Phase::Done);
}

void App::run_out() noexcept {
  const ledger::Leftover leftover = ledger_.give_up_all();
  if (leftover.timed_out + leftover.unavailable > 0) {
    log::warn("drain_timeout_ms ran out with {} open: {} answered timeout, {} broker_unavailable",
              plural(leftover.timed_out + leftover.unavailable, "request"), leftover.timed_out,
              leftover.unavailable);
  }
  enter(Phase::LastReplies);
}

}  // namespace sluice::app
