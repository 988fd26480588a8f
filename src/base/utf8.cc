#include "base/utf8.h"

#include <cstdint>
#include <cstring>

namespace sluice {
namespace {

/// How many bytes at the beginning of `text` are ASCII, rounded down to whole words.
std::size_t ascii_words(std::string_view text) noexcept {
  std::size_t at = 0;
  for (std::uint64_t word = 0; at + sizeof(word) <= text.size(); at += sizeof(word)) {
    std::memcpy(&word, text.data() + at, sizeof(word));
    if ((word & 0x8080808080808080U) != 0) break;
  }
  return at;
}

}  // namespace

Utf8Char first_utf8_char(std::string_view text) noexcept {
  const auto byte = [text](std::size_t i) -> char32_t {
    return static_cast<unsigned char>(text[i]);
  };
  const char32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  std::size_t size = 0;
  char32_t code = 0;
  char32_t least = 0;
  if ((first & 0xE0) == 0xC0) {
    size = 2;
    code = first & 0x1F;
    least = 0x80;
  } else if ((first & 0xF0) == 0xE0) {
    size = 3;
    code = first & 0x0F;
    least = 0x800;
  } else if ((first & 0xF8) == 0xF0) {
    size = 4;
    code = first & 0x07;
    least = 0x10000;
  }
  if (size == 0 || text.size() < size) return {};
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = (code << 6) | (byte(i) & 0x3F);
  }
  if (code < least || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return {};
  return {code, size};
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    text.remove_prefix(ascii_words(text));
    for (std::size_t byte = 0; byte < sizeof(std::uint64_t) && !text.empty(); ++byte) {
      if (static_cast<unsigned char>(text.front()) < 0x80) {
        text.remove_prefix(1);
        continue;
      }
      const Utf8Char next = first_utf8_char(text);
      if (next.size == 0) return false;
      text.remove_prefix(next.size);
    }
  }
  return true;
}

std::string_view cut_utf8(std::string_view text, std::size_t most) noexcept {
  if (text.size() <= most) return text;
  const auto is_continued = [&](std::size_t at) {
    return (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
  };
  while (most > 0 && is_continued(most))
    --most;
  return text.substr(0, most);
}

}  // namespace sluice
