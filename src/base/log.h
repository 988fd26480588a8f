// Log lines for the operator. Formatting happens only where the level is enabled.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace sluice::log {

enum class Level { Trace, Debug, Info, Warn, Error };
enum class Format { Text, Json };

struct Settings {
  Level level = Level::Info;
  std::string file;  ///< empty: standard error
  Format format = Format::Text;
};

/// Applies settings; opens the file if one is named. Before the first call lines of level info and
/// above go to standard error. On an error the former settings stay.
Result<void> configure(const Settings& settings);
/// Opens the configured file anew (after it was renamed by a log rotation). No file: does nothing.
Result<void> reopen();

bool is_enabled(Level level) noexcept;
/// One line, already formatted.
void write(Level level, std::string_view line) noexcept;

template <class... Args>
void at(Level level, fmt::format_string<Args...> format, Args&&... args) {
  if (is_enabled(level)) write(level, fmt::format(format, std::forward<Args>(args)...));
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
