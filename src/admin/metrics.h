// /metrics: the plain counters of the layers below, as Prometheus reads them.
#pragma once

#include <string>

#include "admin/process_stats.h"
#include "app/bridge.h"

namespace sluice::admin {

/// The Prometheus text format, version 0.0.4. Every series of every broker that the bridge has now
/// is in it, at 0 where nothing happened yet.
std::string metrics_text(const bridge::Bridge& bridge, const ProcessUsage& process);

}  // namespace sluice::admin
