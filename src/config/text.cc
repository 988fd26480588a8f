#include "config/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "base/utf8.h"

namespace sluice::config {
namespace {

constexpr std::size_t kShownBytes = 80;

/// Moves the character at the front to `result`; \xNN stands for what cannot be shown.
void append_character(std::string& result, std::string_view& text) {
  const Utf8Char next = first_utf8_char(text);
  const std::size_t length = std::max<std::size_t>(next.size, 1);
  if (next.size == 0 || is_control(next.code)) {
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

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace sluice::config
