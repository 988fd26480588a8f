// Mistakes that the tests of the store have to find. Only the program of tests/store is built with
// them; everywhere else is_mutant() is a constant, and no code of them is left.
#pragma once

#include <cstdint>

namespace sluice::queue {

enum class Mutant : std::uint8_t {
  None,
  SynchronousNormal,   ///< COMMIT does not sync
  ReportBeforeCommit,  ///< a batch is reported before its COMMIT has run
  RetryFailedSync,     ///< after a failed sync the batch is committed again, without a fresh log
  NoReserve,           ///< nothing is kept back for removals on a full disk
};

#ifdef SLUICE_STORE_MUTANTS
inline Mutant active_mutant = Mutant::None;
inline bool is_mutant(Mutant mutant) noexcept {
  return active_mutant == mutant;
}
#else
constexpr bool is_mutant(Mutant) noexcept {
  return false;
}
#endif

}  // namespace sluice::queue
