// Words the faults of keys that are not known.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/section.h"

namespace sluice::config {

/// `table.key`, or `key` in the root.
std::string dotted(std::string_view table, std::string_view key);

/// Turns the unknown keys into findings. Each names the nearest known one, in its own table or in
/// another; where none is near, the keys of the table are listed, once for each table. `known` is
/// every key there is, dotted.
void report_unknown(Reading& reading, const std::vector<std::string>& known);

}  // namespace sluice::config
