// The runs that the store has to survive. Each returns what went wrong first, or nothing.
#pragma once

#include <cstdint>
#include <string>

namespace sluice::queue {

struct Extent {
  int steps = 0;          // of a script
  int random_losses = 0;  // power cuts with random losses, for each moment
  int deeper_each = 0;    // in so many of them the power is cut again while the store recovers
};

/// Cuts the power before each write and each sync of a script, and after each step.
std::string sweep_power_cuts(std::uint64_t seed, const Extent& extent, std::uint64_t& cuts);
/// Lets each call of a script fail: once, and from then on until the disk heals.
std::string sweep_failures(std::uint64_t seed, int steps, std::uint64_t& runs);
/// The same for syncs alone.
std::string sweep_failed_syncs(std::uint64_t seed, int steps, std::uint64_t& runs);
/// Fills the disk, and lets it be filled by others: rows are refused, removals go on, and with the
/// room rows are taken again.
std::string fill_disk(std::uint64_t seed);

}  // namespace sluice::queue
