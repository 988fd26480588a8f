// A run of a store on a lossy disk: batches, upkeep, restarts, drawn from a seed, and after each
// step what the store may hold by what it has reported.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "lossy_disk.h"
#include "model.h"
#include "queue/store.h"

namespace sluice::queue {

class Script {
 public:
  /// `large`: also rows that do not fit in a page.
  Script(LossyDisk& disk, std::uint64_t seed, bool large = true);

  /// Opens the store.
  void start();
  /// Takes the next step. Returns what the store did that it must not do, or nothing.
  std::string step();
  /// Opens a store that has closed itself, after the disk has healed.
  std::string recover();

  bool is_open() const noexcept { return store_->is_open(); }
  /// What may be on the disk, also in the middle of a step.
  const std::vector<State>& possible() const noexcept { return possible_; }

 private:
  std::string commit_random();
  std::string restart();
  std::string add_lane();
  std::string step_while_closed();
  std::string settle(const Batch& batch, const CommitResult& result);
  template <class Change>
  std::string change(Change change, State after);
  void fill(Batch& batch);
  std::string text(std::size_t least, std::size_t most);
  std::size_t below(std::size_t bound) { return random_() % bound; }

  LossyDisk& disk_;
  std::mt19937_64 random_;
  std::unique_ptr<Store> store_;
  std::vector<State> possible_{State()};
  Seq next_ = 1;
  int steps_ = 0;
  bool large_;
};

}  // namespace sluice::queue
