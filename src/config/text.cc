#include "config/text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"

namespace sluice::config {
namespace {

constexpr std::size_t kShownBytes = 80;

/// Moves the character at the front to `result`; \xNN stands for what cannot be shown.
void append_character(std::string& result, std::string_view& text) {
  const Utf8Char next = first_utf8_char(text);
  const std::size_t length = std::max<std::size_t>(next.size, 1);
  if (next.size == 0 || steers_display(next.code)) {
    for (const char byte : text.substr(0, length))
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
  } else {
    result += text.substr(0, length);
  }
  text.remove_prefix(length);
}

}  // namespace

bool has_control_characters(std::string_view text) noexcept {
  while (!text.empty()) {
    const Utf8Char next = first_utf8_char(text);
    if (next.size > 0 && is_control(next.code)) return true;
    text.remove_prefix(std::max<std::size_t>(next.size, 1));
  }
  return false;
}

bool is_plain_name(std::string_view text) noexcept {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  return !text.empty() && text.find_first_not_of(kAllowed) == std::string_view::npos;
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  while (!text.empty()) {
    if (result.size() > kShownBytes) return result + "…\"";
    if (text.front() == '"' || text.front() == '\\') result += '\\';
    append_character(result, text);
  }
  return result + '"';
}

std::string on_one_line(std::string_view text) {
  std::string result;
  while (!text.empty())
    append_character(result, text);
  return result;
}

}  // namespace sluice::config
