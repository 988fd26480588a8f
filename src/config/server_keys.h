// The keys of [server].
#pragma once

#include <vector>

#include "config/config.h"
#include "config/section.h"

namespace sluice::config {

/// Fills `server`. Returns the entries of `listen`, with their places; empty where the default
/// applies.
std::vector<ListItem> read_server(Section& table, ServerSettings& server);

}  // namespace sluice::config
