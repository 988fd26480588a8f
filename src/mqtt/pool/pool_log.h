// The log lines about one broker: one or two for each change of its state, however many of its
// connections change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_throttle.h"
#include "config/config.h"
#include "mqtt/link/link.h"
#include "mqtt/transport/transport.h"

namespace sluice::mqtt {

/// Owned by its Pool, which calls it after each change; `up` is the number of connections that are
/// up now. At level debug nothing is suppressed.
class PoolLog {
 public:
  /// `broker` outlives it.
  PoolLog(const config::Broker& broker, std::size_t connections) noexcept
      : broker_(broker), connections_(connections) {}

  void ready(TimePoint now, std::size_t up, std::size_t window);
  /// The configured number of connections has changed.
  void set_connections(std::size_t connections) noexcept {
    all_up_reported_ = all_up_reported_ && connections == connections_;
    connections_ = connections;
  }
  void lost(TimePoint now, unsigned slot, const Loss& loss, std::size_t up);
  /// `is_version_search`: counted, but logged at debug only; the scheduler logs the result.
  void attempt_failed(TimePoint now, const Loss& loss, bool is_version_search = false);
  /// No connection for dead_after_ms.
  void dead(TimePoint now);
  /// It has acknowledged nothing for `lasted`, with this many messages in flight.
  void silent(TimePoint now, Duration lasted, std::size_t unacknowledged);
  /// An acknowledgement came, or all that waited for one was given up.
  void silence_ended(Duration lasted, bool acknowledges);
  void taken_over(TimePoint now, unsigned slot, const std::string& client_id, bool is_reported,
                  bool may_be_username);
  /// Take-overs among the pool's own connections.
  void username_is_client_id(TimePoint now);
  /// The broker does not support QoS 2.
  void qos2_downgraded();
  void rejected(TimePoint now, unsigned slot, std::int64_t device);

  /// Logs summaries of suppressed messages that are due; to be called about twice a second.
  void tick(TimePoint now, std::size_t up);
  /// Logs them now: the pool ends.
  void finish(std::size_t up);

 private:
  log::Subject subject() const noexcept { return log::Subject::broker(broker_.name); }
  log::Subject subject(unsigned slot) const noexcept {
    return log::Subject::slot(broker_.name, slot);
  }
  /// The level for a change of connections: `wanted`, or Debug while they are flapping.
  log::Level level_for_change(TimePoint now, log::Level wanted);
  /// Resets the failed attempts; returns their number.
  std::uint64_t take_failures();
  std::string describe(const Loss& loss) const;
  /// Logs how many connections are up where some stay down.
  void report_partly_up(TimePoint now, std::size_t up);
  void log_changes(const LogThrottle::Summary& summary, std::size_t up) const;

  const config::Broker& broker_;
  std::size_t connections_;
  bool all_up_reported_ = false;         // all are up, and that was logged
  bool is_down_ = false;                 // without a connection, but not dead yet
  bool is_flapping_ = false;             // changes are suppressed, and that was logged
  std::uint64_t losses_ = 0;             // connections lost since all were up
  TimePoint lossy_since_{};              // the first of these
  std::optional<TimePoint> down_since_;  // the loss of the last connection, until one is up
  std::uint64_t failures_ = 0;           // failed attempts since one succeeded
  std::string latest_failure_;           // the same text is not logged again
  std::string latest_trouble_;           // the same, or the loss of a connection, if that was later
  std::size_t steady_up_ = 0;            // connections up, unchanged since steady_since_
  TimePoint steady_since_{};
  std::size_t reported_up_ = 0;  // logged as "N of M connections up"; 0: none, or all are up again
  LogThrottle change_throttle_{std::chrono::seconds(10), 8};
  LogThrottle failure_throttle_{std::chrono::minutes(10), 2};  // for failures that differ
  LogThrottle silence_throttle_{std::chrono::minutes(2), 3};
  log::Level silence_level_ = log::Level::Debug;  // whether the one that lasts was logged
  LogThrottle takeover_throttle_{std::chrono::minutes(2)};
  LogThrottle rejection_throttle_{std::chrono::minutes(1)};
};

}  // namespace sluice::mqtt
