// Base64 as RFC 4648 section 4 defines it, read strictly.
#pragma once

#include <string>
#include <string_view>

namespace sluice::protocol {

/// Replaces `out` by the bytes that `text` stands for. False, with `out` unspecified, where `text`
/// is not padded to a multiple of four, holds any other character (white space included) or sets
/// bits that stand for no byte.
bool decode_base64(std::string_view text, std::string& out);

}  // namespace sluice::protocol
