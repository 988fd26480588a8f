// Written out here, because this layer knows no other that could tell what UTF-8 is.
#include "config/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace sluice::config {
namespace {

constexpr std::size_t kShownBytes = 80;

unsigned byte_at(std::string_view text, std::size_t at) noexcept {
  return static_cast<unsigned char>(text[at]);
}

/// How many bytes the well-formed UTF-8 character at the front takes, 0 if there is none.
/// The table is that of The Unicode Standard, 3.9, "Well-Formed UTF-8 Byte Sequences".
std::size_t utf8_length(std::string_view text) noexcept {
  const unsigned first = byte_at(text, 0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (text.size() < length) return 0;
  const unsigned low = first == 0xE0 ? 0xA0U : first == 0xF0 ? 0x90U : 0x80U;
  const unsigned high = first == 0xED ? 0x9FU : first == 0xF4 ? 0x8FU : 0xBFU;
  if (byte_at(text, 1) < low || byte_at(text, 1) > high) return 0;
  for (std::size_t at = 2; at < length; ++at) {
    if ((byte_at(text, at) & 0xC0U) != 0x80U) return 0;
  }
  return length;
}

bool is_control(std::string_view text) noexcept {
  const unsigned first = byte_at(text, 0);
  if (first < 0x20 || first == 0x7F) return true;
  return first == 0xC2 && text.size() > 1 && byte_at(text, 1) < 0xA0;
}

/// Moves the character at the front to `result`; \xNN stands for what cannot be shown.
void append_character(std::string& result, std::string_view& text) {
  const std::size_t length = std::max<std::size_t>(utf8_length(text), 1);
  if (utf8_length(text) == 0 || is_control(text)) {
    for (std::size_t at = 0; at < length; ++at)
      result += fmt::format("\\x{:02x}", byte_at(text, at));
  } else {
    result += text.substr(0, length);
  }
  text.remove_prefix(length);
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool has_control_characters(std::string_view text) noexcept {
  while (!text.empty()) {
    if (is_control(text)) return true;
    text.remove_prefix(1);
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
