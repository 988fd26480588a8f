// How deep a TOML text nests, found before it is parsed: toml++ bounds nested brackets, but not the
// parts of a dotted name, and what it makes of them is walked and destroyed by recursion.
#pragma once

#include <optional>
#include <string_view>

#include "config/document.h"

namespace sluice::config {

/// Brackets within each other, and parts of one name.
constexpr unsigned kMaxNesting = 16;

/// The first place where brackets or names nest deeper than kMaxNesting, in a text that is TOML up
/// to there.
std::optional<SyntaxError> find_too_deep(std::string_view text);

}  // namespace sluice::config
