// The course of one run: warm-up, measurement, then waiting for what is still due. Decides what
// counts, and collects it into a Report.
#pragma once

#include <cstdint>
#include <string>

#include "options.h"
#include "report.h"

namespace sluice::bench {

class Measurement {
 public:
  explicit Measurement(const Options& options) : options_(options), meter_(options) {}

  /// Call once all connections stand, then tick() in every turn of the loop.
  void begin();
  void tick(std::int64_t now);

  /// No reply can come any more: ends the run at once, whatever is still due.
  void abandon(std::int64_t now);

  bool may_send() const {
    return (phase_ == Phase::WarmUp || phase_ == Phase::Measuring) && !all_sent();
  }
  bool is_over() const { return phase_ == Phase::Over; }

  /// Open loop: the moment (ns) at which the next message should leave.
  std::int64_t next_due() const;

  void on_sent();
  /// One reply of code 1 to what left, or should have left, at `since`.
  void on_success(std::int64_t since, std::int64_t now);
  void on_failure(const std::string& error);
  void on_connection_lost() { ++report_.lost_connections; }
  void on_wake_up(bool overslept) {
    ++report_.wake_ups;
    if (overslept) ++report_.overslept;
  }

  /// The result; complete when is_over().
  const Report& report() const { return report_; }

 private:
  enum class Phase { Connecting, WarmUp, Measuring, Draining, Over };

  void start_measuring(std::int64_t now);
  void stop_measuring(std::int64_t now);
  bool all_sent() const { return options_.messages != 0 && report_.sent >= options_.messages; }
  std::int64_t nanoseconds(double seconds) const {
    return static_cast<std::int64_t>(seconds * 1e9);
  }

  const Options& options_;
  CpuMeter meter_;
  Report report_;
  Phase phase_ = Phase::Connecting;
  std::int64_t began_ = 0;
  std::int64_t measuring_since_ = 0;
  std::int64_t give_up_at_ = 0;
};

}  // namespace sluice::bench
