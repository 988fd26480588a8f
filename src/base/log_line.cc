#include "base/log_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>

namespace sluice::log {
namespace {

struct LevelStyle {
  std::string_view name;
  std::string_view colour;  // of a terminal: grey, grey, green, yellow, red
};
constexpr std::array<LevelStyle, 5> kLevels = {{
    {"trace", "\x1b[90m"},
    {"debug", "\x1b[90m"},
    {"info", "\x1b[32m"},
    {"warn", "\x1b[33m"},
    {"error", "\x1b[31m"},
}};
constexpr std::string_view kPlain = "\x1b[0m";

const LevelStyle& style_of(Level level) noexcept {
  return kLevels.at(static_cast<std::size_t>(level));
}

constexpr unsigned char byte_at(std::string_view text, std::size_t at) noexcept {
  return static_cast<unsigned char>(text[at]);
}

constexpr bool is_control(unsigned char byte) noexcept {
  return byte < 0x20 || byte == 0x7f;
}

/// How many bytes the UTF-8 character at the beginning of `text` has; 0 if there is none (RFC 3629:
/// no overlong forms, no surrogates, nothing beyond U+10FFFF).
std::size_t utf8_size(std::string_view text) noexcept {
  const unsigned char lead = byte_at(text, 0);
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const std::size_t size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (text.size() < size) return 0;
  for (std::size_t at = 1; at < size; ++at) {
    if ((byte_at(text, at) & 0xc0) != 0x80) return 0;
  }
  const unsigned char second = byte_at(text, 1);
  const bool is_legal = (lead != 0xe0 || second >= 0xa0) && (lead != 0xed || second < 0xa0) &&
                        (lead != 0xf0 || second >= 0x90) && (lead != 0xf4 || second < 0x90);
  return is_legal ? size : 0;
}

/// The text as the inside of a JSON string.
void append_json(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = utf8_size(text);
    const unsigned char byte = byte_at(text, 0);
    if (size == 0) {
      out += "\\ufffd";
    } else if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text[0];
    } else if (is_control(byte)) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
}

void append_visible(std::string& out, std::string_view text) {
  const auto is_control_char = [](char c) { return is_control(static_cast<unsigned char>(c)); };
  while (true) {
    const auto* control = std::find_if(text.begin(), text.end(), is_control_char);
    out.append(text.begin(), control);
    if (control == text.end()) return;
    fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(*control));
    text = {control + 1, text.end()};
  }
}

}  // namespace

std::string_view to_string(Level level) noexcept {
  return style_of(level).name;
}

std::optional<Level> level_of(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kLevels.size(); ++i) {
    if (kLevels.at(i).name == name) return static_cast<Level>(i);
  }
  return std::nullopt;
}

std::string level_names() {
  std::string names;
  for (const LevelStyle& level : kLevels) {
    if (!names.empty()) names += ", ";
    names += level.name;
  }
  return names;
}

Subject Subject::client(std::string_view peer, std::uint64_t number) noexcept {
  return {Kind::Client, peer, number};
}
Subject Subject::broker(std::string_view name) noexcept {
  return {Kind::Broker, name, 0};
}
Subject Subject::slot(std::string_view broker, unsigned slot) noexcept {
  return {Kind::Slot, broker, slot};
}

std::string Subject::client_name() const {
  return name_.empty() ? "gone" : fmt::format("{} #{}", name_, number_);
}

std::string Subject::text() const {
  switch (kind_) {
    case Kind::None:
      return {};
    case Kind::Client:
      return "client " + client_name();
    case Kind::Broker:
      return fmt::format("broker {}", name_);
    case Kind::Slot:
      return fmt::format("broker {} slot {}", name_, number_);
  }
  return {};
}

std::string Subject::members() const {
  if (kind_ == Kind::None) return {};
  const bool is_client = kind_ == Kind::Client;
  std::string members = is_client ? R"("client":")" : R"("broker":")";
  append_json(members, is_client ? client_name() : std::string(name_));
  members += "\",";
  if (kind_ == Kind::Slot) members += fmt::format(R"("slot":{},)", number_);
  return members;
}

std::string text_line(Level level, const Subject& about, std::string_view message, bool coloured) {
  const LevelStyle& style = style_of(level);
  std::string line = coloured ? fmt::format("{}{:<5}{} ", style.colour, style.name, kPlain)
                              : fmt::format("{:<5} ", style.name);
  if (!about.is_empty()) {
    append_visible(line, about.text());
    line += ": ";
  }
  append_visible(line, message);
  return line;
}

std::string json_line(Level level, const Subject& about, std::string_view message) {
  std::string line =
      fmt::format(R"("level":"{}",{}"message":")", to_string(level), about.members());
  append_json(line, message);
  line += "\"}";
  return line;
}

}  // namespace sluice::log
