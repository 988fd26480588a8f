// Where a request came from: all that is kept of it while the request is on its way.
#pragma once

#include <cstdint>

namespace sluice::ledger {

class Source;

/// (index, generation) is one stream of requests of that source, such as a TCP client; a pair is
/// never used twice, so that of a stream that is gone finds nothing. `slot` is the source's own and
/// is given back untouched.
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
