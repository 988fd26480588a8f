// The commands that read a configuration: serve runs it, check judges it.
#pragma once

#include <string>

namespace sluice::cli {

// Exit statuses of every command.
constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kMisused = 2;  ///< wrong usage or configuration

/// Runs in the foreground until SIGTERM or SIGINT; a second one ends it at once with 1.
int run_serve(const std::string& file);

/// Prints one line per fault to standard error; 0 without any, else 2.
int run_check(const std::string& file);

}  // namespace sluice::cli
