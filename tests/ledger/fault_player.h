// Carries out a schedule of faults on the simulated broker, and tells the ledger when no fault is
// active.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "faults.h"
#include "faulty_broker.h"
#include "run_ledger.h"

namespace sluice::ledger_run {

class FaultPlayer {
 public:
  FaultPlayer(FaultyBroker& broker, RunLedger& ledger, std::vector<Planned> schedule,
              Nanoseconds start);

  void tick(Nanoseconds now);
  bool is_over() const {
    return next_ == schedule_.size() && running_.empty() && further_resets_ == 0;
  }
  /// Starts the same faults again, kRepeatAfter after `now`.
  void repeat(Nanoseconds now);
  /// Ends the running faults.
  void end_all(Nanoseconds now);

  std::uint64_t made() const { return made_; }
  /// The names of the running faults.
  std::string running() const;

 private:
  bool is_due_to_end(const Planned& planned, Nanoseconds now) const;
  void begin(const Planned& planned, Nanoseconds now);
  void plan_further_resets(const Planned& planned, unsigned most, Nanoseconds now);
  void reset_again(Nanoseconds now);
  void begin_poison(const Planned& planned);
  void end(const Planned& planned, Nanoseconds now);
  std::vector<BrokerSession*> victims(const Planned& planned) const;
  void reset(const std::vector<BrokerSession*>& sessions);

  FaultyBroker& broker_;
  RunLedger& ledger_;
  std::vector<Planned> schedule_;
  Nanoseconds start_;
  std::size_t next_ = 0;
  std::vector<Planned> running_;
  std::uint64_t made_ = 0;
  unsigned further_resets_ = 0;  // further resets of all connections
  Nanoseconds next_reset_ = 0;
  Nanoseconds reset_every_ = 0;
  Nanoseconds silent_until_ = 0;  // until then, silent connections count as a fault
};

}  // namespace sluice::ledger_run
