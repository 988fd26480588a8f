// /status: the same numbers for a page or a script, with what has no place in a metric: single
// connections, and the clients that are paused longest. docs/operations.md names the members.
#pragma once

#include <string>

#include "app/app.h"
#include "base/clock.h"

namespace sluice::admin {

/// One JSON object. `uptime`: of this process.
std::string status_text(const app::App& app, Duration uptime);

}  // namespace sluice::admin
