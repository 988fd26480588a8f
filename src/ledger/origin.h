// Where a request came from: all that the ledger keeps of its sender.
#pragma once

#include <cstdint>

namespace sluice::ledger {

class Source;

/// (index, generation) names one stream of requests, such as a TCP client. A pair is never used
/// twice, so the reply to a closed stream finds none. `slot` belongs to the source and is returned
/// unchanged.
struct Origin {
  Source* source = nullptr;
  std::uint32_t index = 0;
  std::uint32_t generation = 0;
  std::uint64_t slot = 0;

  bool is_same_stream(const Origin& other) const noexcept {
    return source == other.source && index == other.index && generation == other.generation;
  }
};

}  // namespace sluice::ledger
