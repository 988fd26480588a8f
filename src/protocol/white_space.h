// The white space of JSON (RFC 8259, section 2).
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::protocol {

constexpr bool is_space(char c) noexcept {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/// The number of white space bytes that `text` begins with.
constexpr std::size_t leading_space(std::string_view text) noexcept {
  std::size_t size = 0;
  while (size < text.size() && is_space(text[size]))
    ++size;
  return size;
}

}  // namespace sluice::protocol
