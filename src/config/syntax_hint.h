// What a line that is no TOML was probably meant to be.
#pragma once

#include <string>
#include <string_view>

namespace sluice::config {

/// "write server as a table: [server]", or nothing. Never repeats a value, which may be a password.
std::string syntax_hint(std::string_view line);

}  // namespace sluice::config
