// The one UTF-8 decoder (RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF).
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice {

struct Utf8Char {
  char32_t code = 0;
  std::size_t size = 0;  ///< 1 to 4 bytes; 0: the bytes are not UTF-8
};

/// The character `text` begins with. `text` must not be empty.
Utf8Char first_utf8_char(std::string_view text) noexcept;
bool is_utf8(std::string_view text) noexcept;
/// As much from the front of UTF-8 as fits in `most` bytes without cutting a character.
std::string_view cut_utf8(std::string_view text, std::size_t most) noexcept;

/// `text` without the byte order mark that some editors put at the start of a file.
constexpr std::string_view without_bom(std::string_view text) noexcept {
  constexpr std::string_view kBom = "\xEF\xBB\xBF";
  return text.starts_with(kBom) ? text.substr(kBom.size()) : text;
}

/// U+0000 to U+001F and U+007F to U+009F: what a terminal may obey.
constexpr bool is_control(char32_t code) noexcept {
  return code < 0x20 || (code >= 0x7F && code <= 0x9F);
}

/// Control characters, and those that break a line or reorder the text around them (bidirectional
/// marks, embeddings, overrides and isolates): not fit to be shown as they are.
constexpr bool steers_display(char32_t code) noexcept {
  return is_control(code) || code == 0x061C || code == 0x200E || code == 0x200F ||
         (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

}  // namespace sluice
