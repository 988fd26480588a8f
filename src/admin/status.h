// /status: the numbers of /metrics for a page or a script, with single connections and the clients
// paused longest. docs/operations.md names the members.
#pragma once

#include <string>

#include "admin/wall_clock.h"
#include "app/app.h"
#include "base/clock.h"

namespace sluice::admin {

/// One JSON object. `uptime`: of this process.
std::string status_text(const app::App& app, Duration uptime, const WallClock& clock);

}  // namespace sluice::admin
