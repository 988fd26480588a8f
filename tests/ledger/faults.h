// The faults by name, and a schedule of them drawn from a seed. Pure: FaultPlayer carries it out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "clock.h"

namespace sluice::ledger_run {

enum class Fault : std::uint8_t {
  ResetAll,
  ResetOne,
  ListenerGone,
  Freeze,
  Swallow,
  HalfOpen,
  LostPuback,
  Refuse,
  SlowBandwidth,
  SlowDelay,
  ConnackRefused,
  DisconnectReason,
  ReceiveMaximum1,
  Poison,
  StuckSession,
};
constexpr std::size_t kFaults = static_cast<std::size_t>(Fault::StuckSession) + 1;

struct FaultInfo {
  Fault fault;
  const char* name;
  const char* what;
  bool needs_v5 = false;
};
const std::vector<FaultInfo>& all_faults();
const char* to_string(Fault fault);
std::optional<Fault> fault_by_name(std::string_view name);

/// One fault of a schedule. Times count from the start of the load.
struct Planned {
  Fault fault = Fault::ResetAll;
  Nanoseconds begin = 0;
  Nanoseconds length = 0;
  bool on_all = false;  ///< all connections, or one
  std::uint64_t draw =
      0;  ///< random number for the fault's choices: which connection, code or number
};

/// Each fault at least once. The seed decides their order, begin and length; some overlap. `quick`:
/// everything shorter.
std::vector<Planned> draw_schedule(std::uint64_t seed, const std::vector<Fault>& faults,
                                   bool quick);

}  // namespace sluice::ledger_run
