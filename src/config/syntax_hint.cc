#include "config/syntax_hint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "config/text.h"

namespace sluice::config {
namespace {

constexpr std::size_t kLongestKey = 64;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const std::size_t begin = std::min(text.find_first_not_of(kSpace), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

bool is_key(std::string_view text) {
  return is_plain_name(text) && text.size() <= kLongestKey;
}

/// Behind `key = `.
std::string hint_for_value(std::string_view key, std::string_view value) {
  constexpr std::array<std::string_view, 6> kBooleans = {"yes", "no", "on", "off", "true", "false"};
  const std::string word = to_lower(std::string(value.substr(0, value.find_first_of(" \t#"))));
  if (std::find(kBooleans.begin(), kBooleans.end(), word) != kBooleans.end()) {
    return fmt::format("write {} = true or {} = false", key, key);
  }
  if (value.starts_with("“") || value.starts_with("”") || value.starts_with("„"))
    return fmt::format("use straight quotes: {} = \"…\"", key);
  if (is_digit(value.front()) || value.front() == '-' || value.front() == '+')
    return fmt::format("a number has no unit, and a string stands in quotes: {} = \"…\"", key);
  constexpr std::string_view kKnown = "\"'[{#";
  if (kKnown.find(value.front()) != std::string_view::npos) return {};
  return fmt::format("a string stands in quotes: {} = \"…\"", key);
}

}  // namespace

std::string syntax_hint(std::string_view line) {
  line = trimmed(line);
  if (line == "---" || line.starts_with("- "))
    return "this looks like YAML; a configuration is TOML: [server], key = value, [[broker]]";
  if (line == "{" || line.starts_with("{\""))
    return "this looks like JSON; a configuration is TOML: [server], key = value, [[broker]]";
  const std::size_t mark = line.find_first_of("=:");
  if (mark == std::string_view::npos) return {};
  const std::string_view key = trimmed(line.substr(0, mark));
  const std::string_view value = trimmed(line.substr(mark + 1));
  if (!is_key(key)) return {};
  if (line[mark] == ':') {
    return value.empty() ? fmt::format("write it as a table: [{}]", key)
                         : fmt::format("write {} = …, with an equals sign", key);
  }
  return value.empty() ? std::string() : hint_for_value(key, value);
}

}  // namespace sluice::config
