// The checks that look at several tables at once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/keys.h"

namespace sluice::config {

/// Reports what contradicts itself. Values whose own key is faulty are left out: one mistake, one
/// fault.
void check_across(const Config& config, Tables& tables);

/// What is allowed and still likely a mistake, for a configuration without faults. `descriptors`
/// is the hard limit of open files.
std::vector<std::string> warnings_of(const Config& config, std::uint64_t descriptors);

}  // namespace sluice::config
