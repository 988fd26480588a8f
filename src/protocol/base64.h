// Base64 as RFC 4648 section 4 defines it, read strictly.
#pragma once

#include <string>
#include <string_view>

namespace sluice::protocol {

/// Sets `out` to the bytes that `text` stands for. False, with `out` unspecified, if `text` is not
/// padded to a multiple of four, holds a character outside the alphabet (white space included) or
/// sets bits that stand for no byte.
bool decode_base64(std::string_view text, std::string& out);

}  // namespace sluice::protocol
