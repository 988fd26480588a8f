// The checks that look at several tables at once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/keys.h"

namespace sluice::config {

/// Of a connection to a broker: its socket, and a pair that libmosquitto opens for itself.
constexpr std::uint64_t kDescriptorsPerLink = 3;

/// Reports keys that contradict each other. Keys that are faulty themselves are left out, so that
/// one mistake is one fault.
void check_across(const Config& config, Tables& tables);

/// Settings that are allowed but likely a mistake, for a configuration without faults.
std::vector<Finding> warnings_of(const Config& config, const Tables& tables);

/// Lowers max_connections, and what comes on top of it, to what the hard limit on open files leaves
/// after broker connections, so that clients never take their descriptors. Returns a warning if it
/// did.
std::optional<Finding> fit_to_descriptors(Config& config, const Tables& tables,
                                          std::uint64_t descriptors);

}  // namespace sluice::config
