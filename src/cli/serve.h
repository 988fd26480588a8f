// The commands that read a configuration: serve runs it, check validates it.
#pragma once

#include <optional>
#include <string>

#include "base/log.h"

namespace sluice::cli {

// Exit statuses of every command.
constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kMisused = 2;  ///< wrong usage or configuration

/// The parsed command line.
struct ServeOptions {
  std::string file = "/etc/sluice/sluice.toml";
  std::optional<log::Level> log_level = {};  ///< overrides [log] level, after a reload too
};

/// Runs in the foreground until SIGTERM or SIGINT; another one exits at once with 1, unless it
/// comes within a second.
int run_serve(const ServeOptions& options);

/// Prints one line per fault to standard error; 0 without any, else 2.
int run_check(const std::string& file);

}  // namespace sluice::cli
