// Quotes the beginning of a client's text, for `detail`.
#pragma once

#include <string>
#include <string_view>

namespace sluice::protocol {

/// `text` in double quotes: at most 40 bytes of it, control characters and bytes that are not UTF-8
/// replaced by '?'. The result is UTF-8 whatever the text is.
std::string quoted_excerpt(std::string_view text);

}  // namespace sluice::protocol
