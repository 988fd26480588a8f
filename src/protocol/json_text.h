// Text as a JSON string, for whatever writes JSON by hand.
#pragma once

#include <string>
#include <string_view>

namespace sluice::protocol {

/// Appends `text` as a JSON string, with its quotes. What is not UTF-8 becomes U+FFFD, so that the
/// result stays JSON.
void append_json_string(std::string_view text, std::string& out);

}  // namespace sluice::protocol
