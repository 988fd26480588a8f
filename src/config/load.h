// Reads and validates a configuration file: either a Config, or all its faults.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/environment.h"

namespace sluice::config {

/// One fault, or something likely a mistake: where it is, what was found and what is allowed.
struct Fault {
  std::string file;
  unsigned line = 1;    ///< from 1
  unsigned column = 1;  ///< from 1, in characters
  std::string what;     ///< begins with the dotted key: "broker[o2o].keepalive_s: expected …"

  /// `FILE:LINE:COLUMN: what`
  std::string text() const;
  /// `FILE:LINE:COLUMN: warning: what`
  std::string warning() const;
};

/// `config` is there exactly where there are no faults. The faults are sorted by place; a syntax
/// error, or a file that cannot be read, is the only one. No password is ever part of a text here.
struct Loaded {
  std::optional<Config> config;
  std::vector<Fault> faults;
  std::vector<Fault> warnings;  ///< likely a mistake; sorted by place
  std::vector<Fault> remarks;   ///< a mistake or just what was meant; sorted by place
};

/// Reads, parses and checks the file, and what it names: password and certificate files.
/// `descriptor_limit` is the hard limit on open files: if it is too low, max_connections is lowered
/// to what it allows, with a warning.
Loaded load(const std::string& path, const Environment& environment,
            std::uint64_t descriptor_limit);

/// The same for a text that is in memory; `path` is what faults call it.
Loaded parse(std::string_view text, const std::string& path, const Environment& environment,
             std::uint64_t descriptor_limit);

/// The environment of this process.
Environment process_environment();

}  // namespace sluice::config
