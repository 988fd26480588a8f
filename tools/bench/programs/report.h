// What one run of a load found out, and how it is printed: a line for people, or a JSON object.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "histogram.h"
#include "options.h"

namespace sluice::bench {

/// Nanoseconds of the monotonic clock.
std::int64_t now_ns();

/// Reads CPU time (user and system) of this process and of the watched ones between two moments.
class CpuMeter {
 public:
  explicit CpuMeter(const Options& options) : options_(options) {}

  void start() { begin_ = read_all(); }
  void stop() { end_ = read_all(); }

  /// Name and seconds of CPU between start() and stop(); this process is "generator". A process
  /// that has ended meanwhile is left out.
  std::vector<std::pair<std::string, double>> seconds() const;

 private:
  std::vector<double> read_all() const;

  const Options& options_;
  std::vector<double> begin_;
  std::vector<double> end_;
};

struct Report {
  double seconds = 0;                           ///< length of the measurement as it was
  std::uint64_t ok = 0;                         ///< replies of code 1 inside the measurement
  std::map<std::string, std::uint64_t> errors;  ///< by error name, over the whole run
  std::uint64_t sent = 0;                       ///< over the whole run
  std::uint64_t answered = 0;                   ///< over the whole run
  std::uint64_t unsent = 0;                     ///< open loop: due, but no connection had room
  std::uint64_t lost_connections = 0;
  std::uint64_t wake_ups = 0;   ///< turns of the generator's loop, over the whole run
  std::uint64_t overslept = 0;  ///< of those: it slept its limit though a message was due
  Histogram latency;            ///< of the replies counted in `ok`
  std::vector<std::pair<std::string, double>> cpu_seconds;

  /// Every message was answered with success and no connection broke.
  bool is_clean() const { return errors.empty() && answered == sent && lost_connections == 0; }
};

/// Prints the report in the form the options ask for.
void print(const Report& report, const Options& options);

}  // namespace sluice::bench
