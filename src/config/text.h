// Checks and quoting for texts of a configuration file.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sluice::config {

/// Holds a control character: U+0000 to U+001F or U+007F to U+009F. Expects UTF-8.
bool has_control_characters(std::string_view text) noexcept;

/// Not empty, and letters, digits, `.`, `_` and `-` only.
bool is_plain_name(std::string_view text) noexcept;

/// The text in double quotes and fit for one line of a terminal: characters that steer the display
/// and bytes that are not UTF-8 are escaped, and what is longer than 80 bytes is cut.
std::string quoted(std::string_view text);
/// All of `text`, escaped as in quoted().
std::string on_one_line(std::string_view text);

}  // namespace sluice::config
