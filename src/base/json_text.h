// The one way to write text into JSON.
#pragma once

#include <string>
#include <string_view>

namespace sluice {

/// Appends `text` as the inside of a JSON string. Quotes, backslashes and control characters (those
/// up to U+009F included) are escaped; each byte that is not UTF-8 becomes U+FFFD.
void append_json_text(std::string_view text, std::string& out);

/// The same with the quotes around it.
void append_json_string(std::string_view text, std::string& out);

}  // namespace sluice
