// What the log says of one broker: a line or two for each change of its state, whatever its
// connections do meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_throttle.h"
#include "config/config.h"
#include "mqtt/link/link.h"
#include "mqtt/transport/transport.h"

namespace sluice::mqtt {

/// Owned by its Pool, and called by it after each change, with the number of connections that are
/// up now. At level debug everything is written.
class PoolLog {
 public:
  /// `broker` outlives it.
  PoolLog(const config::Broker& broker, std::size_t connections) noexcept
      : broker_(broker), connections_(connections) {}

  void ready(TimePoint now, std::size_t up, std::size_t window);
  /// From now on there are so many, or are to be.
  void set_connections(std::size_t connections) noexcept {
    all_up_reported_ = all_up_reported_ && connections == connections_;
    connections_ = connections;
  }
  void lost(TimePoint now, unsigned slot, const Loss& loss, std::size_t up);
  void attempt_failed(TimePoint now, const Loss& loss);
  /// No connection for dead_after_ms.
  void dead(TimePoint now);
  void taken_over(TimePoint now, unsigned slot, const std::string& client_id, bool is_reported);
  void rejected(TimePoint now, unsigned slot, std::int64_t device);

  /// Tells what was counted, when the time has come; to be called about twice a second.
  void tick(TimePoint now, std::size_t up);
  /// Tells it now: nothing more is to be said of this broker.
  void finish(std::size_t up);

 private:
  log::Subject subject() const noexcept { return log::Subject::broker(broker_.name); }
  log::Subject subject(unsigned slot) const noexcept {
    return log::Subject::slot(broker_.name, slot);
  }
  /// A change of its connections: `wanted`, or Debug while they come and go too often to tell of.
  log::Level level_for_change(TimePoint now, log::Level wanted);
  /// How many there were.
  std::uint64_t take_failures();
  void log_changes(const LogThrottle::Summary& summary, std::size_t up) const;

  const config::Broker& broker_;
  std::size_t connections_;
  bool all_up_reported_ = false;  // all were up, and said to be, and none was lost since
  bool is_down_ = false;          // without a connection, and not dead yet
  bool is_flapping_ = false;      // too many changes to tell of each, and said so
  std::uint64_t losses_ = 0;      // connections, since all were up
  std::uint64_t failures_ = 0;    // attempts, since one succeeded
  std::string latest_failure_;    // the same one is not said again
  LogThrottle change_throttle_{std::chrono::seconds(10), 8};
  LogThrottle failure_throttle_{std::chrono::minutes(10), 2};  // other failures than the one before
  LogThrottle takeover_throttle_{std::chrono::minutes(2)};
  LogThrottle rejection_throttle_{std::chrono::minutes(1)};
};

}  // namespace sluice::mqtt
