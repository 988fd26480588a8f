#include "config/nesting.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

namespace sluice::config {
namespace {

/// Behind the string that begins at `at` with `quote`. One that a newline cuts off ends there.
std::size_t behind_string(std::string_view text, std::size_t at, char quote) {
  const bool has_escapes = quote == '"';
  const char three[] = {quote, quote, quote, '\0'};
  const bool is_multi_line = text.substr(at).starts_with(three);
  at += is_multi_line ? 3 : 1;
  while (at < text.size()) {
    if (has_escapes && text[at] == '\\') {
      at += 2;
    } else if (!is_multi_line) {
      if (text[at] == '\n') return at;
      if (text[at++] == quote) return at;
    } else if (text.substr(at).starts_with(three)) {
      // Up to two more quotes are the string's own.
      const std::size_t end = std::min(text.find_first_not_of(quote, at), text.size());
      return std::min(end, at + 5);
    } else {
      ++at;
    }
  }
  return text.size();
}

Place place_of(std::string_view text, std::size_t at) {
  const std::string_view before = text.substr(0, at);
  const auto lines = std::count(before.begin(), before.end(), '\n');
  const std::string_view line = before.substr(before.rfind('\n') + 1);
  const auto characters = std::count_if(line.begin(), line.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;  // no UTF-8 continuation byte
  });
  return {static_cast<unsigned>(lines) + 1, static_cast<unsigned>(characters) + 1};
}

}  // namespace

std::optional<SyntaxError> find_too_deep(std::string_view text) {
  unsigned brackets = 0;
  unsigned parts = 1;  // of the name, or of what else stands here
  for (std::size_t at = 0; at < text.size();) {
    switch (const char byte = text[at]; byte) {
      case '"':
      case '\'':
        at = behind_string(text, at, byte);
        continue;
      case '#':
        at = std::min(text.find('\n', at), text.size());
        continue;
      case '[':
      case '{':
        ++brackets;
        parts = 1;
        break;
      case ']':
      case '}':
        brackets -= std::min(brackets, 1U);
        parts = 1;
        break;
      case '.':
        ++parts;
        break;
      case '=':
      case ',':
      case '\n':
        parts = 1;
        break;
      default:
        break;
    }
    if (std::max(brackets, parts) > kMaxNesting) {
      return SyntaxError{
          place_of(text, at),
          fmt::format("nested too deeply: expected at most {} {}", kMaxNesting,
                      parts > kMaxNesting ? "parts of a name" : "brackets within each other")};
    }
    ++at;
  }
  return std::nullopt;
}

}  // namespace sluice::config
