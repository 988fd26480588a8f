// Counts a test program's calls of `new`. Linking it replaces the program's operators.
#pragma once

#include <cstddef>

namespace sluice {

struct Allocations {
  std::size_t count = 0;
  std::size_t largest = 0;  ///< in bytes
};

/// Since the latest call, or since the program began.
Allocations take_allocations() noexcept;

}  // namespace sluice
