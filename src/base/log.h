// Log lines for the operator. Formatting happens only where the level is enabled.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/log_line.h"

namespace sluice::log {

enum class Format { Text, Json };

struct Settings {
  Level level = Level::Info;
  std::string file;  ///< empty: standard error
  Format format = Format::Text;
  bool operator==(const Settings&) const = default;
};

/// Applies settings; opens the file if one is named. Before the first call lines of level info and
/// above go to standard error. On an error the former settings stay. Text on standard error is
/// coloured if that is a terminal, NO_COLOR is not set and TERM is neither unset nor "dumb".
Result<void> configure(const Settings& settings);
/// Reopens the configured file (after log rotation has renamed it). No file: does nothing.
/// On an error lines still go to the former file.
Result<void> reopen();
/// The file that lines are written to; empty: standard error.
const std::string& file() noexcept;
/// Lines since the start of the process that could not be written whole, wherever they went. A
/// write never waits: not for a terminal that is stopped, not for a reader that does not read.
std::uint64_t lines_lost() noexcept;

bool is_enabled(Level level) noexcept;
/// One line, already formatted.
void write(Level level, const Subject& about, std::string_view message) noexcept;

/// A line about a client, a broker or a slot, whose name is put in front of it.
template <class... Args>
void at(Level level, const Subject& about, fmt::format_string<Args...> format, Args&&... args) {
  if (is_enabled(level)) write(level, about, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void debug(const Subject& about, fmt::format_string<Args...> format, Args&&... args) {
  at(Level::Debug, about, format, std::forward<Args>(args)...);
}
template <class... Args>
void info(const Subject& about, fmt::format_string<Args...> format, Args&&... args) {
  at(Level::Info, about, format, std::forward<Args>(args)...);
}
template <class... Args>
void warn(const Subject& about, fmt::format_string<Args...> format, Args&&... args) {
  at(Level::Warn, about, format, std::forward<Args>(args)...);
}

/// A line about sluice itself.
template <class... Args>
void at(Level level, fmt::format_string<Args...> format, Args&&... args) {
  at(level, Subject(), format, std::forward<Args>(args)...);
}
template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  at(Level::Debug, format, std::forward<Args>(args)...);
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  at(Level::Info, format, std::forward<Args>(args)...);
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  at(Level::Warn, format, std::forward<Args>(args)...);
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  at(Level::Error, format, std::forward<Args>(args)...);
}

}  // namespace sluice::log
