// Counters of the program as a whole: plain numbers, read at a scrape.
#pragma once

#include <cstdint>

namespace sluice::app {

/// How often a new configuration was applied or rejected.
struct ReloadCounters {
  std::uint64_t ok = 0;
  std::uint64_t refused = 0;
};

}  // namespace sluice::app
