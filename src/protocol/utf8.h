// UTF-8 looked at one character at a time (RFC 3629: no overlong forms, no surrogates).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sluice::protocol {

struct Utf8Char {
  char32_t code = 0;
  std::size_t size = 0;  ///< 1 to 4 bytes; 0: the bytes are not UTF-8
};

/// The character `text` begins with. `text` must not be empty.
Utf8Char first_utf8_char(std::string_view text) noexcept;
bool is_utf8(std::string_view text) noexcept;

/// `text` in double quotes for a detail text: at most 40 bytes of it, control characters and what
/// is not UTF-8 replaced by '?'. The result is UTF-8 whatever the text is.
std::string quoted_excerpt(std::string_view text);

}  // namespace sluice::protocol
