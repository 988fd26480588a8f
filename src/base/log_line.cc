#include "base/log_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>

#include "base/json_text.h"
#include "base/utf8.h"

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
  append_json_text(is_client ? client_name() : std::string(name_), members);
  members += "\",";
  if (kind_ == Kind::Slot) members += fmt::format(R"("slot":{},)", number_);
  return members;
}

void append_visible(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const Utf8Char next = first_utf8_char(text);
    const std::size_t size = std::max<std::size_t>(next.size, 1);
    if (next.size > 0 && steers_display(next.code)) {
      for (const char byte : text.substr(0, size))
        fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(byte));
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(size);
  }
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
  append_json_text(message, line);
  line += "\"}";
  return line;
}

}  // namespace sluice::log
