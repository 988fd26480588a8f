// What the store has to hold: a plain copy of it, changed by the same batches.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lossy_disk.h"
#include "queue/store.h"

namespace sluice::queue {

/// The options under which logs are copied, files shrink and dead letters go after a few batches.
Store::Options hurried_options();

/// All that can be read from a store.
struct State {
  std::map<LaneId, std::map<Seq, std::string>> rows;  // with a text for all of a row
  std::map<Seq, std::string> dead;
  std::vector<Lane> lanes;  // without their counts
  std::vector<Identifier> identifiers;
  Seq next_seq = 1;

  bool operator==(const State&) const = default;

  /// With the batch's rows, or only with these first of its removals, all of them by default.
  State with(const Batch& batch) const;
  State without(const Batch& batch, std::size_t removals = Batch::kMostRemovals) const;
};

/// Reads all of a store; what does not fit together is described in `fault`.
State read_state(Store& store, std::string& fault);

/// What `is` has too little and too much, in words.
std::string difference(const State& is, const State& should);

/// Opens what a power cut has left, and compares: it has to be one of these. Returns what is wrong,
/// or nothing. `deeper`: the power is cut again at each step of that.
std::string judge(const Medium& medium, const std::vector<State>& possible, bool deeper = false);

}  // namespace sluice::queue
