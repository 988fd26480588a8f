// Reads conf/sluice.toml and docs/configuration.md as a person would, and says where they differ
// from what the program does.
#pragma once

#include <string>
#include <vector>

#include "support.h"

namespace sluice::config {

/// A file of the source tree, by its path from the root.
std::string source_file(const std::string& path);

/// Dotted key and value of all that is no table, as TOML writes it; of lists of tables the first.
Variables values_of(const std::string& toml);

/// A row of the tables of keys; `default_value` of a required key is "required".
struct Row {
  std::string key;
  std::string default_value;
  std::string allowed;
};
std::vector<Row> rows_of(const std::string& documentation);

/// What stands between the first `open` after `from` and the next `close`. Moves `from` behind it.
std::string between(const std::string& line, const std::string& open, const std::string& close,
                    std::size_t& from);

/// One line for each known key that is not in both, each key in one of them that is not known, each
/// default that the reference and the documentation do not share, and each value or limit that the
/// documentation allows and the program refuses, or the other way round.
std::vector<std::string> differences(const std::string& reference,
                                     const std::string& documentation);

}  // namespace sluice::config
