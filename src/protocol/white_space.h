// The white space of JSON (RFC 8259, section 2), and that between requests.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::protocol {

constexpr bool is_space(char c) noexcept {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/// White space between two requests of a stream: C programs send the NUL that ends a string.
constexpr bool is_space_or_nul(char c) noexcept {
  return is_space(c) || c == '\0';
}

/// The number of white space bytes that `text` begins with.
constexpr std::size_t leading_space(std::string_view text) noexcept {
  std::size_t size = 0;
  while (size < text.size() && is_space(text[size]))
    ++size;
  return size;
}

}  // namespace sluice::protocol
