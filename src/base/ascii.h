// Case, digits and numbers of ASCII text, whatever the locale.
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace sluice {

constexpr char to_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

/// `text` with A to Z in lower case; other bytes stay.
inline std::string to_lower(std::string text) {
  for (char& c : text)
    c = to_lower(c);
  return text;
}

/// The whole text as a decimal integer: a minus sign only for signed types, no plus sign, no white
/// space. Nothing where it is anything else or does not fit `T`.
template <std::integral T>
std::optional<T> to_integer(std::string_view text) noexcept {
  T number{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

}  // namespace sluice
