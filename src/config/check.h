// The checks that look at several tables at once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/keys.h"

namespace sluice::config {

/// Reports what contradicts itself. Values whose own key is faulty are left out: one mistake, one
/// fault.
void check_across(const Config& config, Tables& tables);

/// What is allowed and still likely a mistake, for a configuration without faults.
std::vector<std::string> warnings_of(const Config& config);

/// Lowers max_connections to what the hard limit of open files leaves beside the connections to
/// brokers, of which clients must never take a descriptor. Says what changed, if anything did.
std::optional<std::string> fit_to_descriptors(Config& config, std::uint64_t descriptors);

}  // namespace sluice::config
