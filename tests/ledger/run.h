// One seed from start to end: the broker, sluice, the clients, the faults, the result.
#pragma once

#include <csignal>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fault_player.h"
#include "faulty_broker.h"
#include "load_client.h"
#include "options.h"
#include "poller.h"
#include "run_ledger.h"
#include "subject.h"

namespace sluice::ledger_run {

/// Set by SIGINT and SIGTERM.
extern volatile std::sig_atomic_t interrupted;

struct RunResult {
  std::uint64_t seed = 0;
  Figures figures;
  Violations violations;
  std::uint64_t faults_made = 0;
  Nanoseconds took = 0;
  Nanoseconds worst_stall = 0;
  Nanoseconds longest_wait = 0;  ///< of sluice for a processor, after a deadline
  std::string folder;            ///< kept; empty: removed
};

class Run {
 public:
  Run(const Options& options, std::uint64_t seed);

  /// Throws std::runtime_error if the run could not take place.
  RunResult execute();

 private:
  void turn();
  void wait_for_sluice();
  void open_clients();
  Nanoseconds excused_delay(Nanoseconds deadline, Nanoseconds now);
  void load();
  void send_what_is_due(Nanoseconds now);
  void settle();
  void stop();
  void show_progress(Nanoseconds now);

  const Options& options_;
  const std::uint64_t seed_;
  const Nanoseconds start_;
  Poller poller_;
  RunLedger ledger_;
  FaultyBroker broker_;
  Subject subject_;
  std::optional<FaultPlayer> player_;
  std::vector<std::unique_ptr<LoadClient>> clients_;
  std::size_t next_client_ = 0;
  double allowance_ = 0;  // requests that the rate allows now
  Nanoseconds last_turn_;
  Nanoseconds last_shown_ = 0;
  Nanoseconds last_noted_ = 0;
  Nanoseconds longest_wait_ = 0;
};

}  // namespace sluice::ledger_run
