// /status: the same numbers for a page or a script, with what has no place in a metric: single
// connections, and the clients that are paused longest. docs/operations.md names the members.
#pragma once

#include <string>

#include "base/clock.h"
#include "app/bridge.h"

namespace sluice::admin {

/// One JSON object. `uptime`: of this process.
std::string status_text(const bridge::Bridge& bridge, Duration uptime);

}  // namespace sluice::admin
