// Brokers that fit together in a way that may be meant, or not.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "config/keys.h"

namespace sluice::config {

/// Devices between two ranges that no broker has, ranges that overlap, and brokers at the same url:
/// for each broker at most one of each, for a configuration without faults.
std::vector<Finding> remarks_on(const Config& config, const Tables& tables);

/// The broker's url in a form that is equal for equal endpoints.
std::string canonical_url(const Broker& broker);

}  // namespace sluice::config
