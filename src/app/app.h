// sluice without its command line: builds the parts, starts, reloads and stops them.
#pragma once

#include <string>
#include <vector>

#include "app/broker_set.h"
#include "app/counters.h"
#include "base/delegate.h"
#include "base/error.h"
#include "client/server.h"
#include "config/config.h"
#include "event/loop.h"
#include "event/timer.h"
#include "ledger/ledger.h"
#include "mqtt/pool/pool.h"

namespace sluice::app {

/// One broker, for the operator. Valid until the loop's next turn.
struct BrokerView {
  const mqtt::Pool& pool;
  const ledger::BrokerCounters& counters;
  std::size_t parked = 0;   ///< clients that wait for room here
  bool is_removed = false;  ///< removed from the configuration, and not done yet
};

/// Owns listeners, clients, ledger and pools. Not thread-safe.
class App {
 public:
  /// `finished` is called once, when a stop is complete.
  App(event::Loop& loop, config::Config config, const Identity& identity,
      Delegate<void()> finished);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  /// Reads certificates, binds all listeners, then begins to connect to the brokers. On an error
  /// nothing has been started.
  Result<void> start();

  /// Applies another valid configuration without dropping a client or a message; what has not
  /// changed is not touched. On an error (an address that cannot be bound, a log file that cannot
  /// be opened) nothing has changed.
  Result<void> reload(config::Config next, const CertificatesByBroker& certificates);
  /// Counts and logs a configuration that was rejected.
  void refuse_reload(const std::string& why) noexcept;

  /// Begins a graceful shutdown: not ready, drain_delay, listeners closed, decoded requests settled
  /// and answered, MQTT DISCONNECT, finished(). Idempotent.
  void stop() noexcept;
  bool is_stopping() const noexcept { return phase_ != Phase::Running; }

  /// The brokers that have no connection, or acknowledge nothing. Valid until the loop's next turn.
  std::vector<const mqtt::Pool*> failing_brokers() const;

  /// Closes the listeners and removes their socket files, for an immediate exit.
  void close_listeners() noexcept { server_.close_listeners(); }
  const client::Server& server() const noexcept { return server_; }

  // For the operator, read at a scrape.
  /// The brokers of the configuration in force, then those removed that are not done yet; each name
  /// once.
  std::vector<BrokerView> brokers() const;
  const ledger::Ledger& ledger() const noexcept { return ledger_; }
  const config::Config& config() const noexcept { return config_; }
  const ReloadCounters& reloads() const noexcept { return reloads_; }
  TimePoint started_at() const noexcept { return started_at_; }

 private:
  enum class Phase { Running, Delay, Draining, LastReplies, Closing, Disconnecting, Done };

  void enter(Phase next) noexcept;
  void on_phase_timeout() noexcept;
  void on_progress() noexcept;
  void run_out() noexcept;

  event::Loop& loop_;
  config::Config config_;
  const TimePoint started_at_;
  Delegate<void()> finished_;
  ledger::Ledger ledger_;
  BrokerSet brokers_;
  client::Server server_;
  event::Timer phase_timer_;
  event::Timer progress_timer_;  // runs only while stopping
  Phase phase_ = Phase::Running;
  TimePoint stop_began_{};
  ReloadCounters reloads_;
};

}  // namespace sluice::app
