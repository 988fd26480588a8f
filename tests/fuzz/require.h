// Aborts if a condition does not hold: libFuzzer keeps the input of an abort.
#pragma once

#include <cstdlib>

namespace sluice::fuzz {

inline void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace sluice::fuzz
