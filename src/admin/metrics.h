// /metrics: the plain counters of the layers below, as Prometheus reads them.
#pragma once

#include <string>

#include "admin/process_stats.h"
#include "app/app.h"

namespace sluice::admin {

/// The Prometheus text format, version 0.0.4. Every series of every broker that sluice has now
/// is in it, at 0 where nothing happened yet.
std::string metrics_text(const app::App& app, const ProcessUsage& process);

}  // namespace sluice::admin
